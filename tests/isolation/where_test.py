"""Where connectors run, in a real hub: those that did not come with it in processes of their own, which may die and hang
without holding anything up. SLUICE_PLUGINS: the hub's own folder, and the one with `faulty` and `endless`."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import shutil
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "reload")]
import bench  # noqa: E402
from bench import config, tracking  # noqa: E402
from hub import SLUICE, wait_for  # noqa: E402

SITE = tracking("site", "SITE_KEY")
LAKE = "lake: { plugin: file, purpose: internal, with: { path: ./lake.jsonl } }\n"
FAULTY = "faulty: { plugin: faulty, purpose: internal }\n"
ALL = 'all: { events: ["*"], to: faulty }\nkept: { events: ["*"], to: lake }\n'


def happened(name, person="a"):
    return {"type": "track", "event": name, "userId": person}


class WhereTest(bench.Bench):
    def check(self, text, binary=SLUICE):
        file = self.folder / "connectors.yaml"
        file.write_text(text)
        done = subprocess.run([binary, "check", str(file), "--format", "json"], capture_output=True, text=True)
        return json.loads(done.stdout)

    def mistakes(self, text, binary=SLUICE):
        return [d for d in self.check(text, binary) if d["severity"] == "error"]

    def outcomes(self, lane):
        return self.lanes()[lane]["outcomes"]

    def seconds_to_stop(self):
        begin = time.monotonic()
        self.hub.stop()
        return time.monotonic() - begin

    def test_who_did_not_come_with_the_hub_may_not_run_in_it(self):
        own = "lake: { plugin: file, purpose: internal, isolation: none, with: { path: ./lake.jsonl } }\n"
        foreign = "faulty: { plugin: faulty, purpose: internal, isolation: none }\n"
        found = self.mistakes(config(SITE, "", "", "", own + foreign))
        self.assertEqual([(d["code"], d["line"]) for d in found], [("foreign-connector", 7)])
        self.assertIn("write process", found[0]["help"])
        found = self.mistakes(config(SITE + "door: { plugin: tracking, isolation: none, with: { write_key: x } }\n"))
        self.assertEqual([d["code"] for d in found], ["conflict"])

    def test_a_link_in_the_hubs_folder_makes_nobody_its_own(self):
        home = self.folder / "home"
        (home / "plugins").mkdir(parents=True)
        binary = shutil.copy(SLUICE, home / "sluice")
        shutil.copy(pathlib.Path(SLUICE).with_name("sluice-connector"), home / "sluice-connector")
        folder = pathlib.Path(os.environ["SLUICE_PLUGINS"].split(":")[1])
        (home / "plugins" / "faulty.so").symlink_to(folder / "faulty.so")
        environment = {k: v for k, v in os.environ.items() if k != "SLUICE_PLUGINS"}

        def isolation():
            listed = subprocess.run([binary, "plugin", "list", "--json"], capture_output=True, text=True, env=environment)
            return {p["plugin"]: p["isolation"] for p in json.loads(listed.stdout)}["faulty"]
        self.assertEqual(isolation(), "process")
        (home / "plugins" / "faulty.so").unlink()
        shutil.copy(folder / "faulty.so", home / "plugins" / "faulty.so")
        self.assertEqual(isolation(), "none")

    def test_without_the_program_nothing_that_needs_it_is_taken(self):
        binary = shutil.copy(SLUICE, self.folder / "sluice")
        found = self.mistakes(config(SITE, "", "", "", FAULTY), binary)
        self.assertEqual([(d["code"], d["line"]) for d in found], [("connector-refuses", 6)])
        self.assertIn(str(self.folder / "sluice-connector"), found[0]["message"])

    def test_a_record_that_kills_its_connector_ends_rejected_and_all_others_are_delivered(self):
        self.run_hub(config(SITE, "", ALL, "", FAULTY + LAKE))
        self.assertEqual(self.metric('sluice_connector_restarts_total{connector="faulty"}'), 0)
        self.assertIsNone(self.metric('sluice_connector_restarts_total{connector="lake"}'))
        people = [f"p{n}" for n in range(40)]
        batch = [happened("segfault" if p == "p17" else "fine", p) for p in people] + [happened("fine", "p17")]
        self.assertEqual(self.send("site-key", *batch), 200)
        wait_for(lambda: self.outcomes("lake").get("delivered") == 41)
        wait_for(lambda: self.outcomes("faulty").get("rejected") == 1)
        wait_for(lambda: self.outcomes("faulty").get("delivered") == 40)
        dead = json.loads(self.hub.command("dead", "list", "--json"))
        letters = dead["letters"] if isinstance(dead, dict) else dead
        self.assertEqual(len(letters), 1)
        self.assertIn("connector_failed", json.dumps(letters))
        # Under a sanitizer the process ends in the sanitizer's way.
        self.assertRegex(json.dumps(letters), r"process (was killed by SIG(SEGV|ILL)|ended with exit code 1)")
        self.assertGreaterEqual(self.metric('sluice_connector_restarts_total{connector="faulty"}'), 2)
        self.hub.stop()
        self.verify()

    def test_a_connector_that_hangs_does_not_hold_up_a_stop_and_its_record_waits(self):
        self.run_hub(config(SITE, "", ALL, "", FAULTY + LAKE))
        self.assertEqual(self.send("site-key", happened("loop")), 200)
        wait_for(lambda: self.outcomes("lake").get("delivered") == 1)
        child, = self.hub.connectors()
        wait_for(lambda: int(pathlib.Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11]) > 20)
        self.assertLess(self.seconds_to_stop(), 15)  # its call would have 30
        self.assertEqual(self.lanes_of_files()["faulty"]["backlog"], 1)

    def test_a_connector_that_dies_again_and_again_does_not_hold_up_a_stop(self):
        self.run_hub(config(SITE, "", ALL, "", FAULTY + LAKE))
        restarts = lambda: self.metric('sluice_connector_restarts_total{connector="faulty"}')  # noqa: E731
        n = 0
        while restarts() < 40:  # its starts are seconds apart by now
            n += 1
            self.send("site-key", *[happened("abort", f"{n}-{p}") for p in range(20)])
            wait_for(lambda: self.outcomes("lake").get("delivered") == n * 20)
        self.assertLess(self.seconds_to_stop(), 15)

    def test_a_source_that_hangs_is_ended_with_the_hub_and_when_it_is_taken_out(self):
        endless = "endless: { plugin: endless, streams: { rows: { as: identify, ids: { user_id: row.id } } } }\n"
        self.run_hub(config(SITE + endless))
        wait_for(lambda: self.hub.profile("user_id:1"))
        self.assertEqual(len(self.hub.connectors()), 1)
        self.apply(config(SITE))
        self.assertEqual(self.hub.connectors(), [])
        self.apply(config(SITE + endless))
        self.assertEqual(len(self.hub.connectors()), 1)
        self.assertLess(self.seconds_to_stop(), 15)

    def test_another_isolation_opens_the_connector_anew_and_changes_no_state(self):
        apart = LAKE.replace("with:", "isolation: process, memory: 64MiB, with:")
        self.run_hub(config(SITE, "", 'kept: { events: ["*"], to: lake }\n', "", LAKE))
        self.assertEqual(self.send("site-key", happened("one")), 200)
        self.apply(config(SITE, "", 'kept: { events: ["*"], to: lake }\n', "", apart))
        wait_for(lambda: len(self.hub.connectors()) == 1)
        self.assertEqual(self.send("site-key", happened("two")), 200)
        wait_for(lambda: self.outcomes("lake").get("delivered") == 2)
        self.assertEqual(len((self.folder / "lake.jsonl").read_text().splitlines()), 2)
        self.hub.stop()
        self.verify()

    def lanes_of_files(self):
        return {lane["destination"]: lane for lane in json.loads(self.hub.command("outbox", "--json"))["lanes"]}


if __name__ == "__main__":
    unittest.main()
