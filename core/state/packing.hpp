// The packed spelling of rows (spelling.hpp says what that is, and has the plain one).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

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

// What a value adds to a sum.
inline Decimal decimal_of(const StoredValue& value) {
  if (value.kind() != StoredValue::Kind::number) return {};
  return Decimal::from_double(value.as_number()).value_or(Decimal{});
}

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

// What times and inputs' numbers are written as differences to: those written before.
struct Chain {
  TimeUs time = 0;
  std::uint64_t seq = 0;
};

// Writes with room to spare, which finish() gives back: a row is many small pieces.
class PackedWriter {
 public:
  static constexpr bool packed = true;
  PackedWriter(std::string& out, Numbers& numbers) : out_(out), numbers_(numbers), size_(out.size()) {
    room(256);
  }
  void finish() { out_.resize(size_); }
  Numbers& numbers() { return numbers_; }
  void go_on(Chain from) { chain_ = from; }

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
    if (v.empty()) return;  // and perhaps at no address
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
    const TimeUs step = difference(v, chain_.time);
    chain_.time = v;
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
    varint(zigzag_of(static_cast<std::int64_t>(v - chain_.seq)));
    chain_.seq = v;
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
  // A value that stands somewhere else already: in place of it the number of that place, from 0.
  void value_at(std::uint64_t place) { begin(Packing::none, place + 1); }
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
  Chain chain_;
};

class PackedReader : public ByteReader {
 public:
  static constexpr bool packed = true;
  PackedReader(std::string_view in, const Numbers& numbers) : ByteReader(in), numbers_(numbers) {}
  // Of the row that is read, from which on series, and the history, stand there as so many bytes that are
  // read without what came before.
  static constexpr std::uint8_t series_apart = 2, history_apart = 3;
  std::uint8_t version() const { return version_; }
  void of_version(std::uint8_t version) { version_ = version; }
  const Numbers& numbers() const { return numbers_; }
  Chain chain() const { return chain_; }
  void go_on(Chain from) { chain_ = from; }

  std::uint64_t id() {
    const std::uint64_t number = varint();
    if (numbers_.has(number)) return numbers_.id(number);
    fail();
    return 0;
  }
  TimeUs time() {
    const std::uint64_t v = varint();
    if (v == (PackedWriter::far << 1 | 1)) return chain_.time = static_cast<TimeUs>(u64());
    const std::int64_t step = from_zigzag(v >> 1);
    const auto by = (v & 1) != 0 ? step : static_cast<TimeUs>(static_cast<std::uint64_t>(step) * us_per_ms);
    return chain_.time = moved(chain_.time, by);
  }
  TimeUs time_after(TimeUs) { return time(); }
  std::uint64_t seq() { return chain_.seq += static_cast<std::uint64_t>(zigzag()); }
  // Over a value, which is added where it is a number; false: it is none.
  bool amount(Decimal& sum) {
    const std::uint64_t v = varint(), above = v >> 3;
    const auto add = [&](double n) { sum += Decimal::from_double(n).value_or(Decimal{}); };
    // Exact by themselves: Decimal::from_double() gives the same (decimal.cpp).
    constexpr std::int64_t wholes = 1'000'000, hundredths = 100 * wholes;
    const std::int64_t n = from_zigzag(above);
    switch (static_cast<Packing>(v & 7)) {
      case Packing::whole:
        if (n <= wholes && n >= -wholes) return sum += Decimal(Int128{n} * 1'000'000'000), true;
        return add(static_cast<double>(n)), true;
      case Packing::hundredths:
        if (n <= hundredths && n >= -hundredths) return sum += Decimal(Int128{n} * 10'000'000), true;
        return add(static_cast<double>(n) / 100), true;
      case Packing::number:
        return add(f64()), true;
      case Packing::string:
      case Packing::json:
        return (void)bytes(above), false;
      case Packing::none:
      case Packing::null:
      case Packing::boolean:
        return false;
    }
    return false;
  }
  void value(StoredValue& out) { value(varint(), out); }
  // Of what a value begins with, where value_at() may have written it: the place; nothing: it is a value.
  static std::optional<std::uint64_t> place(std::uint64_t v) {
    if ((v & 7) != static_cast<std::uint64_t>(Packing::none) || v >> 3 == 0) return {};
    return (v >> 3) - 1;
  }
  // Behind what a value begins with.
  void value(std::uint64_t v, StoredValue& out) {
    const std::uint64_t above = v >> 3;
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
  std::uint8_t version_ = history_apart;
  Chain chain_;
};

}  // namespace sluice::state
