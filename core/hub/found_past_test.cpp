// Whom the past that was read again puts into an audience with `backfill: trigger`; and what a plan says of
// it.
#include <algorithm>
#include <map>
#include <set>

#include <catch2/catch.hpp>

#include "hub/found_bench.hpp"
#include "hub/graft.hpp"
#include "hub/journaled.hpp"
#include "hub/plan.hpp"

namespace sluice::hub {
namespace {

using testing::epoch_of;
using testing::Generator;
using testing::Journaled;
using testing::Mails;
using testing::mails_of;
using testing::rules;
using testing::shadow_of;
using testing::StepBench;
using testing::Stored;

// A shop whose orders nobody has counted, and what wants to know of them.
struct Shop : Journaled {
  explicit Shop(const std::string& yaml) {
    add(StepBench::start, InputKind::tick, {});
    add(now(), InputKind::epoch, epoch_of(yaml));
  }
  void order(const std::string& user, double total) {
    add(now() + us_per_s, InputKind::event,
        testing::event_input("shop",
                             R"({"messageId":")" + std::to_string(inputs.size()) +
                                 R"(","type":"track","event":"Order Completed","userId":")" + user +
                                 R"(","properties":{"total":)" + std::to_string(total) + "}}",
                             now()));
  }
  // And lets it come to everybody.
  void configure(const std::string& yaml) {
    add(now() + us_per_s, InputKind::epoch, epoch_of(yaml));
    while (walk_on()) {
    }
  }
  void begin_hand_over(const std::string& yaml) {
    wanted_ = wanted(*world);
    id_ = world->state.backfill.id;
    add(now(), InputKind::command, switch_command(id_));
    shadow_ = shadow_of(*this, yaml, inputs.size());
  }
  // So many people get their past, or all who are left.
  void hand_over(std::size_t people = SIZE_MAX) {
    while (world->state.backfill.id == id_ && people > 0) {
      Graft graft = next_graft(*shadow_, id_, world->state.backfill.after, wanted_.series, wanted_.audiences);
      if (graft.rows.size() > people) {
        graft.rows.resize(people);
        graft.to = graft.rows.back().person;
      }
      people -= std::min(people, std::max<std::size_t>(graft.rows.size(), 1));
      std::string payload;
      graft.encode(payload);
      add(now(), InputKind::graft, payload);
      add(now(), InputKind::graft, payload);  // once more: it is nothing
    }
  }
  Mails mails() const { return mails_of(effects); }

 private:
  Wanted wanted_;
  std::uint64_t id_ = 0;
  std::unique_ptr<World> shadow_;
};

const std::string counts = "computed: { spent: 'events(\"Order Completed\").sum(e, e.properties.total)' }\n";
std::string spenders(const std::string& how, const std::string& more = {}) {
  return rules("  vip: { where: traits.spent > 50.0" + how + " }", more, counts);
}

}  // namespace

TEST_CASE("whom the past puts into an audience starts its workflow where the audience says so",
          "[found][past]") {
  for (const bool says_so : {false, true}) {
    INFO(says_so);
    const std::string next = spenders(says_so ? ", backfill: trigger" : "");
    Shop hub(testing::head);
    hub.order("great", 60);
    hub.order("small", 10);
    hub.order("back", 90);
    hub.configure(next);
    hub.order("great", 1);
    CHECK(hub.mails().empty());
    hub.begin_hand_over(next);
    hub.order("back", -80);  // has left by the time that the past is there
    hub.order("small", 45);  // enters by what happens, as ever
    hub.hand_over();
    REQUIRE(hub.world->state.backfill.id == 0);
    CHECK(hub.mails() == (says_so ? Mails{{"great", 1}, {"small", 1}} : Mails{{"small", 1}}));
    hub.start_again();
  }
}

TEST_CASE(
    "started again in the middle, or with another file in the middle, nobody is started twice or forgotten",
    "[found][past]") {
  const bool another_file = GENERATE(false, true);
  const std::string again = "    again: { after: 0s }\n";
  const std::string next = spenders(", backfill: trigger", again);
  std::string other = spenders(", backfill: trigger", again);
  other.replace(other.find("audiences:\n"), 11,
                "  orders: events(\"Order Completed\").count()\naudiences:\n  often: traits.orders > 5\n");
  other.replace(other.find(counts), counts.size(),
                "computed:\n  spent: events(\"Order Completed\").sum(e, e.properties.total)\n");
  Shop hub(testing::head);
  Mails expected;
  for (int n = 0; n < 40; ++n) {
    hub.order("u" + std::to_string(n), n % 4 == 0 ? 10 : 60);
    if (n % 4 != 0) expected["u" + std::to_string(n)] = 1;
  }
  hub.configure(next);
  hub.begin_hand_over(next);
  hub.hand_over(15);
  REQUIRE(hub.world->state.backfill.id != 0);
  const std::size_t before = hub.mails().size();
  CHECK(before > 5);
  CHECK(before < 16);
  if (another_file) {
    hub.configure(other);
    REQUIRE(hub.world->state.backfill.after == nobody);  // it begins anew
    CHECK(hub.mails().size() == before);
    hub.begin_hand_over(other);
    hub.hand_over(15);
  }
  hub.start_again();
  hub.hand_over();
  CHECK(hub.mails() == expected);
}

TEST_CASE("a message to found people waits until what it says is known", "[found][past]") {
  std::string next =
      rules("  vip: { where: traits.n > 0.0, backfill: trigger }", "    where: traits.spent > 5.0", counts);
  next.replace(next.find("traits.n }}"), 11, "traits.spent }}");
  Shop hub(testing::head);
  hub.order("great", 60);
  hub.order("small", 1);
  for (const char* const user : {"great", "small"}) {
    hub.add(hub.now(), InputKind::event,
            testing::event_input("shop",
                                 std::string(R"({"type":"identify","messageId":")") + user +
                                     R"(","userId":")" + user + R"(","traits":{"n":1}})",
                                 hub.now()));
  }
  hub.configure(next);
  CHECK(hub.world->state.members(state::name_id("vip")) == 2);  // it does not read what waits
  CHECK(hub.mails().empty());
  CHECK_FALSE(hub.world->pipeline.found_left());  // it asks for no ticks meanwhile
  hub.order("great", 10);                         // nor does what they do meanwhile start it
  CHECK(hub.mails().empty());
  SECTION("under the same file") {
    hub.begin_hand_over(next);
    hub.hand_over();
  }
  SECTION("under one by which the audience itself waits for the past") {
    next.replace(next.find("traits.n > 0.0"), 14, "traits.n > 0.0 && traits.spent > 0.0");
    hub.configure(next);
    hub.begin_hand_over(next);
    hub.hand_over();
  }
  CHECK(hub.mails() == Mails{{"great", 1}});
  const auto mail = std::find_if(hub.effects.begin(), hub.effects.end(),
                                 [](const Effect& e) { return e.op == Operation::message; });
  REQUIRE(mail != hub.effects.end());
  CHECK(mail->payload.find(" 70\"}") != std::string::npos);
  hub.start_again();
}

TEST_CASE("who becomes somebody else brings along what is still to start", "[found][past]") {
  const std::string next = rules("  vip: { where: traits.n > 0.0, backfill: trigger }", {}, counts);
  Shop hub(testing::head);
  const auto says = [&](const std::string& who, const std::string& more) {
    hub.add(hub.now() + us_per_s, InputKind::event,
            testing::event_input("shop",
                                 R"({"type":"identify","messageId":")" + std::to_string(hub.inputs.size()) +
                                     "\"," + who + more + '}',
                                 hub.now()));
  };
  says(R"("userId":"u")", R"(,"traits":{"n":-1})");
  says(R"("anonymousId":"a")", R"(,"traits":{"n":5})");
  hub.configure(next);
  REQUIRE(hub.world->state.members(state::name_id("vip")) == 1);  // the visitor
  says(R"("userId":"u","anonymousId":"a")", "");
  REQUIRE(hub.world->state.profiles() == 1);
  CHECK(hub.mails().empty());
  hub.begin_hand_over(next);
  hub.hand_over();
  CHECK(hub.mails() == Mails{{"u", 1}});
  hub.start_again();
}

TEST_CASE("the past is not handed over before the configuration has come to everybody", "[past][walk]") {
  Shop hub(testing::head);
  hub.order("great", 60);
  const std::string next = spenders("");
  hub.add(hub.now(), InputKind::epoch, epoch_of(next));
  const auto shadow = shadow_of(hub, next, hub.inputs.size());
  const auto nothing = [](const StepOutput&) {};
  REQUIRE_FALSE(graft_all(*hub.world, *shadow, hub.now(), nothing));
  REQUIRE(evaluate_all(*hub.world, hub.now(), nothing));
  CHECK(graft_all(*hub.world, *shadow_of(hub, next, hub.inputs.size()), hub.now(), nothing));
  CHECK(hub.world->state.backfill.id == 0);
}

TEST_CASE("a plan says for how many people each workflow starts, and applying starts it for just these",
          "[found][plan]") {
  const std::string before = testing::head + "audiences: { here: has(traits.city) }\n";
  const std::string next = testing::head + counts + R"(
audiences:
  here: has(traits.city)
  spender: { where: traits.spent > 100.0, backfill: trigger }
  buyer: { where: traits.spent > 0.0 }
  known: { where: has(traits.city), backfill: trigger }
workflows:
  thanks: { trigger: { enters: spender }, steps: [ { send: mail, purpose: service } ] }
  news: { trigger: { enters: known }, where: traits.spent > 10.0, steps: [ { send: mail } ] }
  later: { trigger: { enters: known }, again: { after: 0s }, steps: [ { wait: 1d }, { send: mail } ] }
  nothing: { trigger: { enters: buyer }, steps: [ { send: mail } ] }
)";
  Journaled hub;
  for (Stored& one : Generator(9).inputs(2'500, 7)) {
    if (one.kind == InputKind::epoch) one.payload = epoch_of(before);
    hub.add(one.stamp, one.kind, std::move(one.payload));
  }
  const std::size_t end = hub.inputs.size();
  World copy(7);
  for (std::size_t n = 1; n <= end; ++n) hub.step(copy, n, nullptr);
  const TimeUs now = hub.now() + us_per_h;
  const auto made = make_plan(copy, epoch_of(next), now, [&](const std::string&, World::Shadow) {
    return Result<std::unique_ptr<World>>(shadow_of(hub, next, end));
  });
  REQUIRE(made);

  hub.add(now, InputKind::tick, {});
  hub.effects.clear();
  hub.add(now, InputKind::epoch, epoch_of(next));
  while (hub.walk_on(9)) {
  }
  const Wanted all = wanted(*hub.world);
  const std::uint64_t id = hub.world->state.backfill.id;
  hub.add(now, InputKind::command, switch_command(id));
  const auto shadow = shadow_of(hub, next, hub.inputs.size());
  while (hub.world->state.backfill.id != 0) {
    std::string payload;
    next_graft(*shadow, id, hub.world->state.backfill.after, all.series, all.audiences).encode(payload);
    hub.add(now, InputKind::graft, payload);
  }
  while (hub.world->pipeline.found_left()) hub.add(now, InputKind::tick, {});
  std::map<std::string, std::set<ProfileId>> started;
  std::map<std::string, std::uint64_t> messages;
  hub.world->state.each_profile([&](const state::Profile& profile) {
    for (const state::Started& one : profile.started)
      started[std::string(hub.world->state.name(one.workflow))].insert(profile.id);
  });
  for (const Effect& effect : hub.effects) {
    if (effect.op == Operation::message) ++messages[effect.route];
  }
  std::set<std::string> named;
  for (const PlannedWorkflow& workflow : made.value().workflows) {
    INFO(workflow.name);
    named.insert(workflow.name);
    const std::set<ProfileId>& people = started[workflow.name];
    CHECK(workflow.start == people.size());
    CHECK(workflow.start > 2);
    CHECK(workflow.messages == messages[workflow.name]);
    CHECK(workflow.audience == (workflow.name == "thanks" ? "spender" : "known"));
    std::vector<ProfileId> some(people.begin(), people.end());
    some.resize(std::min(some.size(), plan_samples_max));
    CHECK(workflow.starting == some);
  }
  CHECK(named == std::set<std::string>{"thanks", "news", "later"});
  CHECK(started.size() == 3);
  CHECK(messages["thanks"] > 0);
  CHECK(messages["news"] < started["news"].size());  // some have not allowed it
  CHECK(messages["later"] == 0);                     // after the wait
}

}  // namespace sluice::hub
