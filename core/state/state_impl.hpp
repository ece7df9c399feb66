// What the state is made of: for the files that define State's members, and nobody else.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "base/bytes.hpp"
#include "state/state.hpp"

namespace sluice::state {

struct Mixed {  // our keys are hashes already
  std::size_t operator()(std::uint64_t key) const { return key * 0x9E3779B97F4A7C15ULL; }
};
template <typename V>
using FlatMap = boost::unordered_flat_map<std::uint64_t, V, Mixed>;

inline constexpr std::string_view backfill_key = "backfill";  // of the meta table

inline std::string key_of(std::uint64_t id) {
  std::string key;
  ByteWriter(key).u64(id);
  return key;
}

inline Hash128 row_hash(Table table, std::string_view key, std::string_view value) {
  thread_local std::string row;
  row.clear();
  ByteWriter w(row);
  w.u8(static_cast<std::uint8_t>(table));
  w.text(key);
  row += value;
  return hash128(row);
}

// Message ids are remembered in chunks, so that a checkpoint writes a chunk and not an hour.
inline constexpr std::size_t chunk_prints = 4096;
inline constexpr std::uint64_t bytes_per_print = 30;  // what one costs in memory, set and chunk together

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

struct State::Impl {
  explicit Impl(std::uint64_t hash_seed) : seed(hash_seed) {}

  std::uint64_t seed;
  FlatMap<std::unique_ptr<Profile>> profiles;
  FlatMap<ProfileId> identifiers;
  FlatMap<ProfileId> entities;
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

template <typename Profiles>
std::vector<ProfileId> ids_of(const Profiles& profiles) {
  std::vector<ProfileId> ids;
  ids.reserve(profiles.size());
  for (const auto& [id, profile] : profiles) ids.push_back(id);
  return ids;
}

template <typename Profiles>
std::vector<ProfileId> sorted_ids(const Profiles& profiles) {
  std::vector<ProfileId> ids = ids_of(profiles);
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace sluice::state
