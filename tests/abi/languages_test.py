"""The connectors of sdk/examples in C and in Rust: built as their pages say, opened in both modes, and run by the real hub."""

import collections
import http.client
import http.server
import json
import os
import re
import shutil
import sys
import threading
import unittest

import compilers
import variants
from compilers import CC, HERE, needs

sys.path.insert(0, str(HERE.parent / "support"))
from hub import Hub, wait_for  # noqa: E402

EXAMPLES = variants.ROOT / "sdk/examples"
PEOPLE = 20


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what it is sent; `answer(path, body)` says what it answers: (status, headers, body)."""

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.requests, self.lock = answer, [], threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def took(self, path):
        with self.lock:
            return [(headers, body) for way, headers, body in self.requests if way == path]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        with self.server.lock:
            self.server.requests.append((self.path, dict(self.headers), body))
            status, headers, answer = self.server.answer(self.path, body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


class LanguageTest(compilers.Bench):
    def run_hub(self, plugin, plugins, answer):
        receiver = Receiver(answer)
        self.addCleanup(receiver.server_close)
        self.addCleanup(receiver.shutdown)
        hub = Hub(self.folder, f"""version: 1
hub: {{ data: ./data, listen: 127.0.0.1:0, admin: 'unix:./admin.sock' }}
sources:
  site: {{ plugin: tracking, with: {{ write_key: site-key }} }}
routes:
  all: {{ events: [Ping], to: there }}
destinations:
  there:
    plugin: {plugin}
    purpose: internal
    with: {{ endpoint: "http://127.0.0.1:{receiver.server_port}", token: t0ken }}
""", {"SLUICE_PLUGINS": f"{os.environ['SLUICE_PLUGINS']}:{plugins}"})
        hub.start()
        self.addCleanup(hub.stop)
        connection = http.client.HTTPConnection("127.0.0.1", hub.port(), timeout=20)
        self.addCleanup(connection.close)
        events = [{"type": "track", "event": "Ping", "userId": f"p{n}", "properties": {"n": n}} for n in range(PEOPLE)]
        connection.request("POST", "/v1/batch", json.dumps({"batch": events, "writeKey": "site-key"}))
        self.assertEqual(connection.getresponse().status, 200)
        wait_for(lambda: self.settled(hub), said="each record has its fate")
        return receiver, hub

    def lane(self, hub):
        return json.loads(hub.get("/v1/outbox")[1])["lanes"][0]

    def settled(self, hub):
        outcomes = self.lane(hub)["outcomes"]
        return sum(outcomes.get(kind, 0) for kind in ("delivered", "rejected")) == PEOPLE

    def page(self, name):
        """The commands that the example's page shows."""
        return re.findall(r"^    (.+)$", (EXAMPLES / name / "README.md").read_text(encoding="utf-8"), re.M)

    def test_a_connector_in_c_delivers_and_tells_apart_which_lines_were_refused(self):
        folder = self.plugin(CC, EXAMPLES / "c/collector.c", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
        self.passes("SLUICE_BUILT_TEST", "[collector]", SLUICE_BUILT=folder)

        def collects(_, body):
            refused = [n for n, line in enumerate(body.splitlines(), 1) if json.loads(line)["data"]["properties"]["n"] % 5 == 0]
            return 200, {}, "\n".join(map(str, refused))
        receiver, hub = self.run_hub("collector", folder, collects)
        lines = [json.loads(line) for _, body in receiver.took("/collect") for line in body.splitlines()]
        self.assertEqual(sorted(line["data"]["properties"]["n"] for line in lines), list(range(PEOPLE)))
        self.assertEqual({headers["authorization"] for headers, _ in receiver.took("/collect")}, {"Bearer t0ken"})
        self.assertEqual(self.lane(hub)["outcomes"]["delivered"], PEOPLE - PEOPLE // 5)

    def test_the_page_of_the_c_example_builds_it(self):
        copy = self.folder / "sdk/examples/c"
        shutil.copytree(EXAMPLES / "c", copy)
        shutil.copytree(variants.INCLUDE, self.folder / "sdk/include")
        build, listed = self.page("c")
        self.built(CC, *build.split()[1:], cwd=copy)
        (copy / "collector.so").chmod(0o755)
        done = compilers.run(os.environ["SLUICE"], "plugin", "list", cwd=copy, env=os.environ | {"SLUICE_PLUGINS": "."})
        self.assertIn("collector", done.stdout)
        self.assertTrue(listed.endswith("sluice plugin list"))

    def cargo(self, *options):
        """-> the folder with the library that Cargo built of a copy of the example."""
        cargo = needs("cargo")
        needs("rustc")
        copy = self.folder / "rust"
        shutil.copytree(EXAMPLES / "rust", copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("target"))
        (command, _) = self.page("rust")
        environment = os.environ | {"CARGO_HOME": str(self.folder / "cargo")}
        environment["PATH"] += ":/usr/bin"
        self.built(cargo, *command.split()[1:], *options, cwd=copy, env=environment)
        (copy / "target/release/libledger.so").chmod(0o755)
        return copy / "target/release"

    def test_a_connector_in_rust_delivers_each_record_once_and_its_panic_harms_nobody(self):
        self.passes("SLUICE_BUILT_TEST", "[panic]", SLUICE_BUILT=self.cargo("--features", "planted_panic"))
        folder = self.cargo()
        self.passes("SLUICE_BUILT_TEST", "[ledger]", SLUICE_BUILT=folder)
        tries = collections.Counter()

        def enters(_, body):
            n = json.loads(body)["data"]["properties"]["n"]
            tries[n] += 1
            if n % 7 == 0 and tries[n] == 1:
                return 503, {}, ""
            return (422, {}, "") if n % 5 == 1 else (201, {"x-entry": f"e{n}"}, "")
        receiver, hub = self.run_hub("ledger", folder, enters)
        keys = {json.loads(body)["data"]["properties"]["n"]: headers["idempotency-key"] for headers, body in receiver.took("/entries")}
        self.assertEqual((len(keys), len(set(keys.values()))), (PEOPLE, PEOPLE))
        self.assertEqual(tries, {n: 2 if n % 7 == 0 else 1 for n in range(PEOPLE)})
        self.assertEqual(self.lane(hub)["outcomes"]["delivered"], PEOPLE - PEOPLE // 5)
        self.assertEqual(compilers.run("nm", "-D", "--defined-only", folder / "libledger.so").stdout.split()[2:], ["sluice_plugin_v1"])


if __name__ == "__main__":
    unittest.main()
