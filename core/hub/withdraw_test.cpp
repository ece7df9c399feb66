// `deleted: drop_source`: what a source said of a person goes with its last record of that person.
#include <algorithm>

#include "hub/step_bench.hpp"

namespace sluice::hub {
namespace {

using testing::StepBench;
using Briefs = std::vector<std::string>;

const std::string yaml = R"(
version: 1
sources:
  shop: { plugin: tracking, with: { write_key: "${K}" }, consent: { news: News } }
  crm:
    plugin: csv
    streams:
      Contact:
        as: identify
        ids: { user_id: row.user, email: row.email }
        traits: { city: row.city, name: row.name }
        consent: { news: row.news }
        deleted: drop_source
      Lead: { as: identify, ids: { user_id: row.user }, traits: { level: row.level }, deleted: drop_source }
      Note: { as: identify, ids: { user_id: row.user }, traits: { note: row.note } }
consent: { purposes: { news: { channel: email, basis: consent } } }
audiences: { named: has(traits.name) }
routes:
  people: { profiles: has(traits.name), to: lake, on_leave: delete, fields: { city: traits.city } }
  named: { audience: named, to: lake }
destinations: { lake: { plugin: file, purpose: internal, with: {} } }
)";

struct Crm : StepBench {
  Crm() : StepBench(yaml) {}
  Briefs row(const std::string& stream, const std::string& entity, std::string payload,
             bool deleted = false) {
    for (char& c : payload) c = c == '\'' ? '"' : c;
    RecordInput record;
    const std::string key = entity + '@' + std::to_string(world.state.seq);
    record.source = "crm";
    record.stream = stream;
    record.entity = entity;
    record.key = key;
    record.time = ++now;
    record.deleted = deleted;
    record.payload = payload;
    std::string bytes;
    record.encode(bytes);
    return input(InputKind::record, bytes);
  }
  Briefs gone(const std::string& stream, const std::string& entity) {
    return row(stream, entity, "{}", true);
  }
  std::string traits(const std::string& user) {
    std::string out;
    for (const state::Trait& t : person("user_id", user)->traits)
      out += std::string(world.state.name(t.name)) + ' ';
    return out;
  }
};

const std::string ada = "{'user':'ada','email':'ada@acme.test','city':'Lyon','name':'Ada','news':'yes'}";

}  // namespace

TEST_CASE(
    "a deleted record withdraws its source's traits, its consent and the identifiers that only it knew") {
  Crm hub;
  hub.row("Contact", "c1", ada);
  hub.call("'type':'identify','userId':'ada','traits':{'color':'red'}");
  CHECK(hub.traits("ada") == "city name color ");
  CHECK(hub.inside("user_id", "ada", "named"));
  const Briefs said = hub.gone("Contact", "c1");
  CHECK(hub.traits("ada") == "color ");
  CHECK_FALSE(hub.inside("user_id", "ada", "named"));
  CHECK(hub.person("email", "ada@acme.test") == nullptr);
  // They are told by the identifiers that they know.
  REQUIRE(said == Briefs{"leave lake named {}", "delete lake people {}"});
  CHECK(hub.effects.back().identifiers.find("ada@acme.test") != std::string::npos);
  REQUIRE(hub.gate.size() == 1);
  CHECK((hub.gate[0].kind == GateChange::Kind::deny && hub.gate[0].purpose == "news"));
  CHECK_FALSE(hub.person("user_id", "ada")->consents.at(0).granted);
  // The address is free for whoever has it next.
  hub.call("'type':'identify','userId':'bo','traits':{'email':'ada@acme.test'}");
  CHECK(hub.person("email", "ada@acme.test") == hub.person("user_id", "bo"));
}

TEST_CASE("as long as the source has another record of the person nothing is withdrawn") {
  Crm hub;
  hub.row("Contact", "c1", ada);
  hub.row("Contact", "c2", ada);
  hub.row("Lead", "l1", "{'user':'ada','level':3}");
  CHECK(hub.gone("Contact", "c1").empty());
  CHECK(hub.gone("Lead", "l1").empty());
  CHECK(hub.traits("ada") == "city name level ");
  CHECK(hub.gone("Contact", "c2").size() == 2);
  CHECK(hub.world.state.find_by(state::name_id("user_id"), "ada") == nullptr);
}

TEST_CASE("a stream that ignores deletions withdraws nothing, nor does a record that nobody has seen") {
  Crm hub;
  hub.row("Note", "n1", "{'user':'ada','note':'x'}");
  hub.gone("Note", "n1");
  hub.gone("Contact", "nobody");
  CHECK(hub.traits("ada") == "note ");
}

TEST_CASE("a refusal outlives the record that told it, and a later yes of another source holds") {
  Crm hub;
  hub.row("Contact", "c1", "{'user':'ada','news':'no'}");
  hub.gone("Contact", "c1");
  hub.call("'type':'identify','userId':'ada'");
  hub.row("Contact", "c2", "{'user':'bo','news':'yes'}");
  hub.call("'type':'identify','userId':'bo'");
  hub.gone("Contact", "c2");
  CHECK_FALSE(hub.person("user_id", "bo")->consents.at(0).granted);
  ++hub.now;
  hub.call("'type':'identify','userId':'bo','context':{'consent':{'categoryPreferences':{'News':true}}}");
  CHECK(hub.person("user_id", "bo")->consents.at(0).granted);
}

TEST_CASE("what two people were is withdrawn from the one that they became, after a restart too") {
  Crm hub;
  hub.row("Contact", "c1", "{'email':'ada@acme.test','name':'Ada'}");
  hub.call("'type':'identify','userId':'ada','traits':{'color':'red'}");
  hub.row("Contact", "c2", "{'user':'ada','email':'ada@acme.test'}");
  REQUIRE(hub.person("user_id", "ada") == hub.person("email", "ada@acme.test"));
  std::vector<std::tuple<state::Table, std::string, std::string>> rows;
  hub.world.state.begin_checkpoint(true, [&](state::Table t, std::string_view key, std::string_view value,
                                             bool) { rows.emplace_back(t, key, value); });
  while (!hub.world.state.continue_checkpoint(10)) {
  }
  state::State restored(7);
  for (const auto& [table, key, value] : rows) REQUIRE(restored.restore_row(table, key, value));
  restored.finish_restore();
  CHECK(restored.hash() == hub.world.state.hash());
  const std::uint64_t print = restored.entity_print("crm/Contact", "c1");
  REQUIRE(restored.find_entity(print) != nullptr);
  CHECK(restored.find_entity(print)->has_identifier(state::name_id("user_id"), "ada"));
  hub.gone("Contact", "c1");
  CHECK(hub.traits("ada") == "name color ");
  hub.gone("Contact", "c2");
  CHECK(hub.traits("ada") == "color ");
}

TEST_CASE("a record that becomes another person's is no longer the first one's") {
  Crm hub;
  hub.row("Contact", "c1", ada);
  hub.row("Contact", "c1", "{'user':'bo','name':'Bo'}");
  hub.gone("Contact", "c1");
  CHECK(hub.traits("ada") == "city name ");
  CHECK(hub.world.state.find_by(state::name_id("user_id"), "bo") == nullptr);
}

}  // namespace sluice::hub
