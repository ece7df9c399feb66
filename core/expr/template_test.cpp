#include <catch2/catch.hpp>

#include "expr/test_context.hpp"

namespace sluice::expr {
namespace {

std::string rendered(const std::string& text, TestContext& context,
                     Template::Escape escape = Template::Escape::none) {
  const auto parsed = Template::parse(text, everything(), escape);
  if (!parsed.value) return "problem: " + parsed.problems.at(0).what;
  Arena arena;
  std::string out;
  parsed.value->render(context, arena, out);
  return out;
}

TEST_CASE("a template without tags is itself") {
  TestContext context;
  CHECK(rendered("Votre panier { vous } attend", context) == "Votre panier { vous } attend");
  CHECK(rendered("", context).empty());
}

TEST_CASE("paths are rendered, and what is missing is nothing") {
  TestContext context(
      R"({"first_name": "Ada", "points": 12.5, "zip": 75001, "tags": ["a"], "ok": true, "none": null})",
      R"({"properties": {"total": 3}})");
  CHECK(rendered("Hi {{ traits.first_name }}!", context) == "Hi Ada!");
  CHECK(rendered("{{traits['first_name']}}{{event.properties.total}} {{ traits.points }} {{ traits.zip }} {{ "
                 "traits.ok }}",
                 context) == "Ada3 12.5 75001 true");
  CHECK(rendered("[{{ traits.absent }}{{ traits.none }}{{ event.context.page }}]", context) == "[]");
  CHECK(rendered("{{ traits.tags }} {{ profile.id }} {{ profile.first_seen }}", context) ==
        "[\"a\"] p1 1970-01-01T00:00:01Z");
}

TEST_CASE("a default stands for what is missing or empty") {
  TestContext context(R"({"empty": "", "first_name": "Ada"})");
  CHECK(rendered("{{ traits.x | default: \"there\" }}", context) == "there");
  CHECK(rendered("{{ traits.empty|default:'a | b' }}", context) == "a | b");
  CHECK(rendered("{{ traits.first_name | default: \"there\" }}", context) == "Ada");
}

TEST_CASE("html is escaped where it is asked for") {
  TestContext context(R"({"name": "<b>\"A & B's\"</b>"})");
  CHECK(rendered("<p>{{ traits.name }}</p>", context, Template::Escape::html) ==
        "<p>&lt;b&gt;&#34;A &amp; B&#39;s&#34;&lt;/b&gt;</p>");
  CHECK(rendered("{{ traits.name }}", context) == "<b>\"A & B's\"</b>");
  CHECK(rendered("{{ traits.x | default: \"<i>\" }}", context, Template::Escape::html) == "&lt;i&gt;");
}

TEST_CASE("mistakes in templates are shown at their place in the whole text") {
  struct Mistake {
    const char* text;
    std::size_t offset;
    const char* what;
  };
  for (const Mistake& m : std::initializer_list<Mistake>{
           {"Hi {{ traits.name }", 3, "not closed"},
           {"Hi {% if traits.a %}x{% endif %}", 3, "not supported yet"},
           {"Hi {{ traits.name | upcase }}", 20, "not supported yet: the filter 'upcase'"},
           {"Hi {{ traits.name | default: there }}", 20, "quotes"},
           {"Hi {{ traits.a + 1 }}", 6, "more than a path"},
           {"Hi {{ name }}", 6, "nothing is named 'name'"},
           {"Hi {{ event.total }}", 12, "an event has no 'total'"},
           {"Hi {{ }}", 5, "empty"},
           {"Hi {{ traits.é }}", 13, "may not stand here"}}) {
    INFO(m.text);
    const auto parsed = Template::parse(m.text, everything(), Template::Escape::none);
    CHECK(parsed.value == nullptr);
    REQUIRE(!parsed.problems.empty());
    CHECK_THAT(parsed.problems[0].what, Catch::Contains(m.what));
    CHECK(parsed.problems[0].offset == m.offset);
  }
}

TEST_CASE("a template tells what it reads") {
  const auto parsed = Template::parse("{{ traits.a }} {{ traits.b }}", everything(), Template::Escape::none);
  REQUIRE(parsed.value);
  REQUIRE(parsed.value->programs().size() == 2);
  CHECK(parsed.value->programs()[1]->traits()[0].name == "b");
}

}  // namespace
}  // namespace sluice::expr
