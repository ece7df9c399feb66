#include "state/state.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <queue>
#include <set>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "base/bytes.hpp"
#include "base/check.hpp"

namespace sluice::state {

namespace {

struct Mixed {  // our keys are hashes already
  std::size_t operator()(std::uint64_t key) const { return key * 0x9E3779B97F4A7C15ULL; }
};
template <typename V>
using FlatMap = boost::unordered_flat_map<std::uint64_t, V, Mixed>;

std::string key_of(std::uint64_t id) {
  std::string key;
  ByteWriter(key).u64(id);
  return key;
}

Hash128 row_hash(Table table, std::string_view key, std::string_view value) {
  thread_local std::string row;
  row.clear();
  ByteWriter w(row);
  w.u8(static_cast<std::uint8_t>(table));
  w.text(key);
  row += value;
  return hash128(row);
}

// Message ids are remembered in chunks, so that a checkpoint writes a chunk and not an hour.
constexpr std::size_t chunk_prints = 4096;
constexpr std::uint64_t bytes_per_print = 30;  // what one costs in memory, set and chunk together

struct Chunk {
  std::int64_t hour = 0;
  std::uint32_t number = 0;
  std::vector<std::uint64_t> prints;
  Hash128 counted;
  bool changed = true;

  std::string key() const {
    std::string key;
    ByteWriter w(key);
    w.zigzag(hour);
    w.u32(number);
    return key;
  }
  std::string value() const {
    std::string value;
    ByteWriter w(value);
    for (const std::uint64_t print : prints) w.u64(print);
    return value;
  }
};

struct LaterFirst {
  bool operator()(const DueTimer& a, const DueTimer& b) const {
    return a.due != b.due ? a.due > b.due : a.person > b.person;
  }
};

}  // namespace

struct State::Impl {
  explicit Impl(std::uint64_t hash_seed) : seed(hash_seed) {}

  std::uint64_t seed;
  FlatMap<std::unique_ptr<Profile>> profiles;
  FlatMap<ProfileId> identifiers;
  FlatMap<ProfileId> aliases;
  FlatMap<std::string> names;
  FlatMap<std::uint64_t> audience_sizes;
  boost::unordered_flat_set<std::uint64_t, Mixed> seen;
  std::deque<Chunk> chunks;
  std::priority_queue<DueTimer, std::vector<DueTimer>, LaterFirst> timers;
  // The small tables: rows as they are. Ordered, since checkpoints and hashes of a whole table walk them.
  std::map<std::pair<Table, std::string>, std::string> small;

  // Checkpoints. A row belongs to the generation in which it last changed.
  std::uint32_t generation = 1;
  std::vector<ProfileId> changed;  // profiles, since the last checkpoint began
  std::set<std::pair<Table, std::string>> changed_small;
  std::vector<std::pair<ProfileId, Hash128>> erased;  // rows that the next delta must take away
  std::vector<std::pair<std::string, Hash128>> erased_chunks;
  Hash128 counted;        // hash of the profile and dedup rows as of the last checkpoint
  Hash128 small_counted;  // hash of the small tables as they are
  Hash128 target;         // hash of the checkpoint under way
  bool running = false, all = false;
  std::vector<ProfileId> pending;
  std::size_t next_pending = 0;
  RowSink sink;

  std::uint64_t identifier_key(NameId type, std::string_view value) const {
    return hash64(value, seed ^ type);
  }

  void set_small(Table table, std::string key, std::string value) {
    const auto place = std::make_pair(table, std::move(key));
    auto [row, fresh] = small.try_emplace(place);
    if (!fresh) {
      if (row->second == value) return;
      small_counted -= row_hash(table, place.second, row->second);
    }
    row->second = std::move(value);
    small_counted += row_hash(table, place.second, row->second);
    changed_small.insert(place);
  }

  void write_profile(Profile& p) {
    thread_local std::string bytes;
    bytes.clear();
    p.encode(bytes);
    const std::string key = key_of(p.id);
    const Hash128 hash = row_hash(Table::profile, key, bytes);
    counted -= p.row_hash;
    counted += hash;
    p.row_hash = hash;
    p.written_in = generation;
    sink(Table::profile, key, bytes, false);
  }

  // A row that the checkpoint under way still has to write as it was when that began.
  bool owed(const Profile& p) const {
    return running && p.written_in != generation && (all || p.changed_in + 1 == generation);
  }
};

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

namespace {
template <typename Profiles>
std::vector<ProfileId> sorted_ids(const Profiles& profiles) {
  std::vector<ProfileId> ids;
  ids.reserve(profiles.size());
  for (const auto& [id, profile] : profiles) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}
}  // namespace

void State::each_profile(const std::function<void(Profile&)>& each) {
  for (const ProfileId id : sorted_ids(impl_->profiles)) each(*impl_->profiles.find(id)->second);
}

void State::each_profile(const std::function<void(const Profile&)>& each) const {
  for (const ProfileId id : sorted_ids(impl_->profiles)) each(*impl_->profiles.find(id)->second);
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

void State::count_member(NameId audience, int change) {
  impl_->audience_sizes[audience] += static_cast<std::uint64_t>(static_cast<std::int64_t>(change));
}

std::uint64_t State::members(NameId audience) const {
  const auto at = impl_->audience_sizes.find(audience);
  return at == impl_->audience_sizes.end() ? 0 : at->second;
}

namespace {

// The facts that are no rows of their own: counters and clocks, one row of the meta table.
std::string encode_facts(const State& s) {
  std::string out;
  ByteWriter w(out);
  w.zigzag(s.now);
  w.varint(s.seq);
  const Totals& t = s.totals;
  for (const std::uint64_t n :
       {t.events, t.duplicates, t.refused, t.merges, t.demoted, t.effects, t.profiles_made})
    w.varint(n);
  return out;
}

void decode_facts(std::string_view bytes, State& s) {
  ByteReader r(bytes);
  s.now = r.zigzag();
  s.seq = r.varint();
  Totals& t = s.totals;
  for (std::uint64_t* n :
       {&t.events, &t.duplicates, &t.refused, &t.merges, &t.demoted, &t.effects, &t.profiles_made})
    *n = r.varint();
}

constexpr std::string_view facts_key = "facts";

}  // namespace

bool State::checkpointing() const {
  return impl_->running;
}
Hash128 State::checkpoint_hash() const {
  return impl_->target;
}
std::size_t State::changed_rows() const {
  return impl_->changed.size() + impl_->changed_small.size();
}

void State::begin_checkpoint(bool all, RowSink sink) {
  SLUICE_CHECK(!impl_->running);
  Impl& s = *impl_;
  s.set_small(Table::meta, std::string(facts_key), encode_facts(*this));
  s.sink = std::move(sink);
  s.all = all;
  s.running = true;
  ++s.generation;
  for (const auto& [id, hash] : s.erased) {
    s.counted -= hash;
    if (!all) s.sink(Table::profile, key_of(id), {}, true);
  }
  s.erased.clear();
  for (const auto& [key, hash] : s.erased_chunks) {
    s.counted -= hash;
    if (!all) s.sink(Table::dedup, key, {}, true);
  }
  s.erased_chunks.clear();
  for (Chunk& chunk : s.chunks) {
    if (!chunk.changed && !all) continue;
    const std::string value = chunk.value();
    s.counted -= chunk.counted;
    chunk.counted = row_hash(Table::dedup, chunk.key(), value);
    s.counted += chunk.counted;
    chunk.changed = false;
    s.sink(Table::dedup, chunk.key(), value, false);
  }
  if (all) {
    for (const auto& [place, value] : s.small) s.sink(place.first, place.second, value, false);
  } else {
    for (const auto& place : s.changed_small)
      s.sink(place.first, place.second, s.small.find(place)->second, false);
  }
  s.changed_small.clear();
  s.target = s.small_counted;
  s.pending = all ? sorted_ids(s.profiles) : std::move(s.changed);
  s.changed.clear();
  s.next_pending = 0;
}

bool State::continue_checkpoint(std::size_t rows) {
  Impl& s = *impl_;
  SLUICE_CHECK(s.running);
  for (; rows > 0 && s.next_pending < s.pending.size(); ++s.next_pending) {
    const auto at = s.profiles.find(s.pending[s.next_pending]);
    if (at == s.profiles.end() || !s.owed(*at->second)) continue;  // gone or changed since: written then
    s.write_profile(*at->second);
    --rows;
  }
  if (s.next_pending < s.pending.size()) return false;
  s.running = false;
  s.pending.clear();
  s.pending.shrink_to_fit();
  s.sink = nullptr;
  s.target += s.counted;
  return true;
}

Hash128 State::hash() {
  Impl& s = *impl_;
  while (s.running) (void)continue_checkpoint(1'000);
  s.set_small(Table::meta, std::string(facts_key), encode_facts(*this));
  Hash128 sum = s.counted;
  for (const auto& [id, hash] : s.erased) sum -= hash;
  for (const auto& [key, hash] : s.erased_chunks) sum -= hash;
  std::string bytes;
  for (const ProfileId id : s.changed) {
    const auto at = s.profiles.find(id);
    if (at == s.profiles.end()) continue;
    bytes.clear();
    at->second->encode(bytes);
    sum -= at->second->row_hash;
    sum += row_hash(Table::profile, key_of(id), bytes);
  }
  for (const Chunk& chunk : s.chunks) {
    if (!chunk.changed) continue;
    sum -= chunk.counted;
    sum += row_hash(Table::dedup, chunk.key(), chunk.value());
  }
  sum += s.small_counted;
  return sum;
}

bool State::restore_row(Table table, std::string_view key, std::string_view value) {
  Impl& s = *impl_;
  switch (table) {
    case Table::profile: {
      auto profile = std::make_unique<Profile>();
      if (!Profile::decode(value, *profile)) return false;
      profile->row_hash = row_hash(table, key, value);
      s.counted += profile->row_hash;
      std::unique_ptr<Profile>& place = s.profiles[profile->id];
      if (place) s.counted -= place->row_hash;  // a delta's row replaces the base's
      place = std::move(profile);
      return true;
    }
    case Table::dedup: {
      ByteReader k(key);
      Chunk chunk;
      chunk.hour = k.zigzag();
      chunk.number = k.u32();
      chunk.changed = false;
      chunk.counted = row_hash(table, key, value);
      s.counted += chunk.counted;
      for (ByteReader v(value); !v.at_end() && v.ok();) chunk.prints.push_back(v.u64());
      const auto same = [&](const Chunk& c) { return c.hour == chunk.hour && c.number == chunk.number; };
      const auto at = std::find_if(s.chunks.begin(), s.chunks.end(), same);
      if (at != s.chunks.end()) {
        s.counted -= at->counted;
        *at = std::move(chunk);
      } else {
        s.chunks.push_back(std::move(chunk));
      }
      return k.ok();
    }
    case Table::alias:
      s.aliases[ByteReader(key).u64()] = ByteReader(value).u64();
      break;
    case Table::name:
      s.names.emplace(ByteReader(key).u64(), value);
      break;
    case Table::meta:
      if (key == facts_key) decode_facts(value, *this);
      break;
    case Table::cursor:
      break;
    default:
      return false;
  }
  s.set_small(table, std::string(key), std::string(value));
  return true;
}

void State::forget_row(Table table, std::string_view key) {
  Impl& s = *impl_;
  if (table == Table::profile) {
    const auto at = s.profiles.find(ByteReader(key).u64());
    if (at == s.profiles.end()) return;
    s.counted -= at->second->row_hash;
    s.profiles.erase(at);
  } else if (table == Table::dedup) {
    const auto at =
        std::find_if(s.chunks.begin(), s.chunks.end(), [&](const Chunk& c) { return c.key() == key; });
    if (at == s.chunks.end()) return;
    s.counted -= at->counted;
    s.chunks.erase(at);
  }
}

void State::finish_restore() {
  Impl& s = *impl_;
  s.changed_small.clear();
  std::sort(s.chunks.begin(), s.chunks.end(), [](const Chunk& a, const Chunk& b) {
    return a.hour != b.hour ? a.hour < b.hour : a.number < b.number;
  });
  for (const Chunk& chunk : s.chunks) s.seen.insert(chunk.prints.begin(), chunk.prints.end());
  for (const auto& [id, profile] : s.profiles) {
    for (const Identifier& identifier : profile->identifiers) index(*profile, identifier);
    for (const Membership& m : profile->memberships) count_member(m.audience, 1);
  }
}

}  // namespace sluice::state
