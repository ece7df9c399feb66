// What `sluice plan` says is what applying does: person by person, and record by record.
#include "hub/plan.hpp"

#include <catch2/catch.hpp>

#include "hub/generated.hpp"

namespace sluice::hub {
namespace {

using testing::epoch_of;
using testing::Generator;
using testing::StepBench;
using testing::Stored;

using Members = std::map<std::string, std::set<ProfileId>>;

std::unique_ptr<World> lived(std::uint32_t seed, std::size_t inputs) {
  auto world = std::make_unique<World>(7);
  for (const Stored& stored : Generator(seed).inputs(inputs, 7)) {
    StepOutput out;
    REQUIRE(world->step({world->state.seq + 1, stored.stamp, stored.kind, false, stored.payload}, out));
  }
  return world;
}

Members members_of(const World& world) {
  Members out;
  for (const auto& audience : world.pipeline.compiled()->config->audiences) {
    const state::NameId id = state::name_id(audience.name);
    world.state.each_profile([&](const state::Profile& profile) {
      if (profile.membership(id) != nullptr) out[audience.name].insert(profile.id);
    });
  }
  return out;
}

Result<std::unique_ptr<World>> no_past(const std::string&, World::Shadow) {
  FAIL("nothing of this waits for the past");
  return Error{Code::rejected, ""};
}

const std::string next_rules = testing::head + R"(
computed:
  orders: events("Order Completed").count()
  revenue: events("Order Completed").sum(e, e.properties.total)
  revenue_3d: events("Order Completed").within("3d").sum(e, e.properties.total)
  spent: traits.revenue * 2.0
audiences:
  buyers: traits.orders >= 2
  spenders: traits.revenue_3d > 40.0
  rich: traits.spent > 100.0
routes:
  people: { profiles: has(traits.city), to: lake, fields: { city: traits.city, spent: traits.spent } }
  rich: { audience: rich, to: lake, backfill: true }
)";

}  // namespace

TEST_CASE("a plan says who enters and leaves and what is sent, and applying does just that", "[plan]") {
  const auto planned = lived(4, 3'000), applied = lived(4, 3'000);
  const TimeUs now = planned->state.now + us_per_h;
  const auto made = make_plan(*planned, epoch_of(next_rules), now, no_past);
  REQUIRE(made);
  const Plan& plan = made.value();
  CHECK(plan.input == applied->state.seq);
  CHECK(plan.people == applied->state.profiles());

  StepOutput passed, out;
  REQUIRE(applied->step({applied->state.seq + 1, now, InputKind::tick, false, {}}, passed));
  Members before = members_of(*applied);
  REQUIRE(applied->step({applied->state.seq + 1, now, InputKind::epoch, false, epoch_of(next_rules)}, out));
  std::size_t slices = 0;
  for (Slice slice = next_slice(*applied); slice.epoch != 0; slice = next_slice(*applied), ++slices) {
    slice.people = 7;
    const std::string payload = evaluate_command(slice);
    REQUIRE(applied->step({applied->state.seq + 1, now, InputKind::command, false, payload}, out));
  }
  CHECK(slices > 5);
  Members after = members_of(*applied);
  std::map<std::string, std::map<std::string, std::uint64_t>> sent;
  for (const Effect& effect : out.effects)
    ++sent[std::string(effect.destination)][std::string(name_of(effect.op))];
  CHECK(plan.records == sent);
  CHECK(!sent["lake"].empty());

  std::set<std::string> named;
  for (const PlannedAudience& a : plan.audiences) {
    INFO(a.name);
    named.insert(a.name);
    const std::set<ProfileId>&was = before[a.name], &is = after[a.name];
    std::vector<ProfileId> enter, leave;
    std::set_difference(is.begin(), is.end(), was.begin(), was.end(), std::back_inserter(enter));
    std::set_difference(was.begin(), was.end(), is.begin(), is.end(), std::back_inserter(leave));
    CHECK((a.before == was.size() && a.after == is.size()));
    CHECK((a.enter == enter.size() && a.leave == leave.size()));
    enter.resize(std::min(enter.size(), plan_samples_max));
    leave.resize(std::min(leave.size(), plan_samples_max));
    CHECK((a.entering == enter && a.leaving == leave));
  }
  // What is not named stays as it is.
  for (const auto& [name, is] : after) CHECK((named.contains(name) || before[name] == is));
  CHECK(named.contains("rich"));
  CHECK(named.contains("cart_left"));  // it goes: everybody leaves
}

TEST_CASE("a plan names computed traits that would have another value, and for whom", "[plan]") {
  const std::string rules = R"(
version: 1
sources: { shop: { plugin: tracking, with: { write_key: "${K}" } } }
destinations: { lake: { plugin: file, purpose: internal, with: {} } }
computed: { twice: traits.n * 2.0, same: traits.n + 1.0 }
)";
  StepBench hub(rules);
  hub.call("'type':'identify','userId':'1','traits':{'n':1.0}");
  hub.call("'type':'identify','userId':'2','traits':{'n':0.0}");
  std::string next = rules;
  next.replace(next.find("2.0"), 3, "3.0");
  const auto made = make_plan(hub.world, epoch_of(next), hub.now, no_past);
  REQUIRE(made);
  REQUIRE(made.value().computed.size() == 1);
  CHECK(made.value().computed[0].name == "twice");
  CHECK(made.value().computed[0].changed == 1);  // twice nothing is thrice nothing
  CHECK(made.value().computed[0].people == std::vector{hub.person("user_id", "1")->id});
}

TEST_CASE("a plan counts who is inside a workflow, and whose step is gone", "[plan]") {
  const auto rules = [](const std::string& steps) {
    return R"(
version: 1
sources: { shop: { plugin: tracking, with: { write_key: "${K}" } } }
destinations: { mail: { plugin: smtp, purpose: internal, with: {} } }
workflows: { hello: { trigger: { event: Add }, steps: [ )" +
           steps + " ] } }\n";
  };
  StepBench hub(rules("{ id: day, wait: 1d }, { send: mail }, { id: week, wait: 7d }, { send: mail }"));
  hub.call("'type':'track','event':'Add','userId':'1'");
  hub.wait(2 * us_per_d);
  hub.call("'type':'track','event':'Add','userId':'2'");
  const auto made =
      make_plan(hub.world, epoch_of(rules("{ id: week, wait: 6d }, { send: mail }")), hub.now, no_past);
  REQUIRE(made);
  REQUIRE(made.value().workflows.size() == 1);
  CHECK(made.value().workflows[0].waiting == 2);
  CHECK(made.value().workflows[0].end == 1);  // who waits for the day
}

TEST_CASE("a plan of what runs already says that nothing changes", "[plan]") {
  const auto world = lived(5, 500);
  const auto made = make_plan(*world, world->epoch, 0, no_past);
  REQUIRE(made);
  CHECK(made.value().differences.empty());
  CHECK(made.value().records.empty());
  CHECK(made.value().audiences.empty());
}

TEST_CASE("without a hub's data there is nothing to plan against", "[plan]") {
  World empty(7);
  const auto made = make_plan(empty, epoch_of(next_rules), 0, no_past);
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Code::misconfigured);
}

namespace {

std::string with_rules(const std::string& user, const std::string& email) {
  std::string yaml = testing::first_epoch;
  yaml.insert(yaml.find("consent:\n  unknown"), "identity:\n  - { id: user_id, at_most: " + user +
                                                    " }\n  - { id: email, " + email +
                                                    " }\n  - { id: anonymous_id, at_most: 100 }\n");
  return yaml;
}

// A shop's weeks under these rules alone.
std::unique_ptr<World> lived_by(const std::vector<Stored>& inputs, const std::string& yaml, World::Shadow by,
                                const std::string& definitions = {}) {
  auto world = std::make_unique<World>(7, definitions, by);
  for (const Stored& stored : inputs) {
    StepOutput out;
    if (stored.kind == InputKind::command) continue;
    const std::string payload = stored.kind == InputKind::epoch ? epoch_of(yaml) : stored.payload;
    REQUIRE(world->step({world->state.seq + 1, stored.stamp, stored.kind, false, payload}, out));
  }
  return world;
}

}  // namespace

TEST_CASE("other identity rules are tried on the history: the people are those that they would have made",
          "[plan]") {
  const std::vector<Stored> inputs = Generator(5).inputs(2'000, 7);
  const std::string few = with_rules("1", "at_most: 1"), many = with_rules("1", "at_most: 5");
  for (const auto& [was, next] : {std::pair{few, many}, std::pair{many, few}}) {
    const auto world = lived_by(inputs, was, World::Shadow::definitions);
    const std::uint64_t before = world->state.profiles();
    const auto would = lived_by(inputs, next, World::Shadow::definitions);
    const auto made =
        make_plan(*world, epoch_of(next), 0, [&](const std::string& definitions, World::Shadow by) {
          return Result<std::unique_ptr<World>>(lived_by(inputs, was, by, definitions));
        });
    REQUIRE(made);
    const PlannedIdentity& identity = made.value().identity;
    CHECK(identity.tried);
    CHECK(before - identity.joined + identity.parted == would->state.profiles());
    CHECK(identity.joined + identity.parted > 0);
    for (const PlannedIdentity::Joined& one : identity.joining) {
      INFO(format_profile_id(one.people[0]) << ' ' << one.input);
      CHECK(one.people.size() > 1);
      CHECK_FALSE(one.by.empty());
    }
    const bool fewer = next == many;
    CHECK((fewer ? identity.joining.empty() : identity.parting.empty()) == false);
    // Applying them changes nobody.
    CHECK(world->state.profiles() == before);
  }
  const auto same = lived_by(inputs, few, World::Shadow::definitions);
  const auto made = make_plan(*same, epoch_of(few + "\n# the same\n"), 0, no_past);
  REQUIRE(made);
  CHECK_FALSE(made.value().identity.tried);
}

}  // namespace sluice::hub
