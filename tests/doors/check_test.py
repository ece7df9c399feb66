"""Settings that only a connector itself can judge are reported by `check` and `run` at their place, all of them."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import hub  # noqa: E402

CONFIG = """
version: 1
hub: { data: ./data, admin: "unix:./admin.sock" }
sources:
  rows: { plugin: csv, with: { path: ./*.csv, delimiter: ";" }, streams: { rows: { as: event, name: X, ids: { user_id: row.a } } } }
destinations:
  hook: { plugin: webhook, purpose: internal, with: { url: "http://127.0.0.1:1/", secret: "${HOOK_SECRET}" } }
  mail: { plugin: smtp, purpose: internal, with: { server: "smtp://127.0.0.1:1", from: "nobody" } }
  good: { plugin: file, purpose: internal, with: { path: ./out.jsonl } }
"""
SECRET = "whsec_too-short"


class CheckTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "connectors.yaml").write_text(CONFIG)

    def sluice(self, *arguments):
        return subprocess.run([hub.SLUICE, *arguments], capture_output=True, text=True, cwd=self.folder, timeout=20,
                              env=os.environ | {"HOOK_SECRET": SECRET})

    def test_what_connectors_refuse_is_reported_at_its_place(self):
        done = self.sluice("check", "--format", "json")
        found = [(d["line"], d["column"], d["code"]) for d in json.loads(done.stdout) if d["severity"] == "error"]
        self.assertEqual((done.returncode, found), (1, [(line, 3, "connector-refuses") for line in (7, 8)]))
        self.assertIn("whsec_", done.stdout)

    def test_such_a_configuration_does_not_run_and_writes_nothing(self):
        done = self.sluice("run", "--until-idle")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("connectors.yaml:8:3: error: the connector 'smtp' refuses this: from:", done.stderr)
        self.assertNotIn(SECRET, done.stderr)
        self.assertFalse((self.folder / "data").exists())


if __name__ == "__main__":
    unittest.main()
