"""sluice/plugin.h is what version 1.0 was: by the offsets of layout.c, and by abidiff against sdk/abi. Both are seen to fail.

header_test.py record: writes sdk/abi anew, which only a raised SLUICE_ABI_MINOR may ask for."""

import re
import sys
import unittest

import compilers
import variants
from compilers import HERE, run

MINOR = int(re.search(r"#define SLUICE_ABI_MINOR (\d+)", variants.HEADER).group(1))
RECORDED = variants.ROOT / f"sdk/abi/plugin-1.{MINOR}.abi"


def library(folder, include):
    """What abidiff walks. Compiled with names of files alone: what is recorded names no machine's folders."""
    out = folder / "recorded.so"
    done = run(compilers.CXX, "-std=c++20", "-g", "-O0", "-fPIC", "-shared", "-fvisibility=hidden", "-I", include, "-o", out,
               "recorded.cpp", cwd=HERE)
    assert done.returncode == 0, done.stderr
    return out


def abidw(folder):
    return run(compilers.needs("abidw"), "--no-comp-dir-path", "--no-corpus-path", "--no-show-locs",
               library(folder, variants.INCLUDE)).stdout.replace(f"{HERE}/", "")


class HeaderTest(compilers.Bench):
    def layout(self, include):
        """What the offsets' file says; empty: nothing."""
        done = run(compilers.CC, "-std=c99", "-fsyntax-only", "-I", include, HERE / "layout.c")
        self.assertTrue(done.returncode == 0 or "negative" in done.stderr or "has no member" in done.stderr or
                        "undeclared" in done.stderr, done.stderr)
        return done.stderr if done.returncode != 0 else ""

    def abidiff(self, include):
        """What abidiff says; empty: the same."""
        program = compilers.needs("abidiff")
        done = run(program, RECORDED, library(self.folder, include))
        self.assertIn(done.returncode & 3, (0,), done.stderr + done.stdout)  # 1, 2: it could not compare
        return done.stdout if done.returncode != 0 else ""

    def variant(self, text):
        return variants.write(text, self.folder / "include")

    def test_the_header_is_the_recorded_one(self):
        self.assertEqual(self.layout(variants.INCLUDE), "")
        self.assertEqual(self.abidiff(variants.INCLUDE), "", f"\n{RECORDED.name} differs: what was released stays; what was appended "
                         "raises SLUICE_ABI_MINOR, gets lines in layout.c, and `header_test.py record` writes the new record")

    def test_each_break_is_seen_by_the_offsets_and_by_abidiff(self):
        for name, text in variants.BREAKS.items():
            with self.subTest(name):
                self.assertNotEqual(self.layout(self.variant(text)), "")
                self.assertNotEqual(self.abidiff(self.variant(text)), "")

    def test_what_changes_no_offset_is_seen_by_abidiff(self):
        for name, text in variants.RETYPED.items():
            with self.subTest(name):
                self.assertNotEqual(self.abidiff(self.variant(text)), "")

    def test_a_number_that_is_no_type_is_seen_by_the_offsets_file(self):
        for name, text in variants.RENUMBERED.items():
            with self.subTest(name):
                self.assertNotEqual(self.layout(self.variant(text)), "")

    def test_a_legal_append_passes_the_offsets_and_abidiff_asks_for_a_new_minor(self):
        self.assertEqual(self.layout(self.variant(variants.newer())), "")
        said = self.abidiff(self.variant(variants.newer()))
        self.assertIn("data member insertion", said)
        self.assertNotIn("offset changed", said)
        self.assertNotIn("deletion", said)

    def test_each_enumeration_and_each_struct_of_the_header_is_recorded(self):
        recorded = RECORDED.read_text(encoding="utf-8")
        names = set(re.findall(r"\b(SLUICE_[A-Z_]+)\s*=\s*\d", variants.HEADER))
        names |= set(re.findall(r"^(?:typedef )?struct (sluice_[a-z]+) \{", variants.HEADER, re.M))
        self.assertGreater(len(names), 50)
        for name in sorted(names):
            with self.subTest(name):
                self.assertIn(f"name='{name}'", recorded)

    def test_each_member_and_each_value_is_in_the_offsets_file(self):
        layout = (HERE / "layout.c").read_text(encoding="utf-8")
        recorded = RECORDED.read_text(encoding="utf-8")
        for struct, members in re.findall(r"<class-decl name='(sluice_[a-z]+)'[^>]* is-struct='yes'[^>]*>(.*?)</class-decl>", recorded,
                                          re.S):
            for member in re.findall(r"<var-decl name='(\w+)'", members):
                with self.subTest(struct=struct, member=member):
                    self.assertRegex(layout, rf"FROZEN\({struct}, {member}, ")
        values = set(re.findall(r"\b(SLUICE_[A-Z_]+)\s*=\s*\d", variants.HEADER))
        values |= set(re.findall(r"^#define (SLUICE_[A-Z_]+) +\d", variants.HEADER, re.M)) - {"SLUICE_ABI_MINOR"}
        for value in sorted(values):
            with self.subTest(value=value):
                self.assertIn(f"VALUE({value}, ", layout)

    def test_what_is_recorded_names_no_folder_of_a_machine(self):
        self.assertEqual(re.findall(r"path='([^']*/[^']*)'", RECORDED.read_text(encoding="utf-8")), [])


if __name__ == "__main__":
    if sys.argv[1:] == ["record"]:
        import pathlib
        import tempfile
        with tempfile.TemporaryDirectory() as scratch:
            RECORDED.parent.mkdir(exist_ok=True)
            RECORDED.write_text(abidw(pathlib.Path(scratch)), encoding="utf-8")
    else:
        unittest.main()
