#include "route/route.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace sluice::route {

using state::Profile;
using view::Compiled;
using view::EffectList;
using view::PersonContext;

namespace {

const std::string& purpose_of(const config::Route& route, const config::Destination& destination) {
  return route.purpose.empty() ? destination.purpose : route.purpose;
}

// What a profile route maps: name and JSON value of each field.
struct Field {
  state::NameId id;
  std::string_view name;
  std::string json;
};

std::vector<Field> map_fields(const state::State& state, const Profile& profile, const config::Route& route,
                              const Compiled& compiled, PersonContext& context) {
  std::vector<Field> fields;
  const auto add = [&](std::string_view name, const expr::Value& value) {
    std::string json;
    value.append_json(json);
    fields.push_back({state::name_id(name), name, std::move(json)});
  };
  if (!route.fields.empty()) {
    for (const config::Mapped& field : route.fields) add(field.name, context.evaluate(*field.program));
    return fields;
  }
  for (const state::Trait& trait : profile.traits) {
    Field field{trait.name, state.name(trait.name), {}};
    trait.value.append_json(field.json);
    fields.push_back(std::move(field));
  }
  const auto& computed = compiled.config->computed;
  for (std::size_t i = 0; i < computed.size(); ++i) add(computed[i].name, context.computed(i));
  return fields;
}

std::string mapped_json(const config::Route& route, PersonContext& context) {
  std::string json = "{";
  for (const config::Mapped& field : route.fields) {
    const expr::Value value = context.evaluate(*field.program);
    if (value.is_unknown()) continue;
    if (json.size() > 1) json += ',';
    append_json_string(json, field.name);
    json += ':';
    value.append_json(json);
  }
  json += '}';
  return json;
}

bool allowed(const config::Route& route, const Compiled& compiled, std::size_t slot, PersonContext& context,
             Tally& tally) {
  if (context.allows(purpose_of(route, compiled.config->destinations[slot]))) return true;
  ++tally.suppressed;
  return false;
}

Effect& start(const config::Route& route, std::size_t slot, Operation op, const Profile& profile, TimeUs time,
              const Compiled& compiled, EffectList& out) {
  Effect& effect = out.add(slot, profile);
  effect.op = op;
  effect.purpose = purpose_of(route, compiled.config->destinations[slot]);
  effect.time = time;
  effect.route = route.name;
  return effect;
}

}  // namespace

void route_event(const Profile& profile, const Event& event, const Compiled& compiled, PersonContext& context,
                 EffectList& out, Tally& tally) {
  if (event.kind != EventKind::track) return;
  const auto send = [&](std::size_t index) {
    const config::Route& route = compiled.config->routes[index];
    const std::size_t slot = compiled.route_destinations[index];
    if (!context.holds(route.where) || !allowed(route, compiled, slot, context, tally)) return;
    Effect& effect = start(route, slot, Operation::event, profile, event.time, compiled, out);
    effect.name = event.name;
    effect.payload = route.fields.empty() ? std::string(event.raw) : mapped_json(route, context);
  };
  thread_local std::string name;
  name.assign(event.name);
  if (const auto at = compiled.event_routes.find(name); at != compiled.event_routes.end()) {
    for (const std::size_t index : at->second) send(index);
  }
  for (const std::size_t index : compiled.event_routes_any) send(index);
}

Effect* route_list(const Profile& profile, std::size_t index, bool entered, TimeUs now,
                   const Compiled& compiled, PersonContext& context, EffectList& out, Tally& tally) {
  const config::Route& route = compiled.config->routes[index];
  const std::size_t slot = compiled.route_destinations[index];
  // Leaving needs no consent: it takes the person off a list.
  if (entered && !allowed(route, compiled, slot, context, tally)) return nullptr;
  Effect& effect =
      start(route, slot, entered ? Operation::enter : Operation::leave, profile, now, compiled, out);
  if (!entered) effect.purpose.clear();
  effect.name = route.list.empty() ? route.audience : route.list;
  effect.payload = mapped_json(route, context);
  return &effect;
}

void route_membership(const Profile& profile, std::size_t audience, bool entered, TimeUs now,
                      const Compiled& compiled, PersonContext& context, EffectList& out, Tally& tally) {
  for (const std::size_t index : compiled.audience_routes[audience])
    route_list(profile, index, entered, now, compiled, context, out, tally);
}

void route_granted(const Profile& profile, std::string_view purpose, TimeUs now, const Compiled& compiled,
                   PersonContext& context, EffectList& out, Tally& tally) {
  for (const state::Membership& m : profile.memberships) {
    const auto& ids = compiled.audience_ids;
    const auto at = std::find(ids.begin(), ids.end(), m.audience);
    if (at == ids.end()) continue;
    for (const std::size_t index : compiled.audience_routes[static_cast<std::size_t>(at - ids.begin())]) {
      const config::Route& route = compiled.config->routes[index];
      const std::size_t slot = compiled.route_destinations[index];
      if (purpose_of(route, compiled.config->destinations[slot]) != purpose) continue;
      if (!allowed(route, compiled, slot, context, tally)) continue;
      Effect& effect = start(route, slot, Operation::enter, profile, now, compiled, out);
      effect.name = route.list.empty() ? route.audience : route.list;
      effect.payload = mapped_json(route, context);
    }
  }
}

void route_merged(const Profile& loser, TimeUs now, const Compiled& compiled, PersonContext& context,
                  EffectList& out, Tally& tally) {
  context.at(&loser, now, nullptr);
  for (const state::Membership& m : loser.memberships) {
    const auto& ids = compiled.audience_ids;
    const auto at = std::find(ids.begin(), ids.end(), m.audience);
    if (at == ids.end()) continue;
    route_membership(loser, static_cast<std::size_t>(at - ids.begin()), false, now, compiled, context, out,
                     tally);
  }
}

namespace {

// Of the identifiers by which destinations know a person; the same in any order. Another browser is not
// another person.
std::uint64_t identity_hash(const Profile& profile, const Compiled& compiled) {
  std::uint64_t sum = 1;
  for (const state::Identifier& identifier : profile.identifiers) {
    for (std::size_t rule = 0; rule < compiled.identity_ids.size(); ++rule) {
      if (compiled.known_identifier[rule] && compiled.identity_ids[rule] == identifier.type) {
        sum += hash64(identifier.value, identifier.type);
      }
    }
  }
  return sum;
}

// What plugin.h says of a record about consent: the person is unsubscribed over there.
std::string refusal_json(std::string_view purpose, TimeUs now) {
  std::string out;
  JsonWriter(out)
      .begin_object()
      .member("purpose", purpose)
      .member_boolean("granted", false)
      .member("time", format_time(now))
      .end_object();
  return out;
}

void send_changed(state::State& state, Profile& profile, std::size_t index, TimeUs now,
                  const Compiled& compiled, PersonContext& context, EffectList& out, Tally& tally) {
  const config::Route& route = compiled.config->routes[index];
  const std::size_t slot = compiled.route_destinations[index];
  const state::NameId id = compiled.route_ids[index];
  const bool inside = context.holds(route.profiles);
  state::RouteMark* mark = profile.mark(id);
  if (!inside) {
    if (mark == nullptr || !mark->inside) return;
    mark->inside = false;
    if (route.on_leave == config::OnLeave::keep || mark->silent) return;
    const bool remove = route.on_leave == config::OnLeave::remove;
    Effect& effect =
        start(route, slot, remove ? Operation::remove : Operation::consent, profile, now, compiled, out);
    effect.purpose.clear();
    effect.name = route.name;
    effect.payload =
        remove ? "{}" : refusal_json(purpose_of(route, compiled.config->destinations[slot]), now);
    mark->fields.clear();
    mark->identity = 0;
    return;
  }
  if (!allowed(route, compiled, slot, context, tally)) return;
  if (mark == nullptr) {
    state.intern(route.name);
    profile.marks.push_back({id, 0, false, false, {}});
    mark = &profile.marks.back();
  }
  mark->inside = true;
  const std::uint64_t identity = identity_hash(profile, compiled);
  const bool everything = mark->identity != identity || mark->silent;
  std::string payload = "{";
  std::vector<state::RouteField> now_sent;
  bool changed = false;
  for (const Field& field : map_fields(state, profile, route, compiled, context)) {
    const std::uint64_t value = hash64(field.json);
    const auto last = std::find_if(mark->fields.begin(), mark->fields.end(),
                                   [&](const auto& f) { return f.name == field.id; });
    const bool sent = last != mark->fields.end();
    const bool differs = sent ? last->value != value : field.json != "null";
    changed = changed || differs;
    if (sent || field.json != "null") now_sent.push_back({field.id, value});
    if (!(everything ? field.json != "null" || sent : differs)) continue;
    if (payload.size() > 1) payload += ',';
    append_json_string(payload, field.name);
    payload += ':';
    payload += field.json;
  }
  payload += '}';
  if (!changed && (!everything || mark->silent)) return;
  mark->identity = identity;
  mark->silent = false;
  mark->fields = std::move(now_sent);
  Effect& effect = start(route, slot, Operation::upsert, profile, now, compiled, out);
  effect.name = route.name;
  effect.payload = std::move(payload);
}

}  // namespace

void route_profile(state::State& state, Profile& profile, const view::SlotSet& routes,
                   bool identifiers_changed, TimeUs now, const Compiled& compiled, PersonContext& context,
                   EffectList& out, Tally& tally) {
  for (const std::size_t index : compiled.profile_routes) {
    if (!identifiers_changed && !routes.test(index)) continue;
    if (context.waits_route(index)) continue;
    send_changed(state, profile, index, now, compiled, context, out, tally);
  }
}

void resend(state::State& state, Profile& profile, std::size_t index, TimeUs now, const Compiled& compiled,
            PersonContext& context, EffectList& out, Tally& tally) {
  if (state::RouteMark* mark = profile.mark(compiled.route_ids[index])) {
    mark->fields.clear();
    mark->identity = 0;
  }
  if (context.waits_route(index)) return;  // it goes with all else once the past is there
  send_changed(state, profile, index, now, compiled, context, out, tally);
}

void mark_silent(state::State& state, Profile& profile, std::size_t index, const Compiled& compiled,
                 PersonContext& context) {
  const config::Route& route = compiled.config->routes[index];
  if (!route.profiles || profile.mark(compiled.route_ids[index]) != nullptr || !context.holds(route.profiles))
    return;
  state::RouteMark mark{state.intern(route.name), 0, true, true, {}};
  for (const Field& field : map_fields(state, profile, route, compiled, context)) {
    if (field.json != "null") mark.fields.push_back({field.id, hash64(field.json)});
  }
  profile.marks.push_back(std::move(mark));
}

}  // namespace sluice::route
