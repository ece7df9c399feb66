// math.…: with the types and the errors of CEL's extension of that name.
#include <cmath>

#include "expr/functions.hpp"
#include "expr/operators.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

namespace {

constexpr const char* no_overload = "the types do not fit";

Value extreme(Function function, std::span<const Value> args) {
  const Order wanted = function == Function::greatest ? Order::greater : Order::less;
  Value best = args[0];
  for (const Value& v : args) {
    if (!is_numeric(v)) return Value::unknown(no_overload);
    if (compare(v, best, false) == wanted) best = v;
  }
  return best;
}

Value of_real(Function function, const Value& v) {
  if (v.kind() != Kind::number) return Value::unknown(no_overload);
  const double d = v.as_number();
  switch (function) {
    case Function::ceil:
      return Value::number(std::ceil(d));
    case Function::floor:
      return Value::number(std::floor(d));
    case Function::round:
      return Value::number(std::round(d));
    case Function::trunc:
      return Value::number(std::trunc(d));
    case Function::is_nan:
      return Value::boolean(std::isnan(d));
    case Function::is_inf:
      return Value::boolean(std::isinf(d));
    default:
      return Value::boolean(std::isfinite(d));
  }
}

Value magnitude(const Value& v) {
  if (v.kind() == Kind::number) return Value::number(std::fabs(v.as_number()));
  if (v.kind() == Kind::integer) return v.as_integer() < 0 ? negate(v) : v;
  return v.kind() == Kind::unsigned_integer ? v : Value::unknown(no_overload);
}

Value sign_of(const Value& v) {
  if (v.kind() == Kind::number) {
    const double d = v.as_number();
    return std::isnan(d) ? v : Value::number(d > 0 ? 1 : d < 0 ? -1 : 0);
  }
  if (v.kind() == Kind::integer) return Value::integer(v.as_integer() > 0 ? 1 : v.as_integer() < 0 ? -1 : 0);
  return v.kind() == Kind::unsigned_integer ? Value::unsigned_integer(v.as_unsigned() > 0 ? 1 : 0)
                                            : Value::unknown(no_overload);
}

Value as_kind(Kind kind, std::uint64_t bits) {
  return kind == Kind::integer ? Value::integer(static_cast<std::int64_t>(bits))
                               : Value::unsigned_integer(bits);
}

Value shift(Function function, const Value& v, const Value& by) {
  std::int64_t places = 0;
  if (!whole_number(by, places)) return Value::unknown(no_overload);
  if (places < 0) return Value::unknown("a shift may not be negative");
  if (places > 63) return as_kind(v.kind(), 0);
  return as_kind(
      v.kind(), function == Function::bit_shift_left ? v.as_unsigned() << places : v.as_unsigned() >> places);
}

Value of_bits(Function function, std::span<const Value> args) {
  const Value& a = args[0];
  if (a.kind() != Kind::integer && a.kind() != Kind::unsigned_integer) return Value::unknown(no_overload);
  if (function == Function::bit_not) return as_kind(a.kind(), ~a.as_unsigned());
  const Value& b = args[1];
  if (function == Function::bit_shift_left || function == Function::bit_shift_right) {
    return b.kind() == Kind::integer ? shift(function, a, b) : Value::unknown(no_overload);
  }
  if (a.kind() != b.kind()) return Value::unknown(no_overload);
  switch (function) {
    case Function::bit_and:
      return as_kind(a.kind(), a.as_unsigned() & b.as_unsigned());
    case Function::bit_or:
      return as_kind(a.kind(), a.as_unsigned() | b.as_unsigned());
    default:
      return as_kind(a.kind(), a.as_unsigned() ^ b.as_unsigned());
  }
}

}  // namespace

Value call_math_function(Function function, std::span<const Value> args) {
  switch (function) {
    case Function::greatest:
    case Function::least:
      return extreme(function, args);
    case Function::abs:
      return magnitude(args[0]);
    case Function::sign:
      return sign_of(args[0]);
    case Function::bit_and:
    case Function::bit_or:
    case Function::bit_xor:
    case Function::bit_not:
    case Function::bit_shift_left:
    case Function::bit_shift_right:
      return of_bits(function, args);
    case Function::sqrt:  // IEEE 754 gives it to the last bit
      return is_numeric(args[0]) ? Value::number(std::sqrt(args[0].to_double()))
                                 : Value::unknown(no_overload);
    default:
      return of_real(function, args[0]);
  }
}

}  // namespace sluice::expr
