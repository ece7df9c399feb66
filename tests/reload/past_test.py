"""A configuration that counts what was not counted before, on a hub that has lived: its history is read again while events
come in at some thousands a second, and while it is killed. Nothing is lost, nothing is counted or sent twice."""

import collections
import json
import signal
import unittest

import bench
from bench import config, tracking
from hub import wait_for

SITE = tracking("site", "SITE_KEY")
LAKE = "lake: { plugin: file, purpose: internal, with: { path: ./lake.jsonl } }\n"
PINGS = 'pings: { events: [Ping], to: lake }\n'
PEOPLE = [f"u{n}" for n in range(20)]
BEFORE = config(SITE, 'seen: events("Ping").within("1d").exists()\n', PINGS, "", LAKE)
AFTER = config(SITE, 'seen: events("Ping").within("1d").exists()\nloud: traits.pings >= 5.0\nnever: traits.pings > 1e9\n',
               PINGS + "loud: { audience: loud, to: lake, backfill: true }\nnever: { audience: never, to: lake }\n"
               "people: { profiles: traits.pings > 0, to: lake, fields: { first: traits.first_n } }\n",
               "", LAKE) + ('computed:\n  pings: events("Ping").count()\n'
                            '  last_n: events("Ping").max(e, e.properties.n)\n  first_n: events("Ping").first().properties.n\n')


class PastTest(bench.Bench):
    def setUp(self):
        super().setUp()
        self.run_hub(BEFORE)

    def state(self):
        return json.loads(self.hub.get("/v1/backfill")[1])

    def done(self):
        # Where others want the processor all the time, the history gets little of it.
        wait_for(lambda: self.state()["state"] == "none" and self.hub.unstepped() == 0, 60,
                 lambda: f"{self.state()}, {self.hub.unstepped()} unstepped: {self.log()[-2000:]}")

    def holds(self, acknowledged):
        """What the configuration says of everybody, against what was acknowledged."""
        counts = collections.Counter(person for person, _ in acknowledged)
        last = {person: n for person, n in acknowledged}
        found = self.hub.profiles([f"user_id:{person}" for person in counts])
        for person in counts:
            computed = found[f"user_id:{person}"]["computed"]
            self.assertEqual((computed["pings"], computed["last_n"], computed["first_n"]), (counts[person], last[person], 1))
        self.assertEqual(self.hub.audience("loud")["size"], len(counts))
        self.assertEqual(self.hub.audience("never")["size"], 0)
        self.delivered()
        lines = [json.loads(line) for line in (self.folder / "lake.jsonl").read_text().splitlines()]
        lines = list({line["key"]: line for line in lines}.values())  # a file may be told twice by a hub that was killed
        sent = collections.Counter((line["payload"]["properties"]["p"], line["payload"]["properties"]["n"])
                                   for line in lines if line["op"] == "event")
        self.assertEqual(sent, collections.Counter(acknowledged))
        told = collections.Counter((line["op"], line["profile"]) for line in lines if line["op"] != "event")
        self.assertEqual(told, collections.Counter({("enter", one["id"]): 1 for one in found.values()}))

    def test_under_load_nothing_is_lost_or_counted_twice(self):
        load = bench.Load(self, "site-key", PEOPLE)
        load.start()
        wait_for(lambda: len(load.acknowledged) > 6000)
        said = self.hub.sluice("plan", str(self.hub.config))
        self.assertIn("nothing changes", said)
        self.apply(AFTER)
        at = len(load.acknowledged)
        self.done()
        wait_for(lambda: len(load.acknowledged) > at + 3000)
        acknowledged = load.finish()
        self.done()
        self.holds(acknowledged)
        self.assertIn("reading the history again for 'pings', 'last_n', 'first_n', 'loud', 'never', 'people'", self.log())
        self.hub.stop()
        self.verify()

    def test_killed_in_the_middle_it_goes_on(self):
        acknowledged = []
        for n in range(1, 1201):
            pings = [(person, n) for person in PEOPLE]
            batch = [{"type": "track", "event": "Ping", "userId": p, "messageId": f"{p}-{n}", "properties": {"p": p, "n": n}}
                     for p, n in pings]
            self.assertEqual(self.send("site-key", *batch), 200)
            acknowledged += pings
        self.write(AFTER)
        killed = []
        for _ in range(4):
            state = wait_for(lambda: self.hub.get("/readyz")[0] == 200 and self.state())
            state = wait_for(lambda: (s := self.state())["state"] != "none" and s or self.hub.audience("loud").get("size") and s)
            if state["state"] == "none":
                break
            killed.append(state["state"])
            said = self.hub.command("audience")
            if self.state()["state"] != "none":  # it was not over while the command asked
                self.assertIn("waits for the history", said)
            self.hub.stop(signal.SIGKILL)
            self.hub.start()
        self.assertTrue(killed)
        self.done()
        self.holds(acknowledged)
        self.hub.stop()
        self.verify()


if __name__ == "__main__":
    unittest.main()
