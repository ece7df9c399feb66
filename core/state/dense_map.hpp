// A hash table of words that takes little more memory than its entries: for millions of them. Entries stand
// in the order of their mixed keys, each at its own place or a little behind it (linear probing, ordered), so
// that a look-up ends at the first greater key, and growing copies from front to back. Four fifths full at
// most, and grown by a fifth, in parts that grow one by one: millions of entries that move at once hold up
// the inputs, and take the memory twice.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/mapped.hpp"

namespace sluice::state {

class DenseMap {
 public:
  std::size_t size() const { return size_; }
  std::uint64_t bytes() const { return bytes_; }

  // Null: it is not there. Until the next change.
  const std::uint64_t* find(std::uint64_t key) const {
    const std::uint64_t mixed = mix(key);
    const Part& part = part_of(mixed);
    const std::size_t at = part.place(mixed);
    return at < part.entries.size() && part.entries[at].mixed == mixed ? &part.entries[at].value : nullptr;
  }
  // Asks for the memory that find() will look at, or set(), which looks as far as the next free place.
  void bring_near(std::uint64_t key, std::size_t entries = 1) const {
    const std::uint64_t mixed = mix(key);
    const Part& part = part_of(mixed);
    if (part.entries.empty()) return;
    constexpr std::size_t in_line = 64 / sizeof(Entry);
    const Entry* const first = &part.entries[part.home(mixed)];
    for (std::size_t at = 0; at < entries; at += in_line) __builtin_prefetch(first + at);
  }
  void set(std::uint64_t key, std::uint64_t value) {
    const std::uint64_t mixed = mix(key);
    Part& part = parts_.at(mixed >> shift);
    for (;;) {
      Entries& entries = part.entries;
      const std::size_t at = part.place(mixed);
      if (at < entries.size() && entries[at].mixed == mixed) {
        entries[at].value = value;
        return;
      }
      std::size_t free = at;
      while (free < entries.size() && entries[free].mixed != 0) ++free;
      if ((part.size + 1) * 5 > part.homes * 4 || free == entries.size()) {
        grow(part, std::max<std::size_t>(16, part.homes + part.homes / 5 + 1));
        continue;
      }
      std::copy_backward(entries.begin() + diff(at), entries.begin() + diff(free),
                         entries.begin() + diff(free + 1));
      entries[at] = {mixed, value};
      ++part.size;
      ++size_;
      return;
    }
  }
  void erase(std::uint64_t key) {
    const std::uint64_t mixed = mix(key);
    Part& part = parts_.at(mixed >> shift);
    Entries& entries = part.entries;
    std::size_t at = part.place(mixed);
    if (at == entries.size() || entries[at].mixed != mixed) return;
    for (; at + 1 < entries.size() && entries[at + 1].mixed != 0 && part.home(entries[at + 1].mixed) <= at;
         ++at)
      entries[at] = entries[at + 1];
    entries[at] = {};
    --part.size;
    --size_;
  }
  // Room for so many keys that are hashes.
  void reserve(std::size_t entries) {
    const auto share = static_cast<double>(entries) / static_cast<double>(parts_.size());
    const auto most = static_cast<std::size_t>(share + 4 * std::sqrt(share)) + 1;  // of any part, mostly
    for (Part& part : parts_) {
      if (most * 5 > part.homes * 4) grow(part, most * 5 / 4 + 1);
    }
  }
  // In no order. What is called may set() keys that are there.
  template <typename F>
  void each(F call) const {
    for (const Part& part : parts_) {
      for (const Entry& entry : part.entries) {
        if (entry.mixed != 0) call(entry.value);
      }
    }
  }
  template <typename F>
  void each_key(F call) const {
    for (const Part& part : parts_) {
      for (const Entry& entry : part.entries) {
        if (entry.mixed != 0) call(entry.mixed * unmixing);
      }
    }
  }

 private:
  struct Entry {
    std::uint64_t mixed = 0, value = 0;  // mixed 0: free
  };
  using Entries = std::vector<Entry, MappedAllocator<Entry>>;
  static constexpr unsigned part_bits = 6, shift = 64 - part_bits;
  struct Part {
    Entries entries;
    std::size_t homes = 0, size = 0;

    std::size_t home(std::uint64_t mixed) const {
      __extension__ using Wide = unsigned __int128;
      return static_cast<std::size_t>(static_cast<Wide>(mixed << part_bits) * homes >> 64U);
    }
    // Where it stands, or would have to.
    std::size_t place(std::uint64_t mixed) const {
      std::size_t at = homes == 0 ? 0 : home(mixed);
      while (at < entries.size() && entries[at].mixed != 0 && entries[at].mixed < mixed) ++at;
      return at;
    }
  };
  static constexpr std::uint64_t mixing = 0x9E3779B97F4A7C15ULL;    // odd: no two keys become one
  static constexpr std::uint64_t unmixing = 0xF1DE83E19937733DULL;  // times `mixing` is 1
  static_assert(mixing * unmixing == 1);
  static std::uint64_t mix(std::uint64_t key) {
    const std::uint64_t mixed = key * mixing;
    return mixed == 0 ? 1 : mixed;  // 0 and unmixing become one
  }
  static std::ptrdiff_t diff(std::size_t n) { return static_cast<std::ptrdiff_t>(n); }
  const Part& part_of(std::uint64_t mixed) const { return parts_.at(mixed >> shift); }
  void grow(Part& part, std::size_t homes) {
    constexpr std::size_t behind_last = 16;  // what the last places push behind them
    bytes_ -= part.entries.size() * sizeof(Entry);
    const Entries old = std::exchange(part.entries, Entries(homes + behind_last));
    part.homes = homes;
    std::size_t next = 0;
    for (const Entry& entry : old) {
      if (entry.mixed == 0) continue;
      next = std::max(next, part.home(entry.mixed));
      if (next == part.entries.size()) part.entries.emplace_back();
      part.entries[next++] = entry;
    }
    bytes_ += part.entries.size() * sizeof(Entry);
  }

  std::array<Part, 1U << part_bits> parts_;
  std::size_t size_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace sluice::state
