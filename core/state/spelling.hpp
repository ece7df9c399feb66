// The two spellings of a person's row (row.cpp says what stands in it, once for both).
//
// Plain: ids as eight bytes, times and inputs' numbers as they are. It depends on the person alone: the
// state's hash is over it, and checkpoints of version 0.1 hold it.
// Packed: ids as short numbers (Numbers), times and inputs' numbers as the difference to the one written
// before, values in as few bytes as give them back exactly. Memory and checkpoints hold it.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/decimal.hpp"
#include "base/time.hpp"
#include "state/numbers.hpp"
#include "state/value.hpp"

namespace sluice::state {

// Differences modulo 2^64: no two times are too far apart.
inline TimeUs difference(TimeUs later, TimeUs earlier) {
  return static_cast<TimeUs>(static_cast<std::uint64_t>(later) - static_cast<std::uint64_t>(earlier));
}
inline TimeUs moved(TimeUs from, TimeUs by) {
  return static_cast<TimeUs>(static_cast<std::uint64_t>(from) + static_cast<std::uint64_t>(by));
}

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

// How a packed value begins: a varint whose low three bits say what it is.
enum class Packing : std::uint8_t {
  none = 0,
  null = 1,
  boolean = 2,     // 0 or 1 above
  whole = 3,       // a number without fraction: itself above, zigzag
  hundredths = 4,  // a number that is so many hundredths: these above, zigzag
  number = 5,      // any other: eight bytes follow
  string = 6,      // its bytes follow, their count above
  json = 7,        // likewise
};

inline std::uint64_t zigzag_of(std::int64_t v) {
  return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
}
inline std::int64_t from_zigzag(std::uint64_t v) {
  return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
}

// Writes with room to spare, which finish() gives back: a row is many small pieces.
class PackedWriter {
 public:
  static constexpr bool packed = true;
  PackedWriter(std::string& out, Numbers& numbers) : out_(out), numbers_(numbers), size_(out.size()) {
    room(256);
  }
  void finish() { out_.resize(size_); }
  Numbers& numbers() { return numbers_; }

  void u8(std::uint8_t v) {
    room(1);
    out_[size_++] = static_cast<char>(v);
  }
  void u64(std::uint64_t v) {
    room(sizeof v);
    std::memcpy(out_.data() + size_, &v, sizeof v);
    size_ += sizeof v;
  }
  void varint(std::uint64_t v) {
    room(10);
    char* at = out_.data() + size_;
    for (; v >= 0x80; v >>= 7) *at++ = static_cast<char>(v | 0x80);
    *at++ = static_cast<char>(v);
    size_ = static_cast<std::size_t>(at - out_.data());
  }
  void zigzag(std::int64_t v) { varint(zigzag_of(v)); }
  void bytes(std::string_view v) {
    room(v.size());
    std::memcpy(out_.data() + size_, v.data(), v.size());
    size_ += v.size();
  }
  void text(std::string_view v) {
    varint(v.size());
    bytes(v);
  }
  void id(std::uint64_t v) { varint(numbers_.of(v)); }
  // Whole milliseconds, as sources say them, or microseconds: the lowest bit tells.
  void time(TimeUs v) {
    const TimeUs step = difference(v, time_);
    time_ = v;
    constexpr std::int64_t fits = INT64_C(1) << 61;
    if (step % us_per_ms == 0) {
      varint(zigzag_of(step / us_per_ms) << 1);
    } else if (step > -fits && step < fits) {
      varint(zigzag_of(step) << 1 | 1);
    } else {
      varint(far << 1 | 1);
      u64(static_cast<std::uint64_t>(v));
    }
  }
  void time_after(TimeUs v, TimeUs) { time(v); }
  void seq(std::uint64_t v) {
    varint(zigzag_of(static_cast<std::int64_t>(v - seq_)));
    seq_ = v;
  }
  void value(const StoredValue& v) {
    switch (v.kind()) {
      case StoredValue::Kind::none:
        return begin(Packing::none, 0);
      case StoredValue::Kind::null:
        return begin(Packing::null, 0);
      case StoredValue::Kind::boolean:
        return begin(Packing::boolean, v.as_boolean() ? 1 : 0);
      case StoredValue::Kind::number:
        return number(v.as_number());
      case StoredValue::Kind::string:
        begin(Packing::string, v.as_text().size());
        return bytes(v.as_text());
      case StoredValue::Kind::json:
        begin(Packing::json, v.as_text().size());
        return bytes(v.as_text());
    }
  }
  void sum(Decimal v) {
    Int128 rest = v.scaled();
    constexpr Int128 hundredth = 10'000'000;
    const bool even = rest % hundredth == 0;
    if (even) rest /= hundredth;
    constexpr Int128 fits = Int128{1} << 61;
    if (rest > -fits && rest < fits)
      return varint(zigzag_of(static_cast<std::int64_t>(rest)) << 1 | (even ? 0 : 1));
    varint(far << 1 | 1);
    u64(v.low());
    u64(static_cast<std::uint64_t>(v.high()));
  }

  static constexpr std::uint64_t far = UINT64_MAX >> 1;  // what no difference and no sum is written as

 private:
  void begin(Packing how, std::uint64_t v) { varint(v << 3 | static_cast<std::uint64_t>(how)); }
  void number(double n) {
    constexpr double exact = 1LL << 50;
    if (std::fabs(n) < exact) {
      const auto whole = static_cast<std::int64_t>(n);
      if (static_cast<double>(whole) == n) return begin(Packing::whole, zigzag_of(whole));
      const std::int64_t hundredths = std::llround(n * 100);
      if (std::fabs(n) < exact / 128 && static_cast<double>(hundredths) / 100 == n)
        return begin(Packing::hundredths, zigzag_of(hundredths));
    }
    begin(Packing::number, 0);
    u64(std::bit_cast<std::uint64_t>(n));
  }

  void room(std::size_t bytes) {
    if (out_.size() - size_ < bytes) out_.resize(2 * out_.size() + bytes);
  }

  std::string& out_;
  Numbers& numbers_;
  std::size_t size_;  // of what is written; out_ is longer
  TimeUs time_ = 0;
  std::uint64_t seq_ = 0;
};

class PackedReader : public ByteReader {
 public:
  static constexpr bool packed = true;
  PackedReader(std::string_view in, const Numbers& numbers) : ByteReader(in), numbers_(numbers) {}
  // Whether a series stands there as so many bytes that are read without what came before; in rows of packed
  // version 1 it did not.
  bool folds() const { return folds_; }
  void unfolded() { folds_ = false; }

  std::uint64_t id() {
    const std::uint64_t number = varint();
    if (numbers_.has(number)) return numbers_.id(number);
    fail();
    return 0;
  }
  TimeUs time() {
    const std::uint64_t v = varint();
    if (v == (PackedWriter::far << 1 | 1)) return time_ = static_cast<TimeUs>(u64());
    const std::int64_t step = from_zigzag(v >> 1);
    return time_ =
               moved(time_,
                     (v & 1) != 0 ? step : static_cast<TimeUs>(static_cast<std::uint64_t>(step) * us_per_ms));
  }
  TimeUs time_after(TimeUs) { return time(); }
  std::uint64_t seq() { return seq_ += static_cast<std::uint64_t>(zigzag()); }
  void value(StoredValue& out) {
    const std::uint64_t v = varint(), above = v >> 3;
    switch (static_cast<Packing>(v & 7)) {
      case Packing::none:
        return out.clear();
      case Packing::null:
        return out.assign("z");
      case Packing::boolean:
        return out.assign(above != 0 ? std::string_view("b\1", 2) : std::string_view("b\0", 2));
      case Packing::whole:
        return out.assign_number(static_cast<double>(from_zigzag(above)));
      case Packing::hundredths:
        return out.assign_number(static_cast<double>(from_zigzag(above)) / 100);
      case Packing::number:
        return out.assign_number(f64());
      case Packing::string:
        return out.assign(StoredValue::Kind::string, bytes(above));
      case Packing::json:
        return out.assign(StoredValue::Kind::json, bytes(above));
    }
  }
  Decimal sum() {
    const std::uint64_t v = varint();
    if (v == (PackedWriter::far << 1 | 1)) {
      const std::uint64_t low = u64();
      return Decimal::from_words(low, static_cast<std::int64_t>(u64()));
    }
    const Int128 rest = from_zigzag(v >> 1);
    return Decimal((v & 1) != 0 ? rest : rest * 10'000'000);
  }

 private:
  const Numbers& numbers_;
  bool folds_ = true;
  TimeUs time_ = 0;
  std::uint64_t seq_ = 0;
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
