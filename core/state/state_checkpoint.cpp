// Checkpoints: the rows of the state, as they go out and as they come back, and the hash over them.
#include "base/check.hpp"
#include "state/state_impl.hpp"

namespace sluice::state {

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
  // In any order: rows are found by their keys, and sorting a million ids would hold up the inputs.
  s.pending = all ? ids_of(s.profiles) : std::move(s.changed);
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
      if (key == backfill_key) backfill = Backfill::decode(value);
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
  std::size_t prints = 0, identifiers = 0;
  for (const Chunk& chunk : s.chunks) prints += chunk.prints.size();
  for (const auto& [id, profile] : s.profiles) identifiers += profile->identifiers.size();
  s.seen.reserve(prints);
  s.identifiers.reserve(identifiers);
  for (const Chunk& chunk : s.chunks) s.seen.insert(chunk.prints.begin(), chunk.prints.end());
  for (const auto& [id, profile] : s.profiles) {
    for (const Identifier& identifier : profile->identifiers) index(*profile, identifier);
    for (const Entity& entity : profile->entities) index_entity(*profile, entity.print);
    for (const Membership& m : profile->memberships) count_member(m.audience, 1);
  }
}

}  // namespace sluice::state
