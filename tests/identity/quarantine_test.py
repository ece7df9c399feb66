"""What an operator sees of accounts and of identifiers that join too many people, in a running hub and without one."""

import http.client
import json
import pathlib
import signal
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import hub  # noqa: E402

CONFIG = """
version: 1
hub: { data: ./data, listen: "127.0.0.1:0", admin: "unix:./admin.sock" }
sources: { shop: { plugin: tracking, with: { write_key: "shop-key" } } }
identity:
  - { id: user_id, at_most: 1 }
  - { id: anonymous_id, at_most: 100, joins: 3 per 1h }
audiences: { enterprise: account.plan == "enterprise" }
"""


class QuarantineTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.hub = hub.Hub(folder.name, CONFIG)
        self.addCleanup(self.hub.stop)
        self.hub.start()

    def send(self, kind, **event):
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
        connection.request("POST", "/v1/" + kind, json.dumps(event), {"X-Write-Key": "shop-key"})
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()

    def log_in(self, count):
        for n in range(count):
            self.send("identify", userId=f"user-{n}", anonymousId="kiosk")
        hub.wait_for(lambda: self.hub.unstepped() == 0)

    def listed(self):
        return json.loads(self.hub.command("identity", "quarantine", "list", "--json"))["quarantine"]

    def test_list_log_and_metric_tell_of_a_quarantined_identifier_and_release_ends_it(self):
        self.log_in(5)
        self.assertEqual([(q["type"], q["value"], q["people"]) for q in self.listed()], [("anonymous_id", "kiosk", 4)])
        self.assertIn("anonymous_id:kiosk", self.hub.command("identity", "quarantine", "list"))
        self.assertIn("\nsluice_quarantined_identifiers 1\n", self.hub.get("/metrics")[1])
        log = (self.hub.folder / "hub.log").read_text()
        self.assertIn("an identifier of the type 'anonymous_id' has joined more than 3 people within 1h", log)
        self.assertNotIn("kiosk", log)
        with self.assertRaisesRegex(AssertionError, "not in quarantine"):
            self.hub.command("identity", "quarantine", "release", "anonymous_id:another")
        self.hub.command("identity", "quarantine", "release", "anonymous_id:kiosk")
        self.assertEqual(self.listed(), [])

    def test_it_stays_in_quarantine_over_a_crash_and_is_listed_without_a_hub(self):
        self.log_in(5)
        self.hub.stop(signal.SIGKILL)
        self.assertEqual(len(self.listed()), 1)
        self.hub.start()
        self.assertEqual(len(self.listed()), 1)
        self.hub.stop()
        self.hub.command("store", "verify")

    def test_a_profile_shows_the_account_that_its_person_belongs_to(self):
        self.send("group", userId="ada", groupId="acme", traits={"plan": "enterprise", "seats": 40})
        self.send("group", userId="bob", groupId="acme")
        hub.wait_for(lambda: self.hub.unstepped() == 0)
        account = {"id": "acme", "members": 2, "traits": {"plan": "enterprise", "seats": 40}}
        self.assertEqual(self.hub.profile("user_id:bob")["account"], account)
        self.assertIn("acme, of 2 members", self.hub.command("profile", "user_id:bob"))
        self.assertEqual(self.hub.audience("enterprise")["size"], 2)
        self.assertIn("account.plan", self.hub.command("explain", "user_id:bob", "enterprise"))
        self.hub.stop()
        self.assertEqual(json.loads(self.hub.command("profile", "user_id:bob", "--json"))["account"], account)
        self.hub.command("store", "verify")


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
