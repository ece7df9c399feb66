#include "unify/facts.hpp"

#include <algorithm>
#include <array>

namespace sluice::unify {

using state::StoredValue;

namespace {

StoredValue to_stored(const expr::Value& value) {
  using Kind = expr::Value::Kind;
  switch (value.kind()) {
    case Kind::unknown:
      return {};
    case Kind::null:
      return StoredValue::null();
    case Kind::boolean:
      return StoredValue::boolean(value.as_boolean());
    case Kind::integer:
    case Kind::unsigned_integer:
    case Kind::number:
      return StoredValue::number(value.to_double());
    case Kind::string:
      return StoredValue::string(value.as_text());
    default: {
      std::string json;
      value.append_json(json);
      // A timestamp or duration prints as a JSON string: kept as the text that it is.
      if (json.size() >= 2 && json.front() == '"')
        return StoredValue::string(std::string_view(json).substr(1, json.size() - 2));
      return StoredValue::json_text(json);
    }
  }
}

void changed_trait(state::NameId name, const view::Compiled& compiled, view::Readers& readers) {
  if (const auto at = compiled.by_trait.find(name); at != compiled.by_trait.end()) readers.add(at->second);
  readers.add(compiled.any_trait);
}

// What an anonymous source must not say about its people, as Segment's spec and ours spell it.
bool names_a_person(std::string_view trait) {
  constexpr std::array<std::string_view, 9> refused{
      "name", "first_name", "last_name", "firstName", "lastName", "full_name", "fullName", "email", "phone"};
  return std::find(refused.begin(), refused.end(), trait) != refused.end();
}

// Only the tracking API and page context say where people live and what they speak.
void apply_locale(state::Profile& profile, const Event& event, const view::Compiled& compiled,
                  view::Readers& readers) {
  if (!event.context) return;
  const std::string_view timezone = event.context["timezone"].string_or("");
  const std::string_view locale = event.context["locale"].string_or("");
  constexpr std::size_t bytes_max = 64;
  // An event that comes late does not take the person back to where they were.
  if (!timezone.empty() && timezone.size() <= bytes_max && event.time >= profile.timezone_time) {
    profile.timezone_time = event.time;
    if (profile.timezone != timezone) {
      profile.timezone = timezone;
      profile.touch_changes();
      readers.add(compiled.by_zone);
    }
  }
  if (!locale.empty() && locale.size() <= bytes_max) profile.locale = locale;
}

}  // namespace

void apply_traits(state::State& state, state::Profile& profile, const Event& event,
                  const view::Compiled& compiled, view::Readers& readers) {
  apply_locale(profile, event, compiled, readers);
  if (!event.traits) return;
  if (profile.traits.empty())
    profile.traits.reserve(event.traits.size());  // most people never get another one
  event.traits.members([&](std::string_view name, Json json) {
    if (name.empty() || name.size() > name_bytes_max) return;
    if (event.third_party_anonymous && names_a_person(name)) return;
    const state::NameId id = state::name_id(name);
    if (compiled.computed_names.contains(id)) return;
    state::Trait* trait = profile.trait(id);
    if (trait == nullptr) {
      if (profile.traits.size() >= state::traits_max) return;
      profile.traits.push_back(
          {state.intern(name), StoredValue::of(json), event.time, state.intern(event.source), event.trusted});
      changed_trait(id, compiled, readers);
      return;
    }
    if (trait->time > event.time || (trait->trusted && !event.trusted)) return;
    StoredValue value = StoredValue::of(json);
    const bool same = trait->value == value;
    trait->value = std::move(value);
    trait->time = event.time;
    trait->source = state.intern(event.source);
    trait->trusted = event.trusted;
    if (!same) changed_trait(id, compiled, readers);
  });
}

std::vector<ConsentChange> apply_consent(state::State& state, state::Profile& profile, const Event& event,
                                         const view::Compiled& compiled, view::Readers& readers) {
  std::vector<ConsentChange> changes;
  for (const ConsentClaim& claim : event.consent) {
    const auto& purposes = compiled.config->consent.purposes;
    const auto purpose = std::find_if(purposes.begin(), purposes.end(),
                                      [&](const auto& p) { return p.name == claim.purpose; });
    if (purpose == purposes.end()) continue;
    const auto slot = static_cast<std::size_t>(purpose - purposes.begin());
    const state::NameId id = compiled.purposes[slot].id;
    const auto at = std::find_if(profile.consents.begin(), profile.consents.end(),
                                 [&](const auto& c) { return c.purpose == id; });
    const state::ConsentState said{state.intern(purpose->name), claim.granted, event.time,
                                   state.intern(event.source)};
    if (at == profile.consents.end()) {
      profile.consents.push_back(said);
    } else if (at->time > event.time || (at->time == event.time && claim.granted)) {
      continue;
    } else if (at->granted == claim.granted) {
      *at = said;
      continue;
    } else {
      *at = said;
    }
    changes.push_back({purpose->name, claim.granted});
    readers.add(compiled.by_purpose[slot]);
  }
  return changes;
}

namespace {

// Of what waits for its past: up to the switch the shadow counts; what comes behind it is counted beside,
// until the past comes.
template <typename Count>
void count_where_it_belongs(const view::PersonContext& context, bool waits, std::uint64_t key,
                            const Count& count) {
  const state::Backfill& backfill = context.backfill();
  if (waits && backfill.switched != 0) count(state::beside(key));
  if (!waits || !counts_nothing(backfill.needs_of(key))) count(key);
}

std::size_t count_steps(state::Profile& profile, const Event& event, const view::Compiled& compiled,
                        view::PersonContext& context, std::uint64_t seq, TimeUs now, const std::string& name,
                        view::Readers& readers) {
  const auto slots = compiled.sequences_by_event.find(name);
  if (slots == compiled.sequences_by_event.end()) return 0;
  std::size_t full = 0;
  for (const std::size_t slot : slots->second) {
    const view::SequencePlan& plan = compiled.sequences[slot];
    std::uint8_t steps = 0;
    for (std::size_t step = 0; step < plan.steps.size(); ++step) {
      if (plan.steps[step].event != name || !context.holds(plan.steps[step].where)) continue;
      steps = static_cast<std::uint8_t>(steps | 1U << step);
    }
    if (steps == 0) continue;
    count_where_it_belongs(context, context.waits_sequence(slot), plan.key, [&](std::uint64_t key) {
      state::Sequence* sequence = profile.find_sequence(key);
      if (sequence == nullptr) {
        profile.sequences.emplace_back();
        sequence = &profile.sequences.back();
        sequence->key = key;
      }
      if (!sequence->add({event.time, seq, steps}, plan.needs, now)) ++full;
    });
    readers.add(compiled.by_sequence[slot]);
  }
  return full;
}

}  // namespace

std::size_t apply_counts(state::Profile& profile, const Event& event, const view::Compiled& compiled,
                         view::PersonContext& context, std::uint64_t seq, TimeUs now,
                         view::Readers& readers) {
  if (event.kind != EventKind::track && event.kind != EventKind::page && event.kind != EventKind::screen)
    return 0;
  thread_local std::string name;
  name.assign(event.name);
  std::size_t full = count_steps(profile, event, compiled, context, seq, now, name, readers);
  const auto slots = compiled.series_by_event.find(name);
  if (slots == compiled.series_by_event.end()) return full;
  for (const std::size_t slot : slots->second) {
    const view::SeriesPlan& plan = compiled.series[slot];
    if (plan.since != no_time && event.time < plan.since) continue;
    if (plan.until != no_time && event.time >= plan.until) continue;
    if (plan.where && !context.holds(plan.where)) continue;
    StoredValue value;
    if (plan.value) value = to_stored(context.evaluate(*plan.value));
    count_where_it_belongs(context, context.waits_series(slot), plan.key, [&](std::uint64_t key) {
      state::Series* series = profile.find_series(key);
      if (series == nullptr) {
        profile.series.emplace_back();
        series = &profile.series.back();
        series->key = key;
      }
      if (!series->add(event.time, seq, value, plan.needs, now)) ++full;
    });
    readers.add(compiled.by_series[slot]);
  }
  return full;
}

}  // namespace sluice::unify
