"""What a destination is told about somebody for whom a route no longer holds, or who gives consent later."""

import json
import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import hub  # noqa: E402
from doors_test import DoorsTest  # noqa: E402

CONFIG = """
version: 1
hub: { data: ./data, listen: "127.0.0.1:0", admin: "unix:./admin.sock" }
sources:
  shop: { plugin: tracking, trust: server, with: { write_key: "shop-key" }, consent: { news: News } }
consent:
  unknown: denied
  purposes: { news: { channel: email, basis: consent }, service: { channel: email, basis: contract } }
audiences:
  readers: traits.reads == true
routes:
  list:         { audience: readers, to: lake, purpose: news }
  kept:         { profiles: traits.plan == "pro", to: lake }
  deleted:      { profiles: traits.plan == "pro", to: lake, on_leave: delete }
  unsubscribed: { profiles: traits.plan == "pro", to: lake, on_leave: unsubscribe }
  letters:      { profiles: has(traits.email), to: lake, purpose: news, fields: { email: traits.email, city: traits.city } }
destinations:
  lake: { plugin: file, purpose: service, with: { path: ./out/lake.jsonl } }
"""


class LeaveTest(DoorsTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.hub = hub.Hub(folder.name, CONFIG)
        self.addCleanup(self.hub.stop)
        self.hub.start()

    def written(self):
        file = self.hub.folder / "out/lake.jsonl"
        return file.read_text().splitlines() if file.exists() else []

    def lines(self):
        self.hub.stop()
        return [json.loads(line) for line in self.written()]

    def identify(self, granted=None, **traits):
        context = {} if granted is None else {"consent": {"categoryPreferences": {"News": granted}}}
        self.assertEqual(self.send("/v1/identify", {"userId": "ada", "traits": traits, "context": context})[0], 200)

    def test_what_was_held_back_for_want_of_consent_goes_out_when_it_is_given(self):
        self.identify(email="ada@acme.test")
        self.identify(granted=True)
        hub.wait_for(self.written)  # consent is asked before each send: what is still on its way would be held back
        self.identify(granted=False)
        self.identify(city="Lyon")
        self.identify(granted=True)
        self.assertEqual([(line["op"], line["name"], line["payload"]) for line in self.lines()],
                         [("upsert", "letters", {"email": "ada@acme.test"}), ("upsert", "letters", {"city": "Lyon"})])

    def test_who_is_in_an_audience_and_consents_later_comes_onto_its_list(self):
        self.identify(reads=True)
        self.identify(granted=True)
        self.identify(granted=True, reads=True)
        self.identify(reads=False)
        self.assertEqual([(line["op"], line["name"]) for line in self.lines()], [("enter", "readers"), ("leave", "readers")])

    def test_who_leaves_is_kept_deleted_or_unsubscribed(self):
        for plan in ("pro", "free"):
            self.send("/v1/identify", {"userId": "ada", "traits": {"plan": plan}})
        lines = self.lines()
        self.assertEqual([(line["op"], line["name"]) for line in lines],
                         [("upsert", "kept"), ("upsert", "deleted"), ("upsert", "unsubscribed"), ("delete", "deleted"), ("consent", "unsubscribed")])
        said = lines[-1]["payload"]
        self.assertEqual((said["purpose"], said["granted"], set(said)), ("service", False, {"purpose", "granted", "time"}))


if __name__ == "__main__":
    unittest.main()
