// Audiences over time, seen through whole steps: sequences, calendar days of the person, fixed dates, and
// what comes late or in another order.
#include "hub/explain.hpp"
#include "hub/step_bench.hpp"

namespace sluice::hub {
namespace {

using testing::StepBench;
using Briefs = std::vector<std::string>;

const std::string head = R"(
version: 1
hub: { timezone: Europe/Paris, lateness: 30d }
sources: { shop: { plugin: tracking, with: { write_key: "${K}" } } }
destinations: { lake: { plugin: file, purpose: internal, with: {} } }
)";

const std::string without_lateness = R"(
version: 1
sources: { shop: { plugin: tracking, with: { write_key: "${K}" } } }
)";

std::string track(const std::string& name, const std::string& more = "") {
  return "'type':'track','event':'" + name + "','userId':'1'" + more;
}
std::string at(TimeUs time) {
  return ",'timestamp':'" + format_time(time) + "'";
}
std::string in_zone(const std::string& zone) {
  return ",'context':{'timezone':'" + zone + "'}";
}
TimeUs time_of(const std::string& text) {
  return *parse_time(text);
}
// When the last change of the person's audiences was.
std::string changed_at(StepBench& hub, const std::string& user = "1") {
  return format_time(hub.person("user_id", user)->history.all().back().time);
}
// The same hub out of the rows of a checkpoint.
void restore(StepBench& hub) {
  state::State& old = hub.world.state;
  const Hash128 hash = old.hash();
  state::State copy(7);
  old.begin_checkpoint(true, [&](state::Table table, std::string_view key, std::string_view value, bool) {
    REQUIRE(copy.restore_row(table, key, value));
  });
  while (!old.continue_checkpoint(100)) {
  }
  copy.finish_restore();
  CHECK(copy.hash() == hash);
}

}  // namespace

TEST_CASE("who did one thing and then another is in until the first is too long ago", "[time]") {
  StepBench hub(head + R"(
audiences: { back: 'events("View").then("Order").within("1d").exists()' }
routes: { list: { audience: back, to: lake } }
)");
  CHECK(hub.call(track("Order")).empty());
  CHECK(hub.call(track("View")).empty());
  hub.now += us_per_h;
  CHECK(hub.call(track("Order")) == Briefs{"enter lake back {}"});
  restore(hub);
  CHECK(hub.wait(23 * us_per_h - 1).empty());
  CHECK(hub.wait(1) == Briefs{"leave lake back {}"});
  CHECK(changed_at(hub) == format_time(StepBench::start + us_per_d));
  CHECK(hub.person("user_id", "1")->history.all().back().by_time);
}

TEST_CASE("steps that come in another order than they happened make the sequence that happened", "[time]") {
  StepBench hub(head + R"(
audiences: { back: 'events("View").then("Add").then("Order", "2h").within("1d").count() == 1' }
)");
  hub.call(track("Order", at(hub.now)));
  hub.call(track("View", at(hub.now - 3 * us_per_h)));
  CHECK_FALSE(hub.inside("user_id", "1", "back"));
  hub.call(track("Add", at(hub.now - us_per_h)));
  CHECK(hub.inside("user_id", "1", "back"));
  hub.wait(21 * us_per_h - 1);
  CHECK(hub.inside("user_id", "1", "back"));
  hub.wait(1);
  CHECK_FALSE(hub.inside("user_id", "1", "back"));
}

TEST_CASE("two people who become one have the steps of both", "[time]") {
  StepBench hub(head + R"(
audiences: { back: 'events("View").then("Order").within("1d").exists()' }
)");
  hub.call("'type':'track','event':'View','anonymousId':'a'");
  hub.now += us_per_h;
  hub.call(track("Order"));
  CHECK_FALSE(hub.inside("user_id", "1", "back"));
  hub.call("'type':'identify','userId':'1','anonymousId':'a'");
  CHECK(hub.inside("user_id", "1", "back"));
  restore(hub);
  hub.wait(23 * us_per_h);
  CHECK_FALSE(hub.inside("user_id", "1", "back"));
}

TEST_CASE("who became one with somebody leaves when that one's window closes", "[time]") {
  StepBench hub(head + R"(
audiences:
  viewer: events("View").within("1d").exists()
  back: events("View").then("View").within("1d").exists()
  old: now - timestamp(traits.since) > duration("3d")
)");
  hub.call("'type':'identify','userId':'1'");
  hub.call("'type':'identify','anonymousId':'a','traits':{'since':'" + format_time(hub.now) + "'}");
  hub.call("'type':'track','event':'View','anonymousId':'a'");
  hub.call("'type':'track','event':'View','anonymousId':'a'");
  hub.now += us_per_h;
  hub.call("'type':'identify','userId':'1','anonymousId':'a'");
  CHECK(hub.person("anonymous_id", "a")->id == hub.person("user_id", "1")->id);
  CHECK((hub.inside("user_id", "1", "viewer") && hub.inside("user_id", "1", "back")));
  hub.wait(23 * us_per_h);
  CHECK_FALSE((hub.inside("user_id", "1", "viewer") || hub.inside("user_id", "1", "back")));
  CHECK_FALSE(hub.inside("user_id", "1", "old"));
  hub.wait(2 * us_per_d + 1);
  CHECK(hub.inside("user_id", "1", "old"));
}

TEST_CASE("an explanation of a sequence shows its steps and when it is over", "[time][explain]") {
  StepBench hub(head + R"(
audiences: { back: 'events("View").then("Order").within("1d").exists()' }
)");
  hub.call(track("View"));
  hub.now += us_per_h;
  hub.call(track("View"));
  hub.now += us_per_h;
  hub.call(track("Order"));
  const std::string text = explain_json(hub.world, hub.person("user_id", "1")->id, "back");
  JsonParser parser;
  const Json part = parser.parse(text)["parts"].at(0);
  CHECK(part["value"].boolean() == true);
  CHECK(part["events_total"].integer() == 1);
  CHECK(part["changes_at"].string() == format_time(StepBench::start + us_per_h + us_per_d));
  CHECK(part["events"].size() == 2);
  CHECK(part["events"].at(0)["event"].string() == "View");
  CHECK(part["events"].at(0)["time"].string() == format_time(StepBench::start + us_per_h));
  CHECK(part["events"].at(1)["event"].string() == "Order");
}

TEST_CASE("calendar days are the person's own, and a day of a clock change is as long as it is", "[time]") {
  StepBench hub(head + R"(
audiences:
  today: events("View").within("1 day local").exists()
  week: events("View").within("7 days local").count() >= 1
)");
  const auto leaves = [&](const std::string& user, const std::string& zone, const std::string& viewed) {
    hub.now = time_of(viewed);
    hub.call("'type':'track','event':'View','userId':'" + user + "'" + (zone.empty() ? "" : in_zone(zone)));
    REQUIRE(hub.inside("user_id", user, "today"));
    hub.wait(2 * us_per_d);
    REQUIRE(hub.inside("user_id", user, "week"));
    return changed_at(hub, user);
  };
  // Paris, the hub's: 25 October 2026 has 25 hours, 28 March 2027 has 23.
  CHECK(leaves("a", "", "2026-03-28T12:00:00Z") == "2026-03-28T23:00:00.000Z");
  CHECK(leaves("c", "", "2026-10-25T12:00:00Z") == "2026-10-25T23:00:00.000Z");
  CHECK(leaves("d", "America/New_York", "2026-11-01T12:00:00Z") == "2026-11-02T05:00:00.000Z");
  CHECK(leaves("e", "Asia/Kathmandu", "2026-11-10T12:00:00Z") == "2026-11-10T18:15:00.000Z");
  CHECK(leaves("f", "Nowhere/Land", "2026-11-20T12:00:00Z") == "2026-11-20T23:00:00.000Z");
  hub.now = time_of("2026-11-26T22:59:59Z");
  hub.wait(0);
  CHECK_FALSE(hub.inside("user_id", "e", "week"));
  CHECK(hub.inside("user_id", "f", "week"));
  hub.wait(us_per_s);
  CHECK_FALSE(hub.inside("user_id", "f", "week"));
  CHECK(changed_at(hub, "e") == "2026-11-16T18:15:00.000Z");
  CHECK(leaves("b", "", "2027-03-28T12:00:00Z") == "2027-03-28T22:00:00.000Z");
}

TEST_CASE("who travels has the days of where they are, and a late event does not take them back", "[time]") {
  StepBench hub(head + R"(
audiences: { today: events("View").within("1 day local").exists() }
)");
  hub.now = time_of("2026-05-01T12:00:00Z");
  hub.call(track("View", in_zone("Europe/Paris")));
  hub.now = time_of("2026-05-01T21:00:00Z");
  hub.call(track("Land", in_zone("America/New_York")));
  hub.call(track("Old", at(time_of("2026-05-01T13:00:00Z")) + in_zone("Asia/Tokyo")));
  CHECK(hub.person("user_id", "1")->timezone == "America/New_York");
  restore(hub);
  hub.now = time_of("2026-05-02T03:59:59Z");  // in Paris the day was over at 22:00
  hub.wait(0);
  CHECK(hub.inside("user_id", "1", "today"));
  hub.wait(us_per_s);
  CHECK_FALSE(hub.inside("user_id", "1", "today"));
  // Westwards it is the day before once more: what was yesterday's is today's.
  hub.call(track("Land", in_zone("Pacific/Honolulu")));
  CHECK(hub.inside("user_id", "1", "today"));
  hub.call(track("Land", in_zone("Asia/Tokyo")));
  CHECK_FALSE(hub.inside("user_id", "1", "today"));
  hub.wait(us_per_d);  // what had been due there finds nothing to do
  CHECK_FALSE(hub.inside("user_id", "1", "today"));
  CHECK(hub.world.pipeline.next_due() == never);
}

TEST_CASE("fixed dates count from the first moment on to the last but one", "[time]") {
  StepBench hub(without_lateness + R"(
computed:
  since: events("View").since("2026-05-01").count()
  may: events("View").between("2026-05-01", "2026-06-01").sum(e, e.properties.n)
audiences:
  fans: traits.may >= 6.0
  later: traits.since >= 4
)");
  hub.now = time_of("2026-06-10T00:00:00Z");
  const auto view = [&](const std::string& time, int n) {
    hub.call(track("View", at(time_of(time)) + ",'properties':{'n':" + std::to_string(n) + "}"));
  };
  view("2026-05-31T23:59:59.999Z", 2);
  view("2026-04-30T23:59:59.999Z", 100);
  view("2026-06-01T00:00:00Z", 100);
  CHECK_FALSE(hub.inside("user_id", "1", "fans"));
  view("2026-05-01T00:00:00Z", 4);
  CHECK(hub.inside("user_id", "1", "fans"));
  CHECK_FALSE(hub.inside("user_id", "1", "later"));
  view("2026-06-09T00:00:00Z", 1);
  CHECK(hub.inside("user_id", "1", "later"));
}

TEST_CASE(
    "what comes later than hub.lateness counts nowhere, starts nothing, and still goes where it is routed",
    "[time]") {
  StepBench hub(head + R"(
computed: { views: events("View").count() }
audiences: { viewers: traits.views >= 1 }
routes: { all: { events: [View], to: lake } }
workflows: { hello: { trigger: { event: View }, steps: [ { send: lake } ] } }
)");
  hub.call("'type':'identify','userId':'1'");
  CHECK(hub.call(track("View", at(hub.now - 30 * us_per_d - us_per_ms))).size() == 1);
  CHECK_FALSE(hub.inside("user_id", "1", "viewers"));
  CHECK(hub.world.pipeline.counters().too_late == 1);
  CHECK(hub.world.pipeline.counters().out_of_order == 1);
  CHECK(hub.call(track("View", at(hub.now - 30 * us_per_d))).size() == 2);
  CHECK(hub.inside("user_id", "1", "viewers"));
  CHECK(hub.world.pipeline.counters().too_late == 1);
  CHECK(hub.world.pipeline.counters().out_of_order == 2);
}

}  // namespace sluice::hub
