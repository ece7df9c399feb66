// int(), string(), timestamp() and the like.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>

#include "base/text.hpp"
#include "expr/functions.hpp"
#include "expr/operators.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

namespace {

constexpr const char* no_overload = "the types do not fit";
constexpr const char* out_of_range = "the number is out of range";
constexpr double two_63 = 9223372036854775808.0;

template <typename T>
bool parse_whole(std::string_view text, T& out) {
  const auto end = std::from_chars(text.data(), text.data() + text.size(), out);
  return end.ec == std::errc{} && end.ptr == text.data() + text.size() && !text.empty();
}

Value to_integer(const Value& v) {
  std::int64_t i = 0;
  switch (v.kind()) {
    case Kind::integer:
      return v;
    case Kind::unsigned_integer:
      return whole_number(v, i) ? Value::integer(i) : Value::unknown(out_of_range);
    case Kind::number: {
      const double d = v.as_number();
      if (!(d > -two_63 && d < two_63)) return Value::unknown(out_of_range);
      return Value::integer(static_cast<std::int64_t>(d));
    }
    case Kind::string:
      return parse_whole(v.as_text(), i) ? Value::integer(i) : Value::unknown("the text is no whole number");
    case Kind::timestamp:
    case Kind::duration: {  // whole seconds, rounded down
      const std::int64_t us = v.as_integer();
      return Value::integer(us / us_per_s - (us % us_per_s < 0 ? 1 : 0));
    }
    default:
      return Value::unknown(no_overload);
  }
}

Value to_unsigned(const Value& v) {
  std::uint64_t u = 0;
  switch (v.kind()) {
    case Kind::unsigned_integer:
      return v;
    case Kind::integer:
      if (v.as_integer() < 0) return Value::unknown(out_of_range);
      return Value::unsigned_integer(static_cast<std::uint64_t>(v.as_integer()));
    case Kind::number: {
      const double d = v.as_number();
      if (!(d >= 0 && d < two_63 * 2)) return Value::unknown(out_of_range);
      return Value::unsigned_integer(static_cast<std::uint64_t>(d));
    }
    case Kind::string:
      return parse_whole(v.as_text(), u) ? Value::unsigned_integer(u)
                                         : Value::unknown("the text is no whole number");
    default:
      return Value::unknown(no_overload);
  }
}

Value to_real(const Value& v) {
  if (is_numeric(v)) return Value::number(v.to_double());
  if (v.kind() != Kind::string) return Value::unknown(no_overload);
  double d = 0;
  return parse_whole(v.as_text(), d) ? Value::number(d) : Value::unknown("the text is no number");
}

Value to_boolean(const Value& v) {
  static constexpr std::array<std::string_view, 5> yes{"1", "t", "true", "TRUE", "True"};
  static constexpr std::array<std::string_view, 5> no{"0", "f", "false", "FALSE", "False"};
  if (v.kind() == Kind::boolean) return v;
  if (v.kind() != Kind::string) return Value::unknown(no_overload);
  if (std::find(yes.begin(), yes.end(), v.as_text()) != yes.end()) return Value::boolean(true);
  if (std::find(no.begin(), no.end(), v.as_text()) != no.end()) return Value::boolean(false);
  return Value::unknown("the text is no true or false");
}

// ".5", ".000000001": the part of a second, its last zeros left out; nothing for none.
void add_fraction(TextMaker& out, std::uint64_t ns) {
  if (ns == 0) return;
  std::array<char, 10> digits{'.'};
  std::size_t used = 1;
  for (std::uint64_t unit = 100'000'000; ns > 0; unit /= 10, ++used) {
    digits[used] = static_cast<char>('0' + ns / unit);
    ns %= unit;
  }
  out.add({digits.data(), used});
}

void add_padded(TextMaker& out, std::uint64_t n, std::size_t width) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), n);
  const auto size = static_cast<std::size_t>(end.ptr - digits.data());
  for (std::size_t i = size; i < width; ++i) out.add('0');
  out.add({digits.data(), size});
}

Value timestamp_text(const Value& v, Arena::Impl& arena) {
  TextMaker out(arena);
  const std::int64_t us = v.as_integer();
  const std::int64_t days = us / us_per_d - (us % us_per_d < 0 ? 1 : 0);
  const auto rest = static_cast<std::uint64_t>(us - days * us_per_d);
  const auto seconds = rest / static_cast<std::uint64_t>(us_per_s);
  const Civil civil = civil_from_days(days);
  add_padded(out, static_cast<std::uint64_t>(civil.year), 4);
  out.add('-');
  add_padded(out, civil.month, 2);
  out.add('-');
  add_padded(out, civil.day, 2);
  out.add('T');
  add_padded(out, seconds / 3600, 2);
  out.add(':');
  add_padded(out, seconds / 60 % 60, 2);
  out.add(':');
  add_padded(out, seconds % 60, 2);
  add_fraction(out, rest % static_cast<std::uint64_t>(us_per_s) * 1000 + v.nanos());
  out.add('Z');
  return out.value();
}

Value duration_text(const Value& v, Arena::Impl& arena) {
  TextMaker out(arena);
  const std::int64_t ns = nanoseconds(v);
  if (ns < 0) out.add('-');
  const auto magnitude = ns < 0 ? ~static_cast<std::uint64_t>(ns) + 1 : static_cast<std::uint64_t>(ns);
  add_padded(out, magnitude / 1'000'000'000, 1);
  add_fraction(out, magnitude % 1'000'000'000);
  out.add('s');
  return out.value();
}

Value to_text(const Value& v, Arena::Impl& arena) {
  std::array<char, 40> buffer{};
  const auto spelled = [&](auto n) {
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), n);
    return arena.copy_string({buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data())});
  };
  switch (v.kind()) {
    case Kind::string:
      return v;
    case Kind::boolean:
      return Value::string(v.is_true() ? "true" : "false");
    case Kind::integer:
      return spelled(v.as_integer());
    case Kind::unsigned_integer:
      return spelled(v.as_unsigned());
    case Kind::number: {
      std::int64_t whole = 0;  // as JSON prints it: 75001, not 7.5001e+04
      constexpr std::int64_t exact = std::int64_t{1} << 53;
      if (whole_number(v, whole) && whole > -exact && whole < exact &&
          !(whole == 0 && std::signbit(v.as_number()))) {
        return spelled(whole);
      }
      return spelled(v.as_number());
    }
    case Kind::bytes:
      return valid_utf8(v.as_text()) ? Value::string(v.as_text()) : Value::unknown("the bytes are no UTF-8");
    case Kind::timestamp:
      return timestamp_text(v, arena);
    case Kind::duration:
      return duration_text(v, arena);
    default:
      return Value::unknown(no_overload);
  }
}

Value to_timestamp(const Value& v) {
  if (v.kind() == Kind::timestamp) return v;
  if (v.kind() == Kind::string) return time_of(v.as_text());
  std::int64_t seconds = 0;
  if (!whole_number(v, seconds)) return Value::unknown(no_overload);
  constexpr std::int64_t limit = 1'000'000'000'000;  // far beyond the year 9999
  if (seconds < -limit || seconds > limit) return Value::unknown("the time is out of range");
  return checked_timestamp(seconds * us_per_s);
}

Value to_duration(const Value& v) {
  if (v.kind() == Kind::duration) return v;
  if (v.kind() != Kind::string) return Value::unknown(no_overload);
  std::int64_t ns = 0;
  return parse_cel_duration(v.as_text(), ns) ? duration_of(ns) : Value::unknown("the text is no duration");
}

struct Unit {
  std::string_view name;
  std::int64_t ns;
};
// CEL's units, then the hub's.
constexpr std::array<Unit, 9> units{{{"h", 3'600'000'000'000},
                                     {"ms", 1'000'000},
                                     {"m", 60'000'000'000},
                                     {"s", 1'000'000'000},
                                     {"us", 1'000},
                                     {"µs", 1'000},
                                     {"ns", 1},
                                     {"d", 86'400'000'000'000},
                                     {"w", 604'800'000'000'000}}};

// Takes "12.5" off the front, as whole units and the part of one in nanoseconds, cut.
bool parse_amount(std::string_view& text, std::int64_t& whole, std::uint64_t& fraction,
                  std::uint64_t& scale) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits > 0 && !parse_whole(text.substr(0, digits), whole)) return false;
  text.remove_prefix(digits);
  if (!text.starts_with('.')) return digits > 0;
  text.remove_prefix(1);
  const std::size_t places = std::min(text.find_first_not_of("0123456789"), text.size());
  constexpr std::size_t places_max = 15;  // a week has 6e14 nanoseconds
  for (std::size_t i = 0; i < std::min(places, places_max); ++i, scale *= 10)
    fraction = fraction * 10 + static_cast<std::uint64_t>(text[i] - '0');
  text.remove_prefix(places);
  return digits > 0 || places > 0;
}

}  // namespace

bool parse_cel_duration(std::string_view text, std::int64_t& out) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return out = 0, true;
  if (text.empty()) return false;
  __extension__ using Wide = __int128;
  Wide total = 0;
  while (!text.empty()) {
    std::int64_t whole = 0;
    std::uint64_t fraction = 0;
    std::uint64_t scale = 1;
    if (!parse_amount(text, whole, fraction, scale)) return false;
    const auto* unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) {
      return text.starts_with(u.name) && (u.name != "m" || !text.starts_with("mo"));
    });
    if (unit == units.end()) return false;
    text.remove_prefix(unit->name.size());
    total += Wide{whole} * unit->ns + Wide{fraction} * unit->ns / Wide{scale};
    if (total > INT64_MAX) return false;
  }
  out = static_cast<std::int64_t>(negative ? -total : total);
  return true;
}

Value time_of(std::string_view text) {
  const auto time = parse_time(text);
  if (!time) return Value::unknown("the text is no time");
  constexpr std::size_t digits_at = 20;  // behind "2026-01-01T00:00:00."
  const std::size_t point = text.size() > digits_at + 6 ? text.find_first_of(".,") : std::string_view::npos;
  unsigned nanos = 0;
  if (point != std::string_view::npos) {  // digits seven to nine
    constexpr std::size_t microseconds = 6;
    unsigned unit = 100;
    for (std::size_t i = point + 1 + microseconds; unit > 0 && i < text.size(); ++i, unit /= 10) {
      const std::string_view places = text.substr(point + 1, i - point);
      if (places.find_first_not_of("0123456789") != std::string_view::npos) break;
      nanos += unit * static_cast<unsigned>(text[i] - '0');
    }
  }
  return checked_timestamp(*time, nanos);
}

std::string seconds_text(DurationUs duration) {
  const bool negative = duration < 0;
  const auto magnitude =
      negative ? ~static_cast<std::uint64_t>(duration) + 1 : static_cast<std::uint64_t>(duration);
  std::string text = (negative ? "-" : "") + std::to_string(magnitude / 1'000'000);
  if (const std::uint64_t rest = magnitude % 1'000'000; rest != 0) {
    std::string places = std::to_string(rest + 1'000'000);
    places.front() = '.';
    while (places.back() == '0') places.pop_back();
    text += places;
  }
  return text + "s";
}

Value convert(Function function, const Value& value, Arena::Impl& arena) {
  switch (function) {
    case Function::to_int:
      return to_integer(value);
    case Function::to_uint:
      return to_unsigned(value);
    case Function::to_double:
      return to_real(value);
    case Function::to_string:
      return to_text(value, arena);
    case Function::to_bool:
      return to_boolean(value);
    case Function::to_bytes:
      return value.kind() == Kind::string || value.kind() == Kind::bytes ? Value::bytes(value.as_text())
                                                                         : Value::unknown(no_overload);
    case Function::to_timestamp:
      return to_timestamp(value);
    default:
      return to_duration(value);
  }
}

}  // namespace sluice::expr
