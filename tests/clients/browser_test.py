"""The SDKs for browsers, in Chromium on a page of another origin, against a real hub."""

import os
import pathlib
import sys
import unittest

import scripts
from hub import Hub

EVENTS = 30
ASIDE = 3  # of the events are no orders: page, identify, group
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


class Browsers(unittest.TestCase):
    def check(self, script, **named):
        with Hub() as hub:
            said = scripts.result(scripts.start(script, hub.url, "page-key", events=EVENTS, user="ada", **named))
            self.assertEqual((said["delivered"], said["firstError"]), (EVENTS, None))
            self.assertEqual(hub.stop(), 0, hub.log())
            self.assertIn(f"{EVENTS} events, 0 of them duplicates, 1 people", hub.log())
            lake = hub.lake()
            numbers = sorted(record["payload"]["properties"]["n"] for record in lake)  # single calls overtake each other
            self.assertEqual(numbers, list(range(ASIDE, EVENTS)))
            person = hub.profile("user_id:ada")
            self.assertEqual(set(person["identifiers"]), {"user_id", "anonymous_id"})
            self.assertEqual((person["traits"]["n"], person["traits"]["name"]), (1, "Jörg ü€"))
            self.assertEqual(person["computed"], {"orders": EVENTS - ASIDE, "revenue": 9.5 * (EVENTS - ASIDE), "pages": 1})

    def test_analytics_next_delivers_single_calls(self):
        self.check("segment-browser.mjs")

    def test_analytics_next_delivers_batches(self):
        self.check("segment-browser.mjs", batching="true")

    def test_rudderstack_delivers(self):
        self.check("rudder-browser.mjs")


if __name__ == "__main__":
    why = scripts.missing("@segment/analytics-next", "@rudderstack/analytics-js", "playwright-core")
    if why is None and not pathlib.Path(CHROMIUM).exists():
        why = f"there is no {CHROMIUM}"
    if why:
        print(f"skipped: {why}")
        sys.exit(0)
    unittest.main()
