"""docs/manifest.md names the members that the parser of manifests reads, with their defaults, and no other."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PARSER = "".join((ROOT / "core/plugin" / name).read_text(encoding="utf-8") for name in ("manifest.cpp", "operations.hpp", "auth.cpp", "rate_headers.cpp", "webhook_route.cpp", "identifiers.cpp"))
PAGE = (ROOT / "docs/manifest.md").read_text(encoding="utf-8")
ROWS = {name: rest for name, rest in re.findall(r"^\| `([a-z_.\[\]]+)` \|(.*)\|$", PAGE.partition("## The schema of")[0], re.M)}
SCHEMA = PAGE.partition("## The schema of")[2]


def last(name):
    return name.replace("[]", "").rpartition(".")[2]


def number(text):
    return eval(text.replace("'", ""), {}, {"us_per_s": 1, "us_per_min": 60})  # 100'000, 1 << 20, 30 * us_per_s


class ManifestTest(unittest.TestCase):
    def test_each_member_that_the_parser_reads_has_a_row_and_no_other(self):
        read = set(re.findall(r'\["([a-z_]+)"\]', PARSER)) | set(re.findall(r'"(per_[a-z]+)"', PARSER))
        read |= set(re.findall(r'\{"([a-z_]+)", &o\.', PARSER))
        self.assertGreater(len(read), 35)
        within = {"properties"}  # of the schema of `with:`
        self.assertEqual({last(name) for name in ROWS}, read - within)

    def test_members_of_objects_stand_under_them(self):
        for owner in ("batch", "auth", "poll"):
            inside = set(re.findall(rf'\b{owner}(?:"\])?\["([a-z_]+)"\]', PARSER))
            self.assertTrue(inside, owner)
            for name in inside:
                with self.subTest(owner=owner, member=name):
                    self.assertIn(f"{owner}.{name}", {row.replace("[]", "") for row in ROWS})

    def test_numbers_have_the_default_and_the_bound_of_the_parser(self):
        found = re.findall(r'count_of\(\w+\["(\w+)"\], ([^,]+), ([^,]+), "([a-z_.]+)"\)', PARSER)
        self.assertEqual(len(found), 3)
        for _, default, most, name in found:
            with self.subTest(name):
                self.assertTrue(ROWS[name].rstrip().endswith(f"| {number(default)}"), ROWS[name])
                self.assertIn(f"1 to {number(most)} ", ROWS[name] + " ")
        found = re.findall(r'seconds_of\([^,]+, ([^,]+), "([a-z_.]+)"\)', PARSER)
        self.assertEqual(len(found), 3)
        for default, name in found:
            with self.subTest(name):
                self.assertTrue(ROWS[name].rstrip().endswith(f"| {number(default)}"), ROWS[name])

    def test_operations_and_kinds_of_credentials_are_named(self):
        operations = re.findall(r'\{"([a-z_]+)", SLUICE_[A-Z_]+\}', PARSER)
        self.assertEqual(re.findall(r"`([a-z_]+)`", re.search(r"^Operations: (.*)$", PAGE, re.M).group(1)), operations)
        types = set(re.findall(r'\{"([a-z_0-9]+)", AuthKind::', PARSER))
        self.assertEqual(set(re.findall(r"`([a-z_0-9]+)`", ROWS["auth.type"].split("|")[1])), types)

    def test_the_keywords_of_the_schema_are_those_that_are_checked(self):
        code = (ROOT / "core/config/settings.cpp").read_text(encoding="utf-8")
        read = set(re.findall(r'schema\["([a-zA-Z-]+)"\]', code))
        named = set(re.findall(r"`([a-zA-Z-]+)`", "".join(line.split("|")[1] for line in SCHEMA.splitlines() if line.startswith("| `"))))
        self.assertLessEqual(read, named)
        for keyword in named:
            with self.subTest(keyword):
                self.assertIn(f'["{keyword}"]', code)


if __name__ == "__main__":
    unittest.main()
