"""What an older version wrote is read; what a newer one wrote is refused, with what to do, and left as it is.

The golden folders are NAME.tar.xz; NAME.json says what was in them. make_golden.py says how they were made.
"""

import json
import pathlib
import shutil
import sqlite3
import struct
import sys
import tarfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "crash"))
import rig  # noqa: E402
import scene  # noqa: E402

GOLDEN = sorted(path.with_suffix("") for path in HERE.glob("*.json"))


class Case(unittest.TestCase):
    def unpack(self, name):
        self.hook = self.enterContext(rig.Server("webhook.py", "--secret", rig.HOOK_SECRET))
        self.letters = self.enterContext(rig.Server("webhook.py", "--secret", rig.HOOK_SECRET))
        hub = rig.Hub(scene.CONFIG.format(hook=self.hook.port, letters=self.letters.port))
        self.addCleanup(hub.close)
        with tarfile.open(f"{name}.tar.xz") as packed:
            packed.extractall(hub.folder)
        return hub, json.loads(pathlib.Path(f"{name}.json").read_text(encoding="utf-8"))


class OlderTest(Case):
    def test_an_older_versions_data_is_whole_and_gives_the_state_that_it_had(self):
        for name in GOLDEN:
            with self.subTest(name.name):
                hub, facts = self.unpack(name)
                journal = json.loads(hub.run("journal", "verify", "--json"))
                self.assertEqual((journal["problems"], journal["journal"], journal["inputs"]), ([], facts["journal"], facts["inputs"]))
                store = json.loads(hub.run("store", "verify", "--json"))
                self.assertEqual((store["problems"], store["recorded"], store["recomputed"]), ([], facts["hash"], facts["hash"]))
                lanes = {lane["destination"]: lane["backlog"] for lane in json.loads(hub.run("outbox", "--json"))["lanes"]}
                self.assertEqual(lanes, facts["waiting"])

    def test_a_hub_goes_on_with_it_and_delivers_what_waited_under_the_keys_that_it_had(self):
        for name in GOLDEN:
            with self.subTest(name.name):
                hub, facts = self.unpack(name)
                hub.start()
                rig.wait_until(lambda: hub.backlog() == 0, 30, "all that waited is delivered")
                for stand_in, lane in ((self.hook, "hook"), (self.letters, "letters")):
                    keys = [record["record"]["key"] for record in stand_in.records()]
                    self.assertEqual(len(keys), facts["waiting"][lane])
                    prefix = f"{facts['journal']}.{facts['generation']}."
                    self.assertTrue(all(key.startswith(prefix) for key in keys), keys)
                self.assertEqual([hub.profile(f"user_id:{u}")["computed"]["pings"] for u in scene.PEOPLE], [4, 4, 3])
                self.assertEqual(len(hub.dead()["letters"]), facts["dead_letters"])
                self.assertIn("1 of 1", hub.run("dead", "replay", str(hub.dead()["letters"][0]["id"])))
                self.assertEqual(hub.stop(), 0, hub.log())
                self.assertIn("the same", hub.run("store", "verify"))


class NewerTest(Case):
    def refused(self, hub, *words):
        before = {path: path.read_bytes() for path in sorted((hub.folder / "data").rglob("*.*")) if path.suffix in (".log", ".base")}
        code, text = hub.run("run", "--until-idle", check=False)
        self.assertEqual(code, 1, text)
        for word in words:
            self.assertIn(word, text)
        for path, content in before.items():
            self.assertEqual(path.read_bytes(), content, f"{path} was changed")

    def bump(self, path, at=8):
        data = bytearray(path.read_bytes())
        data[at:at + 4] = struct.pack("<I", 9)
        path.write_bytes(data)

    def test_a_store_of_a_newer_version_is_refused(self):
        hub, _ = self.unpack(GOLDEN[-1])
        store = sqlite3.connect(hub.folder / "data/store.db")
        store.execute("PRAGMA user_version = 99")
        store.commit()
        store.close()
        self.refused(hub, "store.db", "newer version")

    def test_a_checkpoint_of_a_newer_version_is_refused(self):
        hub, _ = self.unpack(GOLDEN[-1])
        for path in (hub.folder / "data/checkpoints").iterdir():
            self.bump(path)
        self.refused(hub, "checkpoints", "later version")

    def test_an_identity_of_a_newer_version_is_refused(self):
        hub, _ = self.unpack(GOLDEN[-1])
        self.bump(hub.folder / "data/journal/identity")
        self.refused(hub, "identity", "newer version")

    def test_a_record_of_a_kind_that_only_a_newer_lane_writes_is_refused(self):
        hub, _ = self.unpack(GOLDEN[-1])
        # The lane's log is of our version: what stands in it is not.
        shutil.rmtree(hub.folder / "data/lanes/hook/outcomes")
        shutil.copytree(hub.folder / "data/lanes/hook/records", hub.folder / "data/lanes/hook/outcomes")
        self.refused(hub, "lane 'hook'")


if __name__ == "__main__":
    unittest.main()
