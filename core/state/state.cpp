#include "state/state.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "base/near.hpp"
#include "state/state_impl.hpp"

namespace sluice::state {

State::State(std::uint64_t hash_seed) : impl_(std::make_unique<Impl>(hash_seed)) {}
State::~State() = default;

ProfileId State::resolve(ProfileId id) const {
  for (auto at = impl_->aliases.find(id); at != impl_->aliases.end(); at = impl_->aliases.find(id))
    id = at->second;
  return id;
}

void State::rest() {
  impl_->people.rest();
  impl_->people.shed(impl_->tables_bytes());
}

Status State::keep_within(std::uint64_t bytes, FileSystem& files, const std::string& folder) {
  impl_->people.keep_within(SLUICE_TRY(ColdRows::open(files, folder)), bytes);
  return Done{};
}

std::uint64_t State::memory() const {
  return impl_->people.memory() + impl_->tables_bytes();
}

std::uint64_t State::cold_bytes() const {
  return impl_->people.cold_bytes();
}

Profile* State::find(ProfileId wanted) {
  const auto [id, row] = impl_->whom(wanted);
  return row == nullptr ? nullptr : &impl_->people.unpacked(*row);
}

Reading State::find(ProfileId wanted) const {
  const auto [id, row] = impl_->whom(wanted);
  if (row == nullptr) return {};
  if (const Profile* const lent = impl_->people.in_pool(*row)) return Reading(lent);
  auto own = std::make_unique<Profile>();
  (void)impl_->people.read(*row, *own);
  return Reading(std::move(own));
}

Profile* State::find_by(NameId type, std::string_view value) {
  const std::uint64_t* const id = impl_->identifiers.find(impl_->identifier_key(type, value));
  if (id == nullptr) return nullptr;
  Profile* const profile = find(*id);
  return profile != nullptr && profile->has_identifier(type, value) ? profile : nullptr;
}

Reading State::find_by(NameId type, std::string_view value) const {
  const std::uint64_t* const id = impl_->identifiers.find(impl_->identifier_key(type, value));
  if (id == nullptr) return {};
  Reading found = find(*id);
  return found && found->has_identifier(type, value) ? std::move(found) : Reading();
}

void State::bring_near(std::span<const Glance> glances) const {
  constexpr std::size_t most = 64;
  std::array<ProfileId, most> ids{};
  std::array<Row*, most> rows{};
  glances = glances.first(std::min(glances.size(), most));
  for (const Glance& g : glances) impl_->identifiers.bring_near(impl_->identifier_key(g.type, g.value));
  std::size_t seen = 0;
  for (std::size_t i = 0; i < glances.size(); ++i) {
    const Glance& g = glances[i];
    const std::uint64_t* const id = impl_->identifiers.find(impl_->identifier_key(g.type, g.value));
    ids.at(i) = id == nullptr ? nobody : *id;
    impl_->people.bring_row_near(ids.at(i));
    if (!g.message_id.empty())
      seen += impl_->seen.contains(hash64(g.message_id, impl_->seed ^ g.source)) ? 1U : 0U;
  }
  for (std::size_t i = 0; i < glances.size(); ++i) {
    rows.at(i) = impl_->people.row(ids.at(i));
    if (rows.at(i) != nullptr) __builtin_prefetch(rows.at(i));
  }
  const auto near = sluice::bring_near;
  constexpr std::size_t bytes_max = 1'024;  // of a packed row: most are shorter
  std::array<const Profile*, most> pooled{};
  for (std::size_t i = 0; i < glances.size(); ++i) {
    if (rows.at(i) == nullptr) continue;
    impl_->people.fetch(*rows.at(i));
    if (const Profile* const there = pooled.at(i) = impl_->people.in_pool(*rows.at(i))) {
      near(there, sizeof *there);
    } else {
      near(rows.at(i), std::min(sizeof(Row) + rows.at(i)->size, bytes_max));
    }
  }
  for (const Profile* const there : pooled) {
    if (there != nullptr) there->bring_near();
  }
  for (const Profile* const there : pooled) {
    if (there != nullptr) there->bring_series_near();
  }
  asm volatile("" : : "r"(seen));  // the look-ups are wanted for what they fetch
}

Profile& State::create(std::uint64_t seq_, std::uint32_t ordinal, TimeUs at) {
  std::uint64_t id = hash64_pair(hash64_pair(impl_->seed, seq_), ordinal);
  while (id == nobody || impl_->people.contains(id) || impl_->aliases.contains(id)) ++id;
  Profile& made = impl_->people.add(id);
  made.created = seq_;
  made.created_ordinal = ordinal;
  made.first_seen = made.last_seen = at;
  // The checkpoint under way does not know of it.
  made.row->written_in = impl_->running ? impl_->generation : 0;
  ++totals.profiles_made;
  touch(made);
  return made;
}

void State::touch(Profile& profile) {
  impl_->changes(profile.id, *profile.row);
  impl_->people.touch(*profile.row);
  if (!apart.watched.empty()) note_touched(profile.id);
}

void State::index(const Profile& profile, const Identifier& identifier) {
  impl_->identifiers.set(impl_->identifier_key(identifier.type, identifier.value), profile.id);
}

void State::forget(const Profile& profile, const Identifier& identifier) {
  const std::uint64_t key = impl_->identifier_key(identifier.type, identifier.value);
  const std::uint64_t* const id = impl_->identifiers.find(key);
  if (id != nullptr && resolve(*id) == profile.id) impl_->identifiers.erase(key);
}

std::uint64_t State::entity_print(std::string_view source_stream, std::string_view entity) const {
  return hash64(entity, hash64(source_stream, impl_->seed));
}

Profile* State::find_entity(std::uint64_t print) {
  const std::uint64_t* const id = impl_->entities.find(print);
  Profile* profile = id == nullptr ? nullptr : find(*id);
  return profile != nullptr && profile->has_entity(print) ? profile : nullptr;
}

void State::index_entity(const Profile& profile, std::uint64_t print) {
  impl_->entities.set(print, profile.id);
}

void State::absorb(Profile& winner, Profile& loser) {
  SLUICE_CHECK(winner.id != loser.id);
  touch(winner);
  touch(loser);
  const ProfileId gone = loser.id;
  for (const Identifier& identifier : loser.identifiers) {
    impl_->identifiers.set(impl_->identifier_key(identifier.type, identifier.value), winner.id);
  }
  impl_->erased.push_back(gone);
  impl_->aliases[gone] = winner.id;
  impl_->set_small(Table::alias, key_of(gone), key_of(winner.id));
  impl_->people.remove(gone);
  impl_->absorb_member(winner.id, gone);
  ++totals.merges;
}

std::size_t State::profiles() const {
  return impl_->people.size();
}

std::vector<ProfileId> State::ids() const {
  std::vector<ProfileId> ids = impl_->people.ids();
  std::sort(ids.begin(), ids.end());
  return ids;
}

void State::each_profile(const std::function<void(Profile&)>& each) {
  for (const ProfileId id : ids()) {
    Row* row = impl_->people.row(id);
    const bool was_there = impl_->people.in_pool(*row) != nullptr;
    each(impl_->people.unpacked(*row));
    if (!was_there) impl_->people.pack_away(*row);
    impl_->people.shed(impl_->tables_bytes());
  }
}

void State::each_profile(const std::function<void(const Profile&)>& each) const {
  Profile person;
  for (const ProfileId id : ids()) each(impl_->people.read(*impl_->people.row(id), person));
}

void State::each_refusal(const std::function<void(const Profile&)>& each) const {
  std::vector<ProfileId> ids;
  impl_->people.each_row([&](const Row& row) {
    const Profile* const there = impl_->people.in_pool(row);
    if (there != nullptr ? there->has_refused() : row.refused != 0) ids.push_back(row.id);
  });
  std::sort(ids.begin(), ids.end());
  Profile person;
  for (const ProfileId id : ids) each(impl_->people.read(*impl_->people.row(id), person));
}

std::vector<ProfileId> State::ids_after(ProfileId after, ProfileId last, std::size_t most) const {
  return impl_->people.ids_after(after, last, most);
}

std::vector<ProfileId> State::members_after(NameId audience, ProfileId after, std::size_t most) const {
  constexpr std::size_t at_once = 1'000;
  std::vector<ProfileId> members;
  Profile person;
  while (members.size() < most) {
    const std::vector<ProfileId> people = ids_after(after, UINT64_MAX, at_once);
    for (const ProfileId id : people) {
      if (impl_->people.index(*impl_->people.row(id), person).membership(audience) == nullptr) continue;
      members.push_back(id);
      if (members.size() == most) break;
    }
    if (people.size() < at_once) break;
    after = people.back();
  }
  return members;
}

void State::each_alias(const std::function<void(ProfileId, ProfileId)>& each) const {
  std::vector<ProfileId> losers;
  for (const auto& [loser, winner] : impl_->aliases) losers.push_back(loser);
  std::sort(losers.begin(), losers.end());
  for (const ProfileId loser : losers) each(loser, impl_->aliases.find(loser)->second);
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
  if (!impl_->seen.insert(print)) return false;
  const std::int64_t hour = at / us_per_h;
  auto& chunks = impl_->chunks;
  if (chunks.empty() || chunks.back().hour != hour || chunks.back().prints.size() == chunk_prints) {
    const std::uint32_t number = !chunks.empty() && chunks.back().hour == hour ? chunks.back().number + 1 : 0;
    chunks.push_back({hour, number, {}, true, 0});
    const auto too_many = [&] { return impl_->seen.size() * bytes_per_print > bytes; };
    while (chunks.size() > 1 && (chunks.front().hour < hour - days * 24 || too_many())) {
      if (chunks.front().owed > 0) impl_->write_chunk(chunks.front());
      impl_->next_chunk -= std::min<std::size_t>(impl_->next_chunk, 1);
      for (const std::uint64_t old : chunks.front().prints) impl_->seen.erase(old);
      impl_->erased_chunks.push_back(chunks.front().key());
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
  profile.row->due = due;
  impl_->queue_timer(profile.id, *profile.row);
}

TimeUs State::due(const Profile& profile) const {
  return profile.row->due;
}

// The heap may hold moments that a person no longer has: it is looked at against the person, and a later one
// set anew. One entry a person counts, `queued`; others are left from earlier and drop out.
TimeUs State::next_due() {
  auto& timers = impl_->timers;
  while (!timers.empty()) {
    const DueTimer top = timers.top();
    Row* const row = impl_->people.row(top.person);
    const bool counts = row != nullptr && row->queued == top.due;
    if (counts && row->due == top.due) return top.due;
    timers.pop();
    if (!counts) continue;
    row->queued = never;
    impl_->queue_timer(top.person, *row);
  }
  return never;
}

bool State::pop_due(TimeUs until, DueTimer& out) {
  // No person's moment is earlier than the heap's: mostly that alone answers, without a look at the person.
  if (impl_->timers.empty() || impl_->timers.top().due > until) return false;
  if (next_due() > until) return false;
  out = impl_->timers.top();
  impl_->timers.pop();
  Row& row = *impl_->people.row(out.person);
  impl_->changes(out.person, row);
  row.due = row.queued = never;
  return true;
}

bool State::timers_known() const {
  return impl_->timers_known;
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
  // Where nothing waits there is no row: the state is what it is without.
  if (backfill.id != 0) {
    set_meta(backfill_key, backfill.encode());
  } else {
    impl_->erase_small(Table::meta, std::string(backfill_key));
  }
}

void State::keep_walks() {
  if (!walks.empty()) {
    set_meta(walks_key, encode_walks(walks));
  } else {
    impl_->erase_small(Table::meta, std::string(walks_key));
  }
}

void State::count_member(NameId audience, int change) {
  impl_->audience_sizes[audience] += static_cast<std::uint64_t>(static_cast<std::int64_t>(change));
}

std::uint64_t State::members(NameId audience) const {
  const auto at = impl_->audience_sizes.find(audience);
  return at == impl_->audience_sizes.end() ? 0 : at->second;
}

}  // namespace sluice::state
