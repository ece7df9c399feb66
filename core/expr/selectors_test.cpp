#include <catch2/catch.hpp>

#include "expr/test_context.hpp"

namespace sluice::expr {
namespace {

AggregateSpec spec_of(const std::string& text) {
  const auto parsed = Program::parse(text, everything(), false);
  INFO(text << (parsed.problems.empty() ? "" : ": " + parsed.problems[0].what));
  REQUIRE(parsed.program);
  REQUIRE(parsed.program->aggregates().size() == 1);
  return parsed.program->aggregates()[0];
}

TEST_CASE("a selector becomes an aggregate with window, condition and value") {
  const AggregateSpec spec = spec_of(
      "events(\"Order Completed\").where(o, o.properties.total > 50.0).within(\"90d\").sum(x, "
      "x.properties[\"total\"]) > 3");
  CHECK(spec.event == "Order Completed");
  CHECK(spec.op == Aggregation::sum);
  CHECK(spec.within == 90 * us_per_d);
  CHECK(spec.since == no_time);
  CHECK(spec.where_text == "event.properties.total > 50.0");
  CHECK(spec.value_text == "event.properties.total");
  CHECK(spec.text ==
        "events(\"Order Completed\").where(event, event.properties.total > 50.0).within(\"90d\").sum(event, "
        "event.properties.total)");
  TestContext context("{}", R"({"properties": {"total": 60}})");
  Arena arena;
  REQUIRE(spec.where);
  CHECK(spec.where->holds(context, arena));
  CHECK(spec.value->evaluate(context, arena).to_double() == 60);
}

TEST_CASE("every end of a selector is compiled") {
  CHECK(spec_of("events(\"A\").count() >= 3").op == Aggregation::count);
  CHECK(spec_of("events(\"A\").exists()").op == Aggregation::exists);
  CHECK(spec_of("events(\"A\").min(e, e.properties.x) < 3").op == Aggregation::min);
  CHECK(spec_of("events(\"A\").max(e, e.time) < timestamp(\"2026-01-01\")").op == Aggregation::max);
  CHECK(spec_of("events(\"A\").avg(e, e.properties.x)").op == Aggregation::avg);
  CHECK(spec_of("size(events(\"A\").unique(e, e.properties.x)) > 2").op == Aggregation::unique);
  CHECK(spec_of("events(\"A\").top(e, e.properties.x, 3)").top == 3);
  CHECK(spec_of("events(\"A\").since(\"2026-01-01\").count()").since == *parse_time("2026-01-01"));
  CHECK(spec_of("events(\"A\").within(duration(\"36h\")).count()").within == 36 * us_per_h);
  const AggregateSpec last = spec_of("events(\"A\").last().properties[\"cat egory\"].sub");
  CHECK(last.op == Aggregation::last);
  CHECK(last.value_text == "event.properties[\"cat egory\"].sub");
  CHECK(last.text == "events(\"A\").last().properties[\"cat egory\"].sub");
  CHECK(spec_of("events(\"A\").first().time").value_text == "event.time");
  CHECK(spec_of("has(events(\"A\").first().properties.x)").op == Aggregation::first);
  CHECK(spec_of("events(\"A\").last().properties.tags.exists(t, t == \"x\")").value_text ==
        "event.properties.tags");
}

TEST_CASE("a sequence has steps, each with its condition and its longest time after the one before") {
  const AggregateSpec spec = spec_of(
      "events(\"View\").where(v, v.properties.shop == \"x\").then(\"Add\").then('Order', "
      "duration(\"90m\")).where(o, o.properties.total > 5.0).within(\"30d\").count() >= 2");
  CHECK(spec.event == "View");
  CHECK(spec.where_text == "event.properties.shop == \"x\"");
  REQUIRE(spec.then.size() == 2);
  CHECK(spec.then[0].event == "Add");
  CHECK(spec.then[0].where == nullptr);
  CHECK(spec.then[0].gap == 0);
  CHECK(spec.then[1].event == "Order");
  CHECK(spec.then[1].gap == 90 * us_per_min);
  CHECK(spec.then[1].where_text == "event.properties.total > 5.0");
  CHECK(spec.within == 30 * us_per_d);
  CHECK(spec.text ==
        "events(\"View\").where(event, event.properties.shop == \"x\").then(\"Add\").then(\"Order\", "
        "\"1h30m\").where(event, event.properties.total > 5.0).within(\"30d\").count()");
  CHECK(spec_of("events(\"A\").then(\"B\").within(\"1d\").exists()").op == Aggregation::exists);
}

TEST_CASE("a window is a length of time, calendar days of the person, or lies between two dates") {
  CHECK(spec_of("events(\"A\").within(\"7 days local\").count()").local_days == 7);
  CHECK(spec_of("events(\"A\").within(\"7 days local\").count()").within == 0);
  CHECK(spec_of("events(\"A\").within(\"1 day local\").count()").text ==
        "events(\"A\").within(\"1 day local\").count()");
  CHECK(spec_of("events(\"A\").within(\"3660 days local\").exists()").local_days == 3660);
  const AggregateSpec may =
      spec_of("events(\"A\").between(\"2026-05-01\", timestamp(\"2026-06-01\")).count()");
  CHECK(may.since == *parse_time("2026-05-01"));
  CHECK(may.until == *parse_time("2026-06-01"));
  CHECK(may.text ==
        "events(\"A\").between(\"2026-05-01T00:00:00.000Z\", \"2026-06-01T00:00:00.000Z\").count()");
}

TEST_CASE("equal selectors are one aggregate, whatever their variables are named") {
  const auto parsed = Program::parse(
      "events(\"A\").where(e, e.properties.x==1).within(\"24h\").count() > 1 || events('A').where(f, "
      "(f.properties['x'] == 1)).within(\"1d\").count() > 7 || events(\"A\").count() > 9",
      everything(), true);
  REQUIRE(parsed.program);
  CHECK(parsed.program->aggregates().size() == 2);
}

TEST_CASE("the value of an aggregate is asked for by its bound slot") {
  const auto parsed =
      Program::parse("events(\"A\").count() >= 3 && !events(\"B\").exists()", everything(), true);
  REQUIRE(parsed.program);
  parsed.program->bind_aggregate(0, 10);
  parsed.program->bind_aggregate(1, 11);
  TestContext context;
  Arena arena;
  context.aggregates[10] = Value::integer(3);
  context.aggregates[11] = Value::boolean(false);
  CHECK(parsed.program->holds(context, arena));
  context.aggregates[10] = Value::number(2);
  CHECK_FALSE(parsed.program->holds(context, arena));
  context.aggregates.clear();
  CHECK(parsed.program->evaluate(context, arena).is_unknown());
}

TEST_CASE("mistakes in selectors are shown at their place") {
  struct Mistake {
    const char* text;
    std::size_t offset;
    const char* what;
  };
  for (const Mistake& m : std::initializer_list<Mistake>{
           {"events(\"A\") > 3", 0, "no end"},
           {"events(\"A\").within(\"1d\")", 12, "no end"},
           {"events(A).count()", 0, "in quotes"},
           {"events().count()", 0, "in quotes"},
           {"events(\"A\").cuont()", 12, "no 'cuont'"},
           {"events(\"A\").within(\"7d local\").count()", 19, "no calendar days"},
           {"events(\"A\").within(\"0 days local\").count()", 19, "no calendar days"},
           {"events(\"A\").within(\"3661 days local\").count()", 19, "no calendar days"},
           {"events(\"A\").between(\"2026-01-01\").count()", 12, "takes 2 arguments"},
           {"events(\"A\").between(\"2026-01-01\", \"x\").count()", 34, "no time"},
           {"events(\"A\").between(\"2026-01-02\", \"2026-01-02\").count()", 12, "ends before it begins"},
           {"events(\"A\").then(B).within(\"1d\").exists()", 17, "in quotes"},
           {"events(\"A\").then().within(\"1d\").exists()", 12, "takes an event's name"},
           {"events(\"A\").then(\"B\", \"1mo\").within(\"1d\").exists()", 22, "no fixed length"},
           {"events(\"A\").then(\"B\", 7).within(\"1d\").exists()", 22, "text in quotes"},
           {"events(\"A\").within(\"1d\").then(\"B\").exists()", 25, "before the window"},
           {"events(\"A\").then(\"B\").exists()", 22, "needs a window"},
           {"events(\"A\").then(\"B\").since(\"2026-01-01\").exists()", 42, "needs a window"},
           {"events(\"A\").then(\"B\").within(\"1d\")", 22, "no end"},
           {"events(\"A\").then(\"B\").within(\"1d\").sum(e, e.properties.x)", 35, "or .count()"},
           {"events(\"A\").then(\"B\").then(\"C\").then(\"D\").then(\"E\").then(\"F\").then(\"G\").then("
            "\"H\").then("
            "\"I\").within(\"1d\").exists()",
            82, "at most 8 steps"},
           {"events(\"A\").within(\"1mo\").count()", 19, "no fixed length"},
           {"events(\"A\").within(\"soon\").count()", 19, "no duration"},
           {"events(\"A\").within(7).count()", 19, "text in quotes"},
           {"events(\"A\").since(\"x\").count()", 18, "no time"},
           {"events(\"A\").within(\"1d\").since(\"2026-01-01\").count()", 25, "one window"},
           {"events(\"A\").last() == 3", 12, "is no value"},
           {"events(\"A\").last().category == 3", 19, "an event has no 'category'"},
           {"events(\"A\").sum(e)", 12, "written otherwise"},
           {"events(\"A\").where(e, e.properties.x).where(e, true).count()", 37, "twice"},
           {"events(\"A\").where(e, traits.x > 1).count()", 21, "traits cannot be read here"},
           {"events(\"A\").where(e, e.properties.x + 1 == \"\" + 3).count()", 46, "no +"},
           {"events(\"A\").where(e, e.total > 1).count()", 23, "an event has no 'total'"},
           {"events(\"A\").where(e, 3).count()", 21, "not a condition"},
           {"events(\"A\").where(traits, true).count()", 18, "meaning of its own"},
           {"events(\"A\").top(e, e.name, 0)", 27, "1 to 1000"},
           {"events(\"A\").properties.x", 12, "has no members"},
           {"[1].exists(x, events(\"A\").count() > x)", 14, "inside a macro"}}) {
    INFO(m.text);
    const auto parsed = Program::parse(m.text, everything(), false);
    CHECK_FALSE(parsed.program);
    REQUIRE(!parsed.problems.empty());
    CHECK_THAT(parsed.problems[0].what, Catch::Contains(m.what));
    CHECK(parsed.problems[0].offset == m.offset);
  }
}

}  // namespace
}  // namespace sluice::expr
