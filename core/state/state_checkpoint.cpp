// Checkpoints: the rows of the state, as they go out and as they come back, and the hash over them.
#include <algorithm>
#include <array>
#include <future>

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

// A person's row in a checkpoint: version, due, whether something is refused; then the packed bytes. Rows of
// version 2 have the row's hash behind the version; those of version 1 are a person in the plain spelling.
constexpr std::uint8_t packed_version = 3, packed_with_hash = 2;

// Message ids are written as so many rows: in bites, as people are.
constexpr std::size_t rows_per_chunk = 64;

// Fills the index of identifiers with those of so many people, on a thread beside the one that goes over
// them: each entry's place is somewhere else in memory, and is asked for some entries before it is written.
// Room is made once, by what the first people have.
class IndexBuilder {
 public:
  IndexBuilder(DenseMap& index, std::size_t people) : index_(index), people_(people) {}
  void next_person() { ++seen_; }
  void add(std::uint64_t key, ProfileId id) {
    collected_.emplace_back(key, id);
    if (collected_.size() == at_once) hand_on();
  }
  void finish() {
    if (!collected_.empty()) hand_on();
    if (filling_.valid()) filling_.get();
  }

 private:
  static constexpr std::size_t at_once = 32'768, ahead = 32;

  void hand_on() {
    if (filling_.valid()) filling_.get();
    std::swap(collected_, handed_);
    collected_.clear();
    const std::size_t all = std::exchange(seen_known_, true) ? 0 : handed_.size() * people_ / seen_;
    filling_ = std::async(std::launch::async, [this, all] { fill(all); });
  }
  void fill(std::size_t all) {
    if (all > 0) index_.reserve(all + all / 16);  // else the first new one makes it grow by a third
    constexpr std::size_t to_the_next_free = 12;  // about, four fifths full
    for (std::size_t i = 0; i < handed_.size() + ahead; ++i) {
      if (i < handed_.size()) index_.bring_near(handed_[i].first, to_the_next_free);
      if (i >= ahead) index_.set(handed_[i - ahead].first, handed_[i - ahead].second);
    }
  }

  DenseMap& index_;
  std::size_t people_, seen_ = 0;
  bool seen_known_ = false;
  std::vector<std::pair<std::uint64_t, ProfileId>> collected_, handed_;
  std::future<void> filling_;  // from handed_
};

}  // namespace

void State::Impl::write_profile(ProfileId id, Row& row) {
  thread_local std::string value, scratch;
  row.written_in = generation;
  if (sink_changed && row.changed_in + 1 == generation) sink_changed(id);
  value.clear();
  const Profile* const there = people.in_pool(row);
  ByteWriter w(value);
  w.u8(packed_version);
  w.zigzag(row.due);
  w.u8(there != nullptr ? (there->has_refused() ? 1 : 0) : row.refused);
  w.bytes(people.packed(row, scratch));
  sink(Table::profile, key_of(id), value, false);
}

// The chunk as it was when the checkpoint began: what came since stands behind it.
void State::Impl::write_chunk(Chunk& chunk) {
  const std::string value = chunk.value(std::exchange(chunk.owed, 0));
  sink(Table::dedup, chunk.key(), value, false);
}

void State::Impl::write_numbers() {
  for (; numbers_written < people.numbers.size(); ++numbers_written) {
    sink(Table::number, key_of(numbers_written), key_of(people.numbers.id(numbers_written)), false);
  }
}

bool State::checkpointing() const {
  return impl_->running;
}
std::size_t State::changed_rows() const {
  return impl_->changed.size() + impl_->changed_small.size();
}

void State::begin_checkpoint(bool all, RowSink sink, PersonSink changed) {
  SLUICE_CHECK(!impl_->running);
  Impl& s = *impl_;
  s.set_small(Table::meta, std::string(facts_key), encode_facts(*this));
  s.sink = std::move(sink);
  s.sink_changed = std::move(changed);
  s.all = all;
  s.running = true;
  ++s.generation;
  for (const ProfileId id : s.erased) {
    if (!all) s.sink(Table::profile, key_of(id), {}, true);
    if (s.sink_changed) s.sink_changed(id);
  }
  s.erased.clear();
  for (const std::string& key : s.erased_chunks) {
    if (!all) s.sink(Table::dedup, key, {}, true);
  }
  s.erased_chunks.clear();
  for (Chunk& chunk : s.chunks) {
    chunk.owed = chunk.changed || all ? chunk.prints.size() : 0;
    chunk.changed = false;
  }
  s.next_chunk = 0;
  if (all) s.numbers_written = 0;
  if (all) {
    for (const auto& [place, value] : s.small) s.sink(place.first, place.second, value, false);
  } else {
    for (const auto& place : s.changed_small) {
      const auto row = s.small.find(place);
      const bool gone = row == s.small.end();
      s.sink(place.first, place.second, gone ? std::string_view{} : std::string_view(row->second), gone);
    }
  }
  s.changed_small.clear();
  // In any order: rows are found by their keys, and sorting a million ids would hold up the inputs.
  s.pending = all ? s.people.ids() : std::move(s.changed);
  s.changed.clear();
  s.next_pending = 0;
}

bool State::continue_checkpoint(std::size_t rows) {
  Impl& s = *impl_;
  SLUICE_CHECK(s.running);
  for (; rows > 0 && s.next_chunk < s.chunks.size(); ++s.next_chunk) {
    Chunk& chunk = s.chunks[s.next_chunk];
    if (chunk.owed == 0) continue;
    s.write_chunk(chunk);
    rows -= std::min(rows, rows_per_chunk);
  }
  // Some at once are looked up, so that the waits for memory overlap.
  std::array<Row*, 16> some{};
  while (rows > 0 && s.next_pending < s.pending.size()) {
    const std::size_t first = s.next_pending, count = std::min(some.size(), s.pending.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      some.at(i) = s.people.row(s.pending[first + i]);
      if (some.at(i) != nullptr) __builtin_prefetch(some.at(i));
    }
    for (std::size_t i = 0; i < count && rows > 0; ++i, ++s.next_pending) {
      if (some.at(i) == nullptr || !s.owed(*some.at(i))) continue;  // gone or changed since: written then
      s.write_profile(s.pending[first + i], *some.at(i));
      --rows;
    }
  }
  if (s.next_chunk < s.chunks.size() || s.next_pending < s.pending.size()) return false;
  s.write_numbers();  // those that the rows above are packed with
  s.running = false;
  s.pending.clear();
  s.pending.shrink_to_fit();
  s.sink = nullptr;
  s.sink_changed = nullptr;
  return true;
}

Hash128 State::hash() {
  Impl& s = *impl_;
  s.set_small(Table::meta, std::string(facts_key), encode_facts(*this));
  if (!std::exchange(s.hashes.asked, true)) s.hashes.changed = s.people.ids();
  for (const ProfileId id : std::exchange(s.hashes.changed, {})) {
    Hash128& hash = s.hashes.rows[id];
    s.hashes.sum -= std::exchange(hash, {});
    if (const Row* const row = s.people.row(id)) s.hashes.sum += hash = s.hash_of(id, *row);
  }
  Hash128 sum = s.hashes.sum;
  for (const auto& [place, value] : s.small) sum += row_hash(place.first, place.second, value);
  for (const Chunk& chunk : s.chunks)
    sum += row_hash(Table::dedup, chunk.key(), chunk.value(chunk.prints.size()));
  return sum;
}

bool State::Impl::restore_profile(ProfileId id, std::string_view value) {
  if (hashes.asked) hashes.changed.push_back(id);
  ByteReader r(value);
  const std::uint8_t version = r.u8();
  const bool packed = version == packed_version || version == packed_with_hash;
  Row head;
  if (packed) {
    if (version == packed_with_hash) (void)r.bytes(sizeof(Hash128));
    head.due = r.zigzag();
    head.refused = r.u8() != 0 ? 1 : 0;
    head.plain = 0;
    if (!r.ok()) return false;
  }
  Row& row = people.put(id, packed ? r.bytes(r.left()) : value);
  row.due = packed ? head.due : never;
  row.refused = packed ? head.refused : 0;
  row.plain = packed ? 0 : 1;
  timers_known = timers_known && packed;
  people.shed(tables_bytes());
  return true;
}

void State::expect(std::uint64_t people) {
  impl_->people.expect(people);
}

bool State::restore_row(Table table, std::string_view key, std::string_view value) {
  Impl& s = *impl_;
  switch (table) {
    case Table::profile:
      return s.restore_profile(ByteReader(key).u64(), value);
    case Table::number: {
      const bool follows = s.people.numbers.restore(ByteReader(key).u64(), ByteReader(value).u64());
      s.numbers_written = s.people.numbers.size();
      return follows;
    }
    case Table::dedup: {
      ByteReader k(key);
      Chunk chunk;
      chunk.hour = k.zigzag();
      chunk.number = k.u32();
      chunk.changed = false;
      for (ByteReader v(value); !v.at_end() && v.ok();) chunk.prints.push_back(v.u64());
      const auto same = [&](const Chunk& c) { return c.hour == chunk.hour && c.number == chunk.number; };
      const auto at = std::find_if(s.chunks.begin(), s.chunks.end(), same);
      if (at != s.chunks.end()) {
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
      if (key == apart_key) apart = Apart::decode(value);
      if (key == walks_key) walks = decode_walks(value);
      break;
    case Table::cursor:
      break;
    case Table::account:
      if (!s.restore_account(value)) return false;
      break;
    case Table::member: {
      ByteReader v(value);
      MemberOf as;
      as.account = v.u64();
      as.time = v.zigzag();
      as.trusted = v.u8() != 0;
      if (!v.ok()) return false;
      s.put_member(ByteReader(key).u64(), as);
      return true;
    }
    case Table::joins:
      if (!s.restore_joins(key, value)) return false;
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
    const ProfileId id = ByteReader(key).u64();
    if (s.hashes.asked) s.hashes.changed.push_back(id);
    s.people.remove(id);
  } else if (table == Table::dedup) {
    const auto at =
        std::find_if(s.chunks.begin(), s.chunks.end(), [&](const Chunk& c) { return c.key() == key; });
    if (at == s.chunks.end()) return;
    s.chunks.erase(at);
  } else if (table == Table::member) {
    s.drop_member(ByteReader(key).u64());
  } else if (table == Table::joins) {
    s.drop_joins(ByteReader(key).u64());
  } else if (table == Table::alias) {
    s.aliases.erase(ByteReader(key).u64());
    s.erase_small(table, std::string(key));
  } else if (table == Table::meta) {
    if (key == backfill_key) backfill = {};
    if (key == apart_key) apart = {};
    if (key == walks_key) walks = {};
    s.erase_small(table, std::string(key));
  }
}

bool State::finish_restore() {
  Impl& s = *impl_;
  s.changed_small.clear();
  s.changed_accounts.clear();
  std::sort(s.chunks.begin(), s.chunks.end(), [](const Chunk& a, const Chunk& b) {
    return a.hour != b.hour ? a.hour < b.hour : a.number < b.number;
  });
  // Beside the people: of millions of message ids each one's place is somewhere else in memory.
  std::future<void> seen = std::async(std::launch::async, [&s] { s.seen.insert_all(s.chunks); });
  DueTimers timers;
  IndexBuilder identifiers(s.identifiers, s.people.size());
  const bool readable = s.people.look_through([&](const Profile& profile, Row& row) {
    identifiers.next_person();
    for (const Identifier& identifier : profile.identifiers)
      identifiers.add(s.identifier_key(identifier.type, identifier.value), profile.id);
    for (const Entity& entity : profile.entities) index_entity(profile, entity.print);
    for (const Membership& m : profile.memberships) count_member(m.audience, 1);
    row.queued = row.due;
    if (row.due != never) timers.push_back({row.due, profile.id});
  });
  identifiers.finish();
  seen.get();
  s.timers = decltype(s.timers)(LaterFirst{}, std::move(timers));
  return readable;
}

}  // namespace sluice::state
