// The functions of the language: their table for the checker, and what they do.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "expr/arena.hpp"
#include "expr/value.hpp"

namespace re2 {
class RE2;
}

namespace sluice::expr {

enum class Function : std::uint8_t {
  size,
  to_int,
  to_uint,
  to_double,
  to_string,
  to_bool,
  to_bytes,
  to_timestamp,
  to_duration,
  type,
  dyn,
  // texts
  starts_with,
  ends_with,
  contains,
  matches,
  lower_ascii,
  upper_ascii,
  trim,
  split,
  join,
  replace,
  substring,
  char_at,
  index_of,
  last_index_of,
  reverse,
  format,
  quote,
  // times
  full_year,
  month,
  day_of_month,
  date,
  day_of_week,
  day_of_year,
  hours,
  minutes,
  seconds,
  milliseconds,
  // numbers
  greatest,
  least,
  ceil,
  floor,
  round,
  trunc,
  abs,
  sign,
  is_nan,
  is_inf,
  is_finite,
  bit_and,
  bit_or,
  bit_xor,
  bit_not,
  bit_shift_left,
  bit_shift_right,
  sqrt,
  // optional values
  optional_of,
  optional_of_non_zero,
  optional_none,
  has_value,
  value,
  unwrap,
};

// A set of kinds of values: bit (1 << kind).
using Kinds = std::uint16_t;
constexpr Kinds kinds(Value::Kind kind) {
  return static_cast<Kinds>(1U << static_cast<unsigned>(kind));
}
inline constexpr Kinds any_kind = 0xFFFF;

inline constexpr std::size_t arguments_max = 16;

struct FunctionInfo {
  std::string_view name;  // as written; "math.abs" for what stands in a namespace
  Function function;
  bool receiver;               // the first argument stands before the dot
  std::uint8_t least, most;    // arguments, the receiver included
  Kinds first, second, third;  // what they may be
  Value::Kind result;          // unknown: it depends
  Kinds fourth = 0;            // and all behind it; 0: as the third
};

// All functions; the same name may stand for a function and for a member.
std::span<const FunctionInfo> functions();
const FunctionInfo* find_function(std::string_view name, bool receiver);
std::string_view name_of(Value::Kind kind);  // CEL's: "int", "google.protobuf.Timestamp"

// Calls with arguments of which none is unknown. `pattern`: of matches, where it was compiled before.
Value call_function(Function function, std::span<const Value> args, Arena::Impl& arena,
                    const re2::RE2* pattern);
Value call_text_function(Function function, std::span<const Value> args, Arena::Impl& arena,
                         const re2::RE2* pattern);
Value call_time_function(Function function, std::span<const Value> args);
// "%s: %.2f".format([…]): CEL's clauses d, s, f, e, b, x, X and o.
Value format(std::string_view pattern, const Value& values, Arena::Impl& arena);
// Why a pattern can never be filled with `values` of them (SIZE_MAX: any number); null: it can.
const char* format_mistake(std::string_view pattern, std::size_t values);
Value call_optional_function(Function function, std::span<const Value> args, Arena::Impl& arena);
Value call_math_function(Function function, std::span<const Value> args);
Value convert(Function function, const Value& value, Arena::Impl& arena);

// What the argument at `place` may be.
Kinds wanted_kinds(const FunctionInfo& info, std::size_t place);

bool known_zone(std::string_view zone);                            // "Europe/Paris", "+02:00", "UTC"
bool parse_cel_duration(std::string_view text, std::int64_t& ns);  // "1h30m", "-1.5s", "90d"
Value time_of(std::string_view text);                              // a timestamp, or unknown
std::string seconds_text(DurationUs duration);                     // "90s", "1.5s"

}  // namespace sluice::expr
