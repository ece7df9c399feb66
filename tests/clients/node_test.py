"""The SDKs for Node against a real hub: every event once, and the person right."""

import signal
import sys
import unittest

import scripts
from hub import Hub, until

SDKS = {"segment-node.mjs": "@segment/analytics-node", "rudder-node.mjs": "@rudderstack/rudder-sdk-node"}
EVENTS = 60
ASIDE = 4  # of the events are no orders: identify, page, group, alias


def numbers(records):
    return sorted(int(record["payload"]["properties"]["n"]) for record in records)


class NodeSdks(unittest.TestCase):
    def check_person(self, hub, user, orders):
        person = hub.profile(f"user_id:{user}")
        self.assertEqual(person["identifiers"], {"user_id": [user], "anonymous_id": [f"anon-{user}"]})
        self.assertEqual(person["traits"], {"n": 0, "name": "Jörg ü€"})
        self.assertEqual(person["computed"], {"orders": orders, "revenue": 9.5 * orders, "pages": 1})
        self.assertEqual(hub.profile(f"anonymous_id:anon-{user}")["id"], person["id"])
        self.assertIsNone(hub.profile(f"user_id:old-{user}"), "an alias names nobody new")

    def test_each_sdk_delivers_each_event_once(self):
        with Hub() as hub:
            for script in SDKS:
                with self.subTest(script):
                    said = scripts.result(scripts.start(script, hub.url, "server-key", events=EVENTS, user=script))
                    self.assertEqual((said["delivered"], said["firstError"]), (EVENTS, None))
            self.assertEqual(hub.stop(), 0, hub.log())
            self.assertIn(f"{2 * EVENTS} events, 0 of them duplicates, 2 people", hub.log())
            lake = hub.lake()
            self.assertEqual(len({record["key"] for record in lake}), len(lake), "no record stands there twice")
            for script in SDKS:
                with self.subTest(script):
                    own = [record for record in lake if record["payload"]["userId"] == script]
                    self.assertEqual(numbers(own), list(range(ASIDE, EVENTS)))
                    self.check_person(hub, script, EVENTS - ASIDE)

    def test_a_wrong_key_is_refused(self):
        with Hub() as hub:
            said = scripts.result(scripts.start("segment-node.mjs", hub.url, "other-key", events=5))
            self.assertEqual(said["delivered"], 0)
            hub.stop()
            self.assertEqual(hub.lake(), [])

    def restart_while_sending(self, script, how):
        events = 150
        with Hub() as hub:
            sending = scripts.start(script, hub.url, "server-key", events=events, user="ada", pace=15)
            until(lambda: len(hub.lake()) > 30, "the first orders are delivered")
            hub.stop(how)
            self.assertIsNone(sending.poll(), "the SDK is still sending")
            hub.start()
            said = scripts.result(sending)
            self.assertEqual((said["delivered"], said["firstError"]), (events, None))
            self.assertEqual(hub.stop(), 0, hub.log())
            by_key = {record["key"]: record for record in hub.lake()}
            self.assertEqual(numbers(by_key.values()), list(range(ASIDE, events)))
            if how == signal.SIGTERM:
                self.assertEqual(len(hub.lake()), len(by_key), "no record stands there twice")
            self.check_person(hub, "ada", events - ASIDE)

    def test_a_hub_that_restarts_loses_nothing_and_doubles_nothing(self):
        for script in SDKS:
            with self.subTest(script):
                self.restart_while_sending(script, signal.SIGTERM)

    def test_a_hub_that_is_killed_loses_nothing_and_doubles_nothing(self):
        for script in SDKS:
            with self.subTest(script):
                self.restart_while_sending(script, signal.SIGKILL)


if __name__ == "__main__":
    why = scripts.missing(*SDKS.values())
    if why:
        print(f"skipped: {why}")
        sys.exit(0)
    unittest.main()
