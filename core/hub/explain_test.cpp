// Why somebody is in an audience: the parts of its condition, and what stands behind them.
#include "hub/explain.hpp"

#include <catch2/catch.hpp>

#include "hub/step_bench.hpp"

namespace sluice::hub {
namespace {

using testing::StepBench;
using Lines = std::vector<std::string>;

const std::string rules = R"(
version: 1
sources: { shop: { plugin: tracking, with: { write_key: "${K}" } } }
destinations: { lake: { plugin: file, purpose: internal, with: {} } }
computed:
  orders: events("Order").count()
  spent: events("Order").within("10d").sum(e, e.properties.total)
audiences:
  buyers: traits.orders >= 2 && (traits.city == "Lyon" || traits.plan == "pro")
  best: audiences.buyers && traits.spent > 20.0
)";

// "  traits.orders = 2": depth, text, and the value or why there is none.
Lines lines_of(const std::string& json) {
  JsonParser parser;
  Lines out;
  parser.parse(json)["parts"].elements([&](Json part) {
    std::string line(static_cast<std::size_t>(2 * part["depth"].integer().value_or(0)), ' ');
    line += std::string(part["text"].string_or("")) + " = ";
    const auto unknown = part["unknown"].string();
    out.push_back(line + (unknown ? "?" + std::string(*unknown) : std::string(part["value"].text())));
  });
  return out;
}

std::string order(double total) {
  return "'type':'track','event':'Order','userId':'1','properties':{'total':" + std::to_string(total) + "}";
}

}  // namespace

TEST_CASE("each part of a condition is told with its value, and what it reads below it", "[explain]") {
  StepBench hub(rules);
  hub.call("'type':'identify','userId':'1','traits':{'city':'Lyon'}");
  hub.call(order(8));
  hub.wait(us_per_d);
  hub.call(order(15));
  const ProfileId id = hub.person("user_id", "1")->id;
  CHECK(lines_of(explain_json(hub.world, id, "buyers")) ==
        Lines{R"(traits.orders >= 2 && (traits.city == "Lyon" || traits.plan == "pro") = true)",
              "  traits.orders >= 2 = true", "    traits.orders = 2", R"(      events("Order").count() = 2)",
              R"(  traits.city == "Lyon" || traits.plan == "pro" = true)",
              R"(    traits.city == "Lyon" = true)", R"(      traits.city = "Lyon")",
              R"(    traits.plan == "pro" = ?missing)", "      traits.plan = ?missing"});
  JsonParser parser;
  const std::string text = explain_json(hub.world, id, "best");
  const Json best = parser.parse(text);
  CHECK(best["inside"].boolean() == true);
  CHECK(best["entered_at"].string() == format_time(hub.now));
  CHECK(best["cause"].integer() == static_cast<std::int64_t>(hub.world.state.seq));
  // The events that count, and the moment at which time alone makes it others.
  Json window;
  best["parts"].elements([&](Json part) {
    if (part["events"].size() > 0) window = part;
  });
  CHECK(window["events_total"].integer() == 2);
  CHECK(window["events"].at(0)["time"].string() == format_time(StepBench::start));
  CHECK(window["events"].at(0)["value"].text() == "8");
  CHECK(window["changes_at"].string() == format_time(StepBench::start + 10 * us_per_d));
  // At that moment it is so.
  hub.wait(9 * us_per_d);
  const std::string later = explain_json(hub.world, id, "best");
  const Json left = parser.parse(later);
  CHECK(left["inside"].boolean() == false);
  CHECK(left["by_time"].boolean() == true);
  CHECK(left["left_at"].string() == format_time(StepBench::start + 10 * us_per_d));
}

TEST_CASE("nobody, and no audience, explain nothing", "[explain]") {
  StepBench hub(rules);
  hub.call("'type':'identify','userId':'1','traits':{'city':'Lyon'}");
  CHECK(explain_json(hub.world, nobody, "buyers").empty());
  CHECK(explain_json(hub.world, hub.person("user_id", "1")->id, "sellers").empty());
}

}  // namespace sluice::hub
