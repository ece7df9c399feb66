#include <algorithm>

#include <catch2/catch.hpp>

#include "config/config.hpp"
#include "config/load.hpp"
#include "config/test_support.hpp"

using namespace sluice;
using namespace sluice::config;
using sluice::config::testing::check_text;
using sluice::config::testing::Folder;
using sluice::config::testing::shown;

TEST_CASE("included files are merged, and a name defined in two of them shows both places") {
  const Folder folder;
  folder.write("parts/a.yaml", "audiences:\n  vip: traits.x == 1\n");
  folder.write("parts/b.yaml", "audiences:\n  vip: traits.y == 1\n");
  const std::string file =
      folder.write("connectors.yaml", "version: 1\ninclude: [parts/*.yaml, none.yaml]\n");
  const Loaded loaded = load(file, {});
  INFO(shown(loaded));
  REQUIRE(loaded.diagnostics.size() == 2);
  CHECK(loaded.diagnostics[0].code == "no-file");
  CHECK(loaded.diagnostics[1].code == "duplicate-name");
  CHECK(loaded.diagnostics[1].place.file == folder.path() + "/parts/b.yaml");
  CHECK(loaded.diagnostics[1].help.find("parts/a.yaml:2:3") != std::string::npos);
}

TEST_CASE("an included file's secrets are looked up beside it") {
  const Folder folder;
  folder.write("parts/key", "x");
  folder.write(
      "parts/d.yaml",
      "destinations:\n  b: { plugin: braze, purpose: internal, with: { endpoint: \"https://x.test\", "
      "api_key: \"${file:key}\" } }\n");
  LoadOptions options;
  options.connectors = config::testing::connectors();
  const Loaded loaded = load(folder.write("c.yaml", "version: 1\ninclude: parts/d.yaml\n"), options);
  INFO(shown(loaded));
  REQUIRE(loaded.config);
  CHECK(loaded.config->destinations[0].with.find("${file:parts/key}") != std::string::npos);
  CHECK(expand_secrets(loaded.config->destinations[0].with, folder.path()));
}

TEST_CASE("a mistake in a message's file is shown there") {
  const Folder folder;
  folder.write("mail/x.html", "<p>\n  {{ traitz.name }}\n</p>\n");
  LoadOptions options;
  options.connectors = config::testing::connectors();
  const Loaded loaded = load(folder.write("c.yaml", R"(version: 1
workflows:
  w:
    trigger: { event: X }
    steps: [ { send: m, with: { subject: hi, html: "file:mail/x.html", text: "file:../x.txt" } } ]
destinations: { m: { plugin: smtp, purpose: internal } }
)"),
                             options);
  INFO(shown(loaded));
  REQUIRE(loaded.diagnostics.size() == 2);
  CHECK(loaded.diagnostics[0].code == "bad-path");
  CHECK(loaded.diagnostics[1].place.file == folder.path() + "/mail/x.html");
  CHECK(loaded.diagnostics[1].place.line == 2);
}

TEST_CASE("a problem of an expression is shown where it stands, whatever YAML does to the text") {
  struct Case {
    const char* text;
    int line, column;
  };
  for (const Case& c :
       {Case{"a: traits.x == nope", 3, 18}, Case{"a: 'traits.x == ''é'' || nope'", 3, 28},
        Case{"a: \"traits.x == \\\"\\u00e9\\\" || nope\"", 3, 33},
        Case{"a: |\n    traits.x == 1 &&\n      nope", 5, 7},
        Case{"a: >\n    traits.x == 1 &&\n    nope", 5, 5}, Case{"a: traits.x == 1 &&\n     nope", 4, 6}}) {
    const Loaded loaded = check_text("version: 1\naudiences:\n  " + std::string(c.text) + "\n");
    INFO(shown(loaded));
    REQUIRE(loaded.diagnostics.size() == 1);
    CHECK(loaded.diagnostics[0].place.line == c.line);
    CHECK(loaded.diagnostics[0].place.column == c.column);
    CHECK(loaded.diagnostics[0].length == 4);
  }
}

TEST_CASE("a diagnostic shows its place, the line, a caret under what is meant, and the mend") {
  Diagnostic d;
  d.place = {"connectors.yaml", 31, 9};
  d.what = "no destination is named 'braz'";
  d.help = "did you mean 'braze'?";
  d.source_line = "    to: braz";
  d.length = 4;
  CHECK(format(d) ==
        "connectors.yaml:31:9: error: no destination is named 'braz'\n"
        "   31 |     to: braz\n"
        "      |         ^~~~ did you mean 'braze'?\n");
}

TEST_CASE("a long line is cut to what stands around the caret") {
  Diagnostic d;
  d.place = {"c.yaml", 1, 1001};
  d.source_line = std::string(1000, 'a') + "X" + std::string(1000, 'b');
  const std::string text = format(d);
  const std::size_t second = text.find('\n') + 1, third = text.find('\n', second) + 1;
  CHECK(third - second < 200);
  const std::string line = text.substr(second, third - second), caret = text.substr(third);
  // "…" is one code point of three bytes.
  CHECK(line.find('X') - 2 == caret.find('^'));
}

TEST_CASE("a file that is not there is a diagnostic") {
  const Loaded loaded = load("/nonexistent/connectors.yaml", {});
  REQUIRE(loaded.diagnostics.size() == 1);
  CHECK(loaded.diagnostics[0].code == "no-file");
}
