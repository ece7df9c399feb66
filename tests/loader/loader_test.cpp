#include <filesystem>

#include <catch2/catch.hpp>

#include "support/plugin_host.hpp"

using namespace sluice;
using namespace sluice::testing;
namespace fs = std::filesystem;

namespace {

std::string planted(const std::string& name) {
  const char* const folder = ::getenv("SLUICE_PLANTED");
  return std::string(folder == nullptr ? "build/dev/tests/planted" : folder) + '/' + name;
}

// Why the scan refuses it, or else why it cannot be opened.
std::string reason(const std::string& name) {
  const plugin::Registry all = plugin::Registry::scan({planted(name)});
  if (!all.refused().empty()) return "at rest: " + all.refused().front().reason;
  REQUIRE(all.entries().size() == 1);
  PluginHost host;
  const auto opened = plugin::Connector::open(
      all.entries().front(), {.name = "x", .config = R"({"token": "t", "endpoint": "https://a.test"})"},
      host);
  return opened ? "fine" : opened.error().detail;
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a good plugin is found with what its manifest says, without being loaded") {
  const plugin::Registry all = plugin::Registry::scan({planted("good"), "/nonexistent"});
  REQUIRE(all.entries().size() == 1);
  const plugin::Entry& entry = all.entries().front();
  CHECK((entry.plugin == "planted" && entry.version == "1.0.0" && entry.info.id == "planted.both"));
  CHECK(entry.info.kind == (SLUICE_SOURCE | SLUICE_DESTINATION));
  CHECK(entry.info.secrets == std::vector<std::string>{"token"});
  CHECK(entry.sha256.size() == 64);
  CHECK(all.find("planted", SLUICE_SOURCE) == &entry);
  CHECK(all.find("planted.both", SLUICE_DESTINATION) == &entry);
  CHECK(all.find("other", SLUICE_SOURCE) == nullptr);
  CHECK(reason("good") == "fine");
}

TEST_CASE("what cannot be a plugin of this hub is refused at rest, with the reason") {
  CHECK(says(reason("newer_manifest"), "at rest: manifest: it needs version 1.99 of the plugin ABI"));
  CHECK(says(reason("no_json"), "at rest: manifest: it is no JSON object"));
  CHECK(says(reason("no_manifest"), "at rest: it is no plugin: it has no section .sluice_manifest"));
}

TEST_CASE("a table that is not what the manifest says is refused when it is opened, with the reason") {
  CHECK(says(reason("newer_table"), "it needs version 1.99 of the plugin ABI"));
  CHECK(says(reason("wrong_id"), "no connector 'planted.both'"));
  CHECK(says(reason("wrong_kind"), "the kind of 'planted.both' is not what its manifest says"));
  CHECK(says(reason("no_create"), "has no create or destroy"));
  CHECK(says(reason("no_way_in"), "offers no function that its kind needs"));
  CHECK(says(reason("other_major"), "another major version"));
  CHECK(says(reason("unresolved"), "nobody_defines_this"));
}

TEST_CASE("a file that others may write is refused, and one that is no ELF file") {
  const Folder folder;
  fs::copy_file(planted("good") + "/good.so", folder.at("good.so"));
  fs::permissions(folder.at("good.so"), fs::perms::group_write, fs::perm_options::add);
  folder.write("text.so", "no plugin");
  folder.write("other.txt", "not looked at");
  const plugin::Registry all = plugin::Registry::scan({folder.path()});
  CHECK(all.entries().empty());
  REQUIRE(all.refused().size() == 2);
  CHECK(says(all.refused()[0].reason, "chmod go-w"));
  CHECK(says(all.refused()[1].reason, "it is no ELF file"));
}

TEST_CASE("of two plugins with the same name or connector the first stays") {
  const Folder folder;
  fs::copy_file(planted("good") + "/good.so", folder.at("a.so"));
  fs::copy_file(planted("good") + "/good.so", folder.at("b.so"));
  fs::copy_file(planted("other_name") + "/other_name.so", folder.at("c.so"));
  const plugin::Registry all = plugin::Registry::scan({folder.path()});
  REQUIRE(all.entries().size() == 1);
  CHECK(all.entries().front().path == folder.at("a.so"));
  REQUIRE(all.refused().size() == 2);
  CHECK(says(all.refused()[0].reason, "the plugin 'planted' is there already"));
  CHECK(says(all.refused()[1].reason, "the connector 'planted.both' is there already"));
}

TEST_CASE("a plugin file cut or damaged anywhere is refused or read, never over-read") {
  const Folder folder;
  fs::copy_file(planted("good") + "/good.so", folder.at("good.so"));
  const std::string whole = folder.read("good.so");
  const Result<std::string> text = plugin::manifest_section(whole);
  REQUIRE(text);
  CHECK(text.value().starts_with(R"({"plugin": "planted")"));
  for (std::size_t cut = 0; cut < whole.size(); cut += 97) {
    const std::string part =
        whole.substr(0, cut);  // of its own size, so that the sanitizer sees an over-read
    const Result<std::string> read = plugin::manifest_section(part);
    if (read) CHECK(read.value() == text.value());
  }
  for (std::size_t at = 0; at < 64; ++at) {
    for (const char with : {'\0', '\x7f', '\xff'}) {
      std::string damaged = whole;
      damaged[at] = with;
      (void)plugin::manifest_section(damaged);
    }
  }
}
