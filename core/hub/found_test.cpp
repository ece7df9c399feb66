// Whom a change of the configuration finds in an audience: a workflow starts for them where the audience says
// `backfill: trigger`, once for each, and for nobody else.
#include <algorithm>
#include <map>

#include <catch2/catch.hpp>

#include "hub/found_bench.hpp"
#include "hub/plan.hpp"

namespace sluice::hub {
namespace {

using testing::epoch_of;
using testing::Mails;
using testing::mails_of;
using testing::nobody_yet;
using testing::number;
using testing::rules;
using testing::silent;
using testing::StepBench;
using testing::triggers;

// A hub with people u0, u1, …, each with a number of their own.
struct Crowd : StepBench {
  explicit Crowd(int count, const std::string& yaml = nobody_yet) : StepBench(yaml) {
    for (int n = 0; n < count; ++n) call(number("u" + std::to_string(n), n));
  }
};

// Until nothing is left to do by itself.
int drain(StepBench& hub) {
  int ticks = 0;
  for (; hub.world.pipeline.next_due() <= hub.now; ++ticks) {
    REQUIRE(ticks < 100);
    hub.wait(0);
  }
  return ticks;
}

}  // namespace

TEST_CASE("whom a change puts into an audience starts its workflow only where the audience says so",
          "[found]") {
  Crowd quiet(4), loud(4);
  quiet.configure(silent);
  loud.configure(triggers);
  drain(quiet);
  drain(loud);
  CHECK(quiet.inside("user_id", "u3", "vip"));
  CHECK(mails_of(quiet.effects).empty());
  CHECK(mails_of(loud.effects) == Mails{{"u1", 1}, {"u2", 1}, {"u3", 1}});
  loud.wait(us_per_d);
  loud.configure(triggers + "\n# remarks are no change\n");
  drain(loud);
  CHECK(mails_of(loud.effects).size() == 3);
}

TEST_CASE("an audience that only begins to say so starts nobody who is in it already", "[found]") {
  Crowd hub(4);
  hub.configure(silent);
  hub.configure(triggers);
  drain(hub);
  CHECK(mails_of(hub.effects).empty());
  hub.call(number("u0", 1));  // who enters by what they do starts as ever
  CHECK(mails_of(hub.effects) == Mails{{"u0", 1}});
}

TEST_CASE("found people start as others do: by where, consent and again", "[found]") {
  const std::string where =
      rules("  vip: { where: traits.n > 0.0, backfill: trigger }", "    where: traits.n < 3.0");
  Crowd hub(4);
  hub.configure(where);
  drain(hub);
  CHECK(mails_of(hub.effects) == Mails{{"u1", 1}, {"u2", 1}});
  hub.configure(nobody_yet);  // all of them leave
  hub.wait(us_per_d);
  hub.configure(triggers);
  drain(hub);
  CHECK(mails_of(hub.effects) == Mails{{"u1", 1}, {"u2", 1}, {"u3", 1}});  // never again, for who has started
  const auto again = [](const std::string& after, const std::string& audience) {
    return rules("  vip: " + audience, "    again: { after: " + after + " }");
  };
  hub.configure(again("2d", "traits.n > 1e9"));
  hub.wait(us_per_d);
  hub.configure(again("2d", "{ where: traits.n > 1.0, backfill: trigger }"));
  drain(hub);
  CHECK(mails_of(hub.effects) == Mails{{"u1", 1}, {"u2", 2}, {"u3", 1}});  // u3 started a day ago

  std::string asks = triggers;
  asks.replace(asks.find(", purpose: service"), 18, "");  // a newsletter, which needs a yes
  Crowd other(3);
  other.call(
      "'type':'track','event':'Said','userId':'u2','context':{'consent':{'categoryPreferences':{'News':true}}"
      "}");
  other.configure(asks);
  drain(other);
  CHECK(mails_of(other.effects) == Mails{{"u2", 1}});
}

TEST_CASE("people who leave by a change start nothing, and found people wait their waits", "[found]") {
  std::string waits = triggers;
  waits.replace(waits.find("steps: [ "), 9, "steps: [ { wait: 1h }, ");
  Crowd hub(3, rules("  vip: traits.n > 0.0\n  small: { where: traits.n < 9.0, backfill: trigger }"));
  std::string leaves = waits;
  leaves.replace(leaves.find("enters: vip"), 11, "leaves: small");
  leaves.replace(leaves.find("audiences:\n"), 11,
                 "audiences:\n  small: { where: traits.n < 0.0, backfill: trigger }\n");
  hub.configure(leaves);
  drain(hub);
  hub.wait(us_per_d);
  CHECK(mails_of(hub.effects).size() == 2);  // those who entered when the hub was young: u1 and u2
  Crowd found(3);
  found.configure(waits);
  drain(found);
  CHECK(mails_of(found.effects).empty());
  CHECK(found.world.pipeline.next_due() == found.now + us_per_h);
  found.wait(us_per_h);
  CHECK(mails_of(found.effects) == Mails{{"u1", 1}, {"u2", 1}});
}

TEST_CASE("many found people start a slice with each input, and it goes on from a checkpoint in the middle",
          "[found]") {
  constexpr int people = 700;
  Crowd hub(people);
  hub.configure(triggers);
  CHECK(hub.world.pipeline.found_left());
  const std::size_t sent = mails_of(hub.effects).size();
  CHECK(sent > 0);
  CHECK(sent <= 200);
  for (int ticks = 0; hub.world.pipeline.next_due() <= hub.now; ++ticks) {
    REQUIRE(ticks < 10);
    World restored(7);
    hub.world.state.begin_checkpoint(
        true, [&](state::Table table, std::string_view key, std::string_view value, bool) {
          REQUIRE(restored.state.restore_row(table, key, value));
        });
    while (!hub.world.state.continue_checkpoint(1'000)) {
    }
    REQUIRE(restored.state.finish_restore());
    restored.state.seq = hub.world.state.seq;
    restored.state.now = hub.world.state.now;
    restored.pipeline.resume(compile_epoch(epoch_of(triggers)).value());
    CHECK(restored.pipeline.found_left());
    StepOutput out;
    REQUIRE(restored.step({restored.state.seq + 1, hub.now, InputKind::tick, false, {}}, out));
    const std::size_t before = hub.effects.size();
    hub.wait(0);
    CHECK(restored.state.hash() == hub.world.state.hash());
    REQUIRE(out.effects.size() == hub.effects.size() - before);
    for (std::size_t i = 0; i < out.effects.size(); ++i)
      CHECK(out.effects[i].key == hub.effects[before + i].key);
  }
  Crowd other(people);  // the plan counts all of them
  const auto plan =
      make_plan(other.world, epoch_of(triggers), other.now, [](const std::string&, World::Shadow) {
        return Result<std::unique_ptr<World>>(Error{Code::rejected, "nothing waits for the past"});
      });
  REQUIRE(plan);
  REQUIRE(plan.value().workflows.size() == 1);
  CHECK((plan.value().workflows[0].start == people - 1 && plan.value().workflows[0].messages == people - 1));
  const Mails all = mails_of(hub.effects);
  CHECK(all.size() == people - 1);  // not u0
  for (const auto& [user, mails] : all) CHECK(mails == 1);
}

TEST_CASE("while a configuration comes to people only who does something is started; then all are, once",
          "[found][walk]") {
  constexpr int people = 50;
  Crowd hub(people);
  hub.input(InputKind::epoch, epoch_of(triggers));
  REQUIRE(hub.walk_on(10));
  CHECK_FALSE(hub.world.pipeline.found_left());
  hub.call(number("u7", 8));
  hub.call(number("u9", 10));
  CHECK(mails_of(hub.effects) == Mails{{"u7", 1}, {"u9", 1}});
  while (hub.walk_on(10)) {
  }
  drain(hub);
  const Mails all = mails_of(hub.effects);
  CHECK(all.size() == people - 1);  // not u0
  for (const auto& [user, mails] : all) CHECK(mails == 1);
}

TEST_CASE("an audience whose workflow went starts nobody when it comes back", "[found]") {
  Crowd hub(700);
  hub.configure(triggers);
  const std::size_t sent = mails_of(hub.effects).size();
  const std::size_t workflows = triggers.find("workflows:");
  hub.configure(triggers.substr(0, workflows));
  hub.configure(triggers);
  drain(hub);
  CHECK(mails_of(hub.effects).size() == sent);
}

TEST_CASE("two who become one while found people start are started once", "[found]") {
  constexpr int people = 2'000;
  Crowd hub(people);
  for (int n = 0; n < people; ++n)  // visitors whom nobody knows yet
    hub.call("'type':'identify','anonymousId':'a" + std::to_string(n) + "','traits':{'n':5}");
  std::string again = triggers;
  again.replace(again.find("    steps:"), 10, "    again: { after: 0s }\n    steps:");
  hub.configure(again);
  std::map<ProfileId, int> had;  // mails of one who is two no more, when they still were
  int once = 0, both = 0;
  const auto mails = [&](ProfileId person) {
    return std::count_if(hub.effects.begin(), hub.effects.end(),
                         [&](const Effect& e) { return e.op == Operation::message && e.person == person; });
  };
  for (int n = 1; hub.world.pipeline.found_left(); ++n) {  // each call is a slice, too
    REQUIRE(n < people);
    const std::string number = std::to_string(n);
    const ProfileId user = hub.person("user_id", 'u' + number)->id;
    const ProfileId visitor = hub.person("anonymous_id", 'a' + number)->id;
    const auto told = mails(user) + mails(visitor);
    ++(told == 1 ? once : both);
    hub.call("'type':'identify','userId':'u" + number + "','anonymousId':'a" + number + "'");
    REQUIRE(hub.world.state.resolve(user) == hub.world.state.resolve(visitor));
    had[hub.world.state.resolve(user)] = std::max(1, static_cast<int>(told));
  }
  CHECK(once > 3);
  CHECK(both > 3);
  std::map<ProfileId, int> all;
  for (const Effect& effect : hub.effects) {
    if (effect.op == Operation::message) ++all[hub.world.state.resolve(effect.person)];
  }
  CHECK(all.size() == hub.world.state.profiles() - 1);  // not u0
  for (const auto& [person, count] : all) {
    const auto pair = had.find(person);
    CHECK(count == (pair == had.end() ? 1 : pair->second));
  }
}

TEST_CASE("taking the word away ends it for those who have not been started, for good", "[found]") {
  Crowd hub(700);
  hub.configure(triggers);
  const std::size_t sent = mails_of(hub.effects).size();
  hub.configure(silent);
  hub.configure(triggers);
  drain(hub);
  CHECK(mails_of(hub.effects).size() == sent);
  Crowd other(700);
  other.configure(triggers);
  other.configure(rules("  vip: { where: traits.n > 0.0, backfill: trigger }\n  more: traits.n > 5.0"));
  drain(other);  // another change goes on with it
  CHECK(mails_of(other.effects).size() == 699);
}

}  // namespace sluice::hub
