"""The whole purchase log of a shop through the real hub, in slices and at once: every audience and computed trait is, person by
person, what SQL over the raw rows says."""

import collections
import csv
import json
import lzma
import os
import pathlib
import sys
import tempfile
import unittest

import expected

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import hub  # noqa: E402
DATA = pathlib.Path(os.environ.get("SLUICE_DATA") or HERE.parents[2] / "shared" / "data") / "online_retail.csv.xz"
ONE_IN = int(os.environ.get("RETAIL_ONE_IN", "1"))  # of the customers, with all that they bought
CLOCK = ("--clock", "events")


def same_numbers(a, b):
    """Equal, or two doubles that are neighbours: an average divides a rounded sum."""
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return abs(a - b) <= 1e-15 * max(abs(a), abs(b))
    return a == b


@unittest.skipUnless(DATA.exists(), "the purchase log is not there")
class RetailTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with lzma.open(DATA, "rt", encoding="utf-8", newline="") as file:
            cls.lines = file.readlines()
        if ONE_IN > 1:
            cls.lines = [line for n, (line, row) in enumerate(zip(cls.lines, csv.reader(cls.lines))) if cls.is_taken(n, row[6])]
        cls.log = expected.Log(cls.lines)
        cls.rows = len(cls.lines) - 1
        # Cuts that fall among rows of one timestamp, and one between two.
        cls.cuts = [cls.rows * part // 100 for part in (7, 30, 31, 68)] + [cls.rows]
        cls.entries = expected.entries(cls.log, cls.cuts)

    @staticmethod
    def is_taken(n, customer):
        return n == 0 or (n if customer == "NA" else int(customer)) % ONE_IN == 0

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-retail-")
        self.addCleanup(folder.cleanup)
        self.hub = hub.Hub(folder.name, (HERE / "retail.yaml").read_text(encoding="utf-8"))
        self.addCleanup(self.hub.stop)
        self.fed = 0

    def feed(self, rows):
        """Appends to the file up to so many rows of the log."""
        with open(self.hub.folder / "orders.csv", "a", encoding="utf-8", newline="") as file:
            file.writelines(self.lines[self.fed and self.fed + 1:rows + 1])
        self.fed = rows

    def test_what_is_appended_slice_by_slice_gives_what_sql_says(self):
        for moment, rows in enumerate(self.cuts):
            with self.subTest(rows=rows):
                self.feed(rows)
                self.hub.run_until_idle(*CLOCK)
                self.check_moment(moment)

    def test_the_log_at_once_gives_what_sql_says(self):
        self.feed(self.rows)
        self.hub.run_until_idle(*CLOCK)
        self.check_moment(len(self.cuts) - 1)
        vip = self.hub.audience("vip")
        self.assertEqual(vip["size"], len(vip["members"]))
        self.assertEqual({m["identifiers"]["user_id"][0]: m["entered_at"] for m in vip["members"]},
                         {p: expected.stamp(at) for p, at in self.entries[-1]["vip"].items()})

    def check_moment(self, moment):
        self.assertIn("the same", self.hub.command("store", "verify"))
        self.check_lake(self.cuts[moment])
        self.hub.start(*CLOCK)
        self.check_audiences(moment)
        self.check_traits(moment)
        self.hub.stop()

    def check_audiences(self, moment):
        rows = self.cuts[moment]
        by_sql = expected.audiences(self.log, rows, self.log.traits(rows))
        sizes = {a["audience"]: a["size"] for a in self.hub.audience()["audiences"]}
        self.assertEqual(sizes, {name: len(people) for name, people in by_sql.items()})
        for name, people in by_sql.items():
            found = self.hub.audience(name)
            self.assertEqual(found["at"], expected.stamp(self.log.now(rows)), name)
            entered = {m["identifiers"]["user_id"][0]: m["entered_at"] for m in found["members"]}
            self.assertEqual(set(entered), people, name)
            if name == "hearts":
                continue
            self.assertEqual(entered, {p: expected.stamp(at) for p, at in self.entries[moment].get(name, {}).items()}, name)

    def check_traits(self, moment):
        rows = self.cuts[moment]
        by_sql = self.log.traits(rows)
        people = self.log.people(rows)
        found = self.hub.profiles("user_id:" + person for person in people)
        wrong = []
        for person in people:
            computed = found["user_id:" + person]["computed"]
            self.assertEqual(set(computed), set(by_sql))
            for name, values in by_sql.items():
                wanted = values.get(person, expected.OF_NOTHING.get(name))
                if not same_numbers(computed[name], wanted):
                    wrong.append((person, name, computed[name], wanted))
        self.assertEqual(wrong[:5], [], f"{len(wrong)} of {len(people) * len(by_sql)} computed traits differ")

    def check_lake(self, rows):
        wanted = collections.Counter(self.log.db.execute(
            "SELECT person, event, at, invoice, stock, quantity, price FROM rows WHERE n <= ?", [rows]))
        found, keys = collections.Counter(), set()
        times = {}
        with open(self.hub.folder / "lake.jsonl", encoding="utf-8") as file:
            for line in file:
                record = json.loads(line)
                event = record["payload"]
                properties = event["properties"]
                at = times.get(record["time"]) or times.setdefault(record["time"], expected.seconds(record["time"][:19]))
                keys.add(record["key"])
                found[(event["ids"]["user_id"], record["name"], at, properties["invoice"], properties["stock"],
                       properties["quantity"], round(properties["price"] * 1000))] += 1
        self.assertEqual(len(keys), wanted.total())
        self.assertEqual((wanted - found, found - wanted), (collections.Counter(), collections.Counter()))


if __name__ == "__main__":
    if not DATA.exists():
        print(f"skipped: {DATA} is not there")
        sys.exit(0)
    unittest.main()
