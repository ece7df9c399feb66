"""Backups taken while the hub is under load, and what is restored from them."""

import json
import pathlib
import shutil
import time
import unittest

import rig
from faults_test import HEAD, Case, Feeder

CONFIG = HEAD + """
computed:
  pings: events("Ping").count()
audiences:
  busy: traits.pings >= 10
routes:
  pings_to_hook: {{ events: [Ping], to: hook }}
  busy_to_hook: {{ audience: busy, to: hook }}
destinations:
  hook: {{ plugin: webhook, purpose: internal, with: {{ url: "http://127.0.0.1:{hook}/", secret: "${{HOOK_SECRET}}" }} }}
"""


@unittest.skipUnless(pathlib.Path(rig.SLUICE).exists(), "the binary is not built")
class BackupTest(Case):
    def bench(self, *options):
        self.hook = self.stand_in("webhook.py", "--secret", rig.HOOK_SECRET)
        hub = rig.Hub(CONFIG.format(hook=self.hook.port), *options)
        self.addCleanup(hub.close)
        hub.start()
        return hub

    def restored(self, hub, backup):
        """Another hub, on what was restored; not started."""
        other = rig.Hub(hub.config.read_text(encoding="utf-8"), *hub.options)
        self.addCleanup(other.close)
        made = json.loads(other.run("restore", str(backup), "--json"))
        return other, made

    def pings_of(self, hub, people):
        profiles = hub.profiles([f"user_id:{user}" for user in people])
        return {person.removeprefix("user_id:"): int(p["computed"]["pings"]) if p else 0
                for person, p in profiles.items()}

    def test_a_backup_under_load_holds_whatever_was_acknowledged_before_it(self):
        hub = self.bench("--checkpoint-inputs", "700")
        loads = [rig.Load(hub, n, n, 20, 1200) for n in range(2)]
        for load in loads:
            load.start()
        made = []
        for n in range(3):
            time.sleep(1)  # load goes on: the moment is what is tested
            before = {id_: ping for load in loads for id_, ping in dict(load.acknowledged).items()}
            target = hub.folder / f"backup{n}"
            report = json.loads(hub.run("backup", str(target), "--json"))
            made.append((target, before, report))
        for load in loads:
            load.stopping.set()
        for load in loads:
            load.join(60)
            self.assertIsNone(load.error)
        hub.kill()
        generations = set()
        for target, before, report in made:
            self.assertGreater(len(before), 100)
            other, restored = self.restored(hub, target)
            self.assertEqual(restored["journal"], report["journal"])
            self.assertGreater(restored["generation"], report["generation"])
            generations.add(restored["generation"])
            self.assertEqual(json.loads(other.run("journal", "verify", "--json"))["problems"], [])
            if report["checkpoint_seq"] > 0:
                self.assertIn("the same", other.run("store", "verify"))
            other.start()
            rig.wait_until(lambda: other.backlog() == 0, 60, "what waited in it is delivered")
            counts = {}
            for person, _, n, _ in before.values():
                counts[person] = max(counts.get(person, 0), n + 1)
            counts = {p: n for p, n in counts.items() if n > 2 * rig.Load.DEVICE_PINGS}  # by then the hub knew who it was
            found = self.pings_of(other, counts)
            short = {p: (found[p], n) for p, n in counts.items() if found[p] < n}
            self.assertEqual(short, {})
            self.assertEqual(other.stop(), 0, other.log())
            self.assertIn("the same", other.run("store", "verify"))

    def test_a_restored_copy_has_the_same_state_hash_and_other_keys(self):
        hub = self.bench()
        feeder = Feeder(self, hub)
        feeder.pings(300)
        rig.wait_until(lambda: hub.backlog() == 0, 20, "all is delivered")
        self.hook.order(down=True)
        feeder.pings(50)
        rig.wait_until(lambda: hub.lanes()["hook"]["backlog"] >= 50, 20, "some wait")
        waiting = hub.lanes()["hook"]["backlog"]
        report = json.loads(hub.run("backup", str(hub.folder / "backup"), "--json"))
        self.assertEqual(hub.stop(), 0, hub.log())
        original = json.loads(hub.run("store", "verify", "--json"))
        other, restored = self.restored(hub, hub.folder / "backup")
        self.assertEqual(len(other.run("rollback", "--list").splitlines()), 1)  # the configurations that held are there, too
        other.start()
        self.assertEqual(other.stop(), 0, other.log())
        copy = json.loads(other.run("store", "verify", "--json"))
        self.assertEqual((copy["problems"], copy["checkpoint_seq"], copy["recorded"]),
                         ([], original["checkpoint_seq"], original["recorded"]))
        before = len(self.hook.records())
        self.hook.order(clear=True)
        other.start()
        rig.wait_until(lambda: other.backlog() == 0, 20, "what waited in the copy is delivered")
        keys = [r["record"]["key"] for r in self.hook.records()][before:]
        self.assertEqual(len(keys), waiting)
        self.assertTrue(all(key.startswith(f"{report['journal']}.{restored['generation']}.") for key in keys), keys)

    def test_what_is_no_whole_backup_is_refused_and_nothing_is_made(self):
        hub = self.bench()
        Feeder(self, hub).pings(20)
        target = hub.folder / "backup"
        hub.run("backup", str(target))
        self.assertNotIn("secrets.key", [path.name for path in target.iterdir()])

        def refused(backup, *words):
            other = rig.Hub(hub.config.read_text(encoding="utf-8"))
            self.addCleanup(other.close)
            code, text = other.run("restore", str(backup), check=False)
            self.assertEqual(code, 1, text)
            for word in words:
                self.assertIn(word, text)
            self.assertFalse((other.folder / "data").exists())

        def damaged(change):
            bad = hub.folder / "bad"
            shutil.rmtree(bad, ignore_errors=True)
            shutil.copytree(target, bad)
            change(bad)
            return bad

        def flip(bad):
            path = next((bad / "journal").glob("*.log"))
            data = bytearray(path.read_bytes())
            data[100] ^= 1
            path.write_bytes(data)

        def outside(bad):
            text = (bad / "backup.json").read_text(encoding="utf-8")
            (bad / "backup.json").write_text(text.replace('"store.db"', '"../store.db"'), encoding="utf-8")

        def newer(bad):
            text = (bad / "backup.json").read_text(encoding="utf-8")
            (bad / "backup.json").write_text(text.replace('"format":1', '"format":2'), encoding="utf-8")
        refused(damaged(lambda bad: (bad / "backup.json").unlink()), "backup.json", "missing")
        refused(damaged(flip), ".log", "other bytes")
        refused(damaged(lambda bad: (bad / "store.db").unlink()), "store.db", "missing")
        refused(damaged(outside), "outside")
        refused(damaged(newer), "newer version")
        code, text = hub.run("backup", str(target), check=False)
        self.assertEqual((code, "not empty" in text), (1, True), text)
        code, text = hub.run("restore", str(target), check=False)  # over a data folder that is there
        self.assertEqual((code, "not empty" in text), (1, True), text)

    def test_one_backup_restored_twice_gives_two_generations(self):
        hub = self.bench()
        Feeder(self, hub).pings(20)
        hub.run("backup", str(hub.folder / "backup"))
        _, first = self.restored(hub, hub.folder / "backup")
        time.sleep(1.1)  # generations are seconds
        _, second = self.restored(hub, hub.folder / "backup")
        self.assertGreater(second["generation"], first["generation"])


if __name__ == "__main__":
    unittest.main()
