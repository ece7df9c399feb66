#include <catch2/catch.hpp>

#include "expr/test_context.hpp"

namespace sluice::expr {
namespace {

struct Case {
  const char* text;
  const char* result;
};

void check_all(std::initializer_list<Case> cases, TestContext& context) {
  for (const Case& c : cases) {
    INFO(c.text);
    CHECK(result_of(c.text, context) == c.result);
  }
}

TEST_CASE("what is missing is unknown, and false and true decide beside it") {
  TestContext context(R"({"plan": "pro"})");
  check_all({{"traits.age > 3", "unknown"},
             {"traits.age > 3 && false", "false"},
             {"false && traits.age > 3", "false"},
             {"traits.age > 3 && true", "unknown"},
             {"traits.age > 3 || true", "true"},
             {"true || traits.age > 3", "true"},
             {"traits.age > 3 || false", "unknown"},
             {"!(traits.age > 3)", "unknown"},
             {"traits.age > 3 ? 1 : 2", "unknown"},
             {"!has(traits.age) || traits.age > 3", "true"},
             {"has(traits.plan)", "true"},
             {"has(traits.age)", "false"},
             {"[1, 2, traits.age]", "unknown"},
             {"[1, 2, 3].exists(x, x > traits.age || x == 2)", "true"}},
            context);
}

TEST_CASE("a condition that ends unknown does not hold") {
  TestContext context;
  const auto parsed = Program::parse("traits.plan == \"pro\"", everything(), true);
  Arena arena;
  REQUIRE(parsed.program);
  CHECK_FALSE(parsed.program->holds(context, arena));
}

TEST_CASE("numbers of the data mix with whole numbers, those written follow the language") {
  TestContext context(R"({"age": 42, "price": 2.5, "zip": 75001, "zero": 0, "big": 1e300})");
  check_all({{"traits.age == 42", "true"},
             {"traits.age >= 42 && traits.price < 3", "true"},
             {"traits.age + 1", "43"},
             {"traits.price * 2", "5"},
             {"2 * traits.price + 1u", "6"},
             {"traits.age / 4", "10.5"},
             {"traits.age % 5", "2"},
             {"traits.price % 2", "unknown"},
             {"traits.age / traits.zero", "unknown"},
             {"string(traits.zip)", "\"75001\""},
             {"7 / 2", "3"},
             {"-7 / 2", "-3"},
             {"7.0 / 2.0", "3.5"},
             {"1 / 0", "unknown"},
             {"9223372036854775807 + 1", "unknown"},
             {"-9223372036854775808 - 1", "unknown"},
             {"int(traits.big)", "unknown"},
             {"uint(-0.5)", "unknown"},
             {"9007199254740992.0 in {9007199254740993: true}", "false"},
             {"{1u: \"a\"}[1.0]", "\"a\""},
             {"[10, 20, 30][traits.zero]", "10"}},
            context);
}

TEST_CASE("events, rows, profiles, audiences and consent are read by name") {
  TestContext context(
      R"({"prénom": "Ada"})",
      R"({"name": "Order", "time": "2026-01-02T03:04:05Z", "properties": {"total": 12.5, "tags": ["a", "b"], "x y": {"z": null}}})");
  context.set_row(R"({"Quantity": "3", "UnitPrice": "2.5", "CustomerID": "NA"})");
  context.audiences["vip"] = true;
  context.purposes["newsletter"] = true;
  check_all(
      {{"traits[\"prénom\"]", "\"Ada\""},
       {"has(traits[\"prénom\"])", "true"},
       {"event.properties.total > 0", "true"},
       {"event.properties[\"x y\"].z", "null"},
       {"has(event.properties.total) && !has(event.properties.nothing)", "true"},
       {"has(event.traits.email)", "false"},
       {"has(event.properties.a.b)", "false"},
       {"\"b\" in event.properties.tags", "true"},
       {"event.properties.tags.map(t, t + \"!\")", "[\"a!\",\"b!\"]"},
       {"event.properties.tags == [\"a\", \"b\"]", "true"},
       {"size(event.properties.tags)", "2"},
       {"event.properties == {\"total\": 12.5, \"tags\": [\"a\", \"b\"], \"x y\": {\"z\": null}}", "true"},
       {"event.time < timestamp(\"2026-01-03\")", "true"},
       {"event.time.getFullYear()", "2026"},
       {"int(row.Quantity)", "3"},
       {"double(row.UnitPrice) * double(row.Quantity)", "7.5"},
       {"row.CustomerID != \"NA\"", "false"},
       {"row[\"Quantity\"]", "\"3\""},
       {"has(row.Quantity) && !has(row.Email)", "true"},
       {"profile.id", "\"p1\""},
       {"audiences.vip && !audiences.cart_left", "true"},
       {"consent.newsletter && !consent[\"ads\"]", "true"}},
      context);
}

TEST_CASE("texts are searched, cut and changed") {
  TestContext context(R"({"city": "  Saint-Étienne "})");
  check_all({{"traits.city.trim().size()", "13"},
             {"traits.city.trim().lowerAscii().startsWith(\"saint\")", "true"},
             {"\"a,b,c\".split(\",\")", "[\"a\",\"b\",\"c\"]"},
             {"\"été\".substring(1, 3)", "\"té\""},
             {"\"aXbX\".replace(\"X\", \"-\")", "\"a-b-\""},
             {"\"ada@example.com\".matches(\"^[a-z]+@example\\\\.com$\")", "true"},
             {"traits.city.matches(\"Étienne\")", "true"},
             {"traits.city.matches(traits.city)", "true"},
             {"\"a\".matches(\"[\" + \"a\")", "unknown"},
             {"\"ab\".reverse() + \"!\"", "\"ba!\""},
             {"traits.city + 1", "unknown"}},
            context);
}

TEST_CASE("escapes in texts and bytes stand for their characters") {
  TestContext context;
  check_all({{R"("\u0100\U0001F62C\x41\101" == "Ā😬AA")", "true"},
             {R"("\\ \? \" \' \` \a".size())", "11"},
             {R"(b"\x00\377".size())", "2"},
             {R"(r"\u0100".size())", "6"}},
            context);
}

TEST_CASE("what may be missing has another value instead, or a condition of its own") {
  TestContext context(R"({"city": "Paris", "address": {"zip": "75001"}, "orders": 4, "note": null})",
                      R"({"properties": {"tags": ["a"], "coupon": ""}})");
  check_all(
      {{"traits.?city.orValue(\"nowhere\")", "\"Paris\""},
       {"traits.?plan.orValue(\"none\")", "\"none\""},
       {"traits.?orders.orValue(0) > 3", "true"},
       {"traits.?visits.orValue(0) < 1", "true"},
       {"traits.?address.zip.orValue(\"-\")", "\"75001\""},
       {"traits.?address.city.orValue(\"-\")", "\"-\""},
       {"traits.address.?zip.hasValue() && !traits.address.?city.hasValue()", "true"},
       {"traits.home.?zip.hasValue()", "false"},
       {"traits[?\"city\"].optMap(c, c + \"!\").orValue(\"-\")", "\"Paris!\""},
       {"event.properties.tags[?0].orValue(\"-\") + event.properties.tags[?1].orValue(\"-\")", "\"a-\""},
       {"event.?user_id.or(optional.of(\"x\")).value()", "\"x\""},
       {"optional.ofNonZeroValue(event.properties.coupon).hasValue()", "false"},
       {"[?traits.?city, ?traits.?plan].size()", "1"},
       {"{?\"city\": traits.?city, ?\"plan\": traits.?plan}", "{\"city\":\"Paris\"}"},
       {"traits.?plan", "null"},
       {"traits.?plan.value()", "unknown"},
       {"1 / 0 > 0 ? optional.of(1) : optional.none()", "unknown"},
       {"cel.bind(n, traits.orders * 2, n * n)", "64"}},
      context);
}

TEST_CASE("texts are made from a format") {
  TestContext context(R"({"name": "Ada", "orders": 4, "total": 12.5})");
  check_all({{"\"%s: %d orders, %.2f\".format([traits.name, traits.orders, traits.total])",
              "\"Ada: 4 orders, 12.50\""},
             {"\"%d\".format([traits.total])", "unknown"},
             {"\"%s\".format([traits.plan])", "unknown"},
             {"\"%x %X %o %b %e\".format([-30, \"hi\", 8, true, 1200.0])", "\"-1e 6869 10 1 1.200000e+03\""}},
            context);
}

TEST_CASE("times have parts, in UTC and in a zone") {
  TestContext context;
  check_all({{"timestamp(\"2026-03-29T00:30:00Z\").getHours(\"Europe/Paris\")", "1"},
             {"timestamp(\"2026-03-29T01:30:00Z\").getHours(\"Europe/Paris\")", "3"},
             {"timestamp(\"2026-03-01\").getMonth()", "2"},
             {"timestamp(\"1969-12-31T23:59:59.5Z\").getMilliseconds()", "500"},
             {"timestamp(\"2026-11-22\").getDayOfWeek()", "0"},
             {"duration(\"7d\") == duration(\"168h\")", "true"},
             {"string(duration(\"-1.5s\"))", "\"-1.5s\""},
             {"timestamp(\"2026-01-01\") + duration(\"1h30m\")", "\"2026-01-01T01:30:00.000Z\""},
             {"string(timestamp(\"2026-01-01T00:00:00.120Z\"))", "\"2026-01-01T00:00:00.12Z\""},
             {"string(duration(\"1ns\") - duration(\"2ns\"))", "\"-0.000000001s\""},
             {"timestamp(\"2026-01-01T00:00:00.000000001Z\") > timestamp(\"2026-01-01\")", "true"},
             {"duration(\"-1.0000001s\").getMilliseconds()", "0"},
             {"duration(\"90s\")", "\"90s\""}},
            context);
}

TEST_CASE("an evaluation ends, whatever lists and texts it makes") {
  TestContext context;
  const std::string tens = "[0,1,2,3,4,5,6,7,8,9]";
  std::string nested = "true";
  for (const char* v : {"a", "b", "c", "d", "e", "f", "g"}) nested = tens + ".all(" + v + ", " + nested + ")";
  CHECK(result_of(nested, context) == "unknown");
  std::string doubled = "x0";
  for (int i = 40; i > 0; --i) {
    const std::string before = "x" + std::to_string(i - 1);
    doubled = "[" + before + " + " + before + "].map(x" + std::to_string(i) + ", " +
              (i == 40 ? "x40" : doubled) + ")[0]";
  }
  CHECK(result_of("[\"ab\"].map(x0, " + doubled + ")", context) == "unknown");
}

// What a condition costs does not depend on what was asked before it.
TEST_CASE("an evaluation that costs too much is unknown, and the next one is as it would be alone") {
  TestContext context("{\"text\": \"" + std::string(200'000, 'a') + "\", \"n\": [1, 2, 3]}");
  const std::string tens = "[0,1,2,3,4,5,6,7,8,9]";
  const std::string hundred = tens + ".map(i, " + tens + ").map(l, l.size())";
  const auto costly = Program::parse(
      hundred + ".all(i, " + tens + ".all(j, " + tens + ".all(k, traits.text.contains(\"b\") || i >= 0)))",
      everything(), true);
  const auto cheap = Program::parse("traits.n.exists(x, x == 3)", everything(), true);
  REQUIRE(costly.program);
  REQUIRE(cheap.program);
  Arena arena;
  for (int i = 0; i < 3; ++i) {
    CHECK(costly.program->evaluate(context, arena).is_unknown());
    CHECK(cheap.program->holds(context, arena));
  }
}

TEST_CASE("an arena keeps its blocks and gives the same results again") {
  TestContext context(R"({"city": "Paris"})");
  const auto parsed = Program::parse("[traits.city].map(c, c + \"!\")", everything(), false);
  REQUIRE(parsed.program);
  Arena arena;
  for (int i = 0; i < 10'000; ++i) {
    arena.reset();
    std::string out;
    parsed.program->evaluate(context, arena).append_json(out);
    REQUIRE(out == "[\"Paris!\"]");
  }
  CHECK(arena.impl().blocks.size() == 1);
}

TEST_CASE("a plain condition uses no memory of the arena") {
  TestContext context(R"({"revenue": 1200, "orders": 4, "city": "Paris", "plan": "pro"})");
  const auto parsed = Program::parse(
      "traits.revenue > 1000 && traits.orders >= 3 && traits.city in [\"Paris\", \"Lyon\"] && "
      "traits.plan.startsWith(\"p\") && has(traits.city)",
      everything(), true);
  REQUIRE(parsed.program);
  Arena arena;
  CHECK(parsed.program->holds(context, arena));
  CHECK(arena.impl().blocks.empty());
}

TEST_CASE("a program names what it reads, each once, and gives the bound slots back") {
  const auto parsed = Program::parse(
      "traits.a > 1 && traits.b > traits.a && audiences.vip && consent.ads && profile.id != \"x\"",
      everything(), true);
  REQUIRE(parsed.program);
  REQUIRE(parsed.program->traits().size() == 2);
  CHECK(parsed.program->traits()[0].name == "a");
  CHECK(parsed.program->traits()[1].name == "b");
  CHECK(parsed.program->traits()[1].offset == 23);
  CHECK(parsed.program->audiences().size() == 1);
  CHECK(parsed.program->purposes().size() == 1);
  CHECK(parsed.program->reads_profile());
  CHECK_FALSE(parsed.program->reads_event());
  CHECK_FALSE(parsed.program->reads_now());
  parsed.program->bind_trait(1, 77);
  CHECK(parsed.program->traits()[1].slot == 77);
}

}  // namespace
}  // namespace sluice::expr
