// Accounts: what `group` calls say of them, and what their members' conditions read.
#include <algorithm>

#include "hub/step_bench.hpp"

namespace sluice::hub {
namespace {

using testing::StepBench;

const std::string yaml = R"(
version: 1
sources:
  shop: { plugin: tracking, with: { write_key: "${K}" } }
  page: { plugin: tracking, trust: public, with: { write_key: "${P}" } }
audiences:
  enterprise: account.plan == "enterprise"
  big_team: account.members >= 3.0
  of_acme: account.id == "acme" && traits.role == "buyer"
routes:
  enterprise: { audience: enterprise, to: lake }
destinations: { lake: { plugin: file, purpose: internal, with: {} } }
)";

struct Accounts : StepBench {
  Accounts() : StepBench(yaml) {}
  std::vector<std::string> group(const std::string& user, const std::string& account,
                                 const std::string& traits = "{}", std::string_view source = "shop") {
    now += us_per_s;
    return call("'type':'group','userId':'" + user + "','groupId':'" + account + "','traits':" + traits,
                source);
  }
  bool in(const std::string& user, std::string_view audience) { return inside("user_id", user, audience); }
  std::size_t members(const std::string& audience) { return world.state.members(state::name_id(audience)); }
};

}  // namespace

TEST_CASE("a person's conditions read the traits of their account, its id and how many members it has") {
  Accounts hub;
  CHECK(hub.group("ada", "acme", "{'plan':'enterprise'}") ==
        std::vector<std::string>{"enter lake enterprise {}"});
  hub.call("'type':'identify','userId':'ada','traits':{'role':'buyer'}");
  CHECK(hub.in("ada", "enterprise"));
  CHECK(hub.in("ada", "of_acme"));
  hub.group("bob", "acme");
  CHECK(hub.in("bob", "enterprise"));
  CHECK_FALSE(hub.in("bob", "of_acme"));
  CHECK_FALSE(hub.in("ada", "big_team"));
  hub.group("cid", "acme");
  for (const char* user : {"ada", "bob", "cid"}) CHECK(hub.in(user, "big_team"));
}

TEST_CASE("an account's trait that changes moves all its members, and only them") {
  Accounts hub;
  for (const char* user : {"ada", "bob"}) hub.group(user, "acme");
  hub.group("eve", "other", "{'plan':'enterprise'}");
  const auto caused = hub.group("ada", "acme", "{'plan':'enterprise'}");
  CHECK(caused.size() == 2);
  CHECK(hub.members("enterprise") == 3);
  hub.group("ada", "acme", "{'plan':null}");
  CHECK(hub.members("enterprise") == 1);
  CHECK(hub.in("eve", "enterprise"));
}

TEST_CASE("a person belongs to the account of the newest call, and the one before has a member less") {
  Accounts hub;
  for (const char* user : {"ada", "bob", "cid"}) hub.group(user, "acme");
  CHECK(hub.in("bob", "big_team"));
  hub.group("ada", "other", "{'plan':'enterprise'}");
  CHECK(hub.in("ada", "enterprise"));
  CHECK_FALSE(hub.in("bob", "big_team"));
  CHECK(hub.world.state.find_account("acme")->members.size() == 2);
}

TEST_CASE(
    "a page neither overwrites what a server said of an account nor moves a person whom a server put there") {
  Accounts hub;
  hub.group("ada", "acme", "{'plan':'free'}");
  hub.group("ada", "acme", "{'plan':'enterprise'}", "page");
  CHECK_FALSE(hub.in("ada", "enterprise"));
  hub.group("eve", "other", "{'plan':'enterprise'}");
  hub.group("ada", "other", "{}", "page");
  CHECK_FALSE(hub.in("ada", "enterprise"));
}

TEST_CASE("two people who become one belong to one account, and count once") {
  Accounts hub;
  hub.now += us_per_s;
  hub.call("'type':'group','anonymousId':'a-1','groupId':'acme','traits':{'plan':'enterprise'}");
  hub.group("bob", "acme");
  hub.group("cid", "acme");
  CHECK(hub.in("bob", "big_team"));
  hub.call("'type':'identify','userId':'bob','anonymousId':'a-1'");
  CHECK(hub.world.state.find_account("acme")->members.size() == 2);
  CHECK_FALSE(hub.in("bob", "big_team"));
  CHECK(hub.in("bob", "enterprise"));
}

TEST_CASE(
    "an account of many members is worked off in slices, and ticks are due until all have been looked at") {
  Accounts hub;
  constexpr int members = 1'000;
  for (int i = 0; i < members; ++i) hub.group("u" + std::to_string(i), "acme");
  for (int quiet = 0; hub.world.pipeline.next_due() <= hub.now && quiet < 100; ++quiet) hub.wait(1);
  hub.group("u0", "acme", "{'plan':'enterprise'}");
  const std::size_t first = hub.members("enterprise");
  CHECK(first < members);
  CHECK(hub.world.pipeline.next_due() <= hub.now);
  int ticks = 0;
  for (; hub.world.pipeline.next_due() <= hub.now && ticks < 100; ++ticks) hub.wait(1);
  CHECK(ticks <= 4);
  CHECK(hub.members("enterprise") == members);
}

TEST_CASE("accounts come back from a checkpoint as they were, in the middle of a slice too") {
  Accounts hub;
  for (int i = 0; i < 600; ++i) hub.group("u" + std::to_string(i), "acme");
  hub.group("u0", "acme", "{'plan':'enterprise'}");
  World restored(7);
  hub.world.state.begin_checkpoint(
      true, [&](state::Table table, std::string_view key, std::string_view value, bool) {
        REQUIRE(restored.state.restore_row(table, key, value));
      });
  while (!hub.world.state.continue_checkpoint(1'000)) {
  }
  REQUIRE(restored.state.finish_restore());
  CHECK(restored.state.hash() == hub.world.state.hash());
  const state::Account* account = restored.state.find_account("acme");
  REQUIRE(account != nullptr);
  CHECK(account->members.size() == 600);
  CHECK(account->due);
  CHECK(restored.state.due_account() == account);
}

}  // namespace sluice::hub
