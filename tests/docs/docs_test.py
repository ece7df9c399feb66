"""What README and docs/ show is true: their configurations pass `sluice check`, their code compiles, their commands and metrics
are there, their links lead somewhere. SLUICE is the binary, SLUICE_CXX the compiler."""

import http.client
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SLUICE = os.environ["SLUICE"]
SECRETS = {"WEBSITE_WRITE_KEY": "w", "SHOP_WRITE_KEY": "s", "BRAZE_KEY": "b", "HOOK_SECRET": "whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh",
           "WEBHOOK_SECRET": "whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"}
READY_SECONDS = 30


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text(path), re.S | re.M)


def sluice(*arguments, **options):
    return subprocess.run([SLUICE, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
                          env=os.environ | SECRETS, check=False, **options)


class Configurations(unittest.TestCase):
    def assert_fine(self, file, warnings):
        done = sluice("check", str(file))
        self.assertEqual(done.returncode, 0, done.stderr)
        if not warnings:
            self.assertEqual(done.stderr, "")

    def check_text(self, configuration):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "connectors.yaml"
            file.write_text(configuration, encoding="utf-8")
            self.assert_fine(file, warnings=False)

    def test_the_sections_of_configuration_md_make_one_file_that_check_accepts(self):
        sections = blocks("docs/configuration.md", "yaml")
        self.assertGreaterEqual(len(sections), 10)
        self.check_text("\n".join(sections))

    def test_the_example_of_the_readme_is_accepted(self):
        self.check_text(blocks("README.md", "yaml")[0])

    def test_the_files_to_start_from_are_accepted(self):
        self.assert_fine(ROOT / "connectors.yaml", warnings=True)  # its key is written out, so that it runs as it stands
        self.assert_fine(ROOT / "tests/demo/connectors.yaml", warnings=False)

    def test_connectors_schema_json_is_what_sluice_schema_prints(self):
        self.assertTrue(text("connectors.schema.json") == sluice("schema").stdout,
                        "connectors.schema.json is not current; mend: build/release/sluice schema > connectors.schema.json")


class Code(unittest.TestCase):
    def compiles(self, code, *include):
        paths = [f"-I{ROOT / path}" for path in ("sdk/include", *include)]
        done = subprocess.run([os.environ["SLUICE_CXX"], "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *paths,
                               "-xc++", "-"], input=code, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_destination_of_connectors_md_compiles(self):
        self.compiles(blocks("docs/connectors.md", "cpp")[0])

    def test_its_test_compiles(self):
        self.compiles(blocks("docs/connectors.md", "cpp")[1])

    def test_the_test_with_catch_of_connectors_md_compiles(self):
        self.compiles(blocks("docs/connectors.md", "cpp")[3], "core", "tests")

    def test_the_source_compiles(self):
        source = blocks("docs/connectors.md", "cpp")[2]
        self.compiles('#include <optional>\n#include <string>\n#include "sluice/json.hpp"\n#include "sluice/plugin.hpp"\n'
                      "namespace sdk = sluice::sdk;\n" + source + 'SLUICE_PLUGIN(R"({})", Crm)\n')


class Commands(unittest.TestCase):
    def test_each_command_that_is_shown_is_there(self):
        shown = set()
        for path in ("README.md", "docs/operations.md", "docs/configuration.md"):
            for command, sub in re.findall(r"(?:^    |`)sluice ([a-z]+)(?: ([a-z]+(?:\|[a-z]+)*))?", text(path), re.M):
                shown |= {(command, one) for one in sub.split("|")}
        self.assertIn(("journal", "verify"), shown)
        nested = {"journal", "store", "dead", "plugin"}
        for command, sub in sorted(shown):
            words = [command, sub] if command in nested and sub else [command]
            with self.subTest(command=" ".join(words)):
                self.assertEqual(sluice(*words, "--help").returncode, 0)

    def test_links_lead_to_files(self):
        for path in ("README.md", *(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md"))):
            for link in re.findall(r"\]\(([^)#:]+)[^):]*\)", text(path)):
                with self.subTest(page=path, link=link):
                    self.assertTrue((ROOT / path).parent.joinpath(link).exists())


class Metrics(unittest.TestCase):
    def test_each_metric_of_operations_md_is_told_by_a_running_hub_and_no_other(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "connectors.yaml"
            file.write_text(text("connectors.yaml").replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace(
                "\nidentity:", "\n  rows:\n    plugin: csv\n    with: { path: ./rows.csv }\n    streams: { rows: { as: identify, "
                "ids: { user_id: row.id } } }\n\nidentity:", 1), encoding="utf-8")
            (pathlib.Path(folder) / "rows.csv").write_text("id\n1\n", encoding="utf-8")
            with open(pathlib.Path(folder) / "log", "wb") as log, subprocess.Popen(
                    [SLUICE, "run", str(file)], stdin=subprocess.DEVNULL, stdout=log, stderr=log) as hub:
                try:
                    told = self.metrics(hub, pathlib.Path(folder) / "data/admin.sock")
                finally:
                    hub.terminate()
                    hub.wait(30)
        names = set(re.findall(r"^# TYPE (\S+)", told, re.M))
        self.assertEqual(names, set(re.findall(r"^\| `(sluice_[a-z_]+)", text("docs/operations.md"), re.M)))

    def metrics(self, hub, path):
        end = time.monotonic() + READY_SECONDS
        while True:
            self.assertIsNone(hub.poll(), "the hub ended by itself")
            try:
                with socket.socket(socket.AF_UNIX) as link:
                    link.settimeout(5)
                    link.connect(str(path))
                    asked = http.client.HTTPConnection("localhost")
                    asked.sock = link
                    asked.request("GET", "/metrics")
                    return asked.getresponse().read().decode()
            except (OSError, http.client.HTTPException):
                self.assertLess(time.monotonic(), end, "the hub was not there in time")
                time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
