// What the stages do, seen through whole steps: audiences by time, routes, consent, workflows, epochs.
#include <algorithm>

#include "hub/step_bench.hpp"

namespace sluice::hub {
namespace {

using testing::StepBench;
using Briefs = std::vector<std::string>;

const std::string head = R"(
version: 1
sources:
  shop: { plugin: tracking, with: { write_key: "${K}" }, consent: { news: News } }
  web: { plugin: tracking, trust: public, with: { write_key: "${W}" } }
consent: { purposes: { news: { channel: email, basis: consent }, service: { channel: email, basis: contract } } }
destinations:
  lake: { plugin: file, purpose: internal, with: {} }
  vendor: { plugin: file, purpose: news, with: {} }
  mail: { plugin: smtp, purpose: service, with: {} }
)";

const std::string grant =
    "'type':'identify','userId':'1','context':{'consent':{'categoryPreferences':{'News':true}}}";
const std::string refuse =
    "'type':'identify','userId':'1','context':{'consent':{'categoryPreferences':{'News':false}}}";

std::string track(const std::string& name, const std::string& user = "1") {
  return "'type':'track','event':'" + name + "','userId':'" + user + "'";
}

}  // namespace

TEST_CASE("a window closes by time alone, at its moment and for people in order") {
  StepBench hub(head + R"(
audiences: { cart: 'events("Add").within("1d").exists()' }
routes: { carts: { audience: cart, to: lake } }
)");
  CHECK(hub.call(track("Add", "1")) == Briefs{"enter lake cart {}"});
  CHECK(hub.call(track("Add", "2")) == Briefs{"enter lake cart {}"});
  hub.now += us_per_h;
  CHECK(hub.call(track("Add", "3")) == Briefs{"enter lake cart {}"});
  CHECK(hub.wait(us_per_d - us_per_h - 1).empty());
  CHECK(hub.inside("user_id", "1", "cart"));
  CHECK(hub.wait(1) == Briefs{"leave lake cart {}", "leave lake cart {}"});
  // Both left at the same moment: in the order of their ids.
  const auto& left = hub.effects;
  CHECK(left[left.size() - 2].person < left.back().person);
  CHECK(hub.inside("user_id", "3", "cart"));
  // A tick that comes late changes nothing about when it happened.
  hub.wait(5 * us_per_h);
  CHECK(hub.effects.back().time == StepBench::start + us_per_h + us_per_d);
  const auto history = hub.person("user_id", "3")->history.all();
  CHECK(history.back().by_time);
  CHECK(history.back().time == StepBench::start + us_per_h + us_per_d);
}

TEST_CASE("a destination hears of a person before it hears what the person did or entered") {
  StepBench hub(head + R"(
computed: { added: events("Add").count() }
audiences: { cart: 'events("Add").within("1d").exists()' }
routes:
  acts: { events: [Add], to: lake }
  carts: { audience: cart, to: lake }
  people: { profiles: has(traits.added), to: lake, fields: { added: traits.added } }
)");
  const Briefs sent = hub.call(track("Add"));
  REQUIRE(sent.size() == 3);
  CHECK(sent[0] == R"(upsert lake people {"added":1})");
  CHECK(sent[1].starts_with("event lake Add "));
  CHECK(sent[2] == "enter lake cart {}");
  // Keys are by place, without gaps: the order of keys is the order of sending.
  for (std::size_t i = 1; i < hub.effects.size(); ++i) CHECK(hub.effects[i - 1].key < hub.effects[i].key);
}

TEST_CASE("people leave an audience that reads another when that one changes") {
  StepBench hub(head + R"(
audiences:
  quiet: '!audiences.busy && traits.n > 0.0'
  busy: 'events("Add").within("1h").count() >= 2'
)");
  hub.call("'type':'identify','userId':'1','traits':{'n':1}");
  CHECK(hub.inside("user_id", "1", "quiet"));
  hub.call(track("Add"));
  hub.call(track("Add"));
  CHECK(hub.inside("user_id", "1", "busy"));
  CHECK_FALSE(hub.inside("user_id", "1", "quiet"));
  hub.wait(us_per_h);
  CHECK(hub.inside("user_id", "1", "quiet"));
  hub.call("'type':'identify','userId':'1','traits':{'n':null}");
  CHECK_FALSE(hub.inside("user_id", "1", "quiet"));
}

TEST_CASE("a profile route sends what has changed, and nothing for an event that changes nothing") {
  StepBench hub(head + R"(
routes: { people: { profiles: has(traits.city), to: lake, on_leave: delete, fields: { city: traits.city, name: traits.name } } }
)");
  CHECK(hub.call("'type':'identify','userId':'1','traits':{'name':'Ada'}").empty());
  CHECK(hub.call("'type':'identify','userId':'1','traits':{'city':'Paris'}") ==
        Briefs{R"(upsert lake people {"city":"Paris","name":"Ada"})"});
  CHECK(hub.call(track("Add")).empty());
  CHECK(hub.call("'type':'identify','userId':'1','traits':{'city':'Paris'}").empty());
  CHECK(hub.call("'type':'identify','userId':'1','traits':{'name':null}") ==
        Briefs{R"(upsert lake people {"name":null})"});
  // Another e-mail address makes another contact over there: all of it is sent again.
  CHECK(hub.call("'type':'identify','userId':'1','traits':{'email':'a@b.example'}") ==
        Briefs{R"(upsert lake people {"city":"Paris","name":null})"});
  CHECK(hub.call("'type':'identify','userId':'1','traits':{'city':null}") == Briefs{"delete lake people {}"});
  CHECK(hub.call("'type':'identify','userId':'1','traits':{'city':'Rome'}").size() == 1);
}

TEST_CASE("a route that is new sends nothing of the past unless it asks for it") {
  const std::string people = R"( { profiles: has(traits.city), to: lake, fields: { city: traits.city } )";
  StepBench hub(head + "routes: { old:" + people + "} }");
  hub.call("'type':'identify','userId':'1','traits':{'city':'Paris'}");
  const std::size_t before = hub.effects.size();
  hub.configure(head + "routes: { old:" + people + "}, silent:" + people + "}, past:" + people +
                ", backfill: true } }");
  REQUIRE(hub.effects.size() == before + 1);
  CHECK(testing::brief(hub.effects.back()) == R"(upsert lake past {"city":"Paris"})");
  CHECK(hub.call("'type':'identify','userId':'1','traits':{'city':'Rome'}").size() == 3);
}

TEST_CASE(
    "whom a new audience finds starts no workflow and goes on a list only if its route asks for the past") {
  const std::string city = "'type':'identify','traits':{'city':'Paris'},'userId':";
  StepBench hub(head + "audiences: { known: has(traits.city) }");
  hub.call(city + "'1'");
  hub.configure(head + R"(
audiences: { known: has(traits.city), paris: traits.city == 'Paris' }
routes:
  silent: { audience: paris, to: lake }
  past: { audience: paris, to: lake, list: p, backfill: true }
  old_past: { audience: known, to: lake, list: k, backfill: true }
workflows: { hello: { trigger: { enters: paris }, steps: [ { send: lake } ] } }
)");
  CHECK(hub.inside("user_id", "1", "paris"));
  Briefs found;
  for (const Effect& effect : hub.effects) found.push_back(testing::brief(effect));
  std::sort(found.begin(), found.end());
  CHECK(found == Briefs{"enter lake k {}", "enter lake p {}"});
  CHECK(hub.call(city + "'2'").size() == 4);  // the three lists and the message
}

TEST_CASE("without consent nothing leaves but the word that somebody is off a list") {
  StepBench hub(head + R"(
audiences: { buyers: 'events("Order").within("1d").exists()' }
routes:
  orders: { events: [Order], to: vendor }
  buyers: { audience: buyers, to: vendor }
)");
  CHECK(hub.call(track("Order")).empty());
  hub.call(grant);
  REQUIRE(hub.gate.size() == 1);
  CHECK(hub.gate[0].kind == GateChange::Kind::allow);
  CHECK(hub.call(track("Order")).size() == 1);
  hub.call(refuse);
  REQUIRE(hub.gate.size() == 1);
  CHECK(hub.gate[0].kind == GateChange::Kind::deny);
  CHECK(hub.call(track("Order")).empty());
  CHECK(hub.wait(us_per_d + 1) == Briefs{"leave vendor buyers {}"});
  CHECK(hub.effects.back().purpose.empty());
  // An older grant that comes late does not undo a refusal.
  hub.call(grant + ",'timestamp':'2020-01-01T00:00:00Z'");
  CHECK(hub.gate.empty());
  CHECK(hub.call(track("Order")).empty());
}

TEST_CASE("a workflow waits, sends to the address of its channel, and starts again after its pause alone") {
  StepBench hub(head + R"(
workflows:
  thanks:
    trigger: { event: Order }
    again: { after: 1d }
    steps: [ { wait: 1h }, { id: one, send: mail, with: { text: "{{ event.properties.n }}" } }, { wait: 2h }, { id: two, send: mail } ]
  once: { trigger: { event: Order }, steps: [ { id: first, send: lake } ] }
)");
  hub.call("'type':'identify','userId':'1','traits':{'email':'Ada@Shop.example'}");
  CHECK(hub.call(track("Order") + ",'properties':{'n':7}") == Briefs{"message lake first {}"});
  CHECK(
      hub.call(track("Order") + ",'properties':{'n':8}").empty());  // it runs already, and `once` never again
  CHECK(hub.wait(us_per_h - 1).empty());
  CHECK(hub.wait(1) == Briefs{R"(message mail one {"text":"7"})"});
  CHECK(hub.effects.back().address == "ada@shop.example");
  CHECK(hub.wait(2 * us_per_h) == Briefs{"message mail two {}"});
  hub.call(track("Order"));
  CHECK(hub.wait(4 * us_per_h).empty());  // the day is not over
  hub.now += us_per_d;
  hub.call(track("Order"));
  CHECK(hub.wait(us_per_h).size() == 1);
  CHECK(hub.person("user_id", "1")->runs.size() == 1);
}

TEST_CASE("a run ends where its step is gone, and its workflow's timers with it") {
  const std::string workflow =
      "workflows: { w: { trigger: { event: Order }, steps: [ { wait: 1h, id: NAME }, { send: lake } ] } }";
  const auto named = [&](const std::string& name) {
    return head + std::string(workflow).replace(workflow.find("NAME"), 4, name);
  };
  StepBench hub(named("pause"));
  hub.call(track("Order"));
  CHECK(hub.person("user_id", "1")->runs.size() == 1);
  hub.configure(named("other"));
  CHECK(hub.wait(us_per_h).empty());
  CHECK(hub.person("user_id", "1")->runs.empty());
}

TEST_CASE("timers that fire with a new configuration keep their effects, under keys of their own") {
  const std::string people =
      R"( { profiles: has(traits.city), to: lake, backfill: true, fields: { city: traits.city } })";
  const std::string audience = R"(audiences: { cart: 'events("Add").within("1d").exists()' })";
  StepBench hub(head + audience + "\nroutes: { carts: { audience: cart, to: lake } }");
  hub.call(track("Add"));
  hub.call("'type':'identify','userId':'2','traits':{'city':'Paris'}");
  hub.effects.clear();
  hub.now += 2 * us_per_d;
  hub.configure(head + audience + "\nroutes: { carts: { audience: cart, to: lake }, people:" + people + " }");
  REQUIRE(hub.effects.size() == 2);
  CHECK(testing::brief(hub.effects[0]) == "leave lake cart {}");
  CHECK(testing::brief(hub.effects[1]) == R"(upsert lake people {"city":"Paris"})");
  CHECK(hub.effects[0].key < hub.effects[1].key);
}

TEST_CASE("a merge is one membership, and the list over there loses the one who is no more") {
  StepBench hub(head + R"(
audiences: { cart: 'events("Add").within("1d").exists()' }
routes: { carts: { audience: cart, to: lake } }
)");
  hub.call("'type':'track','event':'Add','anonymousId':'a'");
  const ProfileId elder = hub.effects.back().person;
  hub.now += us_per_h;
  hub.call("'type':'track','event':'Add','userId':'1'");
  const ProfileId younger = hub.effects.back().person;
  CHECK(hub.call("'type':'identify','userId':'1','anonymousId':'a'") ==
        Briefs{"leave lake cart {}", "enter lake cart {}"});
  CHECK(hub.effects[hub.effects.size() - 2].person == younger);
  CHECK(hub.effects.back().person == elder);
  REQUIRE(hub.gate.size() == 1);
  CHECK(hub.gate[0].kind == GateChange::Kind::merge);
  CHECK(hub.gate[0].person == younger);
  CHECK(hub.gate[0].winner == elder);
  const state::Profile* person = hub.person("user_id", "1");
  CHECK(person->id == elder);
  REQUIRE(person->memberships.size() == 1);
  CHECK(person->memberships[0].entered == StepBench::start);
  CHECK(hub.world.state.members(state::name_id("cart")) == 1);
  CHECK(hub.world.state.find(younger) == person);
  CHECK(hub.wait(us_per_d - us_per_h).empty());  // the younger entry keeps the window open
  CHECK(hub.wait(us_per_h).size() == 1);
}

TEST_CASE("a duplicate has no effect, and is known by its source") {
  StepBench hub(head + "routes: { all: { events: ['*'], to: lake } }");
  const auto send = [&](const char* source) {
    const std::string text = R"({"type":"track","event":"Add","userId":"1","messageId":"same"})";
    return hub.input(InputKind::event, testing::event_input(source, text, hub.now)).size();
  };
  CHECK(send("shop") == 1);
  CHECK(send("shop") == 0);
  CHECK(send("web") == 1);
  hub.wait(6 * us_per_d);
  CHECK(send("shop") == 0);
  CHECK(hub.world.state.totals.duplicates == 2);
}

TEST_CASE("a public source overwrites nothing that a server source said") {
  StepBench hub(head);
  hub.call("'type':'identify','userId':'1','traits':{'city':'Paris'}");
  hub.now += us_per_h;
  hub.call("'type':'identify','userId':'1','traits':{'city':'Rome','shoe':42}", "web");
  const state::Profile* person = hub.person("user_id", "1");
  CHECK(person->trait(state::name_id("city"))->value == state::StoredValue::string("Paris"));
  CHECK(person->trait(state::name_id("shoe"))->value == state::StoredValue::number(42));
  // The newest event time wins, not the newest arrival.
  hub.call("'type':'identify','userId':'1','traits':{'city':'Oslo'},'timestamp':'2020-01-01T00:00:00Z'");
  CHECK(person->trait(state::name_id("city"))->value == state::StoredValue::string("Paris"));
}

TEST_CASE("a command that hands a dead letter back names it each time that it is stepped") {
  const std::string command = R"({"command":"replay","destination":"lake","letter":7,"record":""})";
  StepBench hub(head);
  StepOutput out;
  REQUIRE(hub.world.step({hub.world.state.seq + 1, hub.now, InputKind::command, false, command}, out));
  CHECK(out.letters == std::vector<std::int64_t>{7});
}

}  // namespace sluice::hub
