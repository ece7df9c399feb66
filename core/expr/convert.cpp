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
      if (!(d > -1 && d < two_63 * 2)) return Value::unknown(out_of_range);
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

// CEL prints a time without a fraction where it has none.
std::string timestamp_text(TimeUs time) {
  std::string text = format_time(time);
  if (const auto dot = text.find('.'); dot != std::string::npos) {
    text.pop_back();
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
    text += 'Z';
  }
  return text;
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
      return arena.copy_string(timestamp_text(v.as_integer()));
    case Kind::duration:
      return arena.copy_string(seconds_text(v.as_integer()));
    default:
      return Value::unknown(no_overload);
  }
}

Value to_timestamp(const Value& v) {
  if (v.kind() == Kind::timestamp) return v;
  if (v.kind() == Kind::string) {
    const auto time = parse_time(v.as_text());
    return time ? checked_timestamp(*time) : Value::unknown("the text is no time");
  }
  std::int64_t seconds = 0;
  if (!whole_number(v, seconds)) return Value::unknown(no_overload);
  constexpr std::int64_t limit = 1'000'000'000'000;  // far beyond the year 9999
  if (seconds < -limit || seconds > limit) return Value::unknown("the time is out of range");
  return checked_timestamp(seconds * us_per_s);
}

Value to_duration(const Value& v) {
  if (v.kind() == Kind::duration) return v;
  if (v.kind() != Kind::string) return Value::unknown(no_overload);
  DurationUs us = 0;
  return parse_cel_duration(v.as_text(), us) ? checked_duration(us)
                                             : Value::unknown("the text is no duration");
}

struct Unit {
  std::string_view name;
  double us;
};
// CEL's units, then the hub's.
constexpr std::array<Unit, 9> units{{{"h", 3.6e9},
                                     {"ms", 1e3},
                                     {"m", 6e7},
                                     {"s", 1e6},
                                     {"us", 1},
                                     {"µs", 1},
                                     {"ns", 1e-3},
                                     {"d", 8.64e10},
                                     {"w", 6.048e11}}};

}  // namespace

bool parse_cel_duration(std::string_view text, DurationUs& out) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return out = 0, true;
  if (text.empty()) return false;
  std::int64_t total = 0;
  while (!text.empty()) {
    const std::size_t digits = text.find_first_not_of("0123456789");
    if (digits == std::string_view::npos || (digits == 0 && text.front() != '.')) return false;
    std::int64_t whole = 0;
    if (digits > 0 && !parse_whole(text.substr(0, digits), whole)) return false;
    text.remove_prefix(digits);
    double fraction = 0;
    if (text.starts_with('.')) {
      text.remove_prefix(1);
      const std::size_t places = text.find_first_not_of("0123456789");
      if (places == std::string_view::npos || places == 0) return false;
      double scale = 0.1;
      for (std::size_t i = 0; i < places; ++i, scale /= 10) fraction += scale * (text[i] - '0');
      text.remove_prefix(places);
    }
    const auto* unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) {
      return text.starts_with(u.name) && (u.name != "m" || !text.starts_with("mo"));
    });
    if (unit == units.end()) return false;
    text.remove_prefix(unit->name.size());
    std::int64_t us = 0;
    if (unit->us < 1) {
      us = whole / 1000;
    } else if (__builtin_mul_overflow(whole, static_cast<std::int64_t>(unit->us), &us)) {
      return false;
    }
    if (__builtin_add_overflow(us, static_cast<std::int64_t>(std::llround(fraction * unit->us)), &us))
      return false;
    if (__builtin_add_overflow(total, us, &total)) return false;
  }
  out = negative ? -total : total;
  return true;
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
