#include "view/context.hpp"

#include <algorithm>
#include <unordered_map>

namespace sluice::view {

using expr::Aggregation;
using expr::Value;
using state::Series;
using state::StoredValue;

void PersonContext::at(const state::Profile* profile, TimeUs now, const Event* event) {
  profile_ = profile;
  now_ = now;
  event_ = event;
  arena_.reset();
  if (!texts_.empty()) texts_.clear();
  if (!values_.empty()) values_.clear();
  parsers_used_ = 0;
  waits_ = profile != nullptr && state_.backfill.waits(profile->id);
  if (!waits_ || waiting_for_ == state_.backfill.id) return;
  waiting_for_ = state_.backfill.id;
  waiting_ = waiting(compiled_, state_.backfill);
}

std::string_view PersonContext::keep(std::string text) {
  return texts_.emplace_back(std::move(text));
}

Json PersonContext::parse(std::string_view text) {
  if (parsers_used_ == parsers_.size()) parsers_.emplace_back();
  return parsers_[parsers_used_++].parse(text);
}

Value PersonContext::stored(const StoredValue& value) {
  switch (value.kind()) {
    case StoredValue::Kind::none:
    case StoredValue::Kind::null:
      return Value::unknown("missing");
    case StoredValue::Kind::boolean:
      return Value::boolean(value.as_boolean());
    case StoredValue::Kind::number:
      return Value::number(value.as_number());
    case StoredValue::Kind::string:
      return Value::string(value.as_text());
    case StoredValue::Kind::json:
      return Value::json(parse(value.as_text()));
  }
  return Value::unknown("missing");
}

Value PersonContext::trait(const expr::Symbol& name) {
  const TraitPlan& plan = compiled_.traits[name.slot];
  if (plan.computed != SIZE_MAX) return computed(plan.computed);
  if (profile_ == nullptr) return Value::unknown("missing");
  const state::Trait* trait = find_trait(name.slot);
  return trait == nullptr ? Value::unknown("missing") : stored(trait->value);
}

const state::Trait* PersonContext::find_trait(std::size_t slot) {
  const state::NameId id = compiled_.traits[slot].id;
  const std::vector<state::Trait>& traits = profile_->traits;
  std::uint32_t& place = trait_places_[slot];
  if (place < traits.size() && traits[place].name == id) return &traits[place];
  const state::Trait* const found = profile_->trait(id);
  if (found != nullptr) place = static_cast<std::uint32_t>(found - traits.data());
  return found;
}

Value PersonContext::computed(std::size_t index) {
  constexpr int depth_max = 16;  // `check` refuses circles; this holds even if it did not
  if (depth_ >= depth_max) return Value::unknown("computed traits nested too deep");
  ++depth_;
  const Value value = compiled_.config->computed[index].program->evaluate(*this, arena_);
  --depth_;
  return value;
}

Value PersonContext::audience(const expr::Symbol& name) {
  return Value::boolean(profile_ != nullptr &&
                        profile_->membership(compiled_.audience_ids[name.slot]) != nullptr);
}

bool PersonContext::allows(std::size_t purpose) const {
  const PurposePlan& plan = compiled_.purposes[purpose];
  const state::ConsentState* said = profile_ == nullptr ? nullptr : profile_->consent(plan.id);
  if (said != nullptr) return said->granted;
  return !plan.needs_grant || compiled_.config->consent.unknown_allowed;
}

bool PersonContext::allows(std::string_view purpose) const {
  if (!compiled_.config->consent.present || purpose == "internal" || purpose.empty()) return true;
  const auto& all = compiled_.config->consent.purposes;
  for (std::size_t slot = 0; slot < all.size(); ++slot) {
    if (all[slot].name == purpose) return allows(slot);
  }
  return false;
}

Value PersonContext::consent(const expr::Symbol& purpose) {
  return Value::boolean(allows(std::size_t{purpose.slot}));
}

Value PersonContext::profile_field(std::string_view name) {
  if (profile_ == nullptr) return Value::unknown("nobody");
  if (name == "id") return Value::string(keep(format_profile_id(profile_->id)));
  if (name == "first_seen") return Value::timestamp(profile_->first_seen);
  if (name == "last_seen") return Value::timestamp(profile_->last_seen);
  if (name == "timezone") {
    return Value::string(profile_->timezone.empty() ? std::string_view(compiled_.config->hub.timezone)
                                                    : profile_->timezone);
  }
  if (name == "locale" && !profile_->locale.empty()) return Value::string(profile_->locale);
  return Value::unknown("missing");
}

Value PersonContext::account_field(std::string_view name) {
  const state::Account* account = profile_ == nullptr ? nullptr : state_.account_of(profile_->id);
  if (account == nullptr) return Value::unknown("no account");
  if (name == "id") return Value::string(account->id);
  if (name == "members") return Value::integer(static_cast<std::int64_t>(account->members.size()));
  const state::Trait* trait = account->trait(state::name_id(name));
  return trait == nullptr ? Value::unknown("missing") : stored(trait->value);
}

Value PersonContext::event_field(std::string_view name) {
  if (event_ == nullptr) return Value::unknown("no event here");
  const auto text = [](std::string_view t) {
    return t.empty() ? Value::unknown("missing") : Value::string(t);
  };
  if (name == "properties") return Value::json(event_->properties);
  if (name == "name") return text(event_->name);
  if (name == "type") return Value::string(name_of(event_->kind));
  if (name == "time") return Value::timestamp(event_->time);
  if (name == "traits") return Value::json(event_->traits);
  if (name == "context") return Value::json(event_->context);
  if (name == "derived") return Value::json(event_->derived);
  if (name == "source") return Value::string(event_->source);
  if (name == "message_id") return text(event_->message_id);
  for (const ExternalId& id : event_->ids) {
    if (id.type == name) return text(id.value);
  }
  return Value::json(event_->root[name]);
}

// A zone that nobody knows is no zone: the hub's holds.
const Zone* PersonContext::zone() {
  if (profile_ == nullptr || profile_->timezone.empty()) return compiled_.zone;
  if (profile_->timezone != zone_name_) {
    zone_name_ = profile_->timezone;
    zone_ = find_zone(zone_name_);
  }
  return zone_ != nullptr ? zone_ : compiled_.zone;
}

state::Window PersonContext::window_of(const AggregatePlan& plan) {
  if (plan.local_days > 0) return {plan.local_days, zone()};
  return plan.within;
}

Value PersonContext::sequence(const AggregatePlan& plan) {
  const state::Sequence* found =
      profile_ == nullptr ? nullptr : profile_->find_sequence(compiled_.sequences[plan.sequence].key);
  std::size_t count = 0;
  if (found != nullptr) {
    const auto [first, last] = found->window(now_, window_of(plan));
    count = last - first;
  }
  if (plan.op == Aggregation::exists) return Value::boolean(count > 0);
  return Value::integer(static_cast<std::int64_t>(count));
}

Value PersonContext::aggregate(std::uint32_t slot) {
  const AggregatePlan& plan = compiled_.aggregates[slot];
  if (waits_ && waiting_.aggregates[slot]) return Value::unknown("the history is being read");
  if (plan.sequence != SIZE_MAX) return sequence(plan);
  const Series* series =
      profile_ == nullptr ? nullptr : profile_->find_series(compiled_.series[plan.series].key);
  static const Series nothing;
  if (series == nullptr) series = &nothing;
  return plan.windowed() ? windowed(plan, *series) : all_time(plan, *series);
}

Value PersonContext::distinct(std::vector<state::Distinct> values, const AggregatePlan& plan) {
  if (plan.op == Aggregation::top) {
    std::stable_sort(values.begin(), values.end(),
                     [](const auto& a, const auto& b) { return a.count > b.count; });
    if (values.size() > plan.top) values.resize(plan.top);
  }
  std::string json = "[";
  for (const state::Distinct& d : values) {
    if (json.size() > 1) json += ',';
    d.value.append_json(json);
  }
  json += ']';
  return Value::json(parse(json));
}

Value PersonContext::all_time(const AggregatePlan& plan, const Series& series) {
  switch (plan.op) {
    case Aggregation::count:
      return Value::integer(static_cast<std::int64_t>(series.count()));
    case Aggregation::exists:
      return Value::boolean(series.count() > 0);
    case Aggregation::sum:
      return Value::number(series.total().to_double());
    case Aggregation::avg:
      if (series.numbers() == 0) return Value::unknown("no events");
      return Value::number(series.total().to_double() / static_cast<double>(series.numbers()));
    case Aggregation::min:
      return stored(series.smallest());
    case Aggregation::max:
      return stored(series.largest());
    case Aggregation::first:
      return stored(series.first().value);
    case Aggregation::last:
      return stored(series.last().value);
    case Aggregation::unique:
    case Aggregation::top:
      return distinct(series.distinct(), plan);
  }
  return Value::unknown("no such aggregation");
}

namespace {

bool has_value(const state::SeriesEntry& entry) {
  return !entry.value.is_none() && entry.value.kind() != StoredValue::Kind::null;
}

std::vector<state::Distinct> distinct_of(const Series& series, const state::Stretch& some) {
  std::vector<state::Distinct> values;  // in order of first sight
  std::unordered_map<std::string, std::size_t> places;
  series.entries().each(some, [&](const state::SeriesEntry& entry) {
    if (!has_value(entry)) return true;
    const auto [place, fresh] = places.try_emplace(entry.value.bytes(), values.size());
    if (fresh) values.push_back({entry.value, 0});
    ++values[place->second].count;
    return true;
  });
  return values;
}

// The smallest or the largest value; none: there is no value that has a size.
StoredValue extreme_of(const Series& series, const state::Stretch& some, bool smallest) {
  StoredValue best;
  series.entries().each(some, [&](const state::SeriesEntry& entry) {
    if (!has_value(entry) || entry.value.kind() == StoredValue::Kind::json) return true;
    if (best.is_none() || (smallest ? entry.value < best : best < entry.value)) best = entry.value;
    return true;
  });
  return best;
}

StoredValue first_of(const Series& series, const state::Stretch& some) {
  StoredValue first;
  series.entries().each(some, [&](const state::SeriesEntry& entry) {
    if (has_value(entry)) first = entry.value;
    return first.is_none();
  });
  return first;
}

// Mostly the last entry has one: looked for in pieces from the end.
StoredValue last_of(const Series& series, const state::Stretch& some) {
  const state::Entries& entries = series.entries();
  StoredValue last;
  for (state::Place end = some.last; last.is_none() && end.index > some.first.index;) {
    const std::size_t index = std::max(some.first.index, (end.index - 1) / entries.step * entries.step);
    const state::Place from = entries.at(index);
    entries.each({from, end}, [&](const state::SeriesEntry& entry) {
      if (has_value(entry)) last = entry.value;
      return true;
    });
    end = from;
  }
  return last;
}

}  // namespace

Value PersonContext::windowed(const AggregatePlan& plan, const Series& series) {
  const state::Stretch inside = series.window(now_, window_of(plan));
  const auto kept = [&](StoredValue value) {  // it is nobody's: what it borrows from must stay until at()
    return value.is_none() ? Value::unknown("no events") : stored(values_.emplace_back(std::move(value)));
  };
  switch (plan.op) {
    case Aggregation::count:
      return Value::integer(static_cast<std::int64_t>(inside.size()));
    case Aggregation::exists:
      return Value::boolean(!inside.empty());
    case Aggregation::sum:
      return Value::number(inside.sum().to_double());
    case Aggregation::avg:
      if (inside.numbers() == 0) return Value::unknown("no events");
      return Value::number(inside.sum().to_double() / static_cast<double>(inside.numbers()));
    case Aggregation::min:
    case Aggregation::max:
      return kept(extreme_of(series, inside, plan.op == Aggregation::min));
    case Aggregation::first:
      return kept(first_of(series, inside));
    case Aggregation::last:
      return kept(last_of(series, inside));
    case Aggregation::unique:
    case Aggregation::top:
      return distinct(distinct_of(series, inside), plan);
  }
  return Value::unknown("no such aggregation");
}

template <typename Kept>
TimeUs PersonContext::next_change(const AggregatePlan& plan, const Kept& kept) {
  if (kept.entries().empty()) return never;
  const state::Window window = window_of(plan);
  return plan.op == Aggregation::exists ? kept.next_existence_change(now_, window)
                                        : kept.next_change(now_, window);
}

// What this person has done that windows look at, however many there are over other things.
template <typename F>
void PersonContext::each_kept(const F& each) {
  for (const state::Series& series : profile_->series) each(series);
  for (const state::Sequence& sequence : profile_->sequences) each(sequence);
}

template <typename Kept>
TimeUs PersonContext::change_of(const Kept& kept) {
  TimeUs next = never;
  const auto watched = compiled_.watched_by_key.find(kept.key);
  if (watched != compiled_.watched_by_key.end()) {
    for (const std::size_t slot : watched->second)
      next = std::min(next, next_change(compiled_.aggregates[slot], kept));
  }
  kept.change = {next, false};
  return next;
}

TimeUs PersonContext::next_change() {
  TimeUs next = never;
  if (profile_ == nullptr) return next;
  each_kept([&](const auto& kept) {
    next = std::min(next, kept.change.holds(now_) ? kept.change.at : change_of(kept));
  });
  state::NextChange& now = profile_->now_change;
  if (!now.holds(now_)) {
    now = {never, false};
    for (const Compiled::NowProgram& reads : compiled_.now_programs)
      now.at = std::min(now.at, reads.program->next_change(*this, arena_));
  }
  return std::min(next, now.at);
}

TimeUs PersonContext::next_touched_change(const Readers& readers) {
  TimeUs next = never;
  each_kept([&](const auto& kept) {
    if (kept.change.touched) next = std::min(next, change_of(kept));
  });
  if (!readers.meets(compiled_.by_now)) return next;
  profile_->now_change.touched = true;
  for (const Compiled::NowProgram& now : compiled_.now_programs) {
    if (readers.meets(now.readers)) next = std::min(next, now.program->next_change(*this, arena_));
  }
  return next;
}

void PersonContext::add_due(TimeUs due, Readers& readers) {
  at(profile_, due - 1, nullptr);
  each_kept([&](const auto& kept) {
    if (kept.change.holds(due)) return;
    const auto watched = compiled_.watched_by_key.find(kept.key);
    if (watched == compiled_.watched_by_key.end()) return;
    for (const std::size_t slot : watched->second) {
      if (next_change(compiled_.aggregates[slot], kept) <= due) readers.add(compiled_.by_aggregate[slot]);
    }
  });
  if (profile_->now_change.holds(due)) return;
  for (const Compiled::NowProgram& now : compiled_.now_programs) {
    if (now.program->next_change(*this, arena_) <= due) readers.add(now.readers);
  }
}

}  // namespace sluice::view
