"""`sluice explain`, with a hub that runs and without one, for now and for a moment that has passed."""

import json
import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support")]
import hub  # noqa: E402

CONFIG = """version: 1
hub: { data: ./data, admin: "unix:./admin.sock" }
sources:
  shop:
    plugin: csv
    with: { path: ./orders.csv }
    streams: { rows: { as: event, name: Order, time: row.at, ids: { user_id: row.who }, properties: { total: double(row.total) } } }
computed:
  spent: events("Order").within("10d").sum(e, e.properties.total)
audiences: { best: traits.spent > 20.0 }
destinations: { lake: { plugin: file, purpose: internal, with: { path: ./lake.jsonl } } }
"""
ORDERS = "at,who,total\n2026-03-01T12:00:00Z,ada,8\n2026-03-03T12:00:00Z,ada,15\n2026-03-20T12:00:00Z,bob,1\n"


class ExplainTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-explain-")
        self.addCleanup(folder.cleanup)
        self.hub = hub.Hub(folder.name, CONFIG)
        self.addCleanup(lambda: self.hub.stop())
        (self.hub.folder / "orders.csv").write_text(ORDERS)

    def explain(self, *arguments):
        return json.loads(self.hub.command("explain", "user_id:ada", "best", *arguments, "--json"))

    def test_the_past_is_explained_as_it_was(self):
        self.hub.run_until_idle("--clock", "events")
        now = self.explain()
        self.assertEqual((now["inside"], now["left_at"], now["by_time"]), (False, "2026-03-11T12:00:00.000Z", True))
        for at, inside, events in (("2026-03-02T00:00:00Z", False, 1), ("2026-03-03T12:00:00Z", True, 2),
                                   ("2026-03-11T11:59:59Z", True, 2), ("2026-03-11T12:00:00Z", False, 1),
                                   ("2026-03-13T12:00:00Z", False, 0)):
            then = self.explain("--at", at)
            window = then["parts"][-1]
            self.assertEqual((then["at"], then["inside"], window["events_total"]), (at.replace("Z", ".000Z"), inside, events), at)
        text = self.hub.command("explain", "user_id:ada", "best", "--at", "2026-03-05T00:00:00Z")
        for words in ("is in 'best' since 2026-03-03T12:00:00.000Z, by input", "traits.spent > 20.0", "true", "23",
                      "2026-03-01T12:00:00.000Z", "by time alone other events from 2026-03-11T12:00:00.000Z"):
            self.assertIn(words, text)

    def test_a_hub_that_runs_answers_as_the_files_do(self):
        self.hub.run_until_idle("--clock", "events")
        from_files = self.explain()
        self.hub.start("--clock", "events")
        running = self.explain()
        self.hub.stop()
        self.assertEqual(running, from_files)

    def test_what_is_not_there_is_said(self):
        self.hub.run_until_idle("--clock", "events")
        for arguments, words in ((("user_id:eve", "best"), "no person 'user_id:eve'"), (("user_id:ada", "bets"), "no audience 'bets'"),
                                 (("user_id:ada", "best", "--at", "yesterday"), "is no time")):
            with self.assertRaisesRegex(AssertionError, words):
                self.hub.command("explain", *arguments)


if __name__ == "__main__":
    unittest.main()
