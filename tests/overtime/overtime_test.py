"""All entries and exits of audiences over time, to the second, through the real hub: on the purchase log of a shop, and on made logs
with late events, duplicates, merges, time zones and clock changes. SQL says what they must be."""

import collections
import csv
import datetime
import http.client
import json
import lzma
import os
import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import hub  # noqa: E402
import retail  # noqa: E402
import shop  # noqa: E402

DATA = pathlib.Path(os.environ.get("SLUICE_DATA") or HERE.parents[2] / "shared" / "data") / "online_retail.csv.xz"
WHOLE = bool(os.environ.get("OVERTIME_WHOLE"))
os.environ["SITE_KEY"] = "site-key"


def with_messages(name, audiences):
    """The configuration, and of each audience a message when somebody enters and one when somebody leaves."""
    text = (HERE / name).read_text(encoding="utf-8")
    text += "routes: { acts: { events: ['*'], to: acts, fields: { id: event.message_id } } }\nworkflows:\n"
    for audience in audiences:
        for how in ("enters", "leaves"):
            text += (f"  {audience}_{how}:\n    trigger: {{ {how}: {audience} }}\n    again: {{ after: 0s }}\n"
                     f"    steps: [ {{ id: {audience}.{how}, send: lake, with: {{ user: '{{{{ profile.id }}}}' }} }} ]\n")
    return text + ("destinations:\n  lake: { plugin: file, purpose: internal, with: { path: ./lake.jsonl } }\n"
                   "  acts: { plugin: file, purpose: internal, with: { path: ./acts.jsonl } }\n")


def seconds(text):
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    assert moment == int(moment), f"{text}: everything happens at whole seconds here"
    return int(moment)


class OvertimeTest(unittest.TestCase):
    def make_hub(self, name, audiences):
        folder = tempfile.TemporaryDirectory(prefix="sluice-overtime-")
        self.addCleanup(folder.cleanup)
        self.hub = hub.Hub(folder.name, with_messages(name, audiences))
        self.addCleanup(self.hub.stop)

    def lines(self, name):
        """Of a file of the destination: each record once."""
        with open(self.hub.folder / name, encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        return list({record["key"]: record for record in records}.values())

    def changes(self, person_of):
        out = []
        for record in self.lines("lake.jsonl"):
            audience, _, how = record["name"].partition(".")
            out.append((audience, person_of(record["profile"]), seconds(record["time"]), how == "enters"))
        return out

    def check(self, found, wanted):
        found, wanted = collections.Counter(found), collections.Counter(wanted)
        missing, more = list((wanted - found).elements()), list((found - wanted).elements())
        self.assertEqual((sorted(missing, key=lambda c: c[2])[:5], sorted(more, key=lambda c: c[2])[:5]), ([], []),
                         f"of {wanted.total()} changes {len(missing)} are missing, {len(more)} are there that SQL has not")

    @unittest.skipUnless(DATA.exists(), "the purchase log is not there")
    def test_everybody_of_the_purchase_log_enters_and_leaves_when_sql_says(self):
        with lzma.open(DATA, "rt", encoding="utf-8", newline="") as file:
            lines = file.readlines()
        if not WHOLE:
            customers = (row[6] for row in csv.reader(lines))
            lines = [line for n, (line, customer) in enumerate(zip(lines, customers))
                     if n == 0 or (customer != "NA" and int(customer) % 24 == 0)]
        self.make_hub("retail.yaml", retail.AUDIENCES)
        (self.hub.folder / "orders.csv").write_text("".join(lines), encoding="utf-8", newline="")
        self.hub.run_until_idle("--clock", "events")
        db, until = retail.load(lines)
        people = {record["profile"]: record["payload"] for record in self.lines("acts.jsonl")}
        self.hub.start("--clock", "events")
        persons = {row[0] for row in db.execute("SELECT DISTINCT person FROM rows")}
        users = {profile["id"]: person for person, profile in
                 ((p, self.hub.profile("user_id:" + p)) for p in sorted(persons))}
        self.assertEqual(set(users), set(people))
        wanted = retail.changes(db, until)
        self.assertGreater(len(wanted), 20 * len(persons) // 2)
        self.check(self.changes(users.get), wanted)

    def send(self, events):
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port(), timeout=20)
        for first in range(0, len(events), 1000):
            batch = [{k: v for k, v in event.items() if k != "at"} for event in events[first:first + 1000]]
            connection.request("POST", "/v1/batch", json.dumps({"batch": batch, "writeKey": "site-key"}))
            answer = connection.getresponse()
            self.assertEqual((answer.status, json.loads(answer.read()).get("rejected", [])), (200, []))
        connection.close()

    def check_shop(self, people, seed):
        events = shop.make(people, seed)
        who = shop.People(events)
        self.make_hub("shop.yaml", shop.AUDIENCES)
        for part in range(3):  # the hub is stopped between parts: state comes back from disk
            self.hub.start("--clock", "events")
            self.send(events[len(events) * part // 3:len(events) * (part + 1) // 3])
            hub.wait_for(lambda: self.hub.unstepped() == 0)
            self.hub.stop()
        self.assertIn("the same", self.hub.command("store", "verify"))
        # A record that leaves after two people became one names the one that they became.
        by_message = {event["messageId"]: who.survivor(profile) for event, profile in zip(events, who.of) if profile is not None}
        profiles = {}
        for record in self.lines("acts.jsonl"):
            person = by_message[record["payload"]["id"]]
            self.assertEqual(profiles.setdefault(record["profile"], person), person)
        wanted = [(name, who.survivor(person), at, inside)
                  for name, person, at, inside in shop.changes(shop.load(events, who), who, who.stamps[-1])]
        self.assertEqual({name for name, *_ in wanted}, set(shop.AUDIENCES))
        self.check(self.changes(profiles.get), wanted)

    def test_everybody_of_a_made_log_enters_and_leaves_when_sql_says(self):
        for seed in range(5 if WHOLE else 1):
            with self.subTest(seed=seed):
                self.check_shop(500 if WHOLE else 60, seed)


if __name__ == "__main__":
    unittest.main()
