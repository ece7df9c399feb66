// An input evaluates only the audiences that it can have changed, a moment only those whose windows it
// closes: everybody is where all conditions, asked again, put them.
#include <random>

#include "hub/step_bench.hpp"

namespace sluice::hub {
namespace {

using testing::StepBench;

const std::string rules = R"(
version: 1
hub: { timezone: Europe/Paris }
sources:
  shop: { plugin: tracking, with: { write_key: "${K}" }, consent: { news: News } }
consent: { purposes: { news: { channel: email, basis: consent } } }
computed:
  orders: events("Order").count()
  recent: events("Order").within("2h").count()
  last_order: events("Order").within("5h").last().time
  spent: events("Order").within("3h").sum(e, e.properties.n)
audiences:
  nothing_bought: traits.orders == 0
  one_recent: traits.recent == 1
  many_recent: traits.recent >= 3
  spender: traits.spent > 12.0
  stale: now - timestamp(traits.last_order) > duration("90m")
  old_friend: now - profile.first_seen > duration("4h")
  after: now > timestamp("2023-11-15T06:00:00Z")
  viewer: events("View").within("1h").exists()
  no_viewer: '!events("View").within("1h").exists()'
  twice: events("View").within("1h").count() == 2
  big: events("View").where(e, e.properties.n > 5.0).within("7h").exists()
  today: events("View").within("1 day local").exists()
  days: events("Order").within("2 days local").count() >= 4
  back: events("View").then("Order").within("2h").exists()
  quick: events("Add").then("Order", "10m").within("6h").count() >= 2
  paris: traits.city == "Paris"
  nowhere: '!has(traits.city)'
  asked: consent.news
  zone: profile.timezone == "Asia/Tokyo"
  viewer_in_paris: audiences.viewer && audiences.paris
  chain: '!audiences.viewer_in_paris && audiences.one_recent'
  chain_end: audiences.chain || audiences.back
  fixed: events("Order").between("2023-11-14", "2023-11-15").count() >= 2
)";

void check_everybody(StepBench& hub) {
  const view::Compiled& compiled = *hub.world.pipeline.compiled();
  view::PersonContext context(compiled, hub.world.state);
  hub.world.state.each_profile([&](state::Profile& profile) {
    context.at(&profile, hub.world.state.now, nullptr);
    for (std::size_t slot = 0; slot < compiled.audience_ids.size(); ++slot) {
      const config::Audience& audience = compiled.config->audiences[slot];
      INFO(audience.name << " at " << format_time(hub.world.state.now) << ", input " << hub.world.state.seq);
      REQUIRE(context.holds(audience.condition) ==
              (profile.membership(compiled.audience_ids[slot]) != nullptr));
    }
  });
}

}  // namespace

TEST_CASE("whatever happens, everybody is in the audiences whose conditions hold", "[time]") {
  std::mt19937 dice(11);
  const auto roll = [&](unsigned sides) { return static_cast<int>(dice() % sides); };
  StepBench hub(rules);
  const std::vector<std::string> names{"View", "View", "Add", "Order", "Order", "Other"};
  const std::vector<std::string> zones{"Asia/Tokyo", "America/New_York", "Europe/Paris"};
  for (int input = 0; input < 1'500; ++input) {
    hub.now += roll(20) * us_per_min;
    const std::string who = roll(3) == 0 ? "'anonymousId':'a" + std::to_string(roll(8)) + "'"
                                         : "'userId':'" + std::to_string(roll(8)) + "'";
    const std::string late =
        roll(4) == 0 ? ",'timestamp':'" + format_time(hub.now - roll(400) * us_per_min) + "'" : "";
    const std::string zone =
        roll(12) == 0 ? ",'context':{'timezone':'" + zones[static_cast<std::size_t>(roll(3))] + "'}" : "";
    switch (roll(12)) {
      case 0:
        hub.call("'type':'identify','traits':{'city':" + std::string(roll(3) == 0 ? "null" : "'Paris'") +
                 "}," + who + late);
        break;
      case 1:
        hub.call(
            "'type':'identify',"
            "'context':{'consent':{'categoryPreferences':{'News':" +
            std::string(roll(2) == 0 ? "true" : "false") + "}}}," + who);
        break;
      case 2:
        hub.wait(roll(100) * us_per_min);
        break;
      case 3:
        if (roll(6) == 0) {
          hub.call("'type':'identify','userId':'" + std::to_string(roll(8)) + "','anonymousId':'a" +
                   std::to_string(roll(8)) + "'");
        }
        break;
      default:
        hub.call("'type':'track','event':'" + names[static_cast<std::size_t>(roll(6))] +
                 "','properties':{'n':" + std::to_string(roll(10)) + "}," + who + late + zone);
    }
    check_everybody(hub);
  }
  const state::Totals& totals = hub.world.state.totals;
  CHECK(totals.merges >= 3);
  CHECK(hub.world.pipeline.counters().timers > 300);
  CHECK(hub.world.pipeline.counters().left > 300);
}

TEST_CASE("a trait is found wherever it stands in somebody's row", "[time]") {
  StepBench hub(R"(
version: 1
sources: { shop: { plugin: tracking, with: { write_key: "${K}" } } }
audiences: { wanted: 'traits.a == 1.0 && traits.b == 2.0 && !has(traits.c)' }
)");
  hub.call("'type':'identify','userId':'1','traits':{'x':0,'a':1,'b':2}");
  hub.call("'type':'identify','userId':'2','traits':{'b':2,'a':1}");
  hub.call("'type':'identify','userId':'3','traits':{'a':2,'b':1}");
  hub.call("'type':'identify','userId':'4','traits':{'c':0,'a':1,'b':2}");
  hub.call("'type':'identify','userId':'5','traits':{'b':2}");
  hub.call("'type':'identify','userId':'6','traits':{'a':1,'b':2}");
  const auto is_in = [&](const char* user) { return hub.inside("user_id", user, "wanted"); };
  CHECK((is_in("1") && is_in("2") && !is_in("3") && !is_in("4") && !is_in("5") && is_in("6")));
}

}  // namespace sluice::hub
