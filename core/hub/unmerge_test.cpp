// A wrong merge that is taken back leaves the people as they would be had it never been, here and over there.
#include "hub/unmerge.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <catch2/catch.hpp>

#include "hub/step_bench.hpp"
#include "hub/views.hpp"

namespace sluice::hub {
namespace {

using testing::epoch_of;
using testing::event_input;

const std::string yaml = R"(
version: 1
hub: { data: /hub/data, timezone: Europe/Paris }
sources: { shop: { plugin: tracking, with: { write_key: "${K}" }, consent: { newsletter: News } } }
consent: { unknown: granted, purposes: { newsletter: { channel: email, basis: consent } } }
identity:
  - { id: user_id, at_most: 1 }
  - { id: email, at_most: 5, normalize: email }
  - { id: anonymous_id, at_most: 100 }
computed:
  orders: events("Order Completed").count()
  spent_3d: events("Order Completed").within("3d").sum(e, e.properties.total)
  last_kind: events("Product Added").last().properties.kind
audiences:
  buyers: traits.orders >= 2
  spenders: traits.spent_3d > 50.0
  cart_left: |
    events("Product Added").within("1d").exists() && !events("Order Completed").within("1d").exists()
  converted: events("Product Added").then("Order Completed").within("5d").exists()
routes:
  buyers: { audience: buyers, to: lake }
  spenders: { audience: spenders, to: lake }
  carts: { audience: cart_left, to: lake }
  people: { profiles: "true", to: lake, fields: { city: traits.city, orders: traits.orders } }
workflows:
  cart_mail:
    trigger: { enters: cart_left }
    where: consent.newsletter
    again: { after: 30d }
    steps: [ { wait: 1h }, { id: first, send: mail } ]
destinations:
  lake: { plugin: file, purpose: internal, with: {} }
  mail: { plugin: smtp, purpose: newsletter, with: {} }
)";

// A hub's step, its journal, and a destination that keeps lists of identifiers and people's newest fields.
struct Shop {
  struct Stored {
    TimeUs stamp;
    InputKind kind;
    std::string payload;
  };
  std::vector<Stored> journal;
  std::unique_ptr<World> world = std::make_unique<World>(7);
  TimeUs now = testing::StepBench::start;
  std::map<std::string, std::set<std::string>> lists;    // by name: identifiers
  std::map<std::string, std::set<std::string>> entries;  // by name: the one by which each is there
  std::map<std::string, std::vector<std::string>> mail;  // by identifiers of the receiver
  std::map<ProfileId, std::map<std::string, std::string>> fields;
  StepOutput out;  // of the last input

  Shop() { input(InputKind::epoch, epoch_of(yaml)); }

  void input(InputKind kind, std::string payload) {
    journal.push_back({now, kind, std::move(payload)});
    out = {};
    step(*world, journal.size(), out);
    for (const Effect& e : out.effects) take(e);
  }
  void step(World& into, std::size_t number, StepOutput& made) const {
    const Stored& one = journal[number - 1];
    const Status stepped = into.step({number, one.stamp, one.kind, false, one.payload}, made);
    INFO(into.failure);
    REQUIRE(stepped);
  }
  void take(const Effect& e) {
    JsonParser parser;
    std::vector<std::string> ids;
    parser.parse(e.identifiers).members([&](std::string_view type, Json values) {
      values.elements(
          [&](Json value) { ids.push_back(std::string(type) + ':' + std::string(value.string_or(""))); });
    });
    const auto is_there = [&](const std::string& id) { return entries[e.name].contains(id); };
    if (e.op == Operation::enter) {
      lists[e.name].insert(ids.begin(), ids.end());
      if (!ids.empty() && std::none_of(ids.begin(), ids.end(), is_there)) entries[e.name].insert(ids.back());
    }
    if (e.op == Operation::leave) {
      for (const std::string& id : ids) {
        lists[e.name].erase(id);
        entries[e.name].erase(id);
      }
    }
    if (e.op == Operation::message) mail[e.identifiers].push_back(e.name);
    if (e.op != Operation::upsert) return;
    parser.parse(e.payload).members(
        [&](std::string_view field, Json value) { fields[e.person][std::string(field)] = value.text(); });
  }
  // Texts are JSON with ' for ". Its number in the journal.
  std::uint64_t call(const std::string& message, std::string text) {
    std::replace(text.begin(), text.end(), '\'', '"');
    input(InputKind::event, event_input("shop", R"({"messageId":")" + message + "\"," + text + '}', now));
    return journal.size();
  }
  void wait(DurationUs by) {
    now += by;
    input(InputKind::tick, {});
  }
  const state::Profile* who(std::string_view type, std::string_view value) const {
    return world->state.find_by(state::name_id(type), value);
  }
  std::string picture(std::string_view type, std::string_view value) const {
    const state::Profile* const p = who(type, value);
    return p == nullptr ? "nobody" : profile_json(*world, p->id);
  }
  std::unique_ptr<World> shadow(std::size_t until, const state::Unmerge* also) const {
    auto shadow = std::make_unique<World>(7, world->epoch);
    shadow->pipeline.keep_apart(taken_back(*world, also), 0);
    StepOutput none;
    for (std::size_t n = 1; n <= until; ++n) step(*shadow, n, none);
    return shadow;
  }
  // As the background does it, up to the graft.
  std::string graft() const {
    const state::Unmerge* const what = world->state.apart.under_way();
    REQUIRE(what != nullptr);
    const auto read = shadow(journal.size(), what);
    const auto draft = draft_unmerge(*world, *read, *what);
    REQUIRE(draft);
    std::string payload;
    draft.value().encode(payload);
    return payload;
  }
  void unmerge(std::string_view type, std::string_view value, std::uint64_t merge) {
    input(InputKind::command, unmerge_command(who(type, value)->id, merge));
    const state::Unmerge what = *world->state.apart.under_way();
    const auto draft = draft_unmerge(*world, *shadow(journal.size(), &what), what);
    REQUIRE(draft);
    input(InputKind::command, watch_command(what.id, draft.value().gone));
    input(InputKind::graft, graft());
  }
  void start_again() {
    const Hash128 before = world->state.hash();
    state::State copy(7);
    world->state.begin_checkpoint(true, [&](state::Table table, std::string_view key, std::string_view value,
                                            bool) { CHECK(copy.restore_row(table, key, value)); });
    while (!world->state.continue_checkpoint(100)) {
    }
    CHECK(copy.finish_restore());
    CHECK(copy.hash() == before);
    world = std::make_unique<World>(7);
    StepOutput none;
    for (std::size_t n = 1; n <= journal.size(); ++n) step(*world, n, none);
    CHECK(world->state.hash() == before);
  }
  // Whoever has an identifier on a list is in its audience, and everybody who is in it has one on it; and
  // once where a person is there by one alone.
  void check_lists() const {
    for (const config::Audience& audience : world->pipeline.compiled()->config->audiences) {
      if (audience.name == "converted") continue;  // nobody is told of it
      const auto found = lists.find(audience.name);
      std::set<ProfileId> listed, inside;
      std::multiset<ProfileId> once;
      if (found != lists.end()) {
        for (const std::string& id : found->second) {
          const std::size_t colon = id.find(':');
          const state::Profile* const p = who(id.substr(0, colon), id.substr(colon + 1));
          INFO(audience.name << ": " << id);
          REQUIRE(p != nullptr);
          listed.insert(p->id);
        }
      }
      if (const auto there = entries.find(audience.name); there != entries.end()) {
        for (const std::string& id : there->second) {
          const std::size_t colon = id.find(':');
          once.insert(who(id.substr(0, colon), id.substr(colon + 1))->id);
        }
      }
      world->state.each_profile([&](const state::Profile& p) {
        if (p.membership(state::name_id(audience.name)) != nullptr) inside.insert(p.id);
      });
      INFO(audience.name);
      CHECK(listed == inside);
      CHECK(once == std::multiset<ProfileId>(inside.begin(), inside.end()));
      CHECK(world->state.members(state::name_id(audience.name)) == inside.size());
    }
  }
};

// Two people, some days, and an event of the desk that names both: `wrong` is what it says of who it is.
std::uint64_t two_people(Shop& shop, const std::string& wrong) {
  shop.call("a1", "'type':'identify','userId':'ada','traits':{'email':'ada@shop.example','city':'Paris'}");
  shop.call("b1",
            "'type':'identify','anonymousId':'bob-1','traits':{'email':'bob@shop.example','city':'Rome'}");
  shop.call("b2", "'type':'track','event':'Order Completed','anonymousId':'bob-1','properties':{'total':30}");
  shop.call("a5", "'type':'group','userId':'ada','groupId':'acme','traits':{'plan':'pro'}");
  shop.call("b8", "'type':'group','anonymousId':'bob-1','groupId':'globex'");
  shop.wait(2 * us_per_h);
  shop.call("a2", "'type':'track','event':'Product Added','userId':'ada','properties':{'kind':'hat'}");
  shop.wait(us_per_h / 2);
  const std::uint64_t merge = shop.call(
      "wrong", "'type':'identify'," + wrong + ",'traits':{'email':'ada@shop.example','desk':'north'}");
  shop.wait(3 * us_per_h);
  shop.call("b3",
            "'type':'track','event':'Order Completed','anonymousId':'bob-1','properties':{'total':25.5}");
  shop.call("b3",
            "'type':'track','event':'Order Completed','anonymousId':'bob-1','properties':{'total':25.5}");
  shop.call("b4",
            "'type':'track','event':'Product Added','anonymousId':'bob-1','properties':{'kind':'tie'}," +
                ("'timestamp':'" + format_time(shop.now - us_per_d) + "'"));
  shop.call("a3",
            "'type':'identify','userId':'ada','anonymousId':'ada-1','traits':{'city':'Lyon'},"
            "'context':{'consent':{'categoryPreferences':{'News':false}}}");
  shop.wait(20 * us_per_h);
  return merge;
}

const std::string both = "'anonymousId':'bob-1'", nobody_else = "'x':0";

// What they do afterwards.
void go_on(Shop& shop) {
  shop.wait(us_per_h);
  shop.call("a4", "'type':'track','event':'Order Completed','userId':'ada','properties':{'total':99}");
  shop.call("b5", "'type':'track','event':'Product Added','anonymousId':'bob-1','properties':{'kind':'cap'}");
  shop.wait(4 * us_per_d);
}

void check_same(const Shop& shop, const Shop& other) {
  for (const auto& [type, value] : std::map<std::string, std::string>{
           {"user_id", "ada"}, {"email", "bob@shop.example"}, {"anonymous_id", "bob-1"}}) {
    INFO(type << ' ' << value);
    CHECK(shop.picture(type, value) == other.picture(type, value));
  }
}

}  // namespace

TEST_CASE("people whose merge is taken back are who they would be without it, and so they go on") {
  // In the other shop the desk's event came from a browser of its own.
  Shop shop, other;
  const std::uint64_t merge = two_people(shop, both);
  two_people(other, nobody_else);
  REQUIRE(shop.who("user_id", "ada") == shop.who("email", "bob@shop.example"));
  REQUIRE(other.who("user_id", "ada") != other.who("email", "bob@shop.example"));
  shop.unmerge("user_id", "ada", merge);
  while (other.journal.size() < shop.journal.size()) other.wait(0);
  check_same(shop, other);
  shop.check_lists();
  go_on(shop);
  go_on(other);
  check_same(shop, other);
  shop.check_lists();
  other.check_lists();
  CHECK(shop.fields == other.fields);
  shop.start_again();
  check_same(shop, other);
}

TEST_CASE("nothing is sent a second time because a merge was taken back") {
  Shop shop;
  const std::uint64_t merge = two_people(shop, both);
  const auto before = shop.mail;
  REQUIRE_FALSE(before.empty());
  shop.unmerge("user_id", "ada", merge);
  go_on(shop);
  std::size_t more = 0;
  for (const auto& [receiver, names] : shop.mail) more += names.size();
  for (const auto& [receiver, names] : before) more -= names.size();
  CHECK(more == 0);  // each of them began it within the last thirty days
}

TEST_CASE("who was taken apart stays so: what would join them again joins only the stronger identifier") {
  Shop shop;
  const std::uint64_t merge = two_people(shop, both);
  shop.unmerge("user_id", "ada", merge);
  const ProfileId ada = shop.who("user_id", "ada")->id, bob = shop.who("anonymous_id", "bob-1")->id;
  CHECK(ada != bob);
  shop.call("again",
            "'type':'identify','anonymousId':'bob-1','traits':{'email':'ada@shop.example','desk':'south'}");
  CHECK(shop.who("user_id", "ada")->id == ada);
  CHECK(shop.who("anonymous_id", "bob-1")->id == bob);
  CHECK(shop.picture("email", "ada@shop.example").find(R"("desk":"south")") != std::string::npos);
  // And in a history that is read again.
  const auto shadow = shop.shadow(shop.journal.size(), nullptr);
  CHECK(shadow->state.find_by(state::name_id("anonymous_id"), "bob-1")->id == bob);
}

TEST_CASE("a merge before others is taken back, and what came later stays with whom it belongs to") {
  Shop shop, other;
  for (Shop* one : {&shop, &other}) {
    one->call("c1",
              "'type':'track','event':'Order Completed','anonymousId':'cat-1','properties':{'total':5}");
    one->wait(us_per_h);
  }
  const std::uint64_t merge = two_people(shop, both);
  two_people(other, nobody_else);
  for (Shop* one : {&shop, &other}) {  // the oldest of the three; belongs to bob
    one->call("c2", "'type':'identify','anonymousId':'cat-1','traits':{'email':'bob@shop.example'}");
    one->wait(us_per_h);
  }
  const ProfileId all = shop.who("anonymous_id", "cat-1")->id;
  REQUIRE(shop.who("user_id", "ada")->id == all);
  shop.unmerge("user_id", "ada", merge);
  while (other.journal.size() < shop.journal.size()) other.wait(0);
  check_same(shop, other);
  CHECK(shop.picture("anonymous_id", "cat-1") == other.picture("anonymous_id", "cat-1"));
  CHECK(shop.who("anonymous_id", "cat-1")->id == shop.who("email", "bob@shop.example")->id);
  shop.check_lists();
  go_on(shop);
  shop.check_lists();
  shop.start_again();
}

TEST_CASE("whom the merge had kept from becoming one with somebody becomes so") {
  // Bob logs in after the merge: ada's user id is in the way, and he is made anew.
  Shop shop, other;
  const std::uint64_t merge = two_people(shop, both);
  two_people(other, nobody_else);
  for (Shop* one : {&shop, &other}) {
    one->call("b6", "'type':'identify','userId':'bob','anonymousId':'bob-1','traits':{'city':'Oslo'}");
    one->call("b7", "'type':'track','event':'Order Completed','userId':'bob','properties':{'total':40}");
    one->wait(us_per_h);
  }
  const ProfileId made = shop.who("user_id", "bob")->id;
  REQUIRE(made != shop.who("anonymous_id", "bob-1")->id);
  REQUIRE(other.who("user_id", "bob") == other.who("anonymous_id", "bob-1"));
  shop.unmerge("user_id", "ada", merge);
  while (other.journal.size() < shop.journal.size()) other.wait(0);
  check_same(shop, other);
  CHECK(shop.who("user_id", "bob")->id == shop.who("anonymous_id", "bob-1")->id);
  CHECK(shop.world->state.resolve(made) == shop.who("user_id", "bob")->id);
  shop.check_lists();
  go_on(shop);
  go_on(other);
  check_same(shop, other);
  shop.check_lists();
  shop.start_again();
}

TEST_CASE("a graft that comes too late is nothing, and the next one counts") {
  Shop shop;
  const std::uint64_t merge = two_people(shop, both);
  shop.input(InputKind::command, unmerge_command(shop.who("user_id", "ada")->id, merge));
  const std::string late = shop.graft();
  shop.call("between", "'type':'track','event':'Order Completed','userId':'ada','properties':{'total':7}");
  shop.input(InputKind::graft, late);
  CHECK(shop.who("user_id", "ada")->id == shop.who("anonymous_id", "bob-1")->id);
  REQUIRE(shop.world->state.apart.under_way() != nullptr);
  shop.input(InputKind::graft, shop.graft());
  CHECK(shop.who("user_id", "ada")->id != shop.who("anonymous_id", "bob-1")->id);
  CHECK(shop.world->state.apart.under_way() == nullptr);
  const std::string ada = shop.picture("user_id", "ada");
  shop.input(InputKind::graft, late);  // nor does it come back
  CHECK(shop.picture("user_id", "ada") == ada);
  shop.start_again();
}

TEST_CASE("a refusal of one of them holds for that one alone, at the gate too") {
  Shop shop;
  const std::uint64_t merge = two_people(shop, both);
  const ProfileId ada = shop.who("user_id", "ada")->id;
  shop.unmerge("user_id", "ada", merge);
  const ProfileId bob = shop.who("anonymous_id", "bob-1")->id;
  using Kind = GateChange::Kind;
  const auto said = [&](ProfileId person, Kind kind) {
    return std::any_of(shop.out.gate.begin(), shop.out.gate.end(), [&](const GateChange& change) {
      return change.person == person && change.kind == kind &&
             (kind == Kind::split || change.purpose == "newsletter");
    });
  };
  CHECK(said(ada, Kind::deny));
  CHECK(said(bob, Kind::split));
  CHECK(said(bob, Kind::allow));
}

TEST_CASE("what cannot be taken back is refused with the reason") {
  Shop shop;
  const std::uint64_t merge = two_people(shop, both);
  const ProfileId ada = shop.who("user_id", "ada")->id;
  const auto why = [&](ProfileId person, std::uint64_t input, std::uint64_t first) {
    const Status checked = check_unmerge(*shop.world, person, input, first);
    return checked ? std::string("allowed") : checked.error().detail;
  };
  CHECK(why(ada, merge, 1) == "allowed");
  CHECK(why(nobody, merge, 1).starts_with("nobody is known by this"));
  CHECK(why(ada, merge + 1, 1).find("`sluice identity explain ") != std::string::npos);
  CHECK(why(ada, merge, merge + 1).find("is kept from input") != std::string::npos);
  shop.unmerge("user_id", "ada", merge);
  CHECK(why(ada, merge, 1).find("taken back already") != std::string::npos);
}

}  // namespace sluice::hub
