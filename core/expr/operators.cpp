#include "expr/operators.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "expr/functions.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

namespace {

constexpr const char* no_overload = "the types do not fit";
constexpr const char* too_large = "the result is too large";
constexpr const char* overflow = "the number is out of range";
constexpr double two_63 = 9223372036854775808.0;
constexpr double two_64 = 18446744073709551616.0;

template <typename T>
Order order(T a, T b) {
  return a < b ? Order::less : a == b ? Order::equal : Order::greater;
}

Order reversed(Order o) {
  if (o == Order::less) return Order::greater;
  if (o == Order::greater) return Order::less;
  return o;
}

Order compare_double(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return Order::unordered;
  return order(a, b);
}

// As CEL's own implementations do: what lies within the integers' range is compared as doubles.
Order compare_integer_double(std::int64_t a, double b) {
  if (b > two_63) return Order::less;
  if (b < -two_63) return Order::greater;
  return compare_double(static_cast<double>(a), b);
}

Order compare_unsigned_double(std::uint64_t a, double b) {
  if (b > two_64) return Order::less;
  if (b < 0) return Order::greater;
  return compare_double(static_cast<double>(a), b);
}

Order compare_numbers(const Value& a, const Value& b) {
  if (a.kind() == Kind::number) {
    if (b.kind() == Kind::number) return compare_double(a.as_number(), b.as_number());
    if (b.kind() == Kind::integer) return reversed(compare_integer_double(b.as_integer(), a.as_number()));
    return reversed(compare_unsigned_double(b.as_unsigned(), a.as_number()));
  }
  if (b.kind() == Kind::number) return reversed(compare_numbers(b, a));
  if (a.kind() == b.kind()) {
    return a.kind() == Kind::integer ? order(a.as_integer(), b.as_integer())
                                     : order(a.as_unsigned(), b.as_unsigned());
  }
  if (a.kind() == Kind::integer) {
    return a.as_integer() < 0 ? Order::less
                              : order(static_cast<std::uint64_t>(a.as_integer()), b.as_unsigned());
  }
  return reversed(compare_numbers(b, a));
}

// A text beside a time is a time, where the domain gives it.
bool as_time(const Value& value, const Value& beside, Value& out) {
  if (value.kind() != Kind::string || (beside.kind() != Kind::timestamp && beside.kind() != Kind::duration))
    return false;
  out = time_of(value.as_text());
  return !out.is_unknown();
}

__extension__ using Wide = __int128;

// Of a time since 1970, of a duration: the whole of it in nanoseconds.
Wide wide(const Value& v) {
  return Wide{v.as_integer()} * 1000 + v.nanos();
}

// Whole thousands downwards, and what is left.
std::int64_t microseconds(Wide ns, unsigned& nanos) {
  Wide us = ns / 1000;
  if (ns % 1000 < 0) --us;
  nanos = static_cast<unsigned>(ns - us * 1000);
  return static_cast<std::int64_t>(us);
}

Value join(const Value& a, const Value& b, Arena::Impl& arena) {
  const std::string_view x = a.as_text();
  const std::string_view y = b.as_text();
  char* at = arena.text(x.size() + y.size());
  if (at == nullptr) return Value::unknown(too_large);
  if (!x.empty()) std::memcpy(at, x.data(), x.size());
  if (!y.empty()) std::memcpy(at + x.size(), y.data(), y.size());
  const std::string_view joined(at, x.size() + y.size());
  return a.kind() == Kind::bytes ? Value::bytes(joined) : Value::string(joined);
}

Value join_lists(const Value& a, const Value& b, Arena::Impl& arena) {
  const Value::List* x = list_of(a, arena);
  const Value::List* y = list_of(b, arena);
  if (x == nullptr || y == nullptr) return Value::unknown(no_overload);
  Value* items = arena.values(x->size + y->size);
  if (items == nullptr) return Value::unknown(too_large);
  std::copy_n(x->items, x->size, items);
  std::copy_n(y->items, y->size, items + x->size);
  return arena.list(items, x->size + y->size);
}

Value integer_arithmetic(Op op, std::int64_t a, std::int64_t b) {
  std::int64_t r = 0;
  if (op == Op::divide || op == Op::modulo) {
    if (b == 0) return Value::unknown("division by zero");
    if (a == INT64_MIN && b == -1) return Value::unknown(overflow);
    return Value::integer(op == Op::divide ? a / b : a % b);
  }
  const bool bad = op == Op::add        ? __builtin_add_overflow(a, b, &r)
                   : op == Op::subtract ? __builtin_sub_overflow(a, b, &r)
                                        : __builtin_mul_overflow(a, b, &r);
  return bad ? Value::unknown(overflow) : Value::integer(r);
}

Value unsigned_arithmetic(Op op, std::uint64_t a, std::uint64_t b) {
  std::uint64_t r = 0;
  if (op == Op::divide || op == Op::modulo) {
    if (b == 0) return Value::unknown("division by zero");
    return Value::unsigned_integer(op == Op::divide ? a / b : a % b);
  }
  const bool bad = op == Op::add        ? __builtin_add_overflow(a, b, &r)
                   : op == Op::subtract ? __builtin_sub_overflow(a, b, &r)
                                        : __builtin_mul_overflow(a, b, &r);
  return bad ? Value::unknown(overflow) : Value::unsigned_integer(r);
}

Value double_arithmetic(Op op, double a, double b) {
  switch (op) {
    case Op::add:
      return Value::number(a + b);
    case Op::subtract:
      return Value::number(a - b);
    case Op::multiply:
      return Value::number(a * b);
    case Op::divide:
      return Value::number(a / b);
    default:
      return Value::unknown(no_overload);
  }
}

// Of the domain: numbers of all kinds; a quotient is no whole number, and nothing divides by zero.
Value mixed_arithmetic(Op op, const Value& a, const Value& b) {
  const double y = b.to_double();
  if ((op == Op::divide || op == Op::modulo) && y == 0) return Value::unknown("division by zero");
  if (op != Op::modulo) return double_arithmetic(op, a.to_double(), y);
  std::int64_t whole_a = 0;
  std::int64_t whole_b = 0;
  if (!whole_number(a, whole_a) || !whole_number(b, whole_b)) return Value::unknown("% needs whole numbers");
  const Value rest = integer_arithmetic(op, whole_a, whole_b);
  return rest.is_unknown() ? rest : Value::number(static_cast<double>(rest.as_integer()));
}

Value time_arithmetic(Op op, const Value& a, const Value& b) {
  const bool a_time = a.kind() == Kind::timestamp;
  const bool b_time = b.kind() == Kind::timestamp;
  const bool fits = op == Op::add ? !(a_time && b_time) : op == Op::subtract && (a_time || !b_time);
  if (!fits) return Value::unknown(no_overload);
  const Wide ns = op == Op::add ? wide(a) + wide(b) : wide(a) - wide(b);
  unsigned nanos = 0;
  if (a_time != b_time) {
    const TimeUs us = microseconds(ns, nanos);
    return checked_timestamp(us, nanos);
  }
  if (ns > INT64_MAX || ns < INT64_MIN) return Value::unknown("the duration is out of range");
  return duration_of(static_cast<std::int64_t>(ns));
}

bool is_temporal(const Value& v) {
  return v.kind() == Kind::timestamp || v.kind() == Kind::duration;
}
bool is_list(const Value& v) {
  return v.kind() == Kind::list || (v.kind() == Kind::json && v.as_json().type() == JsonType::array);
}

}  // namespace

bool is_numeric(const Value& v) {
  return v.kind() == Kind::integer || v.kind() == Kind::unsigned_integer || v.kind() == Kind::number;
}

Value checked_timestamp(TimeUs time, unsigned nanos) {
  constexpr TimeUs first = -62135596800LL * us_per_s;
  constexpr TimeUs behind = 253402300800LL * us_per_s;
  return time >= first && time < behind ? Value::timestamp(time, nanos)
                                        : Value::unknown("the time is out of range");
}

Value duration_of(std::int64_t ns) {
  unsigned nanos = 0;
  const DurationUs us = microseconds(ns, nanos);
  return Value::duration(us, nanos);
}

std::int64_t nanoseconds(const Value& duration) {
  return static_cast<std::int64_t>(wide(duration));
}

bool whole_number(const Value& value, std::int64_t& out) {
  switch (value.kind()) {
    case Kind::integer:
      out = value.as_integer();
      return true;
    case Kind::unsigned_integer:
      if (value.as_unsigned() > static_cast<std::uint64_t>(INT64_MAX)) return false;
      out = static_cast<std::int64_t>(value.as_unsigned());
      return true;
    case Kind::number: {
      const double d = value.as_number();
      if (!(d > -two_63 && d < two_63) || std::trunc(d) != d) return false;
      out = static_cast<std::int64_t>(d);
      return true;
    }
    default:
      return false;
  }
}

Order compare(const Value& a, const Value& b, bool mix) {
  if (is_numeric(a) && is_numeric(b)) return compare_numbers(a, b);
  if (a.kind() != b.kind()) {
    Value time;
    if (mix && b.kind() == Kind::timestamp && as_time(a, b, time)) return compare(time, b, false);
    if (mix && a.kind() == Kind::timestamp && as_time(b, a, time)) return compare(a, time, false);
    return Order::mismatch;
  }
  switch (a.kind()) {
    case Kind::boolean:
      return order(a.as_integer(), b.as_integer());
    case Kind::timestamp:
    case Kind::duration:
      if (a.as_integer() == b.as_integer()) return order(a.nanos(), b.nanos());
      return order(a.as_integer(), b.as_integer());
    case Kind::string:
    case Kind::bytes:
      return order(a.as_text().compare(b.as_text()), 0);
    default:
      return Order::mismatch;
  }
}

Value arithmetic(Op op, const Value& a, const Value& b, bool mix, Arena::Impl& arena) {
  const Kind kind = a.kind();
  if (kind == b.kind()) {
    switch (kind) {
      case Kind::integer:
        return integer_arithmetic(op, a.as_integer(), b.as_integer());
      case Kind::unsigned_integer:
        return unsigned_arithmetic(op, a.as_unsigned(), b.as_unsigned());
      case Kind::number:
        return mix ? mixed_arithmetic(op, a, b) : double_arithmetic(op, a.as_number(), b.as_number());
      case Kind::string:
      case Kind::bytes:
        return op == Op::add ? join(a, b, arena) : Value::unknown(no_overload);
      default:
        break;
    }
  }
  if (is_numeric(a) && is_numeric(b)) return mix ? mixed_arithmetic(op, a, b) : Value::unknown(no_overload);
  if (is_temporal(a) && is_temporal(b)) return time_arithmetic(op, a, b);
  Value time;
  if (mix && is_temporal(b) && as_time(a, b, time)) return time_arithmetic(op, time, b);
  if (mix && is_temporal(a) && as_time(b, a, time)) return time_arithmetic(op, a, time);
  if (op == Op::add && is_list(a) && is_list(b)) return join_lists(a, b, arena);
  return Value::unknown(no_overload);
}

Value negate(const Value& a) {
  if (a.kind() == Kind::number) return Value::number(-a.as_number());
  if (a.kind() != Kind::integer) return Value::unknown(no_overload);
  return a.as_integer() == INT64_MIN ? Value::unknown(overflow) : Value::integer(-a.as_integer());
}

}  // namespace sluice::expr
