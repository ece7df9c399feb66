#include "unify/identity.hpp"

#include <catch2/catch.hpp>

namespace sluice::unify {
namespace {

constexpr TimeUs t0 = 1'700'000'000 * us_per_s;

std::shared_ptr<const view::Compiled> compiled() {
  config::LoadOptions options;
  options.from_memory = true;
  options.files["/c.yaml"] = R"(
version: 1
sources: { s: { plugin: tracking, with: { write_key: "${K}" } } }
identity:
  - { id: user_id, at_most: 1 }
  - { id: email, at_most: 2, normalize: email, never: ["test@test.com", "re:^noreply@"] }
  - { id: phone, at_most: 5, normalize: phone, only: mobile }
  - { id: anonymous_id, at_most: 3 }
  - { id: cookie, at_most: 20 }
)";
  options.check_secrets = false;
  const config::Loaded loaded = config::load("/c.yaml", options);
  REQUIRE(loaded.config);
  return view::compile(loaded.config, {});
}

enum class From { server, page, panel };

struct Said {
  From from;
  std::vector<std::pair<std::string, std::string>> ids;  // type, value
};

struct Row {
  const char* name;
  std::vector<Said> said;
  // Who is who in the end: the identifiers of each person that is left, by age.
  std::vector<std::string> people;
};

std::string described(const state::State& state, const state::Profile& p) {
  std::string out;
  for (const state::Identifier& i : p.identifiers)
    out += (out.empty() ? "" : " ") + std::string(state.name(i.type)) + '=' + i.value;
  return out;
}

const std::string u = "user_id", e = "email", a = "anonymous_id", p = "phone", c = "cookie";

}  // namespace

TEST_CASE("who is who") {
  const std::vector<Row> rows{
      {"a visitor becomes known",
       {{From::page, {{a, "1"}}}, {From::page, {{a, "1"}, {u, "x"}}}},
       {"anonymous_id=1 user_id=x"}},
      {"anonymous, then by e-mail, then by user id on another device",
       {{From::page, {{a, "1"}, {e, "Ada@Shop.Example"}}},
        {From::page, {{a, "2"}, {u, "x"}}},
        {From::server, {{u, "x"}, {e, "ada@shop.example"}}}},
       {"email=ada@shop.example anonymous_id=1 user_id=x anonymous_id=2"}},
      {"two user ids are never merged: the e-mail is left out",
       {{From::server, {{u, "x"}, {e, "a@b.example"}}}, {From::server, {{u, "y"}, {e, "a@b.example"}}}},
       {"user_id=x email=a@b.example", "user_id=y"}},
      {"two user ids in one browser stay two",
       {{From::page, {{a, "1"}, {u, "x"}}}, {From::page, {{a, "1"}, {u, "y"}}}},
       {"user_id=x anonymous_id=1", "user_id=y"}},
      {"a public source merges no two known people",
       {{From::server, {{u, "x"}}},
        {From::server, {{e, "a@b.example"}}},
        {From::page, {{u, "x"}, {e, "a@b.example"}}}},
       {"user_id=x", "email=a@b.example"}},
      {"a server does",
       {{From::server, {{u, "x"}}},
        {From::server, {{e, "a@b.example"}}},
        {From::server, {{u, "x"}, {e, "a@b.example"}}}},
       {"user_id=x email=a@b.example"}},
      {"a public source joins a visitor to a known person",
       {{From::server, {{e, "a@b.example"}}},
        {From::page, {{a, "1"}}},
        {From::page, {{a, "1"}, {e, "a@b.example"}}}},
       {"email=a@b.example anonymous_id=1"}},
      {"what may never identify does not",
       {{From::server, {{u, "x"}, {e, "test@test.com"}}},
        {From::server, {{u, "y"}, {e, "noreply@b.example"}}},
        {From::server, {{e, "TEST@test.com"}}}},
       {"user_id=x", "user_id=y"}},
      {"an address too many is left out",
       {{From::server, {{u, "x"}, {e, "a@b.example"}}},
        {From::server, {{u, "x"}, {e, "b@b.example"}}},
        {From::server, {{u, "x"}, {e, "c@b.example"}}}},
       {"user_id=x email=a@b.example email=b@b.example"}},
      {"numbers are one however they are written, and only those of mobiles count",
       {{From::server, {{u, "x"}, {p, "06 12 34 56 78"}}},
        {From::server, {{p, "+33 6 12 34 56 78"}, {a, "1"}}},
        {From::server, {{u, "y"}, {p, "01 42 68 53 00"}}}},
       {"user_id=x phone=+33612345678 anonymous_id=1", "user_id=y"}},
      {"an anonymous panel is never joined to a known person",
       {{From::server, {{u, "x"}, {c, "k"}}},
        {From::panel, {{c, "k"}}},
        {From::panel, {{c, "l"}}},
        {From::server, {{u, "x"}, {c, "l"}}}},
       {"user_id=x cookie=k", "cookie=l"}},
      {"a weak identifier of two people joins neither",
       {{From::server, {{u, "x"}, {a, "1"}}},
        {From::server, {{u, "y"}, {a, "2"}}},
        {From::server, {{a, "1"}, {a, "2"}}}},
       {"user_id=x anonymous_id=1", "user_id=y anonymous_id=2"}},
      {"no identifier, nobody", {{From::server, {{"shoe", "42"}}}}, {}},
  };
  const auto rules = compiled();
  for (const Row& row : rows) {
    INFO(row.name);
    const Identity identity(*rules);
    state::State state(7);
    std::uint64_t seq = 0;
    for (const Said& said : row.said) {
      Event event;
      event.source = "s";
      event.trusted = said.from == From::server;
      event.third_party_anonymous = said.from == From::panel;
      for (const auto& [type, value] : said.ids) event.ids.push_back({type, value});
      ++seq;
      (void)identity.resolve(state, event, identity.claims(event, "FR"), seq, t0 + static_cast<TimeUs>(seq));
    }
    std::vector<const state::Profile*> people;
    std::as_const(state).each_profile([&](const state::Profile& profile) { people.push_back(&profile); });
    std::sort(people.begin(), people.end(),
              [](const auto* l, const auto* r) { return l->created < r->created; });
    std::vector<std::string> found;
    for (const state::Profile* profile : people) found.push_back(described(state, *profile));
    CHECK(found == row.people);
  }
}

TEST_CASE("a merge keeps the older id, both lead to it, and why is kept") {
  const auto rules = compiled();
  const Identity identity(*rules);
  state::State state(7);
  const auto say = [&](std::uint64_t seq, std::vector<ExternalId> ids) {
    Event event;
    event.source = "s";
    event.ids = std::move(ids);
    return identity.resolve(state, event, identity.claims(event, "FR"), seq, t0);
  };
  const ProfileId elder = say(1, {{"anonymous_id", "1"}}).profile->id;
  const ProfileId younger = say(2, {{"user_id", "x"}}).profile->id;
  state.find(younger)->traits.push_back({1, state::StoredValue::number(1), t0, 0, true});
  state.find(elder)->traits.push_back({1, state::StoredValue::number(2), t0 + 1, 0, false});
  const Resolution merged = say(3, {{"anonymous_id", "1"}, {"user_id", "x"}});
  CHECK(merged.profile->id == elder);
  REQUIRE(merged.merged.size() == 1);
  CHECK(merged.merged[0].before.id == younger);
  CHECK(state.find(younger) == merged.profile);
  CHECK(state.resolve(younger) == elder);
  CHECK(state.profiles() == 1);
  REQUIRE(merged.profile->merges.size() == 1);
  CHECK(merged.profile->merges[0].loser == younger);
  CHECK(merged.profile->merges[0].cause == 3);
  CHECK(merged.profile->merges[0].type == state::name_id("user_id"));
  CHECK(merged.profile->trait(1)->value == state::StoredValue::number(1));  // a server's word, though older
}

}  // namespace sluice::unify
