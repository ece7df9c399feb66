// A hash table of words that takes little more memory than its entries: for millions of them. Entries stand
// in the order of their mixed keys, each at its own place or a little behind it (linear probing, ordered), so
// that a look-up ends at the first greater key, and growing copies from front to back. Four fifths full at
// most, and grown by a third.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sluice::state {

class DenseMap {
 public:
  std::size_t size() const { return size_; }
  std::uint64_t bytes() const { return entries_.size() * sizeof(Entry); }

  // Null: it is not there. Until the next change.
  const std::uint64_t* find(std::uint64_t key) const {
    const std::uint64_t mixed = mix(key);
    const std::size_t at = place(mixed);
    return at < entries_.size() && entries_[at].mixed == mixed ? &entries_[at].value : nullptr;
  }
  // Asks for the memory that find() will look at, or set(), which looks as far as the next free place.
  void bring_near(std::uint64_t key, std::size_t entries = 1) const {
    if (entries_.empty()) return;
    constexpr std::size_t in_line = 64 / sizeof(Entry);
    const Entry* const first = &entries_[home(mix(key))];
    for (std::size_t at = 0; at < entries; at += in_line) __builtin_prefetch(first + at);
  }
  void set(std::uint64_t key, std::uint64_t value) {
    const std::uint64_t mixed = mix(key);
    std::size_t at = place(mixed);
    if (at < entries_.size() && entries_[at].mixed == mixed) {
      entries_[at].value = value;
      return;
    }
    std::size_t free = at;
    while (free < entries_.size() && entries_[free].mixed != 0) ++free;
    if ((size_ + 1) * 5 > homes_ * 4 || free == entries_.size()) {
      grow(std::max<std::size_t>(16, homes_ + homes_ / 3));
      return set(key, value);
    }
    std::copy_backward(entries_.begin() + diff(at), entries_.begin() + diff(free),
                       entries_.begin() + diff(free + 1));
    entries_[at] = {mixed, value};
    ++size_;
  }
  void erase(std::uint64_t key) {
    const std::uint64_t mixed = mix(key);
    std::size_t at = place(mixed);
    if (at == entries_.size() || entries_[at].mixed != mixed) return;
    for (; at + 1 < entries_.size() && entries_[at + 1].mixed != 0 && home(entries_[at + 1].mixed) <= at;
         ++at)
      entries_[at] = entries_[at + 1];
    entries_[at] = {};
    --size_;
  }
  void reserve(std::size_t entries) {
    if (entries * 5 > homes_ * 4) grow(entries * 5 / 4 + 1);
  }

 private:
  struct Entry {
    std::uint64_t mixed = 0, value = 0;  // mixed 0: free
  };
  static std::uint64_t mix(std::uint64_t key) {
    const std::uint64_t mixed = key * 0x9E3779B97F4A7C15ULL;  // odd: no two keys become one
    return mixed == 0 ? 1 : mixed;                            // but these
  }
  static std::ptrdiff_t diff(std::size_t n) { return static_cast<std::ptrdiff_t>(n); }
  std::size_t home(std::uint64_t mixed) const {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::size_t>(static_cast<Wide>(mixed) * homes_ >> 64U);
  }
  // Where it stands, or would have to.
  std::size_t place(std::uint64_t mixed) const {
    std::size_t at = homes_ == 0 ? 0 : home(mixed);
    while (at < entries_.size() && entries_[at].mixed != 0 && entries_[at].mixed < mixed) ++at;
    return at;
  }
  void grow(std::size_t homes) {
    constexpr std::size_t behind_last = 64;  // what the last places push behind them
    std::vector<Entry> old = std::exchange(entries_, std::vector<Entry>(homes + behind_last));
    homes_ = homes;
    std::size_t next = 0;
    for (const Entry& entry : old) {
      if (entry.mixed == 0) continue;
      next = std::max(next, home(entry.mixed));
      if (next == entries_.size()) entries_.emplace_back();
      entries_[next++] = entry;
    }
  }

  std::vector<Entry> entries_;
  std::size_t homes_ = 0, size_ = 0;
};

}  // namespace sluice::state
