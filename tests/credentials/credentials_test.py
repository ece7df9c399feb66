#!/usr/bin/env python3
"""The hub with a destination whose API takes tokens that have to be fetched, against tests/vendors/oauth.py.

$SLUICE names the binary, $SLUICE_PLUGINS the folders of its connectors, teller.so among them.
"""

import base64
import http.client
import json
import pathlib
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("vendors", "support")]
from client import Server  # noqa: E402
from hub import Hub, wait_for  # noqa: E402

CLIENT_SECRET = "client-secret-never-to-be-seen"
FIRST_REFRESH = "refresh-first-never-to-be-seen"


class Case(unittest.TestCase):
    connector = "refreshes"
    options = ()  # of the vendor

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-credentials-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        first = () if self.connector != "refreshes" else ("--refresh-token", FIRST_REFRESH)
        self.vendor = Server("oauth.py", "--client-secret", CLIENT_SECRET, *first, *self.options)
        self.vendor.__enter__()
        self.addCleanup(self.vendor.__exit__)
        refresh = ', refresh_token: "${REFRESH}"' if first else ""
        self.hub = Hub(self.folder, f"""
version: 1
hub: {{ data: ./data, listen: "127.0.0.1:0", admin: "unix:./data/admin.sock", country: DE }}
sources:
  web: {{ plugin: tracking, with: {{ write_key: key }} }}
routes:
  pings: {{ events: [Ping], to: there }}
destinations:
  there:
    plugin: {self.connector}
    purpose: internal
    with: {{ url: "http://127.0.0.1:{self.vendor.port}", client_id: hub, client_secret: "${{SECRET}}"{refresh} }}
""", {"SECRET": CLIENT_SECRET, "REFRESH": FIRST_REFRESH}, "data/admin.sock")
        self.hub.start()
        self.addCleanup(self.end)

    def end(self):
        if self.hub.process:
            self.hub.stop(signal.SIGKILL)

    def send(self, people, ping=0):
        link = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
        key = base64.b64encode(b"key:").decode()
        events = [{"type": "track", "event": "Ping", "userId": f"u{n}", "messageId": f"{n}.{ping}"} for n in people]
        link.request("POST", "/v1/batch", json.dumps({"batch": events}),
                     {"Authorization": "Basic " + key, "Content-Type": "application/json"})
        answer = link.getresponse()
        self.assertEqual(answer.status, 200, answer.read())
        link.close()

    def lane(self):
        return json.loads(self.hub.get("/v1/outbox")[1])["lanes"][0]

    def wait_delivered(self, records, seconds=20):
        wait_for(lambda: self.vendor.stats()["distinct"] >= records, seconds, f"{records} records arrived")
        wait_for(lambda: self.lane()["backlog"] == 0, seconds, "the lane is empty")

    def nothing_secret(self):
        """In no log, no dead letter and no file of the hub; the key file alone is a secret, and is for its owner alone."""
        known = [CLIENT_SECRET, FIRST_REFRESH, *self.vendor_tokens()]
        for path in self.folder.rglob("*"):
            if path.is_file():
                text = path.read_bytes()
                for secret in known:
                    self.assertNotIn(secret.encode(), text, f"a secret stands in {path.name}")
                self.assertEqual(path.stat().st_mode & 0o077 if path.name in ("secrets.key", "store.db") else 0, 0)

    def vendor_tokens(self):
        return json.loads(self.vendor.request("GET", "/_stand-in/tokens")[2])


class TokenTest(Case):
    def test_many_requests_at_once_cause_one_refresh(self):
        self.send(range(200))
        self.wait_delivered(200)
        self.assertEqual(self.vendor.stats()["refreshes"], 1)
        self.nothing_secret()

    def test_a_restart_goes_on_with_the_token_that_is_kept(self):
        self.send([1])
        self.wait_delivered(1)
        self.hub.stop()
        rows = sqlite3.connect(self.folder / "data/store.db").execute("SELECT key, value FROM meta WHERE key LIKE 'secret/%'").fetchall()
        self.assertEqual(len(rows), 1)
        self.assertTrue(rows[0][1].startswith("sluice-sealed 1 "), rows)
        self.hub.start()
        self.send([2])
        self.wait_delivered(2)
        self.assertEqual(self.vendor.stats()["refreshes"], 1)
        self.vendor.request("POST", "/_stand-in/expire")
        self.send([3])
        self.wait_delivered(3)
        stats = self.vendor.stats()
        self.assertEqual((stats["refreshes"], stats["reused"], stats["live"]), (2, 0, True))

    def test_a_401_costs_one_new_token_and_no_delay(self):
        self.send([1])
        self.wait_delivered(1)
        self.vendor.request("POST", "/_stand-in/expire")
        self.send(range(2, 52))
        self.wait_delivered(51)
        stats = self.vendor.stats()
        self.assertEqual(stats["refreshes"], 2)
        self.assertEqual(stats["repeats"], 0)

    def test_a_second_401_pauses_the_connection(self):
        self.vendor.order(refuse_tokens=True)
        self.send([1])
        wait_for(lambda: self.lane()["state"] != "running" and "401" in json.dumps(self.lane()), 20, "the lane pauses for HTTP 401")
        stats = self.vendor.stats()
        self.assertEqual((stats["refreshes"], stats["refused_tokens"]), (2, 2))
        self.assertEqual(self.lane()["backlog"], 1)
        self.nothing_secret()

    def test_a_dead_letter_shows_no_token(self):
        self.vendor.order(echo=True)
        self.send([1])
        wait_for(lambda: self.vendor.stats()["by_status"].get("422"), 20, "the vendor refused it")
        wait_for(lambda: self.lane()["backlog"] == 0, 20, "the lane is empty")
        letter = json.loads(self.hub.command("dead", "list", "--json"))["letters"][0]
        shown = self.hub.command("dead", "show", str(letter["id"]))
        self.assertIn("not with ***", shown)
        self.nothing_secret()


class TroubleTest(Case):
    connector = "client"

    def test_a_token_endpoint_that_is_down_only_delays(self):
        self.vendor.order(token={"down": True})
        self.send(range(20))
        wait_for(lambda: self.vendor.stats()["token_requests"] >= 2, 20, "the hub asks again")
        self.assertEqual(self.lane()["backlog"], 20)
        self.assertLess(self.vendor.stats()["token_requests"], 6)  # not once a request
        self.vendor.order(clear=True)
        self.wait_delivered(20)
        self.assertEqual(self.vendor.stats()["tokens"], 1)

    def test_a_refused_client_pauses_the_lane_and_says_what_to_do(self):
        self.vendor.order(token={"error": "invalid_client"})
        self.send([1])
        wait_for(lambda: "invalid_client" in json.dumps(self.lane()), 20, "the lane tells why")
        self.assertIn("wrong or was withdrawn", json.dumps(self.lane()))
        self.assertEqual(self.lane()["backlog"], 1)
        self.nothing_secret()


class SendsTest(TroubleTest):
    """The same by deliver(), whose requests the hub sends one after the other."""
    connector = "sends"

    def test_a_refused_client_pauses_the_lane_and_says_what_to_do(self):
        self.vendor.order(token={"error": "invalid_client"})
        self.send([1])
        wait_for(lambda: "invalid_client" in (self.folder / "hub.log").read_text(), 20, "the log tells why")
        self.assertEqual(self.lane()["backlog"], 1)
        self.nothing_secret()

    def test_a_401_costs_one_new_token(self):
        self.send([1])
        self.wait_delivered(1)
        self.vendor.request("POST", "/_stand-in/expire")
        self.send([2])
        self.wait_delivered(2)
        self.assertEqual(self.vendor.stats()["tokens"], 2)


class KillTest(Case):
    options = ("--life", "0.25")

    def test_a_rotated_token_survives_kill_9_at_any_moment(self):
        seed = random.randrange(1 << 30)
        dice = random.Random(seed)
        sent = 0
        for run in range(8):
            for _ in range(4):
                self.send(range(sent, sent + 5))
                sent += 5
                threading.Event().wait(dice.uniform(0.0, 0.12))
            self.hub.stop(signal.SIGKILL)
            self.hub.start()
        self.wait_delivered(sent)
        stats = self.vendor.stats()
        self.assertEqual((stats["reused"], stats["live"]), (0, True), f"seed {seed}")
        self.assertGreater(stats["refreshes"], 5)
        self.nothing_secret()


if __name__ == "__main__":
    unittest.main()
