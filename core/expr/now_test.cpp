#include <catch2/catch.hpp>

#include "expr/test_context.hpp"

namespace sluice::expr {
namespace {

// The moment at which the condition changes, checked against its value one microsecond before and at it.
TimeUs change_of(const std::string& text, TestContext& context, const std::string& now) {
  const auto parsed = Program::parse(text, everything(), true);
  INFO(text << (parsed.problems.empty() ? "" : ": " + parsed.problems[0].what));
  REQUIRE(parsed.program);
  CHECK(parsed.program->reads_now());
  Arena arena;
  context.set_now(now);
  const Value before = parsed.program->evaluate(context, arena);
  const TimeUs at = parsed.program->next_change(context, arena);
  if (at == never) return at;
  CHECK(at > *parse_time(now));
  context.set_now(at - 1);
  CHECK(parsed.program->evaluate(context, arena).is_true() == before.is_true());
  context.set_now(at);
  CHECK(parsed.program->evaluate(context, arena).is_true() != before.is_true());
  return at;
}

TEST_CASE("the moment at which a comparison with now changes is exact for every operator and side") {
  TestContext context(R"({"since": "2026-01-01T00:00:00Z"})");
  const TimeUs due = *parse_time("2026-01-08");
  CHECK(change_of("now - traits.since > duration(\"7d\")", context, "2026-01-03") == due + 1);
  CHECK(change_of("now - traits.since >= duration(\"7d\")", context, "2026-01-03") == due);
  CHECK(change_of("now - traits.since < duration(\"7d\")", context, "2026-01-03") == due);
  CHECK(change_of("now - traits.since <= duration(\"7d\")", context, "2026-01-03") == due + 1);
  CHECK(change_of("duration(\"7d\") < now - traits.since", context, "2026-01-03") == due + 1);
  CHECK(change_of("duration(\"7d\") <= now - traits.since", context, "2026-01-03") == due);
  CHECK(change_of("traits.since + duration(\"7d\") < now", context, "2026-01-03") == due + 1);
  CHECK(change_of("traits.since - now > duration(\"-7d\")", context, "2026-01-03") == due);
  CHECK(change_of("traits.since > now - duration(\"7d\")", context, "2026-01-03") == due);
  CHECK(change_of("!(now > timestamp(\"2026-01-08\"))", context, "2026-01-03") == due + 1);
}

TEST_CASE("what has changed already, or is unknown, changes no more") {
  TestContext context(R"({"since": "2026-01-01T00:00:00Z", "word": "soon"})");
  CHECK(change_of("now - traits.since > duration(\"7d\")", context, "2026-02-03") == never);
  CHECK(change_of("now > traits.absent", context, "2026-02-03") == never);
  CHECK(change_of("now > traits.word", context, "2026-02-03") == never);
  CHECK(Program::parse("traits.a > 1", everything(), true)
            .program->next_change(context, *std::make_unique<Arena>()) == never);
}

TEST_CASE("of several comparisons the first to change counts") {
  TestContext context(R"({"since": "2026-01-01T00:00:00Z"})");
  const auto parsed = Program::parse(
      "now - traits.since > duration(\"7d\") && now - traits.since < duration(\"9d\")", everything(), true);
  REQUIRE(parsed.program);
  Arena arena;
  context.set_now("2026-01-03");
  CHECK(parsed.program->next_change(context, arena) == *parse_time("2026-01-08") + 1);
  context.set_now("2026-01-08T00:00:01Z");
  CHECK(parsed.program->holds(context, arena));
  CHECK(parsed.program->next_change(context, arena) == *parse_time("2026-01-10"));
}

TEST_CASE("now is refused where no moment of change can be computed") {
  for (const char* text :
       {"now.getHours() > 9", "now == traits.since", "string(now) == \"x\"", "now - now > duration(\"1s\")",
        "now + now > now", "[1].exists(x, now > traits.since)", "(traits.a ? now : traits.b) > traits.c",
        "now", "[now] == []", "int(now) > 3"}) {
    INFO(text);
    const auto parsed = Program::parse(text, everything(), false);
    CHECK_FALSE(parsed.program);
    REQUIRE(!parsed.problems.empty());
    CHECK(!parsed.problems[0].help.empty());
  }
}

TEST_CASE("the value of a selector may be compared with now") {
  TestContext context;
  context.aggregates[0] = Value::timestamp(*parse_time("2026-01-01"));
  CHECK(change_of("now - events(\"Order\").last().time > duration(\"30d\")", context, "2026-01-03") ==
        *parse_time("2026-01-31") + 1);
}

}  // namespace
}  // namespace sluice::expr
