"""A connector's library is replaced while the hub runs: by another file of its name, and overwritten in place, as `cp`
does. The source `counting` gives 1,000 records a second, the destination `sending` takes them to a sink; both are in
variant.so, so both are swapped. SLUICE_VARIANTS: the folder of its versions 1, 2 and 9, which dies as soon as it runs."""

import collections
import http.server
import json
import os
import pathlib
import signal
import sys
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "reload")]
import bench  # noqa: E402
from bench import config  # noqa: E402
from hub import wait_for  # noqa: E402

VARIANTS = pathlib.Path(os.environ["SLUICE_VARIANTS"])
SWAPS = 20
COUNTING = ("counting: { plugin: variant, streams: { rows: { as: event, name: Counted, ids: { user_id: row.person },"
            " properties: { n: row.n, read_by: row.read_by } } } }\n")


class Sink:
    """Takes JSON lines; notes each record in the order of its arrival."""

    def __init__(self):
        sink = self
        self.lock = threading.Lock()
        self.records = []  # (person, n, read_by, sent_by, key)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                lines = self.rfile.read(int(self.headers["content-length"])).splitlines()
                sink.take([json.loads(line) for line in lines])
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, lines):
        with self.lock:
            for line in lines:
                said = line["record"]["properties"]
                self.records.append((int(said["n"]) % 50, int(said["n"]), str(int(said["read_by"])), str(line["sent_by"]), line["key"]))

    def since(self, mark):
        with self.lock:
            return self.records[mark:]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class SwapBench(bench.Bench):
    def setUp(self):
        super().setUp()
        self.sink = Sink()
        self.open.callback(self.sink.close)
        self.plugins = self.folder / "theirs"
        self.plugins.mkdir()
        os.environ["SLUICE_PLUGINS"] = str(self.plugins)
        self.library = self.plugins / "variant.so"
        self.installs = 0
        self.install(1)

    def install(self, version, in_place=False):
        """Each time another file, by its last bytes: the same version again is a swap too."""
        self.installs += 1
        self.mark = len(self.sink.records)
        data = (VARIANTS / f"variant_{version}.so").read_bytes() + b"%d" % self.installs
        if in_place:
            with open(self.library, "r+b" if self.library.exists() else "wb") as file:
                file.truncate(0)
                file.write(data)
            return
        new = self.plugins / "variant.so.new"
        new.write_bytes(data)
        new.replace(self.library)

    def text(self, sources=COUNTING):
        sending = f'sending: {{ plugin: variant, purpose: internal, with: {{ url: "{self.sink.url}" }} }}\n'
        return config(sources, "", "all: { events: [Counted], to: sending }\n", "", sending, head="listen: 127.0.0.1:0, country: FR")

    def start_hub(self):
        self.run_hub(self.text())

    def has_version(self, version):
        """Something has come since the last install that was read and sent by this version."""
        both = (str(version), str(version))
        wait_for(lambda: any(r[2:4] == both for r in self.sink.since(self.mark)), said=f"version {version} of both")

    def end_and_count(self):
        """The source ends, everything is delivered: nothing is lost, nothing came twice, each person's are in order."""
        self.apply(self.text("none: { plugin: tracking, with: { write_key: x } }\n"))
        wait_for(lambda: self.lanes()["sending"]["backlog"] == 0)
        records = self.sink.records
        numbers = sorted(r[1] for r in records)
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        self.assertEqual(len({r[4] for r in records}), len(records))
        last = collections.defaultdict(int)
        for person, n, *_ in records:
            self.assertGreater(n, last[person])
            last[person] = n
        outcomes = self.lanes()["sending"]["outcomes"]
        self.assertEqual({name: n for name, n in outcomes.items() if n}, {"delivered": len(records)})
        self.hub.stop()
        self.verify()
        return len(records)


class UnderLoadTest(SwapBench):
    def test_twenty_swaps_of_a_source_and_a_destination_lose_repeat_and_reorder_nothing(self):
        self.start_hub()
        self.has_version(1)
        for swap in range(1, SWAPS + 1):
            version = 1 + swap % 2
            self.install(version, in_place=swap % 4 >= 2)
            self.has_version(version)
        self.assertGreater(self.end_and_count(), 1000)


class RefusedTest(SwapBench):
    REFUSED = "sluice_connector_libraries_refused"

    def test_what_cannot_be_read_and_what_dies_at_once_leave_the_old_one_running_to_the_end_of_its_restarts(self):
        self.start_hub()
        self.has_version(1)
        whole = self.library.read_bytes()
        with open(self.library, "r+b") as file:  # as a copy that has stopped half-way
            file.truncate(len(whole) // 2)
        wait_for(lambda: self.metric(self.REFUSED) == 1)
        self.assertIn("theirs/variant.so", self.hub.get("/readyz")[1])
        for child in self.hub.connectors():  # what is started anew is still the old one
            os.kill(child, signal.SIGKILL)
        self.mark = len(self.sink.records)
        wait_for(lambda: len(self.sink.records) > self.mark + 500)
        self.has_version(1)
        self.install(9)
        wait_for(lambda: "SIGABRT" in self.hub.get("/readyz")[1])
        self.has_version(1)
        self.library.unlink()
        wait_for(lambda: "is gone" in self.hub.get("/readyz")[1])
        self.install(2)
        self.has_version(2)
        self.assertEqual(self.metric(self.REFUSED), 0)
        self.assertEqual(self.hub.get("/readyz")[1], "ready\n")
        self.end_and_count()

    def test_a_changed_file_is_applied_beside_a_refused_library(self):
        self.start_hub()
        self.has_version(1)
        self.install(9)
        more = "more: { plugin: tracking, with: { write_key: x } }\n"
        self.apply(self.text(COUNTING + more))
        wait_for(lambda: self.metric(self.REFUSED) == 1)
        self.has_version(1)
        self.end_and_count()

    def test_a_connector_comes_while_the_hub_runs(self):
        self.library.unlink()
        none = "none: { plugin: tracking, with: { write_key: x } }\n"
        self.run_hub(config(none, head="listen: 127.0.0.1:0, country: FR"))
        refused = self.metric("sluice_config_refused_total")
        self.write(self.text())
        wait_for(lambda: self.metric("sluice_config_refused_total") > refused)
        self.install(1)
        self.has_version(1)
        self.end_and_count()


if __name__ == "__main__":
    unittest.main()
