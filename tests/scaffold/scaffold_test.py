"""From nothing to a connector that delivers: the SDK is installed under a prefix of its own, `sluice plugin new` writes a folder,
which is built there, tested, loaded, and run by a hub against a local API. SLUICE_BUILD is the build folder, SLUICE_CMAKE cmake."""

import contextlib
import http.server
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = os.environ["SLUICE_BUILD"]
CMAKE = os.environ["SLUICE_CMAKE"]
SECONDS_MAX = 60  # of processor time, all together
API_TOKEN = "a-token"
# What to change in the exchanges of `plugin new`, and where the test then finds a difference.
DIFFERENCES = [
    ('"method": "POST"', '"method": "PUT"', r"requests\[0\]\.method: is POST, should be PUT"),
    ('"method": "GET"', '"method": "POST"', r"requests\[0\]\.method: is GET, should be POST"),
    ('"url": "/v1/', '"url": "/v2/', r"requests\[0\]\.url: is /v1/"),
    ('"content-type": "application/json"', '"content-type": "text/json"', r"requests\[0\]\.headers: "),
    ('"total": 12.5}}\n         ]', '"total": 13}}\n         ]', r"requests\[0\]\.body: "),
    ('{"record": 1, "status": "ok"}', '{"record": 1, "status": "retry"}', "record 1: is ok, should be retry"),
    ('{"record": 1, "status": "ok"}', '{"record": 0, "status": "ok"}, {"record": 7}', "outcomes: is 2, should be 3"),
    ('"reason": "refused"', '"reason": "banned"', "record 1's reason: is refused"),
    ('"answers": [{"status": 429}]', '"answers": []', r"requests\[0\] has no answer: POST"),
    ('"cursor": "3"\n', '"cursor": "4"\n', "cursor: is 3, should be 4"),
    ('"rejected": ["no_id"]', '"rejected": []', "rejected: "),
    ('"key": "c2@2"', '"key": "c2@3"', r"rows\[1\]\.key: is c2@2"),
    ('"more": true', '"more": false', "requests: is 1, should be 2"),
]


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextlib.contextmanager
def api(answer):
    """A local API on a free port: `answer(method, path, headers, body)` -> JSON. Yields its URL."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            said = json.dumps(answer(self.command, self.path, self.headers, body)).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Installed(unittest.TestCase):
    """A folder as somebody's home, with the hub and its SDK under sluice/."""

    @classmethod
    def setUpClass(cls):
        cls.home = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="sluice-scaffold-")))
        cls.prefix = cls.home / "sluice"
        cls.started = time.monotonic(), cpu_seconds()
        cls.environment = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE")} | {
            "HOME": str(cls.home), "CMAKE_PREFIX_PATH": str(cls.prefix), "PATH": f"{cls.prefix}/bin:{os.environ['PATH']}",
            "CMAKE_BUILD_PARALLEL_LEVEL": "2", "CMAKE_BUILD_TYPE": "Debug"}
        cls.run_in(cls.home, CMAKE, "--install", BUILD, "--prefix", str(cls.prefix))

    @classmethod
    def tearDownClass(cls):
        seconds, cpu = time.monotonic() - cls.started[0], cpu_seconds() - cls.started[1]
        print(f"\n{cls.__name__}: {cpu:.1f} s of processor time, {seconds:.1f} s by the wall", file=sys.stderr)
        assert cpu < SECONDS_MAX, f"it took {cpu:.1f} s of processor time; {SECONDS_MAX} were promised"

    @classmethod
    def run_in(cls, folder, *command, environment=None, code=0):
        done = subprocess.run(command, cwd=folder, env=cls.environment | (environment or {}), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=170, check=False)
        if done.returncode != code:
            raise AssertionError(f"{' '.join(map(str, command))[:200]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def sluice(self, folder, *arguments, **options):
        return self.run_in(folder, str(self.prefix / "bin/sluice"), *arguments, **options)


class Scaffold(Installed):
    def made(self, name, *options):
        """-> the folder of a new connector, built and tested as its README says."""
        self.sluice(self.home, "plugin", "new", name, *options)
        folder = self.home / name
        readme = (folder / "README.md").read_text(encoding="utf-8")
        commands = re.findall(r"^    (\S.*)$", readme, re.M)
        self.assertEqual(len(commands), 5, commands)
        said = "".join(self.run_in(folder, "sh", "-c", command) for command in commands)
        self.assertNotIn("warning", said)
        for wanted in ("100% tests passed, 0 tests failed out of 1", f"{name} 0.1.0", "connectors.yaml is fine"):
            self.assertIn(wanted, said)
        exported = self.run_in(folder, "nm", "-D", "--defined-only", f"build/{name}.so").split()
        self.assertEqual(exported[2::3], ["sluice_plugin_v1"])
        self.told_of_each_difference(folder)
        return folder

    def told_of_each_difference(self, folder):
        """The exchanges are a check: one that says otherwise than the connector does fails, and says where."""
        exchange, changed = (folder / "exchange.json").read_text(encoding="utf-8"), folder / "changed.json"
        tried = 0
        for old, new, place in DIFFERENCES:
            if old in exchange:
                tried += 1
                changed.write_text(exchange.replace(old, new, 1), encoding="utf-8")
                said = self.run_in(folder, f"build/{folder.name}_test", f"build/{folder.name}.so", "changed.json", code=1)
                self.assertRegex(said, rf"(?m)^FAIL .*\n +{place}")
        self.assertGreater(tried, 4)

    def test_both_kinds_build_and_pass_as_they_stand_and_a_hub_delivers_from_the_one_through_the_other(self):
        source = self.made("crm", "--kind", "source", "--auth", "query")
        destination = self.made("acme_push", "--kind", "destination")
        got, asked = [], []

        def answer(method, path, headers, body):
            if method == "GET":
                asked.append(path)
                after = int(re.search(r"after=(\d*)", path)[1] or 0)
                contacts = [{"id": f"c{n}", "updated": n, "first_name": f"N{n}"} for n in range(after + 1, min(after + 2, 5) + 1)]
                return {"contacts": contacts, "last": after + len(contacts) or "", "more": after + 2 < 5}
            records = json.loads(body)
            got.extend((headers["authorization"], record) for record in records)
            return {"errors": [{"index": i, "code": "blocked"} for i, r in enumerate(records) if r["payload"]["first_name"] == "N3"]}

        hub = self.home / "hub"
        hub.mkdir()
        with api(answer) as url:
            (hub / "connectors.yaml").write_text(f"""version: 1
hub: {{ data: ./data }}
sources:
  crm:
    plugin: crm
    with: {{ endpoint: "{url}", token: "${{CRM_TOKEN}}" }}
    streams: {{ contacts: {{ as: identify, ids: {{ user_id: row.id }}, traits: {{ first_name: row.first_name }} }} }}
routes:
  all: {{ profiles: has(traits.first_name), to: acme, fields: {{ first_name: traits.first_name }} }}
destinations:
  acme: {{ plugin: acme_push, purpose: internal, with: {{ endpoint: "{url}", token: "${{ACME_TOKEN}}" }} }}
""", encoding="utf-8")
            where = ["--plugins", str(source / "build"), "--plugins", str(destination / "build")]
            secrets = {"CRM_TOKEN": API_TOKEN, "ACME_TOKEN": API_TOKEN}
            self.sluice(hub, "check", *where, environment=secrets)
            self.sluice(hub, "run", "--until-idle", *where, environment=secrets)
            dead = json.loads(self.sluice(hub, "dead", "list", "--json", *where, environment=secrets))
        self.assertEqual(sorted(record["payload"]["first_name"] for _, record in got), ["N1", "N2", "N3", "N4", "N5"])
        self.assertEqual({authorization for authorization, _ in got}, {f"Bearer {API_TOKEN}"})
        self.assertTrue(all(path.endswith(f"&token={API_TOKEN}") for path in asked), asked)
        self.assertEqual([(g["count"], g["reason"]) for g in dead["groups"]], [(1, "refused")])

    def test_each_way_of_authentication_fills_every_word_and_stands_in_the_manifest(self):
        for kind in ("source", "destination"):
            for auth, secret in (("none", ""), ("basic", "PASSWORD"), ("header", "TOKEN"), ("query", "TOKEN")):
                with self.subTest(kind=kind, auth=auth):
                    name = f"{auth}_{kind}"
                    self.sluice(self.home, "plugin", "new", name, "--kind", kind, "--auth", auth)
                    text = "".join(file.read_text(encoding="utf-8") for file in (self.home / name).iterdir())
                    self.assertEqual(re.findall(r"@\w+@|\bNAME_", text), [])
                    manifest = json.loads(re.search(r'SLUICE_PLUGIN\(R"\((.*?)\)",', text, re.S)[1])
                    json.loads((self.home / name / "exchange.json").read_text(encoding="utf-8"))
                    wanted = f'"${{{name.upper()}_{secret}}}"'
                    self.assertEqual(wanted in text, bool(secret))
                    self.assertEqual(manifest["connectors"][0]["auth"]["type"], auth)

    def test_what_cannot_be_written_is_refused_with_the_reason_and_the_mend(self):
        folder = self.home / "there"
        folder.mkdir()
        (folder / "file").write_text("")
        for words, said in ((["Push"], "is no name for a connector: write small letters"), (["csv"], "is there already"),
                            (["tracking"], "the hub's own"), (["a__b"], "is no name"), (["x" * 41], "at most 40"),
                            (["there"], "not empty: name another with --folder")):
            self.assertIn(said, self.sluice(self.home, "plugin", "new", *words, "--kind", "source", code=1))
        self.assertEqual([f.name for f in folder.iterdir()], ["file"])

    def test_show_and_docs_say_what_the_manifest_says_of_each_connector_that_is_installed(self):
        names = {one["plugin"] for one in json.loads(self.sluice(self.home, "plugin", "list", "--json")) if one["path"]}
        self.assertIn("webhook", names)
        for name in names:
            shown = json.loads(self.sluice(self.home, "plugin", "show", name, "--json"))
            text, page = self.sluice(self.home, "plugin", "show", name), self.sluice(self.home, "plugin", "docs", name)
            for connector in shown["connectors"]:
                manifest = connector["manifest"]
                self.assertTrue(connector["functions"])
                self.assertIn(manifest["title"], text)
                self.assertIn(f"## {manifest['title']}", page)
                for setting, schema in manifest.get("config", {}).get("properties", {}).items():
                    row = re.search(rf"^\| `{setting}` \|.*$", page, re.M)[0]
                    self.assertRegex(text, rf"(?m)^    {setting} ")
                    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[2:-1]]
                    self.assertEqual(cells[2].startswith("secret"), schema.get("x-secret", False), row)
                    self.assertEqual(cells[1] == "required", setting in manifest["config"].get("required", []), row)
                    self.assertIn(json.dumps(schema["default"]) if "default" in schema else "", cells[1])
                for fact in (*manifest.get("ops", []), *manifest.get("identifiers", []), *manifest.get("hosts", [])):
                    self.assertIn(fact, page)
                    self.assertIn(fact, text)
        self.assertIn("did you mean 'webhook'?", self.sluice(self.home, "plugin", "show", "webhok", code=1))
        self.assertIn("it is no plugin", self.sluice(self.home, "plugin", "show", str(self.prefix / "bin/sluice"), code=1))

    def test_pkg_config_leads_to_the_headers_and_the_version_script(self):
        where = {"PKG_CONFIG_PATH": str(self.prefix / "lib/pkgconfig")}
        flags = self.run_in(self.home, "pkg-config", "--cflags", "sluice", environment=where).strip()
        self.assertTrue(flags.startswith("-I"), flags)
        self.assertTrue(pathlib.Path(flags[2:], "sluice/plugin.h").exists())
        script = self.run_in(self.home, "pkg-config", "--variable=versionscript", "sluice", environment=where).strip()
        self.assertIn("sluice_plugin_v1", pathlib.Path(script).read_text(encoding="utf-8"))
        for page in ("LICENSE", "NOTICE", "docs/connectors.md"):
            self.assertTrue((self.prefix / "share/doc/sluice" / page).exists(), page)


class Tutorial(Installed):
    def test_the_tutorial_followed_word_for_word_ends_with_members_a_retry_and_a_dead_letter(self):
        page = (ROOT / "docs/connectors.md").read_text(encoding="utf-8")
        page = page[page.index("## A destination, from nothing"):page.index("### What stands in it")]
        steps = re.findall(r"(?:^`([\w.]+)`[^\n]*:\n\n)?^```(\w+)\n(.*?)^```$", page, re.S | re.M)
        self.assertEqual([name or language for name, language, _ in steps],
                         ["sh", "sh", "exchange.json", "points.cpp", "points_test.cpp", "sh", "vendor.py", "connectors.yaml", "sh"])
        script = ["set -eu"]
        for name, language, text in steps:
            end = "END_OF_THE_BLOCK"
            script.append(text if language == "sh" else f"cat >{name} <<'{end}'\n{text}{end}")
        said = self.run_in(self.home, "bash", "-c", "\n".join(script))
        self.assertNotIn("warning:", said)
        self.assertEqual(said.count("100% tests passed"), 2, said)
        self.assertIn("points, destination: ", said)
        ended = [json.loads(line) for line in said.splitlines() if line.startswith('{"members"')][-1]
        self.assertEqual(ended["members"], {"ada@shop.example": "silver", "bo@shop.example": "silver"})
        self.assertEqual(ended["tries"], {"ada@shop.example": 1, "bo@shop.example": 2, "cy@shop.example": 1})
        self.assertRegex(said, r"1  points +rejected +member_422")
        self.assertIn("# points 0.1.0", self.sluice(self.home, "plugin", "docs", "points/build/points.so"))


if __name__ == "__main__":
    unittest.main()
