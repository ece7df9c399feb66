#include "state/history.hpp"

#include <algorithm>
#include <string>

#include "base/check.hpp"
#include "state/spelling.hpp"

namespace sluice::state {

namespace {

// Of so many the last one's time and cause stand before them, so that one can be added behind without reading
// them.
constexpr std::uint64_t ends_from = 4;

template <typename Writer>
void write_change(Writer& w, const AudienceChange& h) {
  w.id(h.audience);
  w.u8(static_cast<std::uint8_t>((h.entered ? 1 : 0) | (h.by_time ? 2 : 0)));
  w.time(h.time);
  w.seq(h.cause);
}

template <typename Reader>
void read_change(Reader& r, AudienceChange& h) {
  h.audience = r.id();
  const std::uint8_t flags = r.u8();
  h.entered = (flags & 1) != 0;
  h.by_time = (flags & 2) != 0;
  h.time = r.time();
  h.cause = r.seq();
}

// What stands before them: how many they are, and the last one's.
std::uint64_t read_head(PackedReader& r, Chain& last) {
  const std::uint64_t count = r.varint();
  if (count < ends_from) return count;
  r.time();
  r.seq();
  last = r.chain();
  return count;
}

void write_head(PackedWriter& w, std::uint64_t count, const AudienceChange& last) {
  w.varint(count);
  if (count < ends_from) return;
  w.time(last.time);
  w.seq(last.cause);
}

// Behind the head of a packed row's changes: over those that go. False: none is left that could be copied.
bool skip_to_first(PackedReader& r, std::uint64_t count, std::uint64_t gone, AudienceChange& first) {
  if (count < ends_from || gone >= count) return false;
  for (std::uint64_t i = 0; i <= gone; ++i) read_change(r, first);
  return true;
}

}  // namespace

History& History::operator=(const History& other) {
  if (this != &other) *this = History(other);
  return *this;
}

void History::push(const AudienceChange& change) {
  added_.push_back(change);
  if (added_.size() < 2 * history_max) return;
  added_.erase(added_.begin(), added_.end() - static_cast<std::ptrdiff_t>(history_max));
  packed_ = {};
}

void History::merge(const History& other) {
  std::vector<AudienceChange> both = all();
  const std::vector<AudienceChange> theirs = other.all();
  both.insert(both.end(), theirs.begin(), theirs.end());
  std::stable_sort(both.begin(), both.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
  packed_ = {};
  added_ = std::move(both);
}

std::vector<AudienceChange> History::all() const {
  std::vector<AudienceChange> all;
  if (!packed_.empty()) {
    PackedReader r(packed_, *numbers_);
    Chain end;
    const std::uint64_t count = std::min<std::uint64_t>(read_head(r, end), packed_.size());
    all.reserve(count + added_.size());
    all.resize(count);
    for (AudienceChange& change : all) read_change(r, change);
    SLUICE_CHECK(r.ok() && r.at_end());
  }
  all.insert(all.end(), added_.begin(), added_.end());
  if (all.size() > history_max) all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(history_max));
  return all;
}

template <>
void History::write(PlainWriter& w) const {
  const std::vector<AudienceChange> changes = all();
  w.varint(changes.size());
  for (const AudienceChange& change : changes) write_change(w, change);
}

// Of those that the row has, what stands behind the first that stays goes as it is.
template <>
void History::write(PackedWriter& w) const {
  if (added_.empty()) return w.text(packed_);
  thread_local std::string bytes;
  bytes.clear();
  PackedWriter alone(bytes, w.numbers());
  static const Numbers none;
  PackedReader r(packed_, numbers_ == nullptr ? none : *numbers_);
  Chain last;
  const std::uint64_t there = packed_.empty() ? 0 : read_head(r, last);
  const std::uint64_t all_of_them = there + added_.size();
  const std::uint64_t gone = all_of_them > history_max ? all_of_them - history_max : 0;
  if (AudienceChange first; skip_to_first(r, there, gone, first)) {
    write_head(alone, all_of_them - gone, added_.back());
    write_change(alone, first);
    alone.bytes(r.bytes(r.left()));
    SLUICE_CHECK(r.ok());
    alone.go_on(last);
    for (const AudienceChange& change : added_) write_change(alone, change);
  } else {
    const std::vector<AudienceChange> changes = all();
    write_head(alone, changes.size(), changes.back());
    for (const AudienceChange& change : changes) write_change(alone, change);
  }
  alone.finish();
  w.text(bytes);
}

template <typename Reader>
void History::read(Reader& r) {
  packed_ = {};
  numbers_ = nullptr;
  added_.clear();
  if constexpr (Reader::packed) {
    if (r.version() >= PackedReader::history_apart) {
      packed_ = r.text();
      numbers_ = &r.numbers();
      return;
    }
  }
  for (AudienceChange& change : sized(r, added_)) read_change(r, change);
}

template void History::read(PlainReader&);
template void History::read(PackedReader&);

}  // namespace sluice::state
