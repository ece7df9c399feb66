"""Ten thousand people leave an audience at stated moments, by time alone: each word of it is at the destination within a second of
the moment, with no event coming in, and after a hub that was killed in between, too."""

import datetime
import http.client
import http.server
import json
import os
import pathlib
import signal
import socketserver
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import hub  # noqa: E402

PEOPLE = 10_000
WINDOW = 6.0
TRIES = 3  # the machine may be busy with other things: one of these must be in time for everybody
os.environ["SITE_KEY"] = "site-key"
CONFIG = """version: 1
hub: {{ data: ./data, listen: "127.0.0.1:0", admin: "unix:./admin.sock" }}
sources:
  site: {{ plugin: tracking, with: {{ write_key: "${{SITE_KEY}}" }} }}
audiences: {{ here: 'events("Ping").within("6s").exists()' }}
routes: {{ list: {{ audience: here, to: sink }} }}
destinations:
  sink: {{ plugin: webhook, purpose: internal, with: {{ url: "http://127.0.0.1:{port}/" }} }}
"""


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Sink(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """What came, with the moment at which it did; each record once."""
    daemon_threads = True

    def __init__(self):
        self.leaves, self.lock = {}, threading.Lock()
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                now = time.time()
                with sink.lock:
                    for record in json.loads(body):
                        if record["op"] == "leave":
                            sink.leaves.setdefault(record["identifiers"]["user_id"][0], (now, seconds(record["time"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # the hub that was killed hangs up


class DueTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-due-")
        self.addCleanup(folder.cleanup)
        self.sink = Sink()
        self.addCleanup(self.sink.server_close)
        self.addCleanup(self.sink.shutdown)
        self.hub = hub.Hub(folder.name, CONFIG.format(port=self.sink.server_address[1]))
        self.hub.start()
        self.addCleanup(self.hub.stop)

    def ping(self, turn):
        """-> {person: when the window closes}: by the times that the events have."""
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
        due, batch = {}, 500
        for first in range(0, PEOPLE, batch):
            began = time.time()
            events = []
            for n in range(first, first + batch):
                at = datetime.datetime.fromtimestamp(began - n % batch / 1000, datetime.timezone.utc)
                text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
                person = f"{turn}-{n}"
                due[person] = seconds(text) + WINDOW
                events.append({"type": "track", "event": "Ping", "userId": person, "timestamp": text})
            connection.request("POST", "/v1/batch", json.dumps({"batch": events, "writeKey": "site-key"}))
            answer = connection.getresponse()
            self.assertEqual(answer.status, 200)
            answer.read()
        connection.close()
        return due

    def lateness(self, due, not_before=0.0):
        """The longest time from a moment (the hub was there to see) to the word of it at the destination, in seconds."""
        hub.wait_for(lambda: all(person in self.sink.leaves for person in due), 40,
                     lambda: f"{sum(person in self.sink.leaves for person in due)} of {len(due)} have left")
        for person, moment in due.items():
            came, said = self.sink.leaves[person]
            self.assertAlmostEqual(said, moment, places=3)
            self.assertGreaterEqual(came, moment)
        return max(self.sink.leaves[person][0] - max(moment, not_before) for person, moment in due.items())

    def in_time(self, turn):
        late = []
        for number in range(TRIES):
            late.append(turn(number))
            if late[-1] <= hub.PATIENCE:
                break
        print(f"the last word came {late[-1]:.3f} s after its moment", file=sys.stderr)
        self.assertLessEqual(late[-1], hub.PATIENCE, f"all tries: {late}")

    def test_each_leaves_within_a_second_of_its_moment(self):
        self.in_time(lambda number: self.lateness(self.ping(f"a{number}")))

    def test_each_leaves_within_a_second_of_its_moment_though_the_hub_was_killed_before(self):
        def turn(number):
            due = self.ping(f"b{number}")
            self.hub.stop(signal.SIGKILL)
            self.hub.start()
            back = time.time()
            self.assertLess(back, max(due.values()), "the hub came back after the last moment: this would prove nothing")
            return self.lateness(due, back)
        self.in_time(turn)


if __name__ == "__main__":
    unittest.main()
