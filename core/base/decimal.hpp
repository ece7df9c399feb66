// Exact sums: 128-bit integers scaled by 10^9. Adding and taking away in any order gives the same sum.
#pragma once

#include <cstdint>
#include <optional>

namespace sluice {

__extension__ using Int128 = __int128;

class Decimal {
 public:
  Decimal() = default;
  explicit Decimal(Int128 scaled) : scaled_(scaled) {}
  // The decimal nearest to the shortest text of `number`, to nine places; nothing when it is not finite or
  // beyond 10^20.
  static std::optional<Decimal> from_double(double number);
  double to_double() const;
  Decimal& operator+=(Decimal other) { return scaled_ += other.scaled_, *this; }
  Decimal& operator-=(Decimal other) { return scaled_ -= other.scaled_, *this; }
  bool operator==(const Decimal&) const = default;
  Int128 scaled() const { return scaled_; }
  std::uint64_t low() const { return static_cast<std::uint64_t>(scaled_); }
  std::int64_t high() const { return static_cast<std::int64_t>(scaled_ >> 64); }
  static Decimal from_words(std::uint64_t low, std::int64_t high) {
    return Decimal(static_cast<Int128>(high) << 64 | static_cast<Int128>(low));
  }

 private:
  Int128 scaled_ = 0;
};

}  // namespace sluice
