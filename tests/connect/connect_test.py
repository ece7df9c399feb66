#!/usr/bin/env python3
"""`sluice connect` against tests/vendors/oauth.py. The person's browser is an HTTP client that follows the redirect; the name in
hub.public_url leads to the hub's `listen`, as a proxy before it would.

$SLUICE names the binary, $SLUICE_PLUGINS the folders of its connectors, linked.so among them.
"""

import base64
import http.client
import json
import pathlib
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("vendors", "support")]
from client import Server  # noqa: E402
from hub import SLUICE, Hub, UnixConnection, wait_for  # noqa: E402

CLIENT_SECRET = "client-secret-never-to-be-seen"
PUBLIC = "https://hub.acme.test"
CALLBACK = PUBLIC + "/oauth/callback"
LOOPBACK = "http://127.0.0.1/oauth/callback"


class Command:
    """One `sluice connect`, running; its standard input is open."""

    def __init__(self, case, *arguments):
        self.process = subprocess.Popen([SLUICE, "connect", *arguments, "--config", str(case.hub.config)], cwd=case.folder,
                                        env=case.hub.environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        case.addCleanup(self.end)
        self.said, self.url = "", None
        while self.url is None:
            line = self.process.stdout.readline()
            self.said += line
            found = re.search(r"https?://\S+/authorize\?\S+", line)
            self.url = found.group(0) if found else None
            if not line:
                raise AssertionError("it showed no address: " + self.said)
        case.said.append(self)

    def paste(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def wait_said(self, text):
        line = " "
        while text not in line:
            line = self.process.stdout.readline()
            self.said += line
            if not line:
                raise AssertionError(f"it did not say {text}: {self.said}")

    def done(self):
        """-> (its exit code, all that it printed)"""
        self.said += self.process.stdout.read()
        return self.process.wait(30), self.said

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Case(unittest.TestCase):
    public = True       # a public_url
    options = ()        # of the vendor
    destinations = ("there",)
    source = False

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-connect-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.vendor = Server("oauth.py", "--client-secret", CLIENT_SECRET, "--redirect-uri", CALLBACK, "--redirect-uri", LOOPBACK,
                             *self.options)
        self.vendor.__enter__()
        self.addCleanup(self.vendor.__exit__)
        self.said = []  # commands
        self.hub = Hub(self.folder, self.config(), {"SECRET": CLIENT_SECRET}, "data/admin.sock")
        self.addCleanup(self.end)

    def config(self):
        public = f', public_url: "{PUBLIC}"' if self.public else ""
        settings = f'{{ url: "http://127.0.0.1:{self.vendor.port}", client_id: hub, client_secret: "${{SECRET}}" }}'
        rows = """
  rows:
    plugin: linked_source
    with: %s
    streams: { rows: { as: identify, ids: { user_id: row.person } } }""" % settings
        routes = "".join(f"\n  to_{name}: {{ events: [Ping], to: {name} }}" for name in (*self.destinations, "lake"))
        there = "".join(f"\n  {name}: {{ plugin: linked, purpose: internal, with: {settings} }}" for name in self.destinations)
        return f"""
version: 1
hub: {{ data: ./data, listen: "127.0.0.1:0", admin: "unix:./data/admin.sock", country: DE{public} }}
sources:
  web: {{ plugin: tracking, with: {{ write_key: key }} }}{rows if self.source else ""}
routes:{routes}
destinations:
  lake: {{ plugin: file, purpose: internal, with: {{ path: ./lake.jsonl }} }}{there}
"""

    def end(self):
        if self.hub.process:
            self.hub.stop(signal.SIGKILL)

    # ---- the hub

    def send(self, people, ping=0):
        link = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
        events = [{"type": "track", "event": "Ping", "userId": f"u{n}", "messageId": f"{n}.{ping}"} for n in people]
        link.request("POST", "/v1/batch", json.dumps({"batch": events}),
                     {"Authorization": "Basic " + base64.b64encode(b"key:").decode(), "Content-Type": "application/json"})
        answer = link.getresponse()
        self.assertEqual(answer.status, 200, answer.read())
        link.close()

    def lane(self, name="there"):
        return next(lane for lane in json.loads(self.hub.get("/v1/outbox")[1])["lanes"] if lane["destination"] == name)

    def listed(self, name="there"):
        return next(one for one in json.loads(self.hub.command("connect", "--list", "--json"))["connections"] if one["name"] == name)

    def wait_delivered(self, records):
        wait_for(lambda: self.vendor.stats()["distinct"] >= records, 20, f"{records} records arrived")
        wait_for(lambda: self.lane()["backlog"] == 0, 20, "the lane is empty")

    def wait_paused(self, said):
        wait_for(lambda: self.lane()["state"] == "paused" and said in self.lane()["last_error"], 20, f"the lane is paused: {said}")

    # ---- the browser

    def allow(self, url):
        """The person allows it: -> the address that the vendor sends the browser back to."""
        parts = urllib.parse.urlsplit(url)
        status, headers, text = self.vendor.request("GET", parts.path + "?" + parts.query)
        self.assertEqual(status, 302, text)
        return headers["location"]

    def get(self, address):
        """-> (status, page)"""
        parts = urllib.parse.urlsplit(address)
        port = self.hub.port() if address.startswith(PUBLIC) else parts.port
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            link.request("GET", parts.path + "?" + parts.query)
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        finally:
            link.close()

    def connect(self, name="there"):
        command = Command(self, name)
        status, page = self.get(self.allow(command.url))
        self.assertEqual((status, command.done()[0]), (200, 0), page)

    def secrets(self):
        return [CLIENT_SECRET, *json.loads(self.vendor.request("GET", "/_stand-in/tokens")[2])]

    def nothing_secret(self):
        """No code, verifier or token is printed, logged, or written but sealed."""
        known = self.secrets()
        self.assertGreater(len(known), 1)
        for command in self.said:
            for secret in known:
                self.assertNotIn(secret, command.said)
        for path in self.folder.rglob("*"):
            if path.is_file():
                text = path.read_bytes()
                for secret in known:
                    self.assertNotIn(secret.encode(), text, f"a secret stands in {path.name}")
                self.assertEqual(path.stat().st_mode & 0o077 if path.name in ("secrets.key", "store.db") else 0, 0)


class CallbackTest(Case):
    def setUp(self):
        super().setUp()
        self.hub.start()

    def test_who_is_not_connected_waits_and_says_so_and_goes_on_at_once(self):
        self.hub.command("check")
        self.wait_paused("not connected: run 'sluice connect there'")
        self.assertEqual(self.listed()["state"], "not_connected")
        self.send(range(20))
        wait_for(lambda: self.lane("lake")["outcomes"].get("delivered") == 20, 20, "the others go on")
        wait_for(lambda: self.lane()["backlog"] == 20 and self.lane()["state"] == "paused", 20, "it waits")
        metrics = self.hub.get("/metrics")[1]
        self.assertIn('sluice_connected{kind="destination",name="there"} 0', metrics)
        self.assertIn('sluice_lane_up{destination="there"} 0', metrics)
        self.connect()
        self.wait_delivered(20)
        self.assertIn('sluice_connected{kind="destination",name="there"} 1', self.hub.get("/metrics")[1])
        listed = self.listed()
        self.assertEqual(listed["state"], "connected")
        self.assertRegex(listed["since"], r"^20\d\d-")
        audit = sqlite3.connect(self.folder / "data/store.db").execute("SELECT action, subject FROM audit").fetchall()
        self.assertEqual(audit, [("connect", "destination there")])
        self.hub.stop()
        self.hub.start()
        self.send([20])
        self.wait_delivered(21)
        self.assertEqual(self.vendor.stats()["tokens"], 1)
        self.nothing_secret()

    def test_a_pasted_address_and_a_pasted_code_do_as_well(self):
        command = Command(self, "there")
        command.paste(self.allow(command.url))
        self.assertEqual(command.done()[0], 0, command.said)
        again = Command(self, "there")
        again.paste(urllib.parse.parse_qs(urllib.parse.urlsplit(self.allow(again.url)).query)["code"][0])
        self.assertEqual(again.done()[0], 0, again.said)
        self.send([1])
        self.wait_delivered(1)
        self.assertEqual(self.vendor.stats()["exchanged"], 2)
        self.nothing_secret()

    def test_a_browser_on_this_machine_may_come_back_to_a_port_of_the_command(self):
        with socket.socket() as probe:  # a port that was free a moment ago
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = Command(self, "there", "--port", str(port))
        back = self.allow(command.url)
        self.assertTrue(back.startswith(f"http://127.0.0.1:{port}/oauth/callback?"), back)
        status, page = self.get(back)
        self.assertEqual((status, command.done()[0]), (200, 0), page)
        self.send([1])
        self.wait_delivered(1)

    def test_an_answer_of_another_connect_is_not_used_and_the_right_one_still_is(self):
        command = Command(self, "there")
        back = self.allow(command.url)
        wrong = re.sub(r"state=[^&]*", "state=guessed", back)
        self.assertEqual(self.get(wrong)[0], 400)
        self.assertEqual(self.get(re.sub(r"&?state=[^&]*", "", back))[0], 400)
        command.paste(wrong)
        command.wait_said("'state'")
        self.assertEqual(self.get(back)[0], 200)
        self.assertEqual(command.done()[0], 0, command.said)
        self.assertEqual(self.vendor.stats()["exchanged"], 1)

    def test_an_answer_counts_once_and_the_door_is_shut_when_nobody_waits(self):
        self.assertEqual(self.get(CALLBACK + "?code=a&state=b")[0], 404)
        command = Command(self, "there")
        back = self.allow(command.url)
        self.assertEqual(self.get(back)[0], 200)
        self.assertEqual(command.done()[0], 0)
        self.assertEqual(self.get(back)[0], 404)
        other = Command(self, "there")  # the door is open again, for another
        self.assertEqual(self.get(back)[0], 400)
        other.end()
        self.send([1])
        self.wait_delivered(1)
        stats = self.vendor.stats()
        self.assertEqual((stats["exchanged"], stats["code_reuses"]), (1, 0))

    def test_a_refusal_is_told_in_the_browser_and_on_the_terminal(self):
        self.vendor.order(authorize={"error": "access_denied", "error_description": "<b>Ada</b> said no"})
        command = Command(self, "there")
        status, page = self.get(self.allow(command.url))
        self.assertEqual(status, 400)
        self.assertIn("access was denied", page)
        self.assertNotIn("<b>Ada", page)
        code, said = command.done()
        self.assertEqual(code, 1)
        self.assertIn("access_denied", said)
        self.vendor.order(clear=True)
        self.connect()

    def test_a_token_endpoint_that_refuses_the_client_is_told(self):
        self.vendor.order(token={"error": "invalid_client"})
        command = Command(self, "there")
        status, page = self.get(self.allow(command.url))
        self.assertEqual((status, command.done()[0]), (400, 1))
        self.assertIn("wrong or was withdrawn", page)
        self.assertEqual(self.listed()["state"], "not_connected")

    def test_who_needs_nobody_and_who_is_not_there_are_told_apart(self):
        for name, said in (("lake", "needs nobody"), ("ther", "did you mean 'there'"), ("", "--list")):
            done = subprocess.run([SLUICE, "connect", *([name] if name else []), "--config", str(self.hub.config)],
                                  capture_output=True, text=True, cwd=self.folder, env=self.hub.environment)
            self.assertEqual(done.returncode, 1)
            self.assertIn(said, done.stderr)

    def test_a_redirect_that_is_not_the_hubs_is_not_asked_for(self):
        link = UnixConnection(self.hub.admin)
        link.request("POST", "/v1/connect/there", json.dumps({"redirect_uri": "https://evil.test/oauth/callback"}))
        answer = link.getresponse()
        self.assertEqual(answer.status, 400, answer.read())
        link.close()


class EndTest(Case):
    """Connections that end, and several at once."""
    destinations = ("there", "other")

    def setUp(self):
        super().setUp()
        self.hub.start()

    def test_two_at_once_are_two_and_the_later_of_one_name_takes_the_place_of_the_earlier(self):
        there, other = Command(self, "there"), Command(self, "other")
        back_there, back_other = self.allow(there.url), self.allow(other.url)
        self.assertEqual((self.get(back_other)[0], self.get(back_there)[0]), (200, 200))
        self.assertEqual((there.done()[0], other.done()[0]), (0, 0))
        first = Command(self, "there")
        back = self.allow(first.url)
        second = Command(self, "there")
        code, said = first.done()
        self.assertEqual(code, 1)
        self.assertIn("taken its place", said)
        self.assertEqual(self.get(back)[0], 400)
        self.assertEqual(self.get(self.allow(second.url))[0], 200)
        self.assertEqual(second.done()[0], 0)
        self.assertEqual(self.vendor.stats()["exchanged"], 3)

    def test_a_connection_that_the_vendor_ends_pauses_with_the_advice_until_it_is_made_anew(self):
        self.connect()
        self.connect("other")
        self.send([1])
        self.wait_delivered(2)
        self.vendor.request("POST", "/_stand-in/revoke")
        self.send([2])
        self.wait_paused("run 'sluice connect there'")
        self.assertIn("invalid_grant", self.lane()["last_error"])
        self.assertEqual(self.listed()["state"], "ended")
        self.hub.stop()
        self.hub.start()
        self.wait_paused("run 'sluice connect there'")
        self.connect()
        self.wait_delivered(3)
        self.assertEqual(self.listed()["state"], "connected")
        self.assertEqual(self.listed("other")["state"], "ended")
        self.nothing_secret()




class StoreTest(Case):
    """No hub runs."""
    public = False

    def test_the_next_hub_uses_what_was_connected_without_one(self):
        self.assertEqual(self.listed()["state"], "not_connected")
        command = Command(self, "there")
        back = self.allow(command.url)
        self.assertEqual(self.get(back.replace("state=", "state=x"))[0], 400)
        status, page = self.get(back)
        self.assertEqual((status, command.done()[0]), (200, 0), page)
        self.assertEqual(self.listed()["state"], "connected")
        self.hub.start()
        self.send(range(5))
        self.wait_delivered(5)
        self.assertEqual(self.vendor.stats()["tokens"], 1)
        self.nothing_secret()

    def test_an_address_can_be_pasted_and_a_refusal_is_told(self):
        command = Command(self, "there")
        command.paste("nonsense=1&code=")
        command.paste(self.allow(command.url))
        self.assertEqual(command.done()[0], 0, command.said)
        self.vendor.order(authorize={"error": "access_denied"})
        refused = Command(self, "there")
        refused.paste(self.allow(refused.url))
        code, said = refused.done()
        self.assertEqual(code, 1)
        self.assertIn("access was denied", said)
        self.assertEqual(self.listed()["state"], "connected")  # the one before holds

    def test_a_hub_that_starts_meanwhile_keeps_its_store_and_the_code_is_not_spent(self):
        command = Command(self, "there")
        back = self.allow(command.url)
        self.hub.start()
        self.assertEqual(self.get(back)[0], 400)
        code, said = command.done()
        self.assertEqual(code, 1)
        self.assertIn("run this again", said)
        self.assertEqual(self.vendor.stats()["exchanged"], 0)

    def test_a_running_hub_without_public_url_is_connected_by_a_port_of_the_command(self):
        self.hub.start()
        self.send([1])
        self.wait_paused("not connected")
        self.connect()
        self.wait_delivered(1)


class SourceTest(Case):
    destinations = ()
    source = True

    def test_a_source_waits_and_goes_on_at_once(self):
        self.hub.start()
        wait_for(lambda: 'sluice_source_up{source="rows",stream="rows"} 0' in self.hub.get("/metrics")[1], 20, "it cannot be read")
        self.assertEqual(self.listed("rows")["state"], "not_connected")
        self.connect("rows")
        wait_for(lambda: self.hub.profile("user_id:ada"), 20, "its row has come")
        self.nothing_secret()


class ShortTest(Case):
    options = ("--no-refresh", "--life", "1")

    def test_access_without_a_refresh_token_ends_with_the_advice(self):
        self.hub.start()
        self.connect()
        wait_for(lambda: self.listed()["state"] == "ended", 20, "the access is over")
        self.send([1])
        self.wait_paused("run 'sluice connect there'")
        self.assertIn("no refresh token", self.listed()["detail"])


class KillTest(Case):
    def test_kill_9_around_the_exchange_leaves_a_connection_or_none(self):
        seed = random.randrange(1 << 30)
        dice = random.Random(seed)
        seen = set()
        self.hub.start()
        for run in range(10):
            command = Command(self, "there")
            back = self.allow(command.url)
            browser = threading.Thread(target=self.swallow, args=(back,))
            self.vendor.order(clear=True, **({"token": {"hang_s": 0.02}} if run % 2 else {}))  # given, and not yet there
            browser.start()
            threading.Event().wait(dice.uniform(0.0, 0.03))
            self.hub.stop(signal.SIGKILL)
            browser.join()
            command.end()
            self.hub.start()
            state = self.listed()["state"]
            seen.add(state)
            self.assertIn(state, ("connected", "not_connected"), f"seed {seed}")
            if state == "connected":
                self.send([run])
                self.wait_delivered(1)
                self.hub.stop()
                shutil.rmtree(self.folder / "data")
                self.vendor.reset()
                self.hub.start()
        self.connect()
        self.nothing_secret()

    def swallow(self, address):
        try:
            self.get(address)
        except (OSError, http.client.HTTPException):
            pass


if __name__ == "__main__":
    unittest.main()
