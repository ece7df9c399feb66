// What the state is made of: for the files that define State's members, and nobody else.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

#include "base/bytes.hpp"
#include "base/mapped.hpp"
#include "state/dense_map.hpp"
#include "state/people.hpp"
#include "state/state.hpp"

namespace sluice::state {

inline constexpr std::string_view backfill_key = "backfill", apart_key = "apart",
                                  walks_key = "walks";  // of the meta table

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
  bool changed = true;
  std::size_t owed = 0;  // its first so many are to be written by the checkpoint under way

  std::string key() const {
    std::string key;
    ByteWriter w(key);
    w.zigzag(hour);
    w.u32(number);
    return key;
  }
  std::string value(std::size_t count) const {
    return {reinterpret_cast<const char*>(prints.data()), count * sizeof(std::uint64_t)};
  }
};

// Which of them there are, in parts that grow one by one: millions that move at once hold up the inputs for a
// tenth of a second and more.
class Prints {
 public:
  bool insert(std::uint64_t print) {  // false: it was there
    const bool fresh = part(print).insert(print).second;
    size_ += fresh ? 1 : 0;
    return fresh;
  }
  void erase(std::uint64_t print) { size_ -= part(print).erase(print); }
  bool contains(std::uint64_t print) const { return parts_.at(print >> shift).contains(print); }
  std::size_t size() const { return size_; }
  // Those of many chunks, some parts at a time and of these one after the other: what it writes to lies close
  // together then.
  void insert_all(const std::deque<Chunk>& chunks) {
    constexpr std::size_t at_once = 16;
    std::array<std::vector<std::uint64_t>, at_once> sorted;
    for (std::size_t first = 0; first < parts_.size(); first += at_once) {
      for (const Chunk& chunk : chunks) {
        for (const std::uint64_t print : chunk.prints) {
          if (const std::size_t at = (print >> shift) - first; at < at_once) sorted.at(at).push_back(print);
        }
      }
      for (std::vector<std::uint64_t>& some : sorted) {
        if (some.empty()) continue;
        part(some.front()).reserve(some.size());
        for (const std::uint64_t print : some) insert(print);
        some.clear();
      }
    }
  }

 private:
  static constexpr unsigned shift = 58;  // prints are hashes: their highest bits tell the part
  using Part =
      boost::unordered_flat_set<std::uint64_t, Mixed, std::equal_to<>, MappedAllocator<std::uint64_t>>;
  Part& part(std::uint64_t print) { return parts_.at(print >> shift); }
  std::array<Part, 1U << (64 - shift)> parts_;
  std::size_t size_ = 0;
};

struct LaterFirst {
  bool operator()(const DueTimer& a, const DueTimer& b) const {
    return a.due != b.due ? a.due > b.due : a.person > b.person;
  }
};

using DueTimers = std::vector<DueTimer, MappedAllocator<DueTimer>>;

struct State::Impl {
  explicit Impl(std::uint64_t hash_seed) : seed(hash_seed) {}

  std::uint64_t seed;
  People people;
  DenseMap identifiers;  // to people
  DenseMap entities;
  FlatMap<ProfileId> aliases;
  FlatMap<std::string> names;
  FlatMap<std::uint64_t> audience_sizes;
  Prints seen;
  std::deque<Chunk> chunks;
  std::priority_queue<DueTimer, DueTimers, LaterFirst> timers;
  FlatMap<std::unique_ptr<Account>> accounts;
  FlatMap<MemberOf> members;                                 // by person
  std::set<std::uint64_t> due_accounts;                      // prints
  std::set<std::uint64_t> changed_accounts;                  // prints: members came or went
  FlatMap<std::unique_ptr<Joins>> joins;                     // by identifier
  std::set<std::pair<TimeUs, std::uint64_t>> joins_by_time;  // those that are not quarantined, by `newest`
  std::uint64_t quarantined = 0;                             // how many are
  // The small tables: rows as they are. Ordered, since checkpoints and hashes of a whole table walk them.
  std::map<std::pair<Table, std::string>, std::string> small;

  // Checkpoints. A row belongs to the generation in which it last changed.
  std::uint32_t generation = 1;
  std::vector<ProfileId> changed;  // profiles, since the last checkpoint began
  std::set<std::pair<Table, std::string>> changed_small;
  std::vector<ProfileId> erased;  // rows that the next delta must take away
  std::vector<std::string> erased_chunks;
  bool running = false, all = false;
  std::vector<ProfileId> pending;
  std::size_t next_pending = 0, next_chunk = 0;
  std::size_t numbers_written = 0;  // how many checkpoints have
  bool timers_known = true;
  RowSink sink;
  PersonSink sink_changed;

  // People's part of the hash as of when it was last asked for: most hubs are never asked.
  struct {
    bool asked = false;
    FlatMap<Hash128> rows;
    Hash128 sum;
    std::vector<ProfileId> changed;  // since
  } hashes;

  std::uint64_t identifier_key(NameId type, std::string_view value) const {
    return hash64(value, seed ^ type);
  }

  void set_small(Table table, std::string key, std::string value) {
    const auto place = std::make_pair(table, std::move(key));
    auto [row, fresh] = small.try_emplace(place);
    if (!fresh && row->second == value) return;
    row->second = std::move(value);
    changed_small.insert(place);
  }

  void erase_small(Table table, std::string key) {
    const auto place = std::make_pair(table, std::move(key));
    const auto row = small.find(place);
    if (row == small.end()) return;
    small.erase(row);
    changed_small.insert(place);
  }

  // state_accounts.cpp
  void put_member(ProfileId person, const MemberOf& as);
  void drop_member(ProfileId person);
  void absorb_member(ProfileId winner, ProfileId loser);
  bool restore_account(std::string_view value);
  // state_joins.cpp
  bool restore_joins(std::string_view key, std::string_view value);
  void drop_joins(std::uint64_t key);
  void keep_joins(std::uint64_t key, const Joins& joins);

  // What else `hub.memory` bounds: the ways to people, who of them is waited for, remembered message ids.
  std::uint64_t tables_bytes() const {
    constexpr std::uint64_t bytes_per_timer = 24;  // a vector of 16 that doubles
    return people.table_bytes() + identifiers.bytes() + entities.bytes() + timers.size() * bytes_per_timer +
           seen.size() * bytes_per_print;
  }

  // The person by id, or who they became.
  std::pair<ProfileId, Row*> whom(ProfileId id) const {
    Row* row = people.row(id);
    while (row == nullptr) {  // who has merged has no row
      const auto at = aliases.find(id);
      if (at == aliases.end()) break;
      id = at->second;
      row = people.row(id);
    }
    return {id, row};
  }

  // The hash of the row as it is now.
  Hash128 hash_of(ProfileId id, const Row& row) const {
    thread_local Profile unpacked;
    thread_local std::string plain;
    plain.clear();
    people.read(row, unpacked).encode(plain);
    return row_hash(Table::profile, key_of(id), plain);
  }

  void write_profile(ProfileId id, Row& row);
  void write_chunk(Chunk& chunk);
  void write_numbers();
  bool restore_profile(ProfileId id, std::string_view value);

  void queue_timer(ProfileId id, Row& row) {
    if (row.due >= row.queued) return;
    row.queued = row.due;
    timers.push({row.due, id});
  }

  // A row that the checkpoint under way still has to write as it was when that began.
  bool owed(const Row& row) const {
    return running && row.written_in != generation && (all || row.changed_in + 1 == generation);
  }

  // Call before a row changes, in what it says or in its due time.
  void changes(ProfileId id, Row& row) {
    if (hashes.asked) hashes.changed.push_back(id);
    if (owed(row)) write_profile(id, row);
    if (row.changed_in == generation) return;
    row.changed_in = generation;
    changed.push_back(id);
  }
};

}  // namespace sluice::state
