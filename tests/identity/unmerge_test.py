"""A wrong merge is taken back by an operator, in a running hub: what they are shown, what the destination is told, and that a
crash in the middle changes nothing."""

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
sources: { shop: { plugin: tracking, trust: server, with: { write_key: "shop-key" } } }
identity:
  - { id: user_id, at_most: 1 }
  - { id: email, at_most: 5, normalize: email }
  - { id: anonymous_id, at_most: 100 }
computed: { orders: events("Order Completed").count() }
audiences: { buyers: traits.orders >= 1 }
routes:
  buyers: { audience: buyers, to: lake }
  people: { profiles: "true", to: lake, fields: { city: traits.city, orders: traits.orders } }
destinations: { lake: { plugin: file, purpose: internal, with: { path: ./lake.jsonl } } }
"""


class UnmergeTest(unittest.TestCase):
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

    def settle(self):
        hub.wait_for(lambda: self.hub.unstepped() == 0)

    def wrong_merge(self):
        """The desk's computer was logged in as Bob's browser when it wrote Ada's address. The number of that input."""
        self.send("identify", userId="ada", traits={"email": "ada@shop.example", "city": "Paris"})
        self.send("track", anonymousId="bob-1", event="Order Completed")
        self.send("identify", anonymousId="bob-1", traits={"email": "ada@shop.example"})
        self.send("track", userId="ada", event="Order Completed")
        self.settle()
        return self.story()["merges"][0]["input"]

    def story(self):
        return json.loads(self.hub.command("identity", "explain", "user_id:ada", "--json"))

    def unmerge(self, *arguments):
        return self.hub.command("identity", "unmerge", "user_id:ada", "--input", *map(str, arguments))

    def listed(self):
        """Who is on the list over there, as its connector has written it."""
        self.settle()
        hub.wait_for(lambda: all(lane["backlog"] == 0 for lane in json.loads(self.hub.get("/v1/outbox")[1])["lanes"]))
        on = set()
        for line in (self.hub.folder / "lake.jsonl").read_text().splitlines():
            record = json.loads(line)
            if record["op"] == "enter":
                on.add(record["profile"])
            elif record["op"] == "leave":
                on.discard(record["profile"])
        return on

    def test_it_shows_who_they_would_be_asks_and_takes_the_merge_back(self):
        merge = self.wrong_merge()
        shown = self.unmerge(merge, "--dry-run")
        self.assertIn("would be 2 people", shown)
        self.assertEqual(shown.count("orders=1"), 2)
        self.assertEqual(len(self.story()["merges"]), 1)
        with self.assertRaisesRegex(AssertionError, "nothing is changed: say --yes"):
            self.unmerge(merge)
        with self.assertRaisesRegex(AssertionError, "has joined nobody with .*identity explain"):
            self.unmerge(merge + 1)
        self.assertIn("taken back", self.unmerge(merge, "--yes"))
        ada, bob = self.hub.profile("user_id:ada"), self.hub.profile("anonymous_id:bob-1")
        self.assertEqual((ada["computed"]["orders"], bob["computed"]["orders"]), (1, 1))
        self.assertEqual((ada["traits"], bob["traits"]), ({"city": "Paris", "email": "ada@shop.example"}, {}))
        self.assertEqual(self.story()["apart"], [bob["id"]])
        self.assertIn("kept apart from " + bob["id"], self.hub.command("identity", "explain", "user_id:ada"))
        self.assertEqual(self.listed(), {ada["id"], bob["id"]})
        self.assertEqual(self.hub.audience("buyers")["size"], 2)
        with self.assertRaisesRegex(AssertionError, "has been taken back already"):
            self.unmerge(merge, "--yes")
        self.send("identify", anonymousId="bob-1", traits={"email": "ada@shop.example"})  # the desk does it again
        self.settle()
        self.assertNotEqual(self.hub.profile("user_id:ada")["id"], self.hub.profile("anonymous_id:bob-1")["id"])
        self.hub.stop()
        self.assertIn("the same", self.hub.command("store", "verify"))

    def test_a_crash_in_the_middle_changes_nothing_of_it(self):
        merge = self.wrong_merge()
        body = json.dumps({"person": "user_id:ada", "input": merge})
        for _ in range(3):  # killed while it reads, or just after it has
            connection = hub.UnixConnection(self.hub.admin)
            connection.request("POST", "/v1/unmerge", body)
            connection.getresponse().read()
            connection.close()
            self.hub.stop(signal.SIGKILL)
            self.hub.start()
        hub.wait_for(lambda: json.loads(self.hub.get("/v1/unmerge")[1])["unmerges"][0]["state"] == "done")
        self.assertEqual(len(json.loads(self.hub.get("/v1/unmerge")[1])["unmerges"]), 1)
        ada, bob = self.hub.profile("user_id:ada"), self.hub.profile("anonymous_id:bob-1")
        self.assertEqual((ada["computed"]["orders"], bob["computed"]["orders"]), (1, 1))
        self.assertEqual(self.listed(), {ada["id"], bob["id"]})
        self.hub.stop()
        self.assertIn("the same", self.hub.command("store", "verify"))

    def test_without_a_hub_it_shows_who_they_would_be_and_changes_nothing(self):
        merge = self.wrong_merge()
        self.hub.stop()
        self.assertEqual(len(json.loads(self.unmerge(merge, "--dry-run", "--json"))["halves"]), 2)
        with self.assertRaisesRegex(AssertionError, "no hub is running"):
            self.unmerge(merge, "--yes")


if __name__ == "__main__":
    unittest.main()
