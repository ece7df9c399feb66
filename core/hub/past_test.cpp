// A configuration that counts what was not counted before ends where one ends that held from the first event.
#include <map>

#include <catch2/catch.hpp>

#include "hub/generated.hpp"
#include "hub/graft.hpp"
#include "hub/journaled.hpp"
#include "hub/plan.hpp"
#include "view/context.hpp"
#include "view/waiting.hpp"

namespace sluice::hub {
namespace {

using testing::epoch_of;
using testing::Generator;
using testing::Journaled;
using testing::shadow_of;
using testing::StepBench;
using testing::Stored;

const std::string few = testing::head + R"(
computed:
  orders_1d: events("Order Completed").within("1d").count()
audiences:
  today: traits.orders_1d >= 1
routes:
  today: { audience: today, to: lake }
)";

const std::string many = testing::head + R"(
computed:
  orders_1d: events("Order Completed").within("1d").count()
  orders: events("Order Completed").count()
  dear: events("Order Completed").where(e, e.properties.total > 20.0).sum(e, e.properties.total)
  revenue_3d: events("Order Completed").within("3d").sum(e, e.properties.total)
  kinds_5d: events("Product Added").within("5d").unique(e, e.properties.kind)
  last_kind: events("Product Added").last().properties.kind
audiences:
  today: traits.orders_1d >= 1
  buyers: traits.orders >= 3
  spenders: traits.revenue_3d > 60.0
  cart_left: |
    events("Product Added").within("4h").exists() && !events("Order Completed").within("4h").exists()
  sleepers: audiences.buyers && !audiences.spenders
  converted: events("Product Added").then("Order Completed").within("5d").exists()
  this_week: events("Product Added").within("3 days local").count() >= 2
routes:
  today: { audience: today, to: lake }
  buyers: { audience: buyers, to: lake, backfill: true }
  spenders: { audience: spenders, to: vendor }
  people: { profiles: has(traits.city), to: lake, fields: { city: traits.city, spent: traits.dear } }
workflows:
  cart_mail: { trigger: { enters: cart_left }, where: consent.newsletter, steps: [ { send: mail } ] }
)";

// People's computed traits and memberships, by id, as text.
std::map<ProfileId, std::string> picture(const World& world) {
  std::map<ProfileId, std::string> out;
  const view::Compiled& compiled = *world.pipeline.compiled();
  view::PersonContext context(compiled, world.state);
  world.state.each_profile([&](const state::Profile& profile) {
    std::string& text = out[profile.id];
    context.at(&profile, world.state.now, nullptr);
    for (std::size_t i = 0; i < compiled.config->computed.size(); ++i) {
      text += compiled.config->computed[i].name + '=';
      context.computed(i).append_json(text);
      text += ' ';
    }
    for (const config::Audience& audience : compiled.config->audiences) {
      const state::Membership* const m = profile.membership(state::name_id(audience.name));
      if (m == nullptr) continue;
      text += audience.name;
      text += ' ';
    }
  });
  return out;
}

// Who is not the same, and how.
std::vector<std::string> apart(const Journaled& a, const Journaled& b) {
  const auto left = picture(*a.world), right = picture(*b.world);
  CHECK(left.size() == right.size());
  std::vector<std::string> out;
  for (const auto& [person, text] : left) {
    const auto other = right.find(person);
    if (other == right.end() || other->second != text)
      out.push_back(text + " and " + (other == right.end() ? std::string("nobody") : other->second));
  }
  return out;
}

// The generator's inputs with one configuration in the place of all of its own.
std::vector<Stored> history(std::uint32_t seed, std::size_t count, const std::string& yaml) {
  std::vector<Stored> inputs = Generator(seed).inputs(count, 7);
  const std::string payload = epoch_of(yaml);
  for (Stored& one : inputs) {
    if (one.kind == InputKind::epoch) one.payload = payload;
  }
  return inputs;
}

}  // namespace

TEST_CASE("what is backfilled is what a hub has that counted from the first event on", "[past]") {
  const std::uint32_t seed = GENERATE(1U, 2U, 3U);
  const std::vector<Stored> before = history(seed, 2'500, few), whole = history(seed, 2'500, many);
  Journaled late, early;
  std::size_t next = 0;
  const auto live_on = [&](std::size_t inputs) {
    for (const std::size_t end = next + inputs; next < end; ++next) {
      late.add(before[next].stamp, before[next].kind, before[next].payload);
      early.add(whole[next].stamp, whole[next].kind, whole[next].payload);
    }
  };
  const auto both = [&](InputKind kind, const std::string& payload) {
    late.add(late.now(), kind, payload);
    early.add(late.now(), kind, payload);
  };
  live_on(1'100);
  both(InputKind::epoch, epoch_of(many));
  const std::uint64_t id = late.world->state.backfill.id;
  REQUIRE(id == late.inputs.size());
  both(InputKind::command, switch_command(id));  // too early: the configuration has not come to everybody
  REQUIRE(late.world->state.backfill.switched == 0);
  REQUIRE(early.world->state.backfill.id == 0);
  // The generator's later epochs are the old ones: only what is no epoch goes on.
  const auto go_on = [&](std::size_t inputs) {
    for (const std::size_t end = next + inputs; next < end; ++next) {
      if (before[next].kind == InputKind::epoch) continue;
      late.add(before[next].stamp, before[next].kind, before[next].payload);
      early.add(whole[next].stamp, whole[next].kind, whole[next].payload);
    }
  };
  for (Slice slice = next_slice(*late.world); slice.epoch != 0; slice = next_slice(*late.world)) {
    slice.people = 9;
    both(InputKind::command, evaluate_command(slice));
    go_on(10);
  }
  go_on(100);
  for (const auto& [person, text] : picture(*late.world)) CHECK(text.find("buyers") == std::string::npos);
  both(InputKind::command, switch_command(id));
  const std::size_t at = late.inputs.size();
  REQUIRE(late.world->state.backfill.switched == at);
  go_on(150);
  const Wanted all = wanted(*late.world);
  auto shadow = shadow_of(late, many, at);
  for (int rounds = 0; late.world->state.backfill.id != 0; ++rounds) {
    REQUIRE(rounds < 100);
    Graft graft = next_graft(*shadow, id, late.world->state.backfill.after, all.series, all.audiences);
    // A few people at a time, so that people with and without their past live side by side.
    if (graft.rows.size() > 9) {
      graft.rows.resize(9);
      graft.to = graft.rows.back().person;
    }
    std::string payload;
    graft.encode(payload);
    both(InputKind::graft, payload);
    both(InputKind::graft, payload);  // once more: it is nothing
    go_on(40);
    if (rounds != 2) continue;
    late.start_again();
    shadow = shadow_of(late, many, at);
  }
  CHECK(apart(late, early) == std::vector<std::string>{});
  // Who has been inside since before the switch has been there since the same moment.
  std::size_t compared = 0;
  for (const char* const name : {"buyers", "spenders", "cart_left", "converted", "this_week"}) {
    late.world->state.each_profile([&](const state::Profile& profile) {
      const state::Membership* const m = profile.membership(state::name_id(name));
      const state::Reading other = std::as_const(early.world->state).find(profile.id);
      const state::Membership* const same = other->membership(state::name_id(name));
      if (m == nullptr || same == nullptr || same->entered > early.inputs[at - 1].stamp) return;
      ++compared;
      CHECK((m->entered == same->entered && m->cause == same->cause));
    });
  }
  CHECK(compared > 10);
  CHECK(late.world->state.members(state::name_id("converted")) > 0);
  go_on(300);
  CHECK(apart(late, early) == std::vector<std::string>{});
  CHECK(late.world->state.members(state::name_id("buyers")) ==
        early.world->state.members(state::name_id("buyers")));
}

TEST_CASE("what waits for the past keeps what it was, and is told once the past is there", "[past]") {
  const std::string rules = testing::head + R"(
computed: { orders: events("Order Completed").count() }
audiences: { buyers: traits.orders >= 1 }
routes:
  buyers: { audience: buyers, to: lake }
  orders: { events: [Order Completed], to: lake, fields: { n: traits.orders, dear: traits.orders } }
)";
  std::string next = rules;
  const auto swap = [&](const std::string& from, const std::string& to) {
    next.replace(next.find(from), from.size(), to);
  };
  swap("orders: events(\"Order Completed\").count()",
       "orders: events(\"Order Completed\").count(), dear: 'events(\"Order Completed\").sum(e, "
       "e.properties.total)'");
  swap("traits.orders >= 1", "traits.dear > 50.0");
  swap("dear: traits.orders }", "dear: traits.dear }");
  Journaled hub;
  const auto call = [&](const std::string& user, double total) {
    const std::size_t first = hub.effects.size();
    hub.add(hub.now() + us_per_s, InputKind::event,
            testing::event_input("shop",
                                 R"({"messageId":")" + std::to_string(hub.inputs.size()) +
                                     R"(","type":"track","event":"Order Completed","userId":")" + user +
                                     R"(","properties":{"total":)" + std::to_string(total) + "}}",
                                 hub.now()));
    std::vector<std::string> out;
    for (std::size_t i = first; i < hub.effects.size(); ++i) out.push_back(testing::brief(hub.effects[i]));
    return out;
  };
  hub.add(StepBench::start, InputKind::tick, {});
  hub.add(hub.now(), InputKind::epoch, epoch_of(rules));
  call("small", 10);
  call("great", 60);
  call("grows", 40);
  const std::size_t told = hub.effects.size();
  hub.add(hub.now(), InputKind::epoch, epoch_of(next));
  hub.add(hub.now(), InputKind::command, evaluate_command(next_slice(*hub.world)));
  CHECK(hub.effects.size() == told);  // nobody has left: who is inside is not known yet
  CHECK(picture(*hub.world).size() == 3);
  for (const auto& [person, text] : picture(*hub.world)) CHECK(text.find("buyers") != std::string::npos);
  // What is not known is not said.
  CHECK(call("grows", 5) == std::vector<std::string>{R"(event lake Order Completed {"n":2})"});
  const std::uint64_t id = hub.world->state.backfill.id;
  hub.add(hub.now(), InputKind::command, switch_command(id));
  const auto shadow = shadow_of(hub, next, hub.inputs.size());
  CHECK(call("grows", 20) == std::vector<std::string>{R"(event lake Order Completed {"n":3})"});
  const Wanted all = wanted(*hub.world);
  std::string payload;
  next_graft(*shadow, id, nobody, all.series, all.audiences).encode(payload);
  const std::size_t before = hub.effects.size();
  hub.add(hub.now(), InputKind::graft, payload);
  REQUIRE(hub.world->state.backfill.id == 0);
  std::vector<std::string> after;
  for (std::size_t i = before; i < hub.effects.size(); ++i)
    after.push_back(testing::brief(hub.effects[i]) + hub.effects[i].identifiers);
  std::sort(after.begin(), after.end());
  // Who grows had left by the switch, and has come back since.
  CHECK(after == std::vector<std::string>{R"(enter lake buyers {}{"user_id":["grows"]})",
                                          R"(leave lake buyers {}{"user_id":["grows"]})",
                                          R"(leave lake buyers {}{"user_id":["small"]})"});
  CHECK(call("small", 45) == std::vector<std::string>{R"(event lake Order Completed {"n":2,"dear":55})",
                                                      R"(enter lake buyers {})"});
}

TEST_CASE("a plan counts what waits for the past as it will be when that has been read", "[past][plan]") {
  Journaled hub;
  for (const Stored& one : history(5, 1'500, few)) hub.add(one.stamp, one.kind, one.payload);
  const std::size_t end = hub.inputs.size();
  World copy(7);
  for (std::size_t n = 1; n <= end; ++n) hub.step(copy, n, nullptr);
  const TimeUs now = hub.now() + us_per_h;
  const auto plan = make_plan(copy, epoch_of(many), now, [&](const std::string& definitions, World::Shadow) {
    CHECK(definitions == epoch_of(many));
    return Result<std::unique_ptr<World>>(shadow_of(hub, many, end));
  });
  REQUIRE(plan);
  CHECK(plan.value().reads_past == std::vector<std::string>{"orders", "dear", "revenue_3d", "kinds_5d",
                                                            "last_kind", "buyers", "spenders", "cart_left",
                                                            "sleepers", "converted", "this_week", "people"});
  Journaled early;
  for (const Stored& one : history(5, 1'500, many)) early.add(one.stamp, one.kind, one.payload);
  early.add(now, InputKind::tick, {});
  std::map<std::string, std::uint64_t> sizes;
  for (const PlannedAudience& a : plan.value().audiences) sizes[a.name] = a.after;
  for (const char* const name : {"buyers", "spenders", "cart_left", "sleepers"}) {
    INFO(name);
    CHECK(sizes[name] == early.world->state.members(state::name_id(name)));
  }
  CHECK(sizes["buyers"] > 5);
  // The new list asks for the past; the other one, and the profiles, do not.
  CHECK(plan.value().records ==
        std::map<std::string, std::map<std::string, std::uint64_t>>{{"lake", {{"enter", sizes["buyers"]}}}});
}

TEST_CASE("an audience that reads what was kept already waits for nothing", "[past]") {
  StepBench hub(few);
  hub.call("'type':'track','event':'Order Completed','userId':'1'");
  std::string narrower = few;
  narrower.replace(narrower.find("\"1d\""), 4, "\"6h\"");
  hub.configure(narrower);
  CHECK(hub.world.state.backfill.id == 0);
  CHECK(hub.inside("user_id", "1", "today"));
  const std::uint64_t epoch = hub.world.state.seq + 1;
  hub.configure(few);  // what was dropped in between is not there any more
  CHECK(hub.world.state.backfill.id == epoch);
  hub.configure(narrower);
  CHECK(hub.world.state.backfill.id == 0);
  // Beside a wider window the narrow one goes on.
  std::string beside = narrower;
  beside.replace(beside.find("audiences:\n"), 11,
                 "  orders_2d: events(\"Order Completed\").within(\"2d\").count()\naudiences:\n"
                 "  lately: traits.orders_2d >= 2\n");
  hub.configure(beside);
  const view::Compiled& compiled = *hub.world.pipeline.compiled();
  CHECK(view::waiting(compiled, hub.world.state.backfill).names(compiled) ==
        std::vector<std::string>{"orders_2d", "lately"});
  hub.call("'type':'track','event':'Order Completed','userId':'2'");
  CHECK(hub.inside("user_id", "2", "today"));
  hub.wait(7 * us_per_h);
  CHECK_FALSE(hub.inside("user_id", "2", "today"));
}

}  // namespace sluice::hub
