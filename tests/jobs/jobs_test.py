#!/usr/bin/env python3
"""A destination whose API works at what it was given (bulk.cpp against bulk.py): jobs outlive the hub.

$SLUICE names the binary, $SLUICE_PLUGINS the folder of bulk.so.
"""

import base64
import http.client
import json
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("vendors", "support")]
from client import Server  # noqa: E402
from hub import Hub, wait_for  # noqa: E402


class JobsTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-jobs-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.vendor = Server(HERE / "bulk.py")
        self.vendor.__enter__()
        self.addCleanup(self.vendor.__exit__)
        self.hub = Hub(self.folder, f"""
version: 1
hub: {{ data: ./data, listen: "127.0.0.1:0", admin: "unix:./data/admin.sock", country: DE }}
sources:
  web: {{ plugin: tracking, with: {{ write_key: key }} }}
routes:
  pings: {{ events: [Ping], to: there }}
destinations:
  there: {{ plugin: bulk, purpose: internal, with: {{ url: "http://127.0.0.1:{self.vendor.port}" }} }}
""", admin="data/admin.sock")
        self.hub.start()
        self.addCleanup(self.end)

    def end(self):
        if self.hub.process:
            self.hub.stop(signal.SIGKILL)

    def send(self, people):
        link = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
        events = [{"type": "track", "event": "Ping", "userId": f"u{n}", "messageId": str(n)} for n in people]
        link.request("POST", "/v1/batch", json.dumps({"batch": events}),
                     {"Authorization": "Basic " + base64.b64encode(b"key:").decode(), "Content-Type": "application/json"})
        answer = link.getresponse()
        self.assertEqual(answer.status, 200, answer.read())
        link.close()

    def lane(self):
        return json.loads(self.hub.get("/v1/outbox")[1])["lanes"][0]

    def wait_delivered(self, records):
        wait_for(lambda: self.lane()["backlog"] == 0 and self.vendor.stats()["distinct"] == records, 30, f"{records} are delivered")

    def test_a_job_that_runs_when_the_hub_is_killed_goes_on_and_is_not_begun_anew(self):
        self.vendor.order(running=True)
        self.send(range(20))
        wait_for(lambda: self.vendor.stats()["distinct"] == 20 and self.vendor.stats()["unpolled"] == 0, 20, "jobs run")
        jobs = self.vendor.stats()["jobs"]
        self.hub.stop(signal.SIGKILL)
        self.hub.start()
        polls = self.vendor.stats()["polls"]
        wait_for(lambda: self.vendor.stats()["polls"] > polls, 20, "they are asked for again")
        self.assertEqual(self.lane()["backlog"], 20)
        self.vendor.order(clear=True)
        self.wait_delivered(20)
        stats = self.vendor.stats()
        self.assertEqual((stats["jobs"], stats["repeats"]), (jobs, 0))

    def test_a_stop_and_a_vendor_that_is_down_meanwhile_end_no_job(self):
        self.vendor.order(running=True)
        self.send(range(10))
        wait_for(lambda: self.vendor.stats()["distinct"] == 10 and self.vendor.stats()["unpolled"] == 0, 20, "jobs run")
        self.hub.stop()
        self.vendor.order(clear=True, status=503)
        self.hub.start()
        wait_for(lambda: self.vendor.stats()["by_status"].get("503", 0) > 0, 20, "the vendor is down")
        self.vendor.order(clear=True)
        self.wait_delivered(10)
        self.assertEqual(self.vendor.stats()["repeats"], 0)

    def test_kill_9_at_any_moment_begins_no_job_twice_that_was_polled(self):
        seed = random.randrange(1 << 30)
        dice = random.Random(seed)
        sent = 0
        for _ in range(6):
            self.send(range(sent, sent + 10))
            sent += 10
            wait_for(lambda: self.vendor.stats()["distinct"] == sent, 20, "all were submitted")
            wait_for(lambda: self.vendor.stats()["unpolled"] == 0, 20, "each was asked for")
            threading.Event().wait(dice.uniform(0.0, 0.15))
            self.hub.stop(signal.SIGKILL)
            self.hub.start()
        self.wait_delivered(sent)
        stats = self.vendor.stats()
        self.assertEqual((stats["records"], stats["repeats"]), (sent, 0), f"seed {seed}")


if __name__ == "__main__":
    unittest.main()
