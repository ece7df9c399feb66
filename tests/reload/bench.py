"""A hub on a folder with tracking doors, two webhooks, a mail server and a file; its configuration is made of parts."""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import sys
import tempfile
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent / "vendors")]
import hub  # noqa: E402
from client import Server  # noqa: E402

os.environ.update(SITE_KEY="site-key", APP_KEY="app-key",
                  HOOK_SECRET="whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode())
ROWS = ("rows: { plugin: csv, with: { path: ./rows.csv }, "
        "streams: { rows: { as: identify, ids: { user_id: row.id } } } }\n")


def config(sources, audiences="", routes="", workflows="", destinations="", head="listen: 127.0.0.1:0"):
    """Each section is text of lines `  name: {...}`; empty: left out."""
    text = f"version: 1\nhub: {{ data: ./data, {head}, admin: 'unix:./admin.sock' }}\n"
    for name, body in {"sources": sources, "audiences": audiences, "routes": routes, "workflows": workflows,
                       "destinations": destinations}.items():
        if body:
            text += f"{name}:\n" + "".join(f"  {line}\n" for line in body.strip().splitlines())
    return text


def tracking(name, key):
    return f'{name}: {{ plugin: tracking, with: {{ write_key: "${{{key}}}" }} }}\n'


def webhook(name, port, path="/"):
    settings = f'{{ url: "http://127.0.0.1:{port}{path}", secret: "${{HOOK_SECRET}}" }}'
    return f"{name}: {{ plugin: webhook, purpose: internal, with: {settings} }}\n"


def mail(name, port):
    settings = f'{{ server: "smtp://127.0.0.1:{port}", from: "a@example.com", tls: none }}'
    return f"{name}: {{ plugin: smtp, purpose: internal, with: {settings} }}\n"


def ping(n, person="a"):
    return {"type": "track", "event": "Ping", "userId": person, "properties": {"p": person, "n": n}}


class Bench(unittest.TestCase):
    def setUp(self):
        self.open = contextlib.ExitStack()
        self.addCleanup(self.open.close)
        self.folder = pathlib.Path(self.open.enter_context(tempfile.TemporaryDirectory(prefix="sluice-reload-")))

    def stand_in(self, *arguments):
        return self.open.enter_context(Server(*arguments))

    def run_hub(self, text, *options):
        self.hub = hub.Hub(self.folder, text)
        self.open.callback(self.hub.stop)  # one that does not become ready too
        self.hub.start(*options)

    def write(self, text, name="connectors.yaml"):
        """As editors do: another file takes its name."""
        new = self.folder / (name + ".new")
        new.write_text(text, encoding="utf-8")
        new.replace(self.folder / name)

    def metric(self, name):
        for line in self.hub.get("/metrics")[1].splitlines():
            if line.rpartition(" ")[0] == name:
                return float(line.rpartition(" ")[2])
        return None

    def apply(self, text):
        """Writes the file and waits until it holds, for everybody."""
        before = self.metric("sluice_config_applied_total")
        self.write(text)
        hub.wait_for(lambda: self.metric("sluice_config_applied_total") > before, said=lambda: "applied; " + self.log()[-1000:])
        hub.wait_for(lambda: json.loads(self.hub.get("/v1/backfill")[1])["state"] != "walking")

    def lanes(self):
        return {lane["destination"]: lane for lane in json.loads(self.hub.get("/v1/outbox")[1])["lanes"]}

    def delivered(self):
        hub.wait_for(lambda: self.hub.unstepped() == 0 and all(lane["backlog"] == 0 for lane in self.lanes().values()))

    def log(self):
        return (self.folder / "hub.log").read_text()

    def verify(self):
        self.assertIn("the same", self.hub.command("store", "verify"))
        self.assertIn("whole", self.hub.command("journal", "verify"))

    def send(self, key, *events):
        """-> HTTP status"""
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
        try:
            connection.request("POST", "/v1/batch", json.dumps({"batch": events, "writeKey": key}))
            return connection.getresponse().status
        finally:
            connection.close()


def events_of(stand_in):
    """[(person, n)] of the pings that a webhook has, in order; each key once."""
    seen, out = set(), []
    for record in stand_in.records():
        record = record.get("record", record)
        if record["op"] == "event" and record["key"] not in seen:
            seen.add(record["key"])
            properties = record["payload"]["properties"]
            out.append((properties["p"], properties["n"]))
    return out


class Load(threading.Thread):
    """Sends pings of some people, numbered, one batch after the other; notes what was acknowledged."""

    def __init__(self, bench, key, people):
        super().__init__(daemon=True)
        self.bench, self.key, self.people = bench, key, people
        self.port = bench.hub.port()
        self.acknowledged, self.refused, self.error = [], 0, None
        self.again = set()  # answers after which the same is sent again
        self.stopping = threading.Event()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        n = 0
        try:
            while not self.stopping.wait(0.004):
                n += 1
                pings = [(person, n) for person in self.people]
                batch = [{"type": "track", "event": "Ping", "userId": p, "messageId": f"{self.key}-{p}-{n}",
                          "properties": {"p": p, "n": n}} for p, n in pings]
                while True:
                    connection.request("POST", "/v1/batch", json.dumps({"batch": batch, "writeKey": self.key}))
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status not in self.again:
                        break
                if answer.status == 200:
                    self.acknowledged += pings
                elif answer.status == 401:
                    self.refused += 1
                else:
                    raise AssertionError(f"answered {answer.status}")
        except Exception as error:  # told by finish()
            self.error = error
        finally:
            connection.close()

    def finish(self):
        self.stopping.set()
        self.join(20)
        if self.error:
            raise self.error
        return self.acknowledged
