"""Builds plugins for tests, with whatever compiler is there, and runs the C++ tests on them in both of the hub's modes."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import variants

CC, CXX = os.environ["SLUICE_CC"], os.environ["SLUICE_CXX"]
HERE = pathlib.Path(__file__).resolve().parent
SHARED = ["-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wl,-z,defs"]


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
                          check=False, **options)


def skipped(why):
    print(f"skipped: {why}")
    raise unittest.SkipTest(why)


def needs(*programs):
    """The first of these that is there; the test is skipped without any."""
    for program in programs:
        found = shutil.which(program) or shutil.which(program, path="/usr/bin")
        if found:
            return found
    skipped(f"{programs[0]} is not there; mend: ./dev setup test")


class Bench(unittest.TestCase):
    def setUp(self):
        with contextlib.ExitStack() as stack:
            self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-abi-")))
            self.addCleanup(stack.pop_all().close)

    def built(self, *command, **options):
        done = run(*command, **options)
        self.assertEqual(done.returncode, 0, done.stderr)

    def plugin(self, compiler, source, *flags, include=variants.INCLUDE):
        """-> the folder that holds it alone."""
        folder = self.folder / "plugins"
        folder.mkdir(exist_ok=True)
        library = folder / (pathlib.Path(source).stem + ".so")
        self.built(compiler, *flags, *SHARED, "-I", include, "-o", library, source)
        library.chmod(0o755)
        return folder

    def passes(self, test, cases, **environment):
        """The test cases of a C++ test, with the connector in the hub's process and in one of its own."""
        for program in ("", os.environ["SLUICE_CONNECTOR"]):
            with self.subTest(isolated=bool(program)):
                own = {name: str(value) for name, value in environment.items()} | ({"SLUICE_CONNECTOR": program} if program else {})
                rest = {name: value for name, value in os.environ.items() if name != "SLUICE_CONNECTOR"}
                done = run(os.environ[test], "-#", cases, env=rest | own)
                self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-1000:])
                self.assertIn("All tests passed", done.stdout)
