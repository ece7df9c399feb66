#include "base/decimal.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

namespace sluice {

namespace {

constexpr int scale_digits = 9;
constexpr double limit = 1e20;

// Below 4,000,000 the product with 10^9 stays under 2^52, so that rounding it gives the nearest ninth
// decimal.
constexpr double exact_product_limit = 4e6;

std::optional<Int128> scale_text(std::string_view text) {
  Int128 value = 0;
  int decimals = -1;
  const bool negative = text.front() == '-';
  if (negative) text.remove_prefix(1);
  for (const char c : text) {
    if (c == '.') {
      decimals = 0;
      continue;
    }
    if (decimals == scale_digits) {
      if (c >= '5') value += 1;
      break;
    }
    value = value * 10 + (c - '0');
    if (decimals >= 0) ++decimals;
  }
  for (int i = decimals < 0 ? 0 : decimals; i < scale_digits; ++i) value *= 10;
  return negative ? -value : value;
}

}  // namespace

std::optional<Decimal> Decimal::from_double(double number) {
  if (!std::isfinite(number) || std::fabs(number) > limit) return {};
  if (std::fabs(number) < exact_product_limit) {
    return Decimal(static_cast<Int128>(std::llround(number * 1e9)));
  }
  std::array<char, 64> buffer{};
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::fixed);
  const auto scaled = scale_text({buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data())});
  if (!scaled) return {};
  return Decimal(*scaled);
}

double Decimal::to_double() const {
  // Whole and fractional part apart: each is exact as a double where the sum is below 2^53.
  constexpr Int128 scale = 1'000'000'000;
  const Int128 whole = scaled_ / scale;
  const auto rest = static_cast<std::int64_t>(scaled_ % scale);
  constexpr Int128 fits = Int128{1} << 53;
  if (scaled_ > -fits && scaled_ < fits) return static_cast<double>(static_cast<std::int64_t>(scaled_)) / 1e9;
  return static_cast<double>(whole) + static_cast<double>(rest) / 1e9;
}

}  // namespace sluice
