"""`sluice plan` beside a hub that runs: what it says is what applying then does, person by person."""

import json
import unittest

import bench
from bench import config, tracking
from hub import wait_for

SITE = tracking("site", "SITE_KEY")
LAKE = "lake: { plugin: file, purpose: internal, with: { path: ./lake.jsonl } }\n"
BEFORE = config(SITE, "vip: traits.points > 40.0\nold: traits.points < 5.0\n",
                "vips: { audience: vip, to: lake }\npeople: { profiles: has(traits.points), to: lake, fields: { p: traits.points } }\n", "", LAKE)
AFTER = config(SITE, "vip: traits.points > 30.0\nfew: traits.points < 3.0\n",
               "vips: { audience: vip, to: lake }\nfew: { audience: few, to: lake, backfill: true }\n"
               "people: { profiles: has(traits.points), to: lake, fields: { p: traits.points, vip: audiences.vip } }\n", "", LAKE)


class PlanTest(bench.Bench):
    def lines(self):
        return [json.loads(line) for line in (self.folder / "lake.jsonl").read_text().splitlines()]

    def members(self, audience):
        return {one["id"] for one in self.hub.audience(audience)["members"]}

    def plan(self, name, *options):
        return self.hub.sluice("plan", name, *options)

    def setUp(self):
        super().setUp()
        self.run_hub(BEFORE)
        people = [{"type": "identify", "userId": f"u{n}", "messageId": f"m{n}", "traits": {"points": n}} for n in range(60)]
        self.assertEqual(self.send("site-key", *people), 200)
        wait_for(lambda: self.hub.audience("vip")["size"] == 19)
        self.delivered()

    def test_what_it_says_is_what_applying_does(self):
        (self.folder / "next.yaml").write_text(AFTER)
        vips, said = self.members("vip"), json.loads(self.plan("next.yaml", "--json"))
        self.assertEqual(said["people"], 60)
        self.assertEqual(said["changes"], ["audience 'vip' changed", "audience 'few' added", "audience 'old' removed",
                                           "route 'few' added", "route 'people' changed"])
        before = len(self.lines())
        self.assertEqual(self.hub.audience("vip")["size"], 19)  # it has only looked
        self.apply(AFTER)
        self.delivered()
        counts = {}
        for line in self.lines()[before:]:
            counts[line["op"]] = counts.get(line["op"], 0) + 1
        self.assertEqual(said["records"], {"lake": counts})
        audiences = {one["name"]: one for one in said["audiences"]}
        self.assertEqual(set(audiences), {"vip", "few", "old"})
        entered = self.members("vip") - vips
        self.assertEqual((audiences["vip"]["enter"], audiences["vip"]["leave"]), (len(entered), 0))
        self.assertLessEqual(set(audiences["vip"]["entering"]), entered)
        self.assertEqual((audiences["few"]["before"], audiences["few"]["after"]), (0, self.hub.audience("few")["size"]))
        self.assertEqual((audiences["old"]["leave"], audiences["old"]["after"]), (5, 0))

    def test_people_read_it(self):
        (self.folder / "next.yaml").write_text(AFTER)
        text = self.plan("next.yaml")
        for line in ("against 60 people", "audience 'vip' changed", "19 -> 29 people: 10 enter, 0 leave", "nothing changes"):
            (self.assertNotIn if line == "nothing changes" else self.assertIn)(line, text)
        self.assertIn("nothing changes: the hub runs this configuration", self.plan("connectors.yaml"))

    def test_a_file_with_a_mistake_is_refused_with_its_place(self):
        (self.folder / "next.yaml").write_text(AFTER.replace("traits.points > 30.0", "traits.points >"))
        with self.assertRaisesRegex(AssertionError, "next.yaml:[0-9]+:[0-9]+: error"):
            self.plan("next.yaml")


class ApplyTest(bench.Bench):
    def setUp(self):
        super().setUp()
        self.run_hub(BEFORE)
        people = [{"type": "identify", "userId": f"u{n}", "messageId": f"m{n}", "traits": {"points": n}} for n in range(60)]
        self.assertEqual(self.send("site-key", *people), 200)
        wait_for(lambda: self.hub.audience("vip")["size"] == 19)
        (self.folder / "next.yaml").write_text(AFTER)

    def file(self):
        return (self.folder / "connectors.yaml").read_text()

    def test_a_file_is_applied_and_taken_back(self):
        text = self.hub.command("apply", "next.yaml", "--yes")
        self.assertIn("19 -> 29 people: 10 enter, 0 leave", text)
        self.assertIn("\napplied", text)
        self.assertEqual(self.hub.audience("vip")["size"], 29)  # it holds when the command ends
        self.assertEqual(self.file(), AFTER)
        text = self.hub.command("rollback", "--yes")
        self.assertIn("29 -> 19 people: 0 enter, 10 leave", text)
        self.assertEqual(self.hub.audience("vip")["size"], 19)
        self.assertEqual(self.file(), BEFORE)
        kept = [line.split()[0] for line in self.hub.command("rollback", "--list").splitlines()]
        self.assertEqual(len(kept), 3)
        self.hub.command("rollback", "--yes", "--to", kept[1])
        self.assertEqual(self.file(), AFTER)

    def test_nothing_changes_unless_somebody_agrees(self):
        for arguments, words in ((("apply", "next.yaml"), "say --yes"), (("rollback",), "no configuration before"),
                                 (("rollback", "--to", "99"), "none is kept as 99")):
            with self.assertRaisesRegex(AssertionError, words):
                self.hub.command(*arguments)
        self.assertEqual((self.file(), self.hub.audience("vip")["size"]), (BEFORE, 19))

    def test_what_the_hub_refuses_changes_nothing(self):
        (self.folder / "next.yaml").write_text(AFTER.replace("admin.sock", "other.sock"))
        with self.assertRaisesRegex(AssertionError, "hub.admin is .*: restart to change"):
            self.hub.command("apply", "next.yaml", "--yes")
        (self.folder / "next.yaml").write_text(AFTER.replace("SITE_KEY", "NO_SUCH_KEY"))
        with self.assertRaisesRegex(AssertionError, "the hub refused it: [^$]*NO_SUCH_KEY[^$]*nothing is changed"):
            self.hub.command("apply", "next.yaml", "--yes")
        self.assertEqual((self.file(), self.hub.audience("vip")["size"]), (BEFORE, 19))

    def test_without_a_hub_it_holds_from_the_next_start(self):
        self.hub.stop()
        self.assertIn("holds from the next start on", self.hub.command("apply", "next.yaml", "--yes"))
        self.hub.start()
        self.assertEqual(self.hub.audience("vip")["size"], 29)


if __name__ == "__main__":
    unittest.main()
