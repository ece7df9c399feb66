// An identifier that joins too many people too fast joins no more, until an operator lets it.
#include <algorithm>

#include "hub/step_bench.hpp"

namespace sluice::hub {
namespace {

using testing::StepBench;

const std::string yaml = R"(
version: 1
sources: { shop: { plugin: tracking, with: { write_key: "${K}" } } }
identity:
  - { id: user_id, at_most: 1 }
  - { id: email, at_most: 100, normalize: email, joins: 3 per 1d }
  - { id: anonymous_id, at_most: 1000, joins: 3 per 1h }
)";

struct Shop : StepBench {
  Shop() : StepBench(yaml) {}
  // A visitor of their own who then gives the address that others gave, too.
  void share(const std::string& visitor, const std::string& email) {
    call("'type':'page','anonymousId':'" + visitor + "'");
    call("'type':'identify','anonymousId':'" + visitor + "','traits':{'email':'" + email + "'}");
  }
  void log_in(const std::string& user, const std::string& kiosk) {
    call("'type':'identify','userId':'" + user + "','anonymousId':'" + kiosk + "'");
  }
  bool quarantined(std::string_view type, std::string_view value) {
    return world.state.is_quarantined(state::name_id(type), value);
  }
  std::size_t same(const std::string& email) {
    const state::Profile* p = person("email", email);
    return p == nullptr ? 0 : p->identifiers.size();
  }
};

}  // namespace

TEST_CASE(
    "an address that joins more people than its rule allows is quarantined, and who gives it next stays "
    "alone") {
  Shop hub;
  hub.share("v0", "desk@shop.example");
  for (int i = 1; i <= 3; ++i) hub.share("v" + std::to_string(i), "desk@shop.example");
  CHECK_FALSE(hub.quarantined("email", "desk@shop.example"));
  hub.share("v4", "desk@shop.example");
  CHECK(hub.quarantined("email", "desk@shop.example"));
  const std::size_t before = hub.same("desk@shop.example");
  hub.share("v5", "desk@shop.example");
  CHECK(hub.same("desk@shop.example") == before);
  CHECK(hub.person("anonymous_id", "v5") != hub.person("email", "desk@shop.example"));
}

TEST_CASE(
    "two who meet again and again count once, and what lies further back than the rule counts no more") {
  Shop hub;
  for (int round = 0; round < 20; ++round) {
    hub.log_in("ada", "kiosk");
    hub.log_in("bob", "kiosk");
  }
  CHECK_FALSE(hub.quarantined("anonymous_id", "kiosk"));
  for (int i = 0; i < 20; ++i) {
    hub.wait(us_per_h);
    hub.log_in("u" + std::to_string(i), "kiosk");
  }
  CHECK_FALSE(hub.quarantined("anonymous_id", "kiosk"));
}

TEST_CASE("a kiosk's id, which a limit keeps from joining its customers, is quarantined for trying") {
  Shop hub;
  for (int i = 0; i <= 4; ++i) hub.log_in("u" + std::to_string(i), "kiosk");
  CHECK(hub.quarantined("anonymous_id", "kiosk"));
  const auto* first = hub.person("user_id", "u0");
  hub.call("'type':'page','anonymousId':'kiosk'");
  CHECK(hub.person("anonymous_id", "kiosk") == first);
}

TEST_CASE("a released identifier joins again, and is counted from nothing") {
  Shop hub;
  for (int i = 0; i <= 4; ++i) hub.share("v" + std::to_string(i), "desk@shop.example");
  REQUIRE(hub.quarantined("email", "desk@shop.example"));
  hub.input(InputKind::command, R"({"command":"release","type":"email","value":"desk@shop.example"})");
  CHECK_FALSE(hub.quarantined("email", "desk@shop.example"));
  hub.share("v9", "desk@shop.example");
  CHECK(hub.person("anonymous_id", "v9") == hub.person("email", "desk@shop.example"));
  CHECK_FALSE(hub.quarantined("email", "desk@shop.example"));
}

TEST_CASE("what identifiers have joined comes back from checkpoints, also what a delta took away") {
  Shop hub;
  for (int i = 0; i <= 4; ++i) hub.share("v" + std::to_string(i), "desk@shop.example");
  hub.log_in("ada", "kiosk");
  hub.log_in("bob", "kiosk");
  std::map<std::pair<state::Table, std::string>, std::string> rows;
  const auto write = [&](bool all) {
    hub.world.state.begin_checkpoint(
        all, [&](state::Table t, std::string_view key, std::string_view value, bool gone) {
          if (gone) {
            rows.erase({t, std::string(key)});
          } else {
            rows[{t, std::string(key)}] = value;
          }
        });
    while (!hub.world.state.continue_checkpoint(1'000)) {
    }
  };
  const auto restored = [&] {
    World world(7);
    for (const auto& [at, value] : rows) REQUIRE(world.state.restore_row(at.first, at.second, value));
    REQUIRE(world.state.finish_restore());
    return std::make_pair(world.state.hash(), world.state.quarantine().size());
  };
  write(true);
  CHECK(restored() == std::make_pair(hub.world.state.hash(), std::size_t{1}));
  hub.input(InputKind::command, R"({"command":"release","type":"email","value":"desk@shop.example"})");
  write(false);
  CHECK(restored() == std::make_pair(hub.world.state.hash(), std::size_t{0}));
  hub.wait(8 * us_per_d);  // the kiosk's is forgotten with the next that joins
  hub.log_in("cid", "other");
  hub.log_in("dan", "other");
  write(false);
  CHECK(restored().first == hub.world.state.hash());
  CHECK(std::none_of(rows.begin(), rows.end(), [](const auto& row) {
    return row.first.first == state::Table::joins && row.second.find("kiosk") != std::string::npos;
  }));
}

}  // namespace sluice::hub
