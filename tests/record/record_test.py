#!/usr/bin/env python3
"""`sluice plugin record` takes an exchange with a vendor, and sluice/testing.hpp replays it.

$SLUICE and $REPLAYS name binaries, $DIARY and $BRAZE connectors.
"""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("vendors", "support")]
from client import Server  # noqa: E402

TOKEN = 'never "to" be/seen+here'
FORMS = [TOKEN, json.dumps(TOKEN)[1:-1], json.dumps(json.dumps(TOKEN)[1:-1])[1:-1], base64.b64encode(f"me:{TOKEN}".encode()).decode(),
         urllib.parse.quote(TOKEN, safe=""), base64.b64encode(TOKEN.encode()).decode()]
ADA = {"op": "event", "id": "j.1.1", "key": "p1", "name": "Ping", "payload": {"mail": "Ada@acme.test", "phone": "+33612345678"}}


class RecordTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-record-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "exchange.json"

    def start(self, script, *options):
        vendor = Server(script, *options)
        vendor.__enter__()
        self.addCleanup(vendor.__exit__)
        return vendor

    def file(self, name, content):
        path = self.folder / name
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    def record(self, library, with_, *options, typed=None, secret=TOKEN):
        return subprocess.run([os.environ["SLUICE"], "plugin", "record", library, "--with", self.file("with.json", with_), "--out",
                               str(self.out), *options], input=typed, capture_output=True, text=True,
                              env=os.environ | {"TOKEN": secret})

    def replays(self, library, good=True):
        done = subprocess.run([os.environ["REPLAYS"], library, str(self.out)], capture_output=True, text=True)
        self.assertEqual(done.returncode == 0, good, done.stdout)

    def diary(self, *options, records=(ADA,), **more):
        vendor = self.start(HERE / "echo.py")
        done = self.record(os.environ["DIARY"], {"url": f"http://127.0.0.1:{vendor.port}", "token": "${TOKEN}"}, *options,
                           *([] if "--poll" in options else ["--record", self.file("records.json", list(records))]), **more)
        return vendor, done

    def nothing_secret(self, *texts):
        for text in (self.out.read_text(), *texts):
            for form in FORMS:
                self.assertNotIn(form, text)

    def test_an_exchange_is_taken_with_its_further_requests_and_replays(self):
        vendor, done = self.diary("--yes", "--about", "a day is kept", records=[ADA, ADA | {"id": "j.1.2"}])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(vendor.stats()["requests"], 4)
        written = json.loads(self.out.read_text())
        exchange = written["exchanges"][0]
        self.assertEqual((written["connector"], written["routes_url"], exchange["about"]), ("diary", "", "a day is kept"))
        self.assertEqual([r["method"] for r in exchange["requests"]], ["POST", "POST", "GET", "GET"])
        self.assertEqual(exchange["outcomes"][1], {"record": 1, "status": "ok", "reason": "kept", "remote_id": "day-1"})
        self.assertIn("made-up-token", exchange["requests"][0]["body"]["token"])
        self.assertIn("e-mail addresses", done.stdout)
        self.assertEqual(self.out.stat().st_mode & 0o077, 0)
        self.nothing_secret(done.stdout, done.stderr)
        self.replays(os.environ["DIARY"])
        exchange["requests"][2]["url"] += "x"
        self.out.write_text(json.dumps(written))
        self.replays(os.environ["DIARY"], good=False)

    def test_nothing_is_sent_without_a_yes(self):
        vendor, done = self.diary(typed="n\n")
        self.assertEqual((done.returncode, vendor.stats()["requests"]), (1, 0))
        self.assertIn("POST http", done.stderr)
        self.assertFalse(self.out.exists())
        for form in FORMS:
            self.assertNotIn(form, done.stderr)
        vendor, done = self.diary(typed="y\ny\n")
        self.assertEqual((done.returncode, vendor.stats()["requests"]), (0, 2))

    def test_with_mask_people_are_made_up_ones_and_it_still_replays(self):
        _, done = self.diary("--yes", "--mask")
        self.assertEqual(done.returncode, 0, done.stderr)
        text = self.out.read_text()
        for real in ("Ada", "acme.test", "612345678"):
            self.assertNotIn(real, text)
        self.assertIn("person-1@example.com", text)
        self.assertNotIn("e-mail addresses", done.stdout)
        self.replays(os.environ["DIARY"])

    def test_a_poll_of_a_source_is_taken_and_replays(self):
        _, done = self.diary("--yes", "--poll", self.file("poll.json", {"stream": "pages", "cursor": "1"}))
        self.assertEqual(done.returncode, 0, done.stderr)
        exchange = json.loads(self.out.read_text())["exchanges"][0]
        self.assertEqual((exchange["cursor"], exchange["ended"], exchange["rows"][0]["key"]), ("2", True, "k1"))
        self.nothing_secret()
        self.replays(os.environ["DIARY"])

    def test_a_file_that_is_there_is_never_written_over_and_a_vendor_that_is_down_is_told(self):
        self.out.write_text("mine")
        vendor, done = self.diary("--yes")
        self.assertEqual((done.returncode, self.out.read_text(), vendor.stats()["requests"]), (1, "mine", 0))
        self.out.unlink()
        done = self.record(os.environ["DIARY"], {"url": "http://127.0.0.1:1", "token": "${TOKEN}"}, "--yes", "--record",
                           self.file("records.json", [ADA]))
        self.assertEqual(done.returncode, 1)
        self.assertIn("no answer", done.stderr)
        self.assertFalse(self.out.exists())

    def test_braze_as_its_stand_in_answers(self):
        braze = self.start("braze.py", "--api-key", TOKEN)
        records = [ADA | {"identifiers": {"user_id": ["u1"]}, "time_us": 1_700_000_000_000_000},
                   ADA | {"id": "j.1.2", "identifiers": {"user_id": ["u2"]}, "time_us": 1_700_000_000_000_000}]
        done = self.record(os.environ["BRAZE"], {"endpoint": f"http://127.0.0.1:{braze.port}", "api_key": "${TOKEN}"}, "--yes",
                           "--record", self.file("records.json", records))
        self.assertEqual(done.returncode, 0, done.stderr)
        exchange = json.loads(self.out.read_text())["exchanges"][0]
        self.assertEqual([o["status"] for o in exchange["outcomes"]], ["ok", "ok"])
        self.nothing_secret(done.stdout, done.stderr)
        self.replays(os.environ["BRAZE"])


if __name__ == "__main__":
    unittest.main()
