"""connectors.yaml changes: while the hub runs under load, and while it is stopped."""

import json
import signal
import unittest

import bench
from bench import config, events_of, mail, ping, tracking, webhook
from hub import wait_for

SITE = tracking("site", "SITE_KEY")
APP = tracking("app", "APP_KEY")
PINGS = "pings: { events: [Ping], to: hook }\n"


class ReloadTest(bench.Bench):
    def test_everything_acknowledged_arrives_once_and_in_order_while_the_file_changes_again_and_again(self):
        first, second, third = (self.stand_in("webhook.py") for _ in range(3))
        lake = "lake: { plugin: file, purpose: internal, with: { path: ./lake.jsonl } }\n"
        to_lake = 'all: { events: ["*"], to: lake }\n'
        keep = webhook("keep", third.port)
        to_keep = "kept: { events: [Ping], to: keep }\n"
        self.run_hub(config(SITE + APP, "", PINGS + to_lake + to_keep, "", webhook("hook", first.port) + lake + keep))
        loads = [bench.Load(self, key, people)
                 for key, people in (("site-key", ["a", "b"]), ("site-key", ["c"]), ("app-key", ["d"]))]
        for load in loads:
            load.start()
        wait_for(lambda: first.stats()["records"] > 50)
        audience = "busy: 'events(\"Ping\").count() >= 3'\n"
        # A new audience with a route of its own.
        busy = "busy_ones: { audience: busy, to: keep }\n"
        self.apply(config(SITE + APP, audience, PINGS + to_lake + to_keep + busy, "", webhook("hook", first.port) + lake + keep))
        wait_for(lambda: self.hub.audience("busy")["size"] == 4)
        # The destination has moved.
        self.apply(config(SITE + APP, audience, PINGS + to_lake + to_keep + busy, "", webhook("hook", second.port) + lake + keep))
        wait_for(lambda: second.stats()["records"] > 50)
        # A source is gone, and a destination with its route.
        self.apply(config(SITE, audience, PINGS + to_keep + busy, "", webhook("hook", second.port) + keep))
        wait_for(lambda: loads[2].refused > 3)
        self.assertEqual(self.lanes().get("lake", {"state": "removed"})["state"], "removed")  # named while records wait for it
        # It is back, and so is the lane.
        self.apply(config(SITE + APP, audience, PINGS + to_lake + to_keep, "", webhook("hook", second.port) + lake + keep))
        sent = len(loads[2].acknowledged)
        wait_for(lambda: len(loads[2].acknowledged) > sent + 20)
        acknowledged = sorted(sum((load.finish() for load in loads), []))
        self.delivered()

        kept = events_of(third)
        self.assertEqual(sorted(kept), acknowledged)
        old, new = events_of(first), events_of(second)
        self.assertEqual(sorted(old + new), acknowledged)  # each at one of the two places, once
        for person in "abcd":
            for seen in (kept, old + new):
                mine = [n for p, n in seen if p == person]
                self.assertEqual(mine, sorted(mine))
        in_lake = [json.loads(line)["key"] for line in (self.folder / "lake.jsonl").read_text().splitlines()]
        self.assertEqual(len(in_lake), len(set(in_lake)))
        self.assertEqual(third.stats()["repeats"], 0)
        # Counted since the start of the lane, which was never restarted.
        self.assertEqual(self.lanes()["keep"]["outcomes"]["delivered"], third.stats()["records"])
        log = self.log()
        for said in ("audience 'busy' added", "route 'busy_ones' added", "destination 'hook' changed", "source 'app' removed",
                     "destination 'lake' removed", "source 'app' added"):
            self.assertIn(said, log)
        self.hub.stop()
        self.verify()

    def test_what_waits_for_a_destination_that_is_down_goes_to_its_new_address_in_order(self):
        here = self.stand_in("webhook.py")
        self.run_hub(config(SITE, "", PINGS, "", webhook("hook", 1)))  # nobody listens on port 1
        for n in range(30):
            self.assertEqual(self.send("site-key", ping(n)), 200)
        wait_for(lambda: self.lanes()["hook"]["last_error"])
        self.apply(config(SITE, "", PINGS, "", webhook("hook", here.port)))
        wait_for(lambda: here.stats()["records"] == 30)
        self.assertEqual(events_of(here), [("a", n) for n in range(30)])

    def test_a_file_source_goes_on_where_it_was_whether_it_changes_or_not(self):
        here = self.stand_in("webhook.py")
        rows = self.folder / "rows.csv"
        rows.write_text("id,n\n" + "".join(f"u{n},{n}\n" for n in range(20)))
        source = ("orders: {{ plugin: csv, every: 1s, with: {{ path: ./rows.csv }}, streams: {{ rows: {{ as: event, "
                  "name: Ping, ids: {{ user_id: row.id }}, properties: {{ {} }} }} }} }}\n")
        fields = 'p: row.id, n: int(row.n)'
        self.run_hub(config(source.format(fields), "", PINGS, "", webhook("hook", here.port)))
        wait_for(lambda: here.stats()["records"] == 20)
        self.apply(config(source.format(fields) + SITE, "", PINGS, "", webhook("hook", here.port)))  # another is new
        self.apply(config(source.format(fields + ', late: "true"') + SITE, "", PINGS, "", webhook("hook", here.port)))  # changed
        with rows.open("a") as more:
            more.write("u20,20\n")
        wait_for(lambda: here.stats()["records"] >= 21)
        self.delivered()
        self.assertEqual(sorted(n for _, n in events_of(here)), list(range(21)))
        self.assertEqual(self.send("site-key", ping(21)), 200)

    def test_an_included_file_and_the_signal_count_as_the_file_itself(self):
        here = self.stand_in("webhook.py")
        self.write("audiences: { all: 'has(traits.n)' }\n", "more.yaml")
        text = config(SITE, "", PINGS, "", webhook("hook", here.port)) + "include: [more*.yaml]\n"
        self.run_hub(text)
        self.assertEqual(len(self.hub.audience()["audiences"]), 1)
        self.write("audiences: { all: 'has(traits.n)', some: 'traits.n > 1.0' }\n", "more.yaml")
        wait_for(lambda: len(self.hub.audience()["audiences"]) == 2)
        self.write("audiences: { few: 'traits.n > 7.0' }\n", "more_yet.yaml")  # a file that was not there
        wait_for(lambda: len(self.hub.audience()["audiences"]) == 3)
        inputs = self.metric("sluice_journal_seq")
        applied = self.metric("sluice_config_applied_total")
        (self.folder / "else.txt").write_text("another file beside it is no news")
        self.hub.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.metric("sluice_config_applied_total") > applied)
        self.assertEqual(self.metric("sluice_journal_seq"), inputs)  # nothing new to say: no input

    def test_a_secret_that_has_changed_in_its_file_holds_after_the_signal(self):
        old, new = (f"whsec_{c * 32}" for c in "ab")
        here = self.stand_in("webhook.py", "--secret", new)
        (self.folder / "secret").write_text(old)
        self.run_hub(config(SITE, "", PINGS, "", webhook("hook", here.port).replace("${HOOK_SECRET}", "${file:secret}")))
        self.assertEqual(self.send("site-key", ping(1)), 200)
        wait_for(lambda: here.stats()["refused_signatures"] > 0)
        self.write(new, "secret")
        self.hub.process.send_signal(signal.SIGHUP)
        wait_for(lambda: here.stats()["records"] == 1)
        self.assertNotIn(new, self.log())

    def test_a_key_that_goes_over_to_another_source_is_never_refused(self):
        here = self.stand_in("webhook.py")
        destination = webhook("hook", here.port)
        self.run_hub(config(SITE, "", PINGS, "", destination))
        load = bench.Load(self, "site-key", ["a"])
        load.again = {503}
        load.start()
        for name in ("other", "site", "third"):
            self.apply(config(tracking(name, "SITE_KEY"), "", PINGS, "", destination))
        acknowledged = load.finish()
        self.assertEqual(load.refused, 0)
        self.delivered()
        self.assertEqual(events_of(here), acknowledged)


class RefusedTest(bench.Bench):
    def test_a_file_with_mistakes_is_refused_whole_and_all_of_them_are_told(self):
        here = self.stand_in("webhook.py")
        good = config(SITE, "", PINGS, "", webhook("hook", here.port))
        self.run_hub(good)
        self.write(good.replace("to: hook", "to: hok") + "audiences: { a: 'traits.' }\n")
        wait_for(lambda: self.metric("sluice_config_refused_total") == 1)
        self.assertEqual(self.metric("sluice_config_mistakes"), 2)
        status, text = self.hub.get("/readyz")
        self.assertEqual(status, 200)
        self.assertIn("refused for 2 mistakes", text)
        self.assertRegex(text, r"connectors\.yaml:\d+:\d+: error")
        self.assertIn("did you mean 'hook'?", self.log())
        self.assertEqual(self.send("site-key", ping(1)), 200)
        wait_for(lambda: here.stats()["records"] == 1)
        self.apply(good)
        self.assertEqual(self.hub.get("/readyz"), (200, "ready\n"))
        self.assertEqual(self.metric("sluice_config_mistakes"), 0)

    def test_the_doors_and_the_data_are_not_changed_under_a_running_hub(self):
        good = config(SITE, "", PINGS, "", webhook("hook", 1))
        self.run_hub(good)
        self.write(good.replace("./data", "./other").replace("admin.sock", "door.sock"))
        wait_for(lambda: self.metric("sluice_config_mistakes") == 2)
        self.assertEqual(self.log().count("restart to change"), 2)
        self.assertFalse((self.folder / "other").exists())

    def test_a_connector_that_cannot_be_opened_changes_nothing(self):
        good = config(SITE, "", PINGS, "", webhook("hook", 1))
        self.run_hub(good)
        source = bench.ROWS.replace("path: ./rows.csv", "path: ./rows.csv, timezone: Nowhere/Land")
        self.write(config(SITE + source, "", PINGS, "", webhook("hook", 1)))
        wait_for(lambda: self.metric("sluice_config_mistakes") > 0)
        self.assertEqual(self.send("site-key", ping(1)), 200)


class StoppedTest(bench.Bench):
    MAILS = ("welcome: { trigger: { event: Signed Up }, again: { after: 1s }, steps: [ { wait: 2s }, "
             "{ send: mail, with: { subject: Hello, text: Hello } } ] }\n")

    def test_mails_that_wait_in_a_workflow_and_in_a_lane_outlive_a_changed_file(self):
        post = self.stand_in("mail.py")
        down = mail("mail", 1)
        self.run_hub(config(SITE, "", "", self.MAILS, down))

        def sign_up(n):
            person = {"userId": f"u{n}", "traits": {"email": f"u{n}@example.com"}}
            signed_up = {"type": "track", "event": "Signed Up", "userId": f"u{n}"}
            self.assertEqual(self.send("site-key", {"type": "identify", **person}, signed_up), 200)
        sign_up(1)
        wait_for(lambda: self.lanes()["mail"]["backlog"] == 1)  # out of its workflow, into a lane that is down
        sign_up(2)
        self.hub.stop()  # while it waits in its workflow
        self.write(config(SITE, "", "", self.MAILS.replace("Hello", "Hi"), mail("mail", post.ports[0])))
        self.hub.start()
        wait_for(lambda: post.stats()["distinct"] == 2)
        self.assertEqual(sorted(to for m in post.records() for to in m["to"]), ["u1@example.com", "u2@example.com"])
        self.hub.stop()
        self.verify()

    def test_a_hub_killed_while_it_applies_a_file_has_all_that_was_acknowledged(self):
        here, there = self.stand_in("webhook.py"), self.stand_in("webhook.py")
        more = "extra: { events: [Ping], to: other }\n"
        texts = [config(SITE, "", PINGS, "", webhook("hook", here.port)),
                 config(SITE + APP, "busy: 'events(\"Ping\").count() >= 3'\n", PINGS + more, "",
                        webhook("hook", here.port) + webhook("other", there.port))]
        self.run_hub(texts[0])
        acknowledged = []
        for n in range(6):
            load = bench.Load(self, "site-key", [f"p{n}"])
            load.start()
            self.write(texts[(n + 1) % 2])
            load.stopping.wait(0.4 + 0.1 * n)  # about when the file is seen; any moment must do
            self.hub.process.kill()
            load.stopping.set()
            load.join(20)
            acknowledged += load.acknowledged
            self.hub.process.wait()
            self.hub.start()
        wait_for(lambda: set(events_of(here)) >= set(acknowledged))
        seen = events_of(here)
        for n in range(6):
            mine = [k for p, k in seen if p == f"p{n}"]
            self.assertEqual(mine, sorted(mine))
        self.hub.stop()
        self.verify()

    def test_records_for_a_destination_that_is_gone_wait_until_it_is_back(self):
        here = self.stand_in("webhook.py")
        base = config(SITE, "", PINGS, "", webhook("hook", 1))
        without = config(SITE)
        self.run_hub(base)
        for n in range(5):
            self.send("site-key", ping(n))
        wait_for(lambda: self.lanes()["hook"]["backlog"] == 5)
        self.hub.stop(signal.SIGKILL)  # what the lane has is not yet durable: it is made again from the journal
        self.write(without)
        self.hub.start()
        self.hub.stop()
        self.write(base.replace(":1/", f":{here.port}/"))
        self.hub.start()
        wait_for(lambda: here.stats()["records"] == 5)
        self.apply(without)
        self.apply(base.replace(":1/", f":{here.port}/"))
        self.send("site-key", ping(5))
        wait_for(lambda: here.stats()["records"] == 6)
        self.assertEqual(events_of(here), [("a", n) for n in range(6)])


if __name__ == "__main__":
    unittest.main()
