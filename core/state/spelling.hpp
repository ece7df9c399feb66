// The two spellings of a person's row (row.cpp says what stands in it, once for both).
//
// Plain: ids as eight bytes, times and inputs' numbers as they are. It depends on the person alone: the
// state's hash is over it, and checkpoints of version 0.1 hold it.
// Packed: ids as short numbers (Numbers), times and inputs' numbers as the difference to the one written
// before, values in as few bytes as give them back exactly. Memory and checkpoints hold it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/decimal.hpp"
#include "base/time.hpp"
#include "state/packing.hpp"
#include "state/value.hpp"

namespace sluice::state {

class PlainWriter : public ByteWriter {
 public:
  static constexpr bool packed = false;
  using ByteWriter::ByteWriter;
  void id(std::uint64_t v) { u64(v); }
  void time(TimeUs v) { zigzag(v); }
  void time_after(TimeUs v, TimeUs previous) { zigzag(difference(v, previous)); }  // of one that stands near
  void seq(std::uint64_t v) { varint(v); }
  void value(const StoredValue& v) { text(v.bytes()); }
  void sum(Decimal v) {
    u64(v.low());
    u64(static_cast<std::uint64_t>(v.high()));
  }
};

class PlainReader : public ByteReader {
 public:
  static constexpr bool packed = false;
  using ByteReader::ByteReader;
  std::uint64_t id() { return u64(); }
  TimeUs time() { return zigzag(); }
  TimeUs time_after(TimeUs previous) { return moved(previous, zigzag()); }
  std::uint64_t seq() { return varint(); }
  void value(StoredValue& out) { out.assign(text()); }
  Decimal sum() {
    const std::uint64_t low = u64();
    return Decimal::from_words(low, static_cast<std::int64_t>(u64()));
  }
};

// Makes room for as many items as the row says follow. Items that were there stay, to be written over: their
// own memory is used again. What a damaged row says is bounded by its size.
template <typename R, typename T>
std::vector<T>& sized(R& r, std::vector<T>& items) {
  const std::uint64_t n = r.varint();
  items.resize(std::min<std::uint64_t>(n, r.left()));
  if (n > r.left()) r.fail();
  return items;
}

}  // namespace sluice::state
