#include "state/state.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "state/state_impl.hpp"

namespace sluice::state {

State::State(std::uint64_t hash_seed) : impl_(std::make_unique<Impl>(hash_seed)) {}
State::~State() = default;

ProfileId State::resolve(ProfileId id) const {
  for (auto at = impl_->aliases.find(id); at != impl_->aliases.end(); at = impl_->aliases.find(id))
    id = at->second;
  return id;
}

const Profile* State::find(ProfileId id) const {
  auto at = impl_->profiles.find(id);
  if (at == impl_->profiles.end()) at = impl_->profiles.find(resolve(id));  // who has merged has no row
  return at == impl_->profiles.end() ? nullptr : at->second.get();
}

Profile* State::find(ProfileId id) {
  return const_cast<Profile*>(std::as_const(*this).find(id));
}

const Profile* State::find_by(NameId type, std::string_view value) const {
  const auto at = impl_->identifiers.find(impl_->identifier_key(type, value));
  if (at == impl_->identifiers.end()) return nullptr;
  const Profile* profile = find(at->second);
  return profile != nullptr && profile->has_identifier(type, value) ? profile : nullptr;
}

Profile* State::find_by(NameId type, std::string_view value) {
  return const_cast<Profile*>(std::as_const(*this).find_by(type, value));
}

void State::bring_near(std::span<const Glance> glances) const {
  constexpr std::size_t most = 32;
  std::array<ProfileId, most> ids{};
  std::array<const Profile*, most> people{};
  glances = glances.first(std::min(glances.size(), most));
  std::size_t seen = 0;
  for (std::size_t i = 0; i < glances.size(); ++i) {
    const Glance& g = glances[i];
    const auto at = impl_->identifiers.find(impl_->identifier_key(g.type, g.value));
    ids.at(i) = at == impl_->identifiers.end() ? nobody : at->second;
    seen += impl_->seen.count(hash64(g.message_id, impl_->seed ^ g.source));
  }
  for (std::size_t i = 0; i < glances.size(); ++i) {
    const auto at = impl_->profiles.find(ids.at(i));
    people.at(i) = at == impl_->profiles.end() ? nullptr : at->second.get();
    if (people.at(i) == nullptr) continue;
    for (std::size_t byte = 0; byte < sizeof(Profile); byte += 64)
      __builtin_prefetch(reinterpret_cast<const char*>(people.at(i)) + byte);
  }
  const auto near = [](const auto& items, std::size_t lines) {
    for (std::size_t line = 0; line < lines; ++line)
      __builtin_prefetch(reinterpret_cast<const char*>(items.data()) + line * 64);
  };
  for (std::size_t i = 0; i < glances.size(); ++i) {
    if (people.at(i) == nullptr) continue;
    near(people.at(i)->identifiers, 5);
    near(people.at(i)->series, 6);
    near(people.at(i)->traits, 3);
    near(people.at(i)->memberships, 3);
  }
  for (std::size_t i = 0; i < glances.size(); ++i) {
    if (people.at(i) == nullptr) continue;
    for (const Series& series : people.at(i)->series) {
      if (series.entries().empty()) continue;
      __builtin_prefetch(&series.entries().front());
      __builtin_prefetch(&series.entries().back());
    }
  }
  asm volatile("" : : "r"(seen));  // the look-ups are wanted for what they fetch
}

Profile& State::create(std::uint64_t seq_, std::uint32_t ordinal, TimeUs at) {
  std::uint64_t id = hash64_pair(hash64_pair(impl_->seed, seq_), ordinal);
  while (id == nobody || impl_->profiles.contains(id) || impl_->aliases.contains(id)) ++id;
  auto profile = std::make_unique<Profile>();
  profile->id = id;
  profile->created = seq_;
  profile->created_ordinal = ordinal;
  profile->first_seen = profile->last_seen = at;
  profile->written_in =
      impl_->running ? impl_->generation : 0;  // the checkpoint under way does not know of it
  profile->changed_in = 0;
  Profile& made = *impl_->profiles.emplace(id, std::move(profile)).first->second;
  ++totals.profiles_made;
  touch(made);
  return made;
}

void State::touch(Profile& profile) {
  if (impl_->owed(profile)) impl_->write_profile(profile);
  if (profile.changed_in == impl_->generation) return;
  profile.changed_in = impl_->generation;
  impl_->changed.push_back(profile.id);
}

void State::index(const Profile& profile, const Identifier& identifier) {
  impl_->identifiers[impl_->identifier_key(identifier.type, identifier.value)] = profile.id;
}

void State::forget(const Profile& profile, const Identifier& identifier) {
  const auto at = impl_->identifiers.find(impl_->identifier_key(identifier.type, identifier.value));
  if (at != impl_->identifiers.end() && resolve(at->second) == profile.id) impl_->identifiers.erase(at);
}

std::uint64_t State::entity_print(std::string_view source_stream, std::string_view entity) const {
  return hash64(entity, hash64(source_stream, impl_->seed));
}

Profile* State::find_entity(std::uint64_t print) {
  const auto at = impl_->entities.find(print);
  Profile* profile = at == impl_->entities.end() ? nullptr : find(at->second);
  return profile != nullptr && profile->has_entity(print) ? profile : nullptr;
}

void State::index_entity(const Profile& profile, std::uint64_t print) {
  impl_->entities[print] = profile.id;
}

void State::absorb(Profile& winner, Profile& loser) {
  SLUICE_CHECK(winner.id != loser.id);
  touch(winner);
  touch(loser);
  const ProfileId gone = loser.id;
  for (const Identifier& identifier : loser.identifiers) {
    impl_->identifiers[impl_->identifier_key(identifier.type, identifier.value)] = winner.id;
  }
  impl_->erased.emplace_back(gone, loser.row_hash);
  impl_->aliases[gone] = winner.id;
  impl_->set_small(Table::alias, key_of(gone), key_of(winner.id));
  impl_->profiles.erase(gone);
  ++totals.merges;
}

std::size_t State::profiles() const {
  return impl_->profiles.size();
}

void State::each_profile(const std::function<void(Profile&)>& each) {
  for (const ProfileId id : sorted_ids(impl_->profiles)) each(*impl_->profiles.find(id)->second);
}

void State::each_profile(const std::function<void(const Profile&)>& each) const {
  for (const ProfileId id : sorted_ids(impl_->profiles)) each(*impl_->profiles.find(id)->second);
}

std::vector<ProfileId> State::profiles_after(ProfileId after, std::size_t most,
                                             const std::function<bool(const Profile&)>& wanted) const {
  std::vector<ProfileId> lowest;  // a heap, the highest on top
  for (const auto& [id, profile] : impl_->profiles) {
    if (id <= after || (lowest.size() == most && id > lowest.front()) || !wanted(*profile)) continue;
    if (lowest.size() == most) {
      std::pop_heap(lowest.begin(), lowest.end());
      lowest.pop_back();
    }
    lowest.push_back(id);
    std::push_heap(lowest.begin(), lowest.end());
  }
  std::sort_heap(lowest.begin(), lowest.end());
  return lowest;
}

void State::each_alias(const std::function<void(ProfileId, ProfileId)>& each) const {
  for (const ProfileId loser : sorted_ids(impl_->aliases)) each(loser, impl_->aliases.find(loser)->second);
}

NameId State::intern(std::string_view text) {
  const NameId id = name_id(text);
  if (!impl_->names.contains(id)) {
    impl_->names.emplace(id, text);
    impl_->set_small(Table::name, key_of(id), std::string(text));
  }
  return id;
}

std::string_view State::name(NameId id) const {
  const auto at = impl_->names.find(id);
  return at == impl_->names.end() ? std::string_view("?") : std::string_view(at->second);
}

bool State::first_sight(NameId source, std::string_view message_id, TimeUs at, std::int64_t days,
                        std::uint64_t bytes) {
  const std::uint64_t print = hash64(message_id, impl_->seed ^ source);
  if (!impl_->seen.insert(print).second) return false;
  const std::int64_t hour = at / us_per_h;
  auto& chunks = impl_->chunks;
  if (chunks.empty() || chunks.back().hour != hour || chunks.back().prints.size() == chunk_prints) {
    const std::uint32_t number = !chunks.empty() && chunks.back().hour == hour ? chunks.back().number + 1 : 0;
    chunks.push_back({hour, number, {}, {}, true});
    const auto too_many = [&] { return impl_->seen.size() * bytes_per_print > bytes; };
    while (chunks.size() > 1 && (chunks.front().hour < hour - days * 24 || too_many())) {
      for (const std::uint64_t old : chunks.front().prints) impl_->seen.erase(old);
      impl_->erased_chunks.emplace_back(chunks.front().key(), chunks.front().counted);
      chunks.pop_front();
    }
  }
  chunks.back().prints.push_back(print);
  chunks.back().changed = true;
  return true;
}

TimeUs State::dedup_reach(TimeUs at) const {
  return impl_->chunks.empty() ? at : impl_->chunks.front().hour * us_per_h;
}

void State::set_due(Profile& profile, TimeUs due) {
  profile.due = due;
  if (due >= profile.queued) return;
  profile.queued = due;
  impl_->timers.push({due, profile.id});
}

// The heap may hold moments that a person no longer has: it is looked at against the person, and a later one
// set anew. One entry a person counts, `queued`; others are left from earlier and drop out.
TimeUs State::next_due() {
  auto& timers = impl_->timers;
  while (!timers.empty()) {
    const DueTimer top = timers.top();
    const auto at = impl_->profiles.find(top.person);
    const bool counts = at != impl_->profiles.end() && at->second->queued == top.due;
    if (counts && at->second->due == top.due) return top.due;
    timers.pop();
    if (!counts) continue;
    at->second->queued = never;
    if (at->second->due != never) set_due(*at->second, at->second->due);
  }
  return never;
}

bool State::pop_due(TimeUs until, DueTimer& out) {
  // No person's moment is earlier than the heap's: mostly that alone answers, without a look at the person.
  if (impl_->timers.empty() || impl_->timers.top().due > until) return false;
  if (next_due() > until) return false;
  out = impl_->timers.top();
  impl_->timers.pop();
  Profile& profile = *impl_->profiles.find(out.person)->second;
  profile.due = profile.queued = never;
  return true;
}

void State::set_cursor(std::string_view source_stream, std::string_view text) {
  impl_->set_small(Table::cursor, std::string(source_stream), std::string(text));
}

std::string_view State::cursor(std::string_view source_stream) const {
  const auto at = impl_->small.find({Table::cursor, std::string(source_stream)});
  return at == impl_->small.end() ? std::string_view{} : std::string_view(at->second);
}

void State::set_meta(std::string_view key, std::string_view value) {
  impl_->set_small(Table::meta, std::string(key), std::string(value));
}

std::string_view State::meta(std::string_view key) const {
  const auto at = impl_->small.find({Table::meta, std::string(key)});
  return at == impl_->small.end() ? std::string_view{} : std::string_view(at->second);
}

void State::keep_backfill() {
  set_meta(backfill_key, backfill.encode());
}

void State::count_member(NameId audience, int change) {
  impl_->audience_sizes[audience] += static_cast<std::uint64_t>(static_cast<std::int64_t>(change));
}

std::uint64_t State::members(NameId audience) const {
  const auto at = impl_->audience_sizes.find(audience);
  return at == impl_->audience_sizes.end() ? 0 : at->second;
}

}  // namespace sluice::state
