// Full refreshes of a list, seen through whole steps.
#include "hub/step_bench.hpp"

namespace sluice::hub {
namespace {

using testing::StepBench;
using Briefs = std::vector<std::string>;

std::string config(const std::string& resync) {
  return R"(
version: 1
sources:
  shop: { plugin: tracking, with: { write_key: "${K}" } }
audiences: { pro: traits.plan == "pro" }
routes:
  pro_ads: { audience: pro, to: ads)" +
         resync + R"( }
destinations:
  ads: { plugin: ads, purpose: internal, with: {} }
)";
}

std::string plan(const std::string& user, const std::string& plan) {
  return "'type':'identify','userId':'" + user + "','traits':{'plan':'" + plan + "'}";
}

// All that it sends until it has nothing more to do by itself.
Briefs whole(StepBench& hub, Briefs first) {
  while (hub.world.pipeline.next_due() <= hub.now) {
    for (std::string& brief : hub.wait(0)) first.push_back(std::move(brief));
  }
  return first;
}

}  // namespace

TEST_CASE("a list with resync is replaced by its members of then, every so often and not before") {
  StepBench hub(config(", resync: 7d"));
  hub.call(plan("1", "pro"));
  hub.call(plan("2", "pro"));
  hub.call(plan("2", "free"));
  CHECK(hub.world.pipeline.next_due() == StepBench::start + 7 * us_per_d);
  CHECK(hub.wait(7 * us_per_d - 1).empty());
  const Briefs refresh{"snapshot_begin ads pro {}", "enter ads pro {}", "snapshot_end ads pro {}"};
  CHECK(whole(hub, hub.wait(1)) == refresh);
  CHECK(hub.world.pipeline.next_due() == StepBench::start + 14 * us_per_d);
  CHECK(whole(hub, hub.wait(6 * us_per_d)).empty());
  CHECK(whole(hub, hub.wait(2 * us_per_d)) == refresh);  // late, and the next one counts from here
  CHECK(hub.world.pipeline.next_due() == hub.now + 7 * us_per_d);
}

TEST_CASE("a refresh by hand counts: the next one is due as long after it") {
  StepBench hub(config(", resync: 7d"));
  hub.call(plan("1", "pro"));
  hub.wait(3 * us_per_d);
  const Briefs sent = whole(hub, hub.input(InputKind::command, R"({"command":"resync","route":"pro_ads"})"));
  CHECK(sent.size() == 3);
  CHECK(hub.world.pipeline.next_due() == hub.now + 7 * us_per_d);
}

TEST_CASE("without resync no list is replaced by itself, and one that gets it begins to count") {
  StepBench hub(config(""));
  hub.call(plan("1", "pro"));
  CHECK(hub.world.pipeline.next_due() == never);
  hub.now += 30 * us_per_d;
  hub.configure(config(", resync: 1d"));
  CHECK(hub.world.pipeline.next_due() == hub.now + us_per_d);
  hub.configure(config(", resync: 2d"));
  CHECK(hub.world.pipeline.next_due() == hub.now + 2 * us_per_d);
}

}  // namespace sluice::hub
