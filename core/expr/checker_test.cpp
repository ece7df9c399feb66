#include <catch2/catch.hpp>

#include "expr/syntax.hpp"
#include "expr/test_context.hpp"

namespace sluice::expr {
namespace {

struct Mistake {
  const char* text;
  std::size_t offset;
  const char* what;  // a part of it
  const char* help;  // a part of it
};

void check_mistakes(std::initializer_list<Mistake> mistakes, bool boolean = false) {
  for (const Mistake& m : mistakes) {
    INFO(m.text);
    const auto parsed = Program::parse(m.text, everything(), boolean);
    CHECK(parsed.program == nullptr);
    REQUIRE(!parsed.problems.empty());
    CHECK(parsed.problems[0].offset == m.offset);
    CHECK_THAT(parsed.problems[0].what, Catch::Contains(m.what));
    CHECK_THAT(parsed.problems[0].help, Catch::Contains(m.help));
    CHECK_FALSE(parsed.problems[0].warning);
  }
}

TEST_CASE("mistakes of writing are shown at their place with their mend") {
  check_mistakes({{"traits.a = 1", 9, "single =", "write =="},
                  {"traits.a > 1 and traits.b", 13, "'and'", "write &&"},
                  {"traits.a > 1 OR traits.b", 13, "'OR'", "write ||"},
                  {"not traits.a", 0, "'not'", "write !"},
                  {"not (traits.a)", 0, "'not'", "write !"},
                  {".NOT", 1, "'NOT'", "write !"},
                  {"traits.a & traits.b", 9, "&", "write &&"},
                  {"traits.a | traits.b", 9, "|", "write ||"},
                  {"traits.a <> 1", 9, "<>", "write !="},
                  {"traits.a === 1", 9, "===", "write =="},
                  {"traits.city == \u201CParis\u201D", 15, "typographic", "straight"},
                  {"traits.pr\u00e9nom == 1", 9, "may not stand here", "traits[\""},
                  {"traits.city == \"Paris", 15, "not closed", "end it with \""},
                  {"(traits.a > 1", 0, "not closed", ") is missing"},
                  {"traits.a >", 10, "ends too early", ""},
                  {"", 0, "empty", ""},
                  {"traits.a > 1 2", 13, "may not stand here", "operator"},
                  {"traits.", 6, "name is missing", ""},
                  {"99999999999999999999", 0, "too large", ""},
                  {"\"\\q\"", 1, "escape", "raw"},
                  {"traits.a ? 1", 9, "no :", "CONDITION"},
                  {"if > 1", 0, "reserved", ""}});
}

TEST_CASE("names that do not exist are shown with what may be meant") {
  check_mistakes({{"audiences.vipp", 10, "no audience is named 'vipp'", "did you mean 'vip'"},
                  {"consent.newslettr", 8, "no purpose is named", "did you mean 'newsletter'"},
                  {"trait.city == \"x\"", 0, "nothing is named 'trait'", "did you mean 'traits'"},
                  {"city == \"Paris\"", 0, "nothing is named 'city'", "write traits.city"},
                  {"event.total > 1", 6, "an event has no 'total'", ".properties.total"},
                  {"event.propertis.x > 1", 6, "an event has no", "did you mean 'properties'"},
                  {"profile.email == \"x\"", 8, "a profile has no", "id"},
                  {"scores.churn > 0.5", 0, "not supported yet", ""},
                  {"traits", 0, "no value of its own", "traits.NAME"},
                  {"traits[traits.a]", 6, "must be a text in quotes", "traits[\"NAME\"]"},
                  {"lenght(traits.a)", 0, "no function is named 'lenght'", ""},
                  {"traits.city.startWith(\"P\")", 12, "no function is named", "did you mean 'startsWith'"},
                  {"startsWith(traits.city, \"P\")", 0, "no function", "VALUE.startsWith"},
                  {"traits.a.has()", 9, "no function", ""},
                  {"event(\"x\").count()", 0, "no function is named 'event'", "did you mean 'events'"}});
}

TEST_CASE("types that cannot fit are found before anything runs") {
  check_mistakes({{"traits.city.startsWith(3)", 23, "needs a text", ""},
                  {"traits.city.startsWith()", 12, "takes 1 argument, not 0", ""},
                  {"size(traits.a, 2)", 0, "takes 1 argument, not 2", ""},
                  {"1 + 1.0", 2, "no + for int and double", "double()"},
                  {"\"a\" - \"b\"", 4, "no -", ""},
                  {"1 < \"a\"", 2, "a number is compared with a text", "int()"},
                  {"audiences.vip && 3", 17, "a number", "has(VALUE)"},
                  {"!\"a\"", 1, "a text", ""},
                  {"\"a\" in \"abc\"", 4, "needs a list", "contains"},
                  {"duration(\"7 fortnights\")", 9, "no duration", "7d"},
                  {"timestamp(\"tomorrow\")", 10, "no time", "2026-"},
                  {"traits.a.matches(\"[a\")", 17, "no regular expression", "RE2"},
                  {"event.time.getHours(\"Paris\")", 20, "no time zone", "Europe/Paris"},
                  {"[1].map(traits, 1)", 8, "meaning of its own", "another name"},
                  {"[1].map(1, 1)", 8, "variable's name", ""},
                  {"[1].all(x)", 4, "takes a variable", "LIST.all"},
                  {"traits.city.orValue(\"-\")", 12, "needs an optional value", "write .?city.orValue(…)"},
                  {"traits.?city.or(\"-\")", 16, "needs an optional value", "write .orValue(…)"},
                  {"\"a\".hasValue()", 0, "needs an optional value", ""},
                  {"[?1]", 2, "needs an optional value", ""},
                  {"\"%y\".format([1])", 0, "no format", "one clause"},
                  {"\"%s %s\".format([1])", 0, "fewer values", "one clause"},
                  {"cel.bind(1, 2, 3)", 9, "variable's name", ""},
                  {"has(traits)", 4, "needs a path, as in has(traits.email)", ""},
                  {"has(audiences.vip)", 14, "says nothing", "alone"}});
}

TEST_CASE("a condition must be one") {
  check_mistakes({{"1 + 1", 2, "not a condition", "has("},
                  {"events(\"A\").count()", 12, "not a condition", "compare"},
                  {"\"x\"", 0, "not a condition", ""}},
                 true);
  CHECK(Program::parse("traits.subscribed", everything(), true).program != nullptr);
  CHECK(Program::parse("1 + 1", everything(), false).program != nullptr);
}

TEST_CASE("what a place does not offer cannot be read there") {
  Scope scope;
  scope.row = true;
  const auto parsed = Program::parse("traits.a > 1 || events(\"A\").exists()", scope, true);
  REQUIRE(parsed.problems.size() == 2);
  CHECK(parsed.problems[0].what == "traits cannot be read here");
  CHECK(parsed.problems[0].help == "what can be read here: row");
  CHECK(parsed.problems[1].offset == 16);
}

TEST_CASE("all mistakes of a text are found at once, in its order") {
  const auto parsed = Program::parse("audiences.vipp && event.total > 1 && consent.x", everything(), true);
  REQUIRE(parsed.problems.size() == 3);
  CHECK(parsed.problems[0].offset == 10);
  CHECK(parsed.problems[1].offset == 24);
  CHECK(parsed.problems[2].offset == 45);
}

TEST_CASE("unequal to a trait warns that people without it are left out") {
  const auto warned = Program::parse("traits.plan != \"pro\"", everything(), true);
  REQUIRE(warned.program);
  REQUIRE(warned.problems.size() == 1);
  CHECK(warned.problems[0].warning);
  CHECK(warned.problems[0].what == "this leaves out people without plan");
  CHECK_THAT(warned.problems[0].help, Catch::Contains("!has(traits.plan) || "));
  CHECK(Program::parse("!has(traits.plan) || traits.plan != \"pro\"", everything(), true).problems.empty());
  CHECK(
      Program::parse("traits.plan != \"pro\" && has(traits[\"plan\"])", everything(), true).problems.empty());
  CHECK(Program::parse("event.properties.plan != \"pro\"", everything(), true).problems.empty());
}

TEST_CASE("a comparison that can never be true warns") {
  const auto parsed = Program::parse("audiences.vip == \"yes\"", everything(), true);
  REQUIRE(parsed.program);
  REQUIRE(parsed.problems.size() == 1);
  CHECK(parsed.problems[0].warning);
}

TEST_CASE("a text may be as long as its limit and no longer") {
  const std::string longest = "traits.a > 1" + std::string(text_bytes_max - 12, ' ');
  CHECK(Program::parse(longest, everything(), true).program);
  const auto parsed = Program::parse(longest + " ", everything(), true);
  CHECK_FALSE(parsed.program);
  CHECK_THAT(parsed.problems[0].what, Catch::Contains("longer than 16384"));
}

TEST_CASE("nesting has a limit, and long chains are not nested") {
  const auto parens = [](std::size_t n) { return std::string(n, '(') + "true" + std::string(n, ')'); };
  CHECK(Program::parse(parens(nesting_max - 1), everything(), true).program);
  CHECK_FALSE(Program::parse(parens(nesting_max), everything(), true).program);
  const auto negations = [](std::size_t n) { return std::string(n, '!') + "true"; };
  CHECK(Program::parse(negations(nesting_max - 1), everything(), true).program);
  CHECK_FALSE(Program::parse(negations(nesting_max), everything(), true).program);
  CHECK_FALSE(Program::parse(std::string(8000, '['), everything(), false).program);
  std::string mixed;
  for (int i = 0; i < 4000; ++i) mixed += "!-";
  CHECK_FALSE(Program::parse(mixed + "1", everything(), false).program);
  std::string chain = "traits.a0 == 1";
  for (int i = 1; i < 800; ++i) chain += "||traits.a" + std::to_string(i) + "==1";
  REQUIRE(chain.size() < text_bytes_max);
  TestContext context(R"({"a799": 1})");
  CHECK(result_of(chain, context, true) == "true");
}

TEST_CASE("the time of a check grows with the text, not with its nesting") {
  std::string text = "1";
  for (int i = 0; i < 190; ++i) text = "(" + text + (i % 2 == 0 ? " + 1)" : " - 1)");
  TestContext context;
  CHECK(result_of(text, context) == "1");
}

TEST_CASE("canonical texts are equal for equal trees and read back the same") {
  const auto canonical_of = [](const std::string& text) {
    SyntaxTree tree;
    std::vector<Problem> problems;
    REQUIRE(parse_syntax(text, tree, problems));
    return canonical(tree, tree.root, "e");
  };
  CHECK(canonical_of("e.properties[ 'total' ]>50.0  &&(e.name)=='x'") ==
        "event.properties.total > 50.0 && event.name == \"x\"");
  CHECK(canonical_of("(a || b) && !(c == d)") == "(a || b) && !(c == d)");
  for (const char* text : {"a - (b - c)", "-(0.x)", "(a ? b : c) ? d : e", "-(1)", "- -x",
                           "{\"a\": [1, 2u, 3.0, b\"\\xff\"]}[\"a b\"]", "(-1).f(x, y)", "a.all(x, x in b)",
                           "!(a in b)", "1e300 * 2.5", "\"q\\\"\\\\\\x0a\""}) {
    const std::string once = canonical_of(text);
    INFO(text << " -> " << once);
    CHECK(canonical_of(once) == once);
  }
}

}  // namespace
}  // namespace sluice::expr
