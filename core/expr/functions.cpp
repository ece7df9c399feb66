#include "expr/functions.hpp"

#include <array>

#include "expr/operators.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

namespace {

constexpr Kinds text = kinds(Kind::string);
constexpr Kinds integer = kinds(Kind::integer) | kinds(Kind::number);  // numbers of the domain are doubles
constexpr Kinds whole = kinds(Kind::integer) | kinds(Kind::unsigned_integer);
constexpr Kinds real = kinds(Kind::number);
constexpr Kinds number = whole | real;
constexpr Kinds sequence = kinds(Kind::list) | kinds(Kind::json);
constexpr Kinds sized = text | kinds(Kind::bytes) | sequence | kinds(Kind::map);
constexpr Kinds moment = kinds(Kind::timestamp) | text;  // texts of the domain may be times
constexpr Kinds temporal = moment | kinds(Kind::duration);

constexpr std::array<FunctionInfo, 65> table{{
    {"size", Function::size, false, 1, 1, sized, 0, 0, Kind::integer},
    {"size", Function::size, true, 1, 1, sized, 0, 0, Kind::integer},
    {"int", Function::to_int, false, 1, 1, number | text | kinds(Kind::timestamp) | kinds(Kind::duration), 0,
     0, Kind::integer},
    {"uint", Function::to_uint, false, 1, 1, number | text, 0, 0, Kind::unsigned_integer},
    {"double", Function::to_double, false, 1, 1, number | text, 0, 0, Kind::number},
    {"string", Function::to_string, false, 1, 1,
     number | text | kinds(Kind::bytes) | kinds(Kind::boolean) | kinds(Kind::timestamp) |
         kinds(Kind::duration),
     0, 0, Kind::string},
    {"bool", Function::to_bool, false, 1, 1, text | kinds(Kind::boolean), 0, 0, Kind::boolean},
    {"bytes", Function::to_bytes, false, 1, 1, text | kinds(Kind::bytes), 0, 0, Kind::bytes},
    {"timestamp", Function::to_timestamp, false, 1, 1, integer | moment, 0, 0, Kind::timestamp},
    {"duration", Function::to_duration, false, 1, 1, text | kinds(Kind::duration), 0, 0, Kind::duration},
    {"type", Function::type, false, 1, 1, any_kind, 0, 0, Kind::type},
    {"dyn", Function::dyn, false, 1, 1, any_kind, 0, 0, Kind::unknown},
    {"startsWith", Function::starts_with, true, 2, 2, text, text, 0, Kind::boolean},
    {"endsWith", Function::ends_with, true, 2, 2, text, text, 0, Kind::boolean},
    {"contains", Function::contains, true, 2, 2, text, text, 0, Kind::boolean},
    {"matches", Function::matches, true, 2, 2, text, text, 0, Kind::boolean},
    {"matches", Function::matches, false, 2, 2, text, text, 0, Kind::boolean},
    {"lowerAscii", Function::lower_ascii, true, 1, 1, text, 0, 0, Kind::string},
    {"upperAscii", Function::upper_ascii, true, 1, 1, text, 0, 0, Kind::string},
    {"trim", Function::trim, true, 1, 1, text, 0, 0, Kind::string},
    {"split", Function::split, true, 2, 3, text, text, integer, Kind::list},
    {"join", Function::join, true, 1, 2, sequence, text, 0, Kind::string},
    {"replace", Function::replace, true, 3, 4, text, text, text, Kind::string, integer},
    {"substring", Function::substring, true, 2, 3, text, integer, integer, Kind::string},
    {"charAt", Function::char_at, true, 2, 2, text, integer, 0, Kind::string},
    {"indexOf", Function::index_of, true, 2, 3, text, text, integer, Kind::integer},
    {"lastIndexOf", Function::last_index_of, true, 2, 3, text, text, integer, Kind::integer},
    {"reverse", Function::reverse, true, 1, 1, text, 0, 0, Kind::string},
    {"format", Function::format, true, 2, 2, text, sequence, 0, Kind::string},
    {"strings.quote", Function::quote, false, 1, 1, text, 0, 0, Kind::string},
    {"getFullYear", Function::full_year, true, 1, 2, moment, text, 0, Kind::integer},
    {"getMonth", Function::month, true, 1, 2, moment, text, 0, Kind::integer},
    {"getDayOfMonth", Function::day_of_month, true, 1, 2, moment, text, 0, Kind::integer},
    {"getDate", Function::date, true, 1, 2, moment, text, 0, Kind::integer},
    {"getDayOfWeek", Function::day_of_week, true, 1, 2, moment, text, 0, Kind::integer},
    {"getDayOfYear", Function::day_of_year, true, 1, 2, moment, text, 0, Kind::integer},
    {"getHours", Function::hours, true, 1, 2, temporal, text, 0, Kind::integer},
    {"getMinutes", Function::minutes, true, 1, 2, temporal, text, 0, Kind::integer},
    {"getSeconds", Function::seconds, true, 1, 2, temporal, text, 0, Kind::integer},
    {"getMilliseconds", Function::milliseconds, true, 1, 2, temporal, text, 0, Kind::integer},
    {"math.greatest", Function::greatest, false, 1, arguments_max, number | sequence, number, number,
     Kind::unknown},
    {"math.least", Function::least, false, 1, arguments_max, number | sequence, number, number,
     Kind::unknown},
    {"math.ceil", Function::ceil, false, 1, 1, real, 0, 0, Kind::number},
    {"math.floor", Function::floor, false, 1, 1, real, 0, 0, Kind::number},
    {"math.round", Function::round, false, 1, 1, real, 0, 0, Kind::number},
    {"math.trunc", Function::trunc, false, 1, 1, real, 0, 0, Kind::number},
    {"math.abs", Function::abs, false, 1, 1, number, 0, 0, Kind::unknown},
    {"math.sign", Function::sign, false, 1, 1, number, 0, 0, Kind::unknown},
    {"math.sqrt", Function::sqrt, false, 1, 1, number, 0, 0, Kind::number},
    {"math.isNaN", Function::is_nan, false, 1, 1, real, 0, 0, Kind::boolean},
    {"math.isInf", Function::is_inf, false, 1, 1, real, 0, 0, Kind::boolean},
    {"math.isFinite", Function::is_finite, false, 1, 1, real, 0, 0, Kind::boolean},
    {"math.bitAnd", Function::bit_and, false, 2, 2, whole, whole, 0, Kind::unknown},
    {"math.bitOr", Function::bit_or, false, 2, 2, whole, whole, 0, Kind::unknown},
    {"math.bitXor", Function::bit_xor, false, 2, 2, whole, whole, 0, Kind::unknown},
    {"math.bitNot", Function::bit_not, false, 1, 1, whole, 0, 0, Kind::unknown},
    {"math.bitShiftLeft", Function::bit_shift_left, false, 2, 2, whole, whole, 0, Kind::unknown},
    {"math.bitShiftRight", Function::bit_shift_right, false, 2, 2, whole, whole, 0, Kind::unknown},
    {"optional.of", Function::optional_of, false, 1, 1, any_kind, 0, 0, Kind::optional},
    {"optional.ofNonZeroValue", Function::optional_of_non_zero, false, 1, 1, any_kind, 0, 0, Kind::optional},
    {"optional.none", Function::optional_none, false, 0, 0, 0, 0, 0, Kind::optional},
    {"optional.unwrap", Function::unwrap, false, 1, 1, sequence, 0, 0, Kind::list},
    {"hasValue", Function::has_value, true, 1, 1, kinds(Kind::optional), 0, 0, Kind::boolean},
    {"value", Function::value, true, 1, 1, kinds(Kind::optional), 0, 0, Kind::unknown},
    {"unwrapOpt", Function::unwrap, true, 1, 1, sequence, 0, 0, Kind::list},
}};

Value size_of(const Value& v) {
  std::size_t size = 0;
  switch (v.kind()) {
    case Kind::string:
      for (const char c : v.as_text()) size += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
      break;
    case Kind::bytes:
      size = v.as_text().size();
      break;
    case Kind::list:
      size = v.as_list()->size;
      break;
    case Kind::map:
      size = v.as_map()->size;
      break;
    case Kind::json:
      size = v.as_json().size();
      break;
    default:
      return Value::unknown("it has no size");
  }
  return Value::integer(static_cast<std::int64_t>(size));
}

}  // namespace

std::span<const FunctionInfo> functions() {
  return table;
}

const FunctionInfo* find_function(std::string_view name, bool receiver) {
  for (const FunctionInfo& f : functions()) {
    if (f.name == name && f.receiver == receiver) return &f;
  }
  return nullptr;
}

Kinds wanted_kinds(const FunctionInfo& info, std::size_t place) {
  if (place == 0) return info.first;
  if (place == 1) return info.second;
  return place == 2 || info.fourth == 0 ? info.third : info.fourth;
}

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::unknown:
      return "dyn";
    case Kind::null:
      return "null_type";
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return "int";
    case Kind::unsigned_integer:
      return "uint";
    case Kind::number:
      return "double";
    case Kind::string:
      return "string";
    case Kind::bytes:
      return "bytes";
    case Kind::timestamp:
      return "google.protobuf.Timestamp";
    case Kind::duration:
      return "google.protobuf.Duration";
    case Kind::list:
      return "list";
    case Kind::map:
    case Kind::json:
      return "map";
    case Kind::type:
      return "type";
    case Kind::optional:
      return "optional_type";
  }
  return "";
}

Value call_function(Function function, std::span<const Value> args, Arena::Impl& arena,
                    const re2::RE2* pattern) {
  if (function == Function::size)
    return arena.spend_text(args[0].kind() == Kind::string ? args[0].as_text().size() : 0)
               ? size_of(args[0])
               : Value::unknown("it costs too much");
  if (function == Function::dyn) return args[0];
  if (function == Function::type) {
    const bool array = args[0].kind() == Kind::json && args[0].as_json().type() == JsonType::array;
    return Value::type_name(array ? "list" : name_of(args[0].kind()));
  }
  if (function < Function::type) return convert(function, args[0], arena);
  if (function <= Function::quote) return call_text_function(function, args, arena, pattern);
  if (function <= Function::milliseconds) return call_time_function(function, args);
  if (function >= Function::optional_of) return call_optional_function(function, args, arena);
  if (args[0].kind() == Kind::list || args[0].kind() == Kind::json) {  // math.greatest([…])
    const Value::List* list = list_of(args[0], arena);
    if (list == nullptr || list->size == 0 || args.size() != 1) return Value::unknown("it needs numbers");
    return call_math_function(function, {list->items, list->size});
  }
  return call_math_function(function, args);
}

}  // namespace sluice::expr
