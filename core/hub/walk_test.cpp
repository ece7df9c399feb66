// A new configuration on its way through the people: slices, who is met before their slice, and what comes
// next.
#include "hub/walk.hpp"

#include <algorithm>
#include <set>

#include "hub/explain.hpp"
#include "hub/generated.hpp"

namespace sluice::hub {
namespace {

using testing::epoch_of;
using testing::StepBench;
using Briefs = std::vector<std::string>;

const std::string head = R"(
version: 1
sources:
  shop: { plugin: tracking, with: { write_key: "${K}" } }
destinations:
  lake: { plugin: file, purpose: internal, with: {} }
)";
const std::string before = head + R"(
audiences: { known: has(traits.city), cart: 'events("Add").within("1d").exists()' }
routes: { people: { profiles: has(traits.city), to: lake, fields: { city: traits.city } } }
workflows: { back: { trigger: { leaves: cart }, steps: [ { send: lake } ] } }
)";
const std::string after = head + R"(
audiences:
  known: has(traits.city)
  cart: 'events("Add").within("1d").exists()'
  paris: traits.city == 'Paris'
routes:
  people: { profiles: has(traits.city), to: lake, fields: { city: traits.city } }
  silent: { profiles: has(traits.city), to: lake, fields: { town: traits.city } }
  found: { audience: paris, to: lake, backfill: true }
workflows: { back: { trigger: { leaves: cart }, steps: [ { send: lake } ] } }
)";

std::string lives_in(const std::string& user, const std::string& city) {
  return "'type':'identify','userId':'" + user + "','traits':{'city':'" + city + "'}";
}

// Twelve people of Paris, whom `next` is on its way to.
struct OnItsWay : StepBench {
  explicit OnItsWay(const std::string& next = after) : StepBench(before) {
    for (int i = 0; i < 12; ++i) call(lives_in(std::to_string(i), "Paris"));
    effects.clear();
    input(InputKind::epoch, epoch_of(next));
  }
};

std::uint64_t found(const StepBench& hub) {
  return hub.world.state.members(state::name_id("paris"));
}

// Somebody to whom it has not come.
std::string last_user(StepBench& hub) {
  std::string user;
  ProfileId last = nobody;
  for (int i = 0; i < 12; ++i) {
    const state::Profile* const person = hub.person("user_id", std::to_string(i));
    if (person->id < last) continue;
    last = person->id;
    user = std::to_string(i);
  }
  return user;
}

std::size_t count(const std::vector<Effect>& effects, const std::string& what) {
  return static_cast<std::size_t>(std::count_if(
      effects.begin(), effects.end(), [&](const Effect& effect) { return testing::brief(effect) == what; }));
}

}  // namespace

TEST_CASE("a configuration comes to the next people with each slice, in the order of their ids", "[walk]") {
  OnItsWay hub;
  CHECK(hub.effects.empty());
  CHECK(found(hub) == 0);
  std::vector<ProfileId> order;
  while (hub.walk_on(5)) CHECK(found(hub) == std::min<std::size_t>(hub.effects.size(), 12));
  for (const Effect& effect : hub.effects) {
    CHECK(testing::brief(effect) == "enter lake paris {}");
    order.push_back(effect.person);
  }
  CHECK(order == hub.world.state.ids());
  CHECK(next_slice(hub.world).epoch == 0);
  CHECK(hub.world.state.meta("walks").empty());
}

TEST_CASE("who does something before their slice has the configuration come first, and once", "[walk]") {
  OnItsWay hub;
  hub.walk_on(3);
  const std::string user = last_user(hub);
  CHECK(hub.world.pipeline.is_behind(*hub.person("user_id", user)));
  // The new profile route sends nothing of the past, and what comes.
  CHECK(hub.call(lives_in(user, "Rome")) ==
        Briefs{"enter lake paris {}", R"(upsert lake people {"city":"Rome"})",
               R"(upsert lake silent {"town":"Rome"})", "leave lake paris {}"});
  CHECK_FALSE(hub.world.pipeline.is_behind(*hub.person("user_id", user)));
  CHECK(hub.call(lives_in(user, "Paris")).back() == "enter lake paris {}");
  while (hub.walk_on(3)) {
  }
  CHECK(count(hub.effects, "enter lake paris {}") == 13);
  CHECK(count(hub.effects, R"(upsert lake silent {"town":"Paris"})") == 1);
  hub.world.state.each_profile([](const state::Profile& person) { CHECK(person.evaluated == 0); });
}

TEST_CASE("who is born while a configuration is on its way is of it", "[walk]") {
  OnItsWay hub;
  for (int i = 20; i < 40; ++i) {
    CHECK(hub.call(lives_in(std::to_string(i), "Paris")) == Briefs{R"(upsert lake people {"city":"Paris"})",
                                                                   R"(upsert lake silent {"town":"Paris"})",
                                                                   "enter lake paris {}"});
  }
  while (hub.walk_on(3)) {
  }
  CHECK(hub.effects.size() == 20 * 3 + 12);
}

TEST_CASE("people who become one before their slice are of one configuration first", "[walk]") {
  StepBench hub(before);
  hub.call("'type':'identify','anonymousId':'a','traits':{'city':'Paris'}");
  hub.call("'type':'identify','userId':'1','traits':{'city':'Paris'}");
  hub.input(InputKind::epoch, epoch_of(after));
  hub.effects.clear();
  hub.call("'type':'identify','anonymousId':'a','userId':'1'");
  CHECK(hub.world.state.profiles() == 1);
  CHECK(found(hub) == 1);
  const std::size_t entered = count(hub.effects, "enter lake paris {}");
  CHECK(entered - count(hub.effects, "leave lake paris {}") >= 1);
  CHECK(count(hub.effects, R"(upsert lake silent {"town":"Paris"})") <= 1);  // under other identifiers
  const std::size_t told = hub.effects.size();
  while (hub.walk_on(1)) {
  }
  CHECK(hub.effects.size() == told);
}

TEST_CASE("a window that closes before the person's slice is time's doing: workflows hear of it", "[walk]") {
  StepBench hub(before);
  hub.call("'type':'track','event':'Add','userId':'1'");
  hub.now += us_per_h;
  hub.input(InputKind::epoch, epoch_of(after));
  hub.now += us_per_d;
  // Time passes before the slice comes.
  const Briefs sent = hub.input(InputKind::command, evaluate_command(next_slice(hub.world)));
  CHECK(std::count_if(sent.begin(), sent.end(),
                      [](const auto& s) { return s.starts_with("message lake"); }) == 1);
  const auto history = hub.person("user_id", "1")->history.all();
  CHECK(history.back().by_time);
  CHECK(history.back().time == StepBench::start + us_per_d);
}

TEST_CASE("a second change while the first is on its way: a route is new once for everybody", "[walk]") {
  OnItsWay hub;
  hub.walk_on(4);
  REQUIRE(hub.effects.size() == 4);
  std::string third = after;
  third.replace(third.find("town: traits.city"), 17, "town: traits.city, known: audiences.known");
  third.insert(third.find("workflows:"), "  late: { audience: known, to: lake, backfill: true }\n");
  hub.input(InputKind::epoch, epoch_of(third));
  hub.effects.clear();
  while (hub.walk_on(5)) {
  }
  // Those whom the second had reached get what the third changes of a route that was new with the second; for
  // the others the route itself is still new.
  CHECK(count(hub.effects, R"(upsert lake silent {"town":"Paris","known":true})") == 4);
  CHECK(count(hub.effects, "enter lake paris {}") == 8);
  CHECK(count(hub.effects, "enter lake known {}") == 12);
  CHECK(hub.effects.size() == 24);
}

TEST_CASE("a change that decides nothing of people at rest walks nowhere", "[walk]") {
  StepBench hub(before);
  hub.call(lives_in("1", "Paris"));
  std::string next = before;
  next.replace(next.find("steps: [ { send"), 15, "steps: [ { wait: 1h }, { send");
  next.replace(next.find("version: 1"), 10, "version: 1\nretention: { events: 25mo }");
  next.insert(next.find("destinations:"),
              "  web: { plugin: tracking, trust: public, with: { write_key: \"${W}\" } }\n");
  hub.input(InputKind::epoch, epoch_of(next));
  CHECK(next_slice(hub.world).epoch == 0);
  // It goes on with one that is on its way.
  hub.input(InputKind::epoch, epoch_of(after));
  const Slice slice = next_slice(hub.world);
  CHECK(slice.epoch == hub.world.state.seq);
  std::string other = after;
  other.replace(other.find("steps: [ { send"), 15, "steps: [ { wait: 1h }, { send");
  hub.input(InputKind::epoch, epoch_of(other));
  CHECK(next_slice(hub.world).epoch == slice.epoch);
  // What a workflow counts is kept of everybody.
  other.replace(other.find("steps: [ {"), 10, "where: events(\"Buy\").count() > 2, steps: [ {");
  hub.input(InputKind::epoch, epoch_of(other));
  CHECK(next_slice(hub.world).epoch == hub.world.state.seq);
}

TEST_CASE("an epoch of an older version comes to everybody with its own input, as it did", "[walk]") {
  StepBench hub(before), old(before);
  for (StepBench* bench : {&hub, &old}) {
    for (int i = 0; i < 12; ++i) bench->call(lives_in(std::to_string(i), i % 3 == 0 ? "Rome" : "Paris"));
  }
  std::string payload = epoch_of(after);
  const std::string version = "\"step_version\":" + std::to_string(step_version);
  REQUIRE(payload.find(version) != std::string::npos);
  payload.replace(payload.find(version), version.size(), "\"step_version\":7");
  const Briefs at_once = old.input(InputKind::epoch, payload);
  CHECK(next_slice(old.world).epoch == 0);
  hub.effects.clear();
  hub.input(InputKind::epoch, epoch_of(after));
  while (hub.walk_on(5)) {
  }
  Briefs sliced;
  for (const Effect& effect : hub.effects) sliced.push_back(testing::brief(effect));
  CHECK(at_once.size() == 8);
  CHECK(at_once == sliced);
}

TEST_CASE("a slice is as large as the configuration allows within a millisecond", "[walk]") {
  OnItsWay hub;
  const std::size_t few = next_slice(hub.world).people;
  CHECK((few > 100 && few <= slice_people_max));
  std::string many = head + "audiences:\n";
  for (int i = 0; i < 1'000; ++i)
    many += "  a" + std::to_string(i) + ": traits.n > " + std::to_string(i) + ".0\n";
  hub.input(InputKind::epoch, epoch_of(many));
  CHECK((next_slice(hub.world).people > 0 && next_slice(hub.world).people < few / 10));
}

TEST_CASE("explain says of whom a configuration has not come to yet", "[walk]") {
  OnItsWay hub;
  const auto waits = [&] {
    const std::string json = explain_json(hub.world, hub.person("user_id", "1")->id, "paris");
    return json.find("waits_for_configuration") != std::string::npos;
  };
  CHECK(waits());
  while (hub.walk_on(5)) {
  }
  CHECK_FALSE(waits());
}

TEST_CASE("whatever is on its way in between, everybody ends as if it had come at once", "[walk]") {
  // The same inputs; in one world each configuration has come to everybody before the next input.
  const std::vector<testing::Stored> inputs = testing::Generator(GENERATE(1U, 2U, 3U, 4U)).inputs(2'500, 7);
  World sliced(7), at_once(7);
  std::uint64_t slices = 0;
  for (const testing::Stored& one : inputs) {
    StepOutput out;
    if (next_slice(sliced).epoch != 0) ++slices;
    REQUIRE(sliced.step({sliced.state.seq + 1, one.stamp, one.kind, false, one.payload}, out));
    REQUIRE(at_once.step({at_once.state.seq + 1, one.stamp, one.kind, false, one.payload}, out));
    // Between two inputs, so that both count them alike: ids of people are made of inputs' numbers.
    const std::uint64_t seq = at_once.state.seq;
    while (next_slice(at_once).epoch != 0) {
      Slice slice = next_slice(at_once);
      slice.people = slice_people_max;
      REQUIRE(at_once.step(
          {at_once.state.seq + 1, one.stamp, InputKind::command, false, evaluate_command(slice)}, out));
    }
    at_once.state.seq = seq;
  }
  CHECK(slices > 50);
  REQUIRE(next_slice(sliced).epoch == 0);
  std::size_t people = 0;
  at_once.state.each_profile([&](const state::Profile& profile) {
    const state::Reading same = std::as_const(sliced.state).find(profile.id);
    REQUIRE(same);
    std::set<state::NameId> left, right;
    for (const state::Membership& m : profile.memberships) left.insert(m.audience);
    for (const state::Membership& m : same->memberships) right.insert(m.audience);
    CHECK(left == right);
    CHECK(profile.traits.size() == same->traits.size());
    CHECK(profile.series.size() == same->series.size());
    ++people;
  });
  CHECK(people == sliced.state.profiles());
}

}  // namespace sluice::hub
