"""The conformance kit finds each planted bug by the check that is meant for it, passes our own connectors, and a trial of a
record sends nothing. SLUICE is the binary, SLUICE_PLANTED and SLUICE_PLUGINS the folders of what was built."""

import concurrent.futures
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import unittest

SLUICE = os.environ["SLUICE"]
PLANTED = pathlib.Path(os.environ["SLUICE_PLANTED"])
PLUGINS = pathlib.Path(os.environ["SLUICE_PLUGINS"])

# Which checks fail, all of them.
BUGS = {
    "extra_symbol": {"exports"},
    "unique_symbol": {"exports"},
    "bad_manifest": {"manifest"},
    "other_manifest": {"same_manifest"},
    "other_id": {"table"},
    "creates_once": {"create"},
    "takes_any_config": {"wrong_config"},
    "crashes_on_config": {"wrong_config"},
    "no_text": {"wrong_config"},
    "leaves_out": {"covers_once", "full_batch", "snapshot"},
    "covers_twice": {"covers_once", "full_batch", "snapshot"},
    "guesses_operations": {"other_ops"},
    "leaves_a_hole": {"snapshot"},
    "throws": {"other_ops"},
    "crashes_on_nothing": {"empty_batch"},
    "exits": {"full_batch"},
    "no_escapes": {"texts"},
    "knows_the_size": {"newer_host"},
    "reads_clock": {"deterministic"},
    "counts": {"deterministic"},
    "ignores_stop": {"stops"},
    "ignores_cancel": {"cancelled"},
    "crashes_on_garbage": {"answers"},
    "calls_it_delivered": {"answers"},
    "checkpoints_failures": {"answers"},
    "reads_too_far": {"reads_within"},
    "writes": {"reads_within"},
    "keeps_pointer": {"keeps_nothing"},
    "forgets_cursor": {"resumes"},
    "no_checkpoint": {"resumes"},
    "stumbles_on_cursors": {"odd_cursor"},
    "fetches_nothing": {"fetches"},
    "stumbles_on_requests": {"receives"},
    "callback_about_nobody": {"receives"},
    "callback_key_changes": {"receives"},
    "reason_is_a_sentence": {"reasons"},
    "wrong_host": {"hosts"},
    "secret_in_log": {"secrets"},
    "secret_in_reason": {"secrets", "reasons"},
    "email_in_detail": {"personal_data"},
    "email_in_failure": {"personal_data"},
    "reads_files": {"pure"},
    "writes_files": {"sandbox"},
    "leaks_memory": {"memory"},
    "leaks_descriptors": {"descriptors"},
    "leaks_threads": {"threads"},
}

OURS = {"braze", "csv", "file", "meta_audiences", "smtp", "webhook"}


def sluice(*arguments):
    return subprocess.run([SLUICE, "plugin", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


def run_kit(library, *arguments):
    done = sluice("test", library, "--json", *arguments)
    return done, json.loads(done.stdout)


class KitTest(unittest.TestCase):
    def test_each_planted_bug_is_found_by_its_check_and_by_no_other(self):
        built = {path.stem for path in PLANTED.glob("*.so")} - {"good", "good_source"}
        self.assertEqual(built, set(BUGS))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            runs = dict(zip(BUGS, pool.map(lambda bug: run_kit(PLANTED / f"{bug}.so"), BUGS)))
        for bug, checks in BUGS.items():
            with self.subTest(bug=bug):
                done, report = runs[bug]
                failed = {c["check"]: c["why"] for c in report["checks"] if c["verdict"] == "failed"}
                self.assertEqual(set(failed), checks, failed)
                self.assertEqual(done.returncode, 1)
                self.assertFalse(report["passed"])
                for why in failed.values():
                    self.assertGreater(len(why), 20)

    def assert_passes(self, library):
        began = time.monotonic()
        done, report = run_kit(library)
        took = time.monotonic() - began
        self.assertEqual([c for c in report["checks"] if c["verdict"] == "failed"], [])
        self.assertEqual(done.returncode, 0)
        self.assertGreaterEqual(len(report["checks"]), 30)
        self.assertGreaterEqual(sum(c["verdict"] == "ok" for c in report["checks"]), 17)
        self.assertLess(took, 10)  # about one second on a machine that has nothing else to do

    def test_the_same_connectors_without_a_bug_pass(self):
        for name in ("good", "good_source"):
            with self.subTest(connector=name):
                self.assert_passes(PLANTED / f"{name}.so")

    def test_our_own_connectors_pass(self):
        built = {path.stem for path in PLUGINS.glob("*.so")}
        self.assertLessEqual(OURS, built)
        for name in sorted(built):  # those that come later too
            with self.subTest(connector=name):
                self.assert_passes(PLUGINS / f"{name}.so")

    def test_people_read_a_line_for_each_check(self):
        done = sluice("test", PLANTED / "wrong_host.so")
        self.assertEqual(done.returncode, 1)
        lines = done.stdout.splitlines()
        self.assertTrue(any(line.startswith("ok    covers_once") for line in lines), done.stdout)
        self.assertTrue(any(line.startswith("FAIL  hosts ") and "collector.example.net" in line for line in lines), done.stdout)
        self.assertTrue(any(line.startswith("n.a.  resumes ") for line in lines), done.stdout)
        self.assertIn("1 failed", lines[-1])
        self.assertNotIn("canary", done.stdout)

    def test_what_is_no_connector_is_told(self):
        done = sluice("test", "/nowhere/x.so")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no such file", done.stderr)
        done, report = run_kit(__file__)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no ELF file", {c["check"]: c["why"] for c in report["checks"]}["manifest"])


class GivenTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-kit-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, value):
        path = self.folder / name
        path.write_text(json.dumps(value), encoding="utf-8")
        return path

    def test_the_kit_takes_a_configuration_and_records_that_are_given(self):
        config = self.file("with.json", {"endpoint": "https://rest.iad-01.braze.com", "api_key": "key-that-is-secret"})
        record = self.file("record.json", {"op": "upsert", "payload": {"city": "Lyon"}, "identifiers": {"user_id": ["u1"]}})
        done, report = run_kit(PLUGINS / "braze.so", "--config", config, "--record", record)
        self.assertEqual(done.returncode, 0, report)
        bad = self.file("bad.json", {"op": "sing", "payload": {}})
        done = sluice("test", PLUGINS / "braze.so", "--record", bad)
        self.assertEqual(done.returncode, 1)
        self.assertIn("'op' is none that is known", done.stderr)

    def test_the_kit_and_a_trial_send_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"127.0.0.1:{server.getsockname()[1]}"
            mail = self.file("mail.json", {"server": f"smtp://{url}", "from": "a@example.com", "timeout_s": 1})
            run_kit(PLUGINS / "smtp.so", "--config", mail)
            hook = self.file("hook.json", {"url": f"http://{url}/"})
            record = self.file("record.json", {"op": "event", "name": "E", "payload": {}})
            sluice("try", PLUGINS / "webhook.so", "--record", record, "--with", hook)
            server.settimeout(0)
            self.assertRaises(BlockingIOError, server.accept)

    def test_a_trial_shows_requests_with_masked_secrets_and_the_outcomes_of_an_answer(self):
        with_ = self.file("with.json", {"endpoint": "https://rest.iad-01.braze.com", "api_key": "key-that-is-secret"})
        record = self.file("record.json", [
            {"op": "event", "name": "Bought", "payload": {"total": 3}, "identifiers": {"user_id": ["u1"]}},
            {"op": "event", "name": "Bought", "payload": {"total": 4}, "identifiers": {"user_id": ["u2"]}}])
        answer = self.file("answer.json", {"status": 201, "body": {"message": "success", "errors": [
            {"type": "'total' is not what it was", "input_array": "events", "index": 1}]}})
        arguments = ("try", PLUGINS / "braze.so", "--record", record, "--with", with_, "--answer", answer)
        done = sluice(*arguments, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        trial = json.loads(done.stdout)
        self.assertEqual([r["payload"] for r in trial["records"]], [{"total": 3}, {"total": 4}])
        (request,) = trial["requests"]
        self.assertEqual((request["method"], request["url"]), ("POST", "https://rest.iad-01.braze.com/users/track"))
        self.assertEqual(request["headers"]["authorization"], "Bearer ***")
        self.assertEqual([e["external_id"] for e in json.loads(request["body"])["events"]], ["u1", "u2"])
        self.assertEqual([o["status"] for o in trial["outcomes"]], ["ok", "invalid"])
        self.assertNotIn("key-that-is-secret", done.stdout)
        for text in ("POST https://rest.iad-01.braze.com/users/track", "authorization: Bearer ***", '"refused_by_braze"'):
            self.assertIn(text, sluice(*arguments).stdout)

    def test_a_trial_of_a_signed_webhook_hides_the_signature(self):
        record = self.file("record.json", {"op": "event", "name": "E", "payload": {}})
        trial = json.loads(sluice("try", PLUGINS / "webhook.so", "--record", record, "--json").stdout)
        self.assertEqual(trial["requests"][0]["headers"]["webhook-signature"], "***")
        self.assertEqual(trial["outcomes"], [])

    def test_a_connector_that_sends_by_itself_cannot_be_tried(self):
        record = self.file("record.json", {"op": "message", "payload": {"subject": "x"}, "address": "a@example.com"})
        done = sluice("try", PLUGINS / "smtp.so", "--record", record)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot be tried without sending", done.stderr)

    def test_a_connector_that_crashes_is_told_and_harms_nothing(self):
        record = self.file("record.json", [{"op": "event", "payload": {}} for _ in range(40)])
        done = sluice("try", PLANTED / "exits.so", "--record", record)
        self.assertEqual(done.returncode, 1)
        self.assertIn("it ended the process in plan()", done.stderr)


if __name__ == "__main__":
    unittest.main()
