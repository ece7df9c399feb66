"""Every fault of a connector that runs apart, in a whole hub, all at once: the hub lives, the other destination goes on as if
nothing were, and each record ends delivered or dead-lettered with what happened.

SLUICE_PLUGINS: the hub's own folder and the one with `stumbler`; SLUICE_LIARS: folders of connectors whose table is not what
their manifest says."""

import collections
import http.server
import json
import re
import os
import pathlib
import subprocess
import sys
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "reload")]
import bench  # noqa: E402
from bench import config, tracking  # noqa: E402
from hub import SLUICE, wait_for  # noqa: E402

SITE = tracking("site", "SITE_KEY")
LAKE = "lake: { plugin: file, purpose: internal, with: { path: ./lake.jsonl } }\n"
GOOD = 96       # records for each destination that stumbles over one more
PEOPLE = 24
LAKE_RECORDS = 4_000

# What happens -> the reason and a word of the detail with which the record is dead-lettered; None: it is delivered.
FAULTS = {
    "segfault": ("connector_failed", "killed by SIGSEGV in plan()"),
    "abort": ("connector_failed", "killed by SIGABRT in plan()"),
    "exit": ("connector_failed", "ended with exit code 0 in plan()"),
    "overflow": ("connector_failed", "killed by SIGSEGV in plan()"),
    "loop": ("connector_failed", "did not end in its time"),
    "asks": ("connector_failed", "did not end in its time"),
    "leak": ("connector_failed", "could not plan"),
    "scribble": ("connector_failed", "killed by SIGSEGV in plan()"),
    "overrun": ("connector_failed", "killed by SIGSEGV in plan()"),
    "smash": ("connector_failed", "cannot be read"),
    "garbage": ("connector_failed", "cannot be read"),
    "rings": ("connector_failed", "in plan()"),
    "nonsense": ("other", ""),
    "none": ("no_outcome", "no outcome"),
    "interpret segfault": ("connector_failed", "killed by SIGSEGV in interpret()"),
    "interpret none": ("no_outcome", "no outcome"),
    "twice": None,
    "foreign": None,
    "descriptors": None,
    "socket": None,
    "passwd": None,
    "fork": None,
    "kill_parent": None,
}


def lane(fault):
    return "to_" + fault.replace(" ", "_")


def seen_end(end):
    """As a pattern. Under a sanitizer a process ends in the sanitizer's way, but for abort()."""
    sanitized = os.environ.get("SLUICE_SANITIZED") and "SIGABRT" not in end
    any_end = r"(killed by SIG\\w+|ended with exit code \\d+)"
    pattern = re.escape(end).replace(r"\ ", " ")
    return re.sub(r"killed by SIG\w+|ended with exit code 0", any_end, pattern) if sanitized else pattern


class Sink(http.server.ThreadingHTTPServer):
    """Keeps what each destination has sent: the first part of the path -> the numbers of its records."""

    daemon_threads = True

    def __init__(self):
        self.taken = collections.defaultdict(list)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.server.taken[self.path.split("/")[1]] += [p["properties"]["n"] for p in body]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


def track(name, person, n):
    return {"type": "track", "event": name, "userId": person, "properties": {"n": n}}


class FaultTableTest(bench.Bench):
    def setUp(self):
        super().setUp()
        self.sink = self.open.enter_context(Sink())
        self.sent = 0

    def configuration(self):
        destinations = LAKE + "".join(
            f"{lane(fault)}: {{ plugin: stumbler, purpose: internal, memory: 64MiB, "
            f'with: {{ url: "http://127.0.0.1:{self.sink.server_port}/{lane(fault)}" }} }}\n' for fault in FAULTS)
        routes = 'lake: { events: ["*"], to: lake }\n' + "".join(
            f"{lane(fault)}: {{ events: [Fine, {fault}], to: {lane(fault)} }}\n" for fault in FAULTS)
        return config(SITE, "", routes, "", destinations)

    def send_all(self, events):
        self.sent += len(events)
        for start in range(0, len(events), 100):
            self.assertEqual(self.send("site-key", *events[start:start + 100]), 200)

    def seconds_of_the_lake(self, first):
        """Sends LAKE_RECORDS that only the lake wants; -> how long until it has all that was sent."""
        begin = time.monotonic()
        self.send_all([track("Other", f"p{n % PEOPLE}", first + n) for n in range(LAKE_RECORDS)])
        wait_for(lambda: self.outcomes("lake").get("delivered", 0) == self.sent, 60)
        return time.monotonic() - begin

    def outcomes(self, name):
        return self.lanes()[name]["outcomes"]

    def letters(self):
        dead = json.loads(self.hub.command("dead", "list", "--limit", "1000", "--json"))
        return dead["letters"] if isinstance(dead, dict) else dead

    def test_every_fault_at_once(self):
        self.run_hub(self.configuration())
        hub = self.hub.process
        control = self.seconds_of_the_lake(0)

        # One bad record among good ones for each destination, of its own person, who has a good one behind it.
        fine = [track("Fine", f"p{n % PEOPLE}", 10_000 + n) for n in range(GOOD)]
        bad = [track(fault, f"bad {fault}", 20_000 + i) for i, fault in enumerate(FAULTS)]
        behind = [track("Fine", f"bad {fault}", 30_000 + i) for i, fault in enumerate(FAULTS)]
        self.send_all(fine[:GOOD // 2] + bad + behind + fine[GOOD // 2:])
        troubled = self.seconds_of_the_lake(50_000)
        busy = [name for name, one in self.lanes().items() if one["backlog"] > 0]

        wait_for(lambda: all(one["backlog"] == 0 for one in self.lanes().values()), 120)
        self.assertIsNone(hub.poll())
        self.assertEqual(self.hub.get("/readyz")[0], 200)
        self.assertIn(lane("loop"), busy)  # the lake was measured while others were in trouble
        self.assertNotIn("lake", busy)
        self.assertLess(troubled, 5 * control + 10)

        letters = {letter["destination"]: letter for letter in self.letters()}
        wanted = sorted([e["properties"]["n"] for e in fine + behind])
        for i, (fault, ends) in enumerate(FAULTS.items()):
            with self.subTest(fault):
                sent = self.sink.taken[lane(fault)]
                self.assertEqual(sorted(set(sent) - {20_000 + i}), wanted)
                if not fault.startswith("interpret"):  # else the answer to a request is lost, and it goes out again
                    self.assertEqual(sorted(n for n in sent if n != 20_000 + i), wanted)
                self.assertEqual(self.outcomes(lane(fault))["delivered"], len(wanted) + (ends is None))
                if ends is None:
                    self.assertNotIn(lane(fault), letters)
                else:
                    letter = letters[lane(fault)]
                    self.assertEqual(letter["reason"], ends[0])
                    self.assertTrue(re.search(seen_end(ends[1]), json.dumps(letter)), letter)
        self.assertEqual(len(letters), sum(ends is not None for ends in FAULTS.values()))
        lake = [json.loads(line)["payload"]["properties"]["n"] for line in (self.folder / "lake.jsonl").read_text().splitlines()]
        self.assertEqual(len(lake), 2 * LAKE_RECORDS + GOOD + 2 * len(FAULTS))
        self.assertEqual(len(set(lake)), len(lake))
        self.assertLess(len(self.log().splitlines()), 2_000)  # and nobody is drowned
        self.hub.stop()
        self.verify()


PLUGINS = {"poller": "stumbler", "reader": "stumbling_reader"}
SOURCE_FAULTS = ["segfault", "exit", "loop", "smash", "leak"]


class FaultySourceTest(bench.Bench):
    def test_a_source_that_fails_is_started_anew_and_goes_on_where_it_was(self):
        streams = ("streams: { rows: { as: event, name: Row, ids: { user_id: string(int(row.n)) }, "
                   "properties: { n: row.n, source: '{}' } } }")
        sources = "".join(
            f"{kind}_{fault}: {{ plugin: {PLUGINS[kind]}, memory: 64MiB, every: 1s, with: {{ fault: {fault} }}, "
            + streams.replace("'{}'", f"'\"{kind}_{fault}\"'") + " }\n"
            for kind in ("poller", "reader") for fault in SOURCE_FAULTS)
        self.run_hub(config(sources, "", 'lake: { events: [Row], to: lake }\n', "", LAKE))
        total = 100 * 2 * len(SOURCE_FAULTS)
        wait_for(lambda: self.lanes()["lake"]["outcomes"].get("delivered", 0) >= total, 60)
        self.assertEqual(self.hub.get("/readyz")[0], 200)
        restarts = {kind + "_" + fault: self.metric(f'sluice_connector_restarts_total{{connector="{kind}_{fault}"}}')
                    for kind in ("poller", "reader") for fault in SOURCE_FAULTS}
        self.assertEqual(set(restarts.values()), {1.0}, restarts)
        self.hub.stop()
        rows = collections.defaultdict(list)
        for line in (self.folder / "lake.jsonl").read_text().splitlines():
            properties = json.loads(line)["payload"]["properties"]
            rows[properties["source"]].append(properties["n"])
        for name in restarts:
            self.assertEqual(sorted(rows[name]), list(range(100)), name)
        self.verify()


# The planted lie -> what is said of it.
LIES = {"wrong_id": "no connector 'planted.both'",
        "wrong_kind": "the kind of 'planted.both' is not what its manifest says",
        "no_way_in": "offers no function that its kind needs",
        "newer_table": "it needs version 1.99 of the plugin ABI"}


class LiarTest(bench.Bench):
    """A connector that is not what its manifest says is refused, and the others run on."""

    def refused(self, lie):
        plugins = ["--plugins", str(pathlib.Path(os.environ["SLUICE_LIARS"]) / lie)]
        liar = "liar: { plugin: faulty, purpose: internal, with: { endpoint: https://api.example.com, token: t } }\n"
        route = 'lake: { events: ["*"], to: lake }\n'
        self.run_hub(config(SITE, "", route, "", LAKE), *plugins)
        self.write(config(SITE, "", route, "", LAKE + liar))
        checked = subprocess.run([SLUICE, "check", str(self.hub.config), *plugins, "--format", "json"], capture_output=True,
                                 text=True)
        self.assertEqual(checked.returncode, 1)
        mistake, = [d for d in json.loads(checked.stdout) if d["severity"] == "error"]
        self.assertEqual((mistake["code"], mistake["line"]), ("connector-refuses", 9))
        self.assertIn(LIES[lie], mistake["message"])
        wait_for(lambda: self.metric("sluice_config_refused_total") == 1)
        self.assertEqual(self.send("site-key", track("Fine", "a", 1)), 200)
        wait_for(lambda: self.lanes()["lake"]["outcomes"].get("delivered", 0) == 1)

    def test_another_id(self):
        self.refused("wrong_id")

    def test_another_kind(self):
        self.refused("wrong_kind")

    def test_a_table_without_what_the_kind_needs(self):
        self.refused("no_way_in")

    def test_a_table_of_a_newer_hub(self):
        self.refused("newer_table")


if __name__ == "__main__":
    unittest.main()
