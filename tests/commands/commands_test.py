"""The `sluice` command as people meet it: what it says to a mistake, and whole CSV files through a hub that runs until idle."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import hub  # noqa: E402

CONFIG = """version: 1
hub: { data: ./data, admin: "unix:./admin.sock", listen: "127.0.0.1:0", country: FR }
sources:
  crm:
    plugin: csv
    with: { path: ./crm.csv }
    streams:
      rows: { as: identify, time: row.changed, ids: { user_id: row.id }, traits: { city: row.city } }
  shop:
    plugin: csv
    with: { path: ./shop.csv }
    streams:
      rows: { as: event, name: "=row.name", time: row.at, ids: { user_id: row.id } }
audiences:
  known: has(traits.city)
  day: events("Bought").within("1d").exists()
"""


def sluice(*arguments, cwd=None):
    return subprocess.run([hub.SLUICE, *arguments], capture_output=True, text=True, cwd=cwd, timeout=60)


class FilesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-commands-")
        self.addCleanup(folder.cleanup)
        self.hub = hub.Hub(folder.name, CONFIG)
        self.write("crm.csv", "id,city,changed\n")
        self.write("shop.csv", "id,name,at\n")

    def write(self, name, text):
        (self.hub.folder / name).write_text(text, encoding="utf-8")

    def members(self, audience):
        found = json.loads(self.hub.command("audience", audience, "--json"))["members"]
        return {m["identifiers"]["user_id"][0]: m["entered_at"] for m in found}

    def test_a_crm_file_in_no_order_of_time_is_read_whole_by_the_clock_of_its_events(self):
        self.write("crm.csv", "id,city,changed\nu1,Lyon,2024-03-01\nu2,Nice,2024-09-05\nu3,Metz,2024-01-07\nu4,Caen,2024-02-01\n")
        self.hub.run_until_idle("--clock", "events")
        self.assertEqual(set(self.members("known")), {"u1", "u2", "u3", "u4"})
        self.assertFalse((self.hub.folder / "data/rejects/crm.jsonl").exists())

    def test_one_bad_date_does_not_close_every_window(self):
        rows = [f"u{i},Bought,2024-01-01T{i:02}:00:00Z\n" for i in range(10)]
        self.write("shop.csv", "id,name,at\n" + "".join(rows[:4]) + "x,Bought,2099-01-01T00:00:00Z\n" + "".join(rows[4:]))
        self.hub.run_until_idle("--clock", "events")
        self.assertEqual(set(self.members("day")), {f"u{i}" for i in range(10)})
        self.assertIn('"shop.csv:6","reason":"time_far_ahead"', (self.hub.folder / "data/rejects/shop.jsonl").read_text())

    def test_a_last_row_moves_time_however_late_it_is(self):
        rows = "".join(f"u{i},Bought,2024-01-01T{i:02}:00:00Z\n" for i in range(10))
        self.write("shop.csv", "id,name,at\n" + rows + "late,Bought,2024-03-01T00:00:00Z\n")
        self.hub.run_until_idle("--clock", "events")
        self.assertEqual(self.members("day"), {"late": "2024-03-01T00:00:00.000Z"})

    def test_a_changed_file_says_what_is_new_and_has_its_past_read(self):
        self.write("shop.csv", "id,name,at\nu1,Bought,2024-01-01T10:00:00Z\nu2,Seen,2024-01-02T10:00:01Z\n")
        self.hub.run_until_idle("--clock", "events")
        self.hub.config.write_text(CONFIG + "  week: events('Bought').within('7d').exists()\n", encoding="utf-8")
        done = sluice("run", str(self.hub.config), "--until-idle", "--clock", "events")
        self.assertIn("audience 'week' added", done.stderr)
        self.assertIn("reading the history again for 'week', from its first input on", done.stderr)
        self.assertEqual(self.members("week"), {"u1": "2024-01-01T10:00:00.000Z"})

    def test_a_window_closes_to_the_second(self):
        self.write("shop.csv", "id,name,at\nu1,Bought,2024-01-01T10:00:00Z\nu2,Bought,2024-01-01T10:00:01Z\n"
                               "u3,Seen,2024-01-02T10:00:00Z\n")
        self.hub.run_until_idle("--clock", "events")
        self.assertEqual(self.members("day"), {"u2": "2024-01-01T10:00:01.000Z"})
        history = json.loads(self.hub.command("profile", "user_id:u1", "--json"))["history"]
        self.assertEqual([(h["change"], h["time"], h["by_time"]) for h in history],
                         [("entered", "2024-01-01T10:00:00.000Z", False), ("left", "2024-01-02T10:00:00.000Z", True)])


    def test_a_flipped_byte_of_the_last_commit_stops_the_start_and_repair_loses_that_input_alone(self):
        rows = "".join(f"u{i},Bought,2024-01-01T00:{i:02}:00Z\n" for i in range(50))
        self.write("shop.csv", "id,name,at\n" + rows)
        self.hub.run_until_idle("--clock", "events")
        self.assertIn("whole", self.hub.command("journal", "verify"))
        path = self.hub.folder / "data/journal/00000001.log"
        damaged = bytearray(path.read_bytes())
        damaged[damaged.index(b'"u25"')] ^= 1
        path.write_bytes(damaged)
        config = ("--config", str(self.hub.config))
        for command in (["run", "--until-idle"], ["journal", "verify"], ["journal", "dump"]):
            done = sluice(*command, *config)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("is damaged at byte", done.stdout + done.stderr)
        self.assertEqual(path.read_bytes(), damaged)
        self.assertIn(": 1 inputs from ", self.hub.command("journal", "repair"))
        self.assertIn("whole", self.hub.command("journal", "verify"))
        self.hub.run_until_idle("--clock", "events")


class WordsTest(unittest.TestCase):
    def test_a_command_that_comes_later_says_so(self):
        for name in ["tail", "erase", "export"]:
            done = sluice(name, "connectors.yaml")
            self.assertEqual((done.returncode, "not supported yet" in done.stderr), (2, True), done.stderr)

    def test_a_command_that_is_none_is_named(self):
        self.assertIn("did you mean 'audience'?", sluice("audiences").stderr)
        self.assertIn("no command 'frobnicate'", sluice("frobnicate").stderr)

    def test_dead_letters_before_the_first_run_ask_for_one(self):
        with tempfile.TemporaryDirectory(prefix="sluice-commands-") as folder:
            pathlib.Path(folder, "connectors.yaml").write_text("version: 1\n", encoding="utf-8")
            done = sluice("dead", "list", cwd=folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn("has a hub run with this configuration?", done.stderr)


if __name__ == "__main__":
    unittest.main()
