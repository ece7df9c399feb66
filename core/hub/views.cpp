#include "hub/views.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/normalize.hpp"
#include "view/context.hpp"
#include "view/effects.hpp"
#include "view/waiting.hpp"

namespace sluice::hub {

using state::Profile;

ProfileId find_person(const World& world, std::string_view person) {
  if (const ProfileId id = parse_profile_id(person); id != nobody) {
    if (const state::Reading profile = world.state.find(id)) return profile->id;
  }
  const std::size_t colon = person.find(':');
  const view::Compiled* compiled = world.pipeline.compiled();
  if (colon == std::string_view::npos || compiled == nullptr) return nobody;
  std::string value(person.substr(colon + 1));
  for (const config::IdentityRule& rule : compiled->config->identity) {
    if (rule.id != person.substr(0, colon)) continue;
    std::optional<std::string> normal = value;
    if (rule.normalize == config::Normalize::email) normal = normalize_email(value);
    if (rule.normalize == config::Normalize::phone)
      normal = normalize_phone(value, compiled->config->hub.country);
    if (normal) value = *normal;
  }
  const state::Reading profile = world.state.find_by(state::name_id(person.substr(0, colon)), value);
  return profile ? profile->id : nobody;
}

namespace {

void write_traits(JsonWriter& w, const World& world, const Profile& profile) {
  w.key("traits").begin_object();
  for (const state::Trait& trait : profile.traits) {
    if (trait.value.kind() == state::StoredValue::Kind::null) continue;
    std::string json;
    trait.value.append_json(json);
    w.key(world.state.name(trait.name)).raw(json);
  }
  w.end_object().key("trait_details").begin_object();
  for (const state::Trait& trait : profile.traits) {
    w.key(world.state.name(trait.name)).begin_object().member("time", format_time(trait.time));
    w.member("source", world.state.name(trait.source)).member_boolean("server", trait.trusted).end_object();
  }
  w.end_object();
}

void write_computed(JsonWriter& w, const World& world, const Profile& profile) {
  const view::Compiled& compiled = *world.pipeline.compiled();
  view::PersonContext context(compiled, world.state);
  context.at(&profile, world.state.now, nullptr);
  w.key("computed").begin_object();
  for (std::size_t i = 0; i < compiled.config->computed.size(); ++i) {
    std::string json;
    context.computed(i).append_json(json);
    w.key(compiled.config->computed[i].name).raw(json);
  }
  w.end_object().key("consent").begin_object();
  for (const config::Purpose& purpose : compiled.config->consent.purposes) {
    if (purpose.name == "internal") continue;  // nobody is asked about what stays in the house
    const state::ConsentState* said = profile.consent(state::name_id(purpose.name));
    w.key(purpose.name)
        .begin_object()
        .member_boolean("allowed", context.allows(std::string_view(purpose.name)));
    w.member("status", said == nullptr ? "unknown" : said->granted ? "granted" : "refused");
    if (said != nullptr)
      w.member("time", format_time(said->time)).member("source", world.state.name(said->source));
    w.end_object();
  }
  w.end_object();
}

void write_account(JsonWriter& w, const World& world, const Profile& profile) {
  const state::Account* account = world.state.account_of(profile.id);
  if (account == nullptr) return;
  w.key("account").begin_object().member("id", account->id);
  w.member_integer("members", static_cast<std::int64_t>(account->members.size()))
      .key("traits")
      .begin_object();
  for (const state::Trait& trait : account->traits) {
    if (trait.value.kind() == state::StoredValue::Kind::null) continue;
    std::string json;
    trait.value.append_json(json);
    w.key(world.state.name(trait.name)).raw(json);
  }
  w.end_object().end_object();
}

void write_audiences(JsonWriter& w, const World& world, const Profile& profile) {
  w.key("audiences").begin_array();
  for (const state::Membership& m : profile.memberships) {
    w.begin_object()
        .member("audience", world.state.name(m.audience))
        .member("entered_at", format_time(m.entered));
    w.member_integer("cause", static_cast<std::int64_t>(m.cause)).end_object();
  }
  w.end_array().key("history").begin_array();
  for (const state::AudienceChange& h : profile.history.all()) {
    w.begin_object()
        .member("audience", world.state.name(h.audience))
        .member("change", h.entered ? "entered" : "left");
    w.member("time", format_time(h.time)).member_integer("cause", static_cast<std::int64_t>(h.cause));
    w.member_boolean("by_time", h.by_time).end_object();
  }
  w.end_array().key("workflows").begin_array();
  for (const state::Run& run : profile.runs) {
    w.begin_object()
        .member("workflow", world.state.name(run.workflow))
        .member("started", format_time(run.started));
    w.member("waits_until", format_time(run.wake)).end_object();
  }
  w.end_array().key("merged").begin_array();
  for (const state::MergeCause& m : profile.merges) {
    w.begin_object().member("id", format_profile_id(m.loser)).member("joined_by", world.state.name(m.type));
    w.member_integer("cause", static_cast<std::int64_t>(m.cause))
        .member("time", format_time(m.time))
        .end_object();
  }
  w.end_array();
}

std::string json_of(const World& world, const Profile& profile) {
  if (world.pipeline.compiled() == nullptr) return {};
  std::string out;
  JsonWriter w(out);
  w.begin_object()
      .member("id", format_profile_id(profile.id))
      .member("first_seen", format_time(profile.first_seen));
  w.member("last_seen", format_time(profile.last_seen)).member_boolean("partial", profile.partial);
  w.key("identifiers").raw(view::identifiers_json(profile, *world.pipeline.compiled()));
  write_traits(w, world, profile);
  write_computed(w, world, profile);
  write_account(w, world, profile);
  write_audiences(w, world, profile);
  w.end_object();
  return out;
}

bool waits_for_past(const World& world, std::string_view audience) {
  const view::Compiled& compiled = *world.pipeline.compiled();
  return world.state.backfill.id != 0 &&
         view::waiting(compiled, world.state.backfill).audience(compiled, compiled.audience_slot(audience));
}

}  // namespace

std::string profile_json(const World& world, ProfileId person) {
  const state::Reading profile = world.state.find(person);
  return profile ? json_of(world, *profile) : std::string();
}

std::string audience_json(const World& world, std::string_view name) {
  const view::Compiled* compiled = world.pipeline.compiled();
  if (compiled == nullptr || compiled->audience_slot(name) == SIZE_MAX) return {};
  struct Member {
    ProfileId id;
    std::string identifiers;
    TimeUs entered;
  };
  std::vector<Member> members;
  const state::NameId id = state::name_id(name);
  world.state.each_profile([&](const Profile& profile) {
    if (const state::Membership* m = profile.membership(id))
      members.push_back({profile.id, view::identifiers_json(profile, *compiled), m->entered});
  });
  std::stable_sort(members.begin(), members.end(),
                   [](const Member& a, const Member& b) { return a.entered < b.entered; });
  std::string out;
  JsonWriter w(out);
  w.begin_object().member("audience", name).member_integer("size", static_cast<std::int64_t>(members.size()));
  if (waits_for_past(world, name)) w.member_boolean("waits_for_history", true);
  w.member("at", format_time(world.state.now)).key("members").begin_array();
  for (const Member& member : members) {
    w.begin_object().member("id", format_profile_id(member.id));
    w.key("identifiers").raw(member.identifiers);
    w.member("entered_at", format_time(member.entered)).end_object();
  }
  w.end_array().end_object();
  return out;
}

std::string audiences_json(const World& world, const std::string& backfill) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().key("audiences").begin_array();
  if (const view::Compiled* compiled = world.pipeline.compiled()) {
    for (const config::Audience& audience : compiled->config->audiences) {
      w.begin_object().member("audience", audience.name);
      w.member_integer("size", static_cast<std::int64_t>(world.state.members(state::name_id(audience.name))));
      if (waits_for_past(world, audience.name)) w.member_boolean("waits_for_history", true);
      w.end_object();
    }
  }
  w.end_array();
  if (!backfill.empty()) w.key("backfill").raw(backfill);
  w.end_object();
  return out;
}

std::string quarantine_json(const World& world) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().key("quarantine").begin_array();
  for (const state::Joins* joins : world.state.quarantine()) {
    w.begin_object().member("type", world.state.name(joins->type)).member("value", joins->value);
    w.member("since", format_time(joins->quarantined));
    w.member_integer("people", static_cast<std::int64_t>(joins->joins.size())).end_object();
  }
  w.end_array().end_object();
  return out;
}

store::ProfileRow profile_row(const World& world, ProfileId person) {
  store::ProfileRow row;
  row.id = person;
  const state::Reading profile = world.state.find(person);
  if (!profile || profile->id != person) return row;  // merged away: the row goes
  row.document = json_of(world, *profile);
  for (const state::Identifier& i : profile->identifiers)
    row.identifiers.emplace_back(world.state.name(i.type), i.value);
  for (const state::Membership& m : profile->memberships)
    row.memberships.emplace_back(world.state.name(m.audience), m.entered);
  return row;
}

}  // namespace sluice::hub
