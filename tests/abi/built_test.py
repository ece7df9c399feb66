"""Plugins from another compiler, another C++ library, an older and a newer minor version of the header: they load and work, in the
hub's process and in one of their own."""

import unittest

import compilers
import variants
from compilers import CC, HERE, needs, run

CPP = ["-std=c++20"]
PLANTED = HERE.parent / "loader/planted.cpp"
CONTRACT = "[#connector_test],[#inquiry_test]"  # all that tests/loader asks of a good connector


class CompilerTest(compilers.Bench):
    def holds_the_contract(self, compiler, *flags):
        folder = self.folder / "good"
        folder.mkdir()
        library = folder / "good.so"
        self.built(compiler, *CPP, *flags, *compilers.SHARED, "-I", variants.INCLUDE, "-o", library, PLANTED)
        library.chmod(0o755)
        self.passes("SLUICE_LOADER_TEST", CONTRACT, SLUICE_PLANTED=self.folder)
        return library

    def test_a_plugin_built_with_clang_works(self):
        self.holds_the_contract(needs("clang++-14", "clang++"))

    def test_a_plugin_built_with_clang_and_libcxx_works_and_has_no_libstdcxx(self):
        clang = needs("clang++-14", "clang++")
        if run(clang, "-stdlib=libc++", "-fsyntax-only", "-xc++", "-include", "string", "/dev/null").returncode != 0:
            compilers.skipped("libc++ is not there; mend: ./dev setup test")
        library = self.holds_the_contract(clang, "-stdlib=libc++")
        linked = run("ldd", library).stdout
        self.assertIn("libc++.so", linked)
        self.assertNotIn("libstdc++", linked)

    def test_a_plugin_with_another_layout_of_the_standard_library_works(self):
        self.holds_the_contract(compilers.CXX, "-D_GLIBCXX_USE_CXX11_ABI=0")

    def test_a_plugin_with_the_checking_standard_library_works(self):
        self.holds_the_contract(compilers.CXX, "-D_GLIBCXX_DEBUG")


class VersionTest(compilers.Bench):
    def probe(self, cases, *flags, include=variants.INCLUDE):
        folder = self.plugin(CC, HERE / "probe.c", "-std=c99", *flags, include=include)
        self.passes("SLUICE_BUILT_TEST", cases, SLUICE_BUILT=folder)

    def test_a_plugin_of_this_version_works(self):
        self.probe("[probe]")

    def test_a_plugin_of_a_newer_minor_version_works_and_sees_what_this_host_has_not(self):
        self.probe("[probe]", "-DPROBE_NEWER", include=variants.write(variants.newer(), self.folder / "newer"))

    def test_a_plugin_of_an_older_minor_version_works_with_structs_that_are_shorter(self):
        self.probe("[older]", "-DPROBE_OLDER", include=variants.write(variants.older(), self.folder / "older"))


if __name__ == "__main__":
    unittest.main()
