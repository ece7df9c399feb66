// optional.of() and its like.
#include "expr/functions.hpp"
#include "expr/operators.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

namespace {

// The default value of its type: null, false, 0, an empty text, list or map, the beginning of 1970.
bool is_zero(const Value& v) {
  switch (v.kind()) {
    case Kind::null:
      return true;
    case Kind::boolean:
    case Kind::integer:
    case Kind::unsigned_integer:
      return v.as_integer() == 0;
    case Kind::timestamp:
    case Kind::duration:
      return v.as_integer() == 0 && v.nanos() == 0;
    case Kind::number:
      return v.as_number() == 0;
    case Kind::string:
    case Kind::bytes:
      return v.as_text().empty();
    case Kind::list:
      return v.as_list()->size == 0;
    case Kind::map:
      return v.as_map()->size == 0;
    case Kind::json:
      return v.as_json().size() == 0;
    case Kind::optional:
      return v.as_optional() == nullptr;
    case Kind::unknown:
    case Kind::type:
      break;
  }
  return false;
}

// The values that the optional ones of a list hold.
Value unwrap(const Value& list, Arena::Impl& arena) {
  const Value::List* all = list_of(list, arena);
  Value* items = all == nullptr ? nullptr : arena.values(all->size);
  if (items == nullptr || !arena.spend(all->size)) return Value::unknown("the list is too large");
  std::size_t count = 0;
  for (std::size_t i = 0; i < all->size; ++i) {
    if (all->items[i].kind() != Kind::optional) return Value::unknown("it is no optional value");
    if (const Value* held = all->items[i].as_optional()) items[count++] = *held;
  }
  return arena.list(items, count);
}

}  // namespace

Value call_optional_function(Function function, std::span<const Value> args, Arena::Impl& arena) {
  switch (function) {
    case Function::optional_of:
      return arena.optional(args[0]);
    case Function::optional_of_non_zero:
      return is_zero(args[0]) ? Value::optional(nullptr) : arena.optional(args[0]);
    case Function::optional_none:
      return Value::optional(nullptr);
    case Function::unwrap:
      return unwrap(args[0], arena);
    default:
      break;
  }
  if (args[0].kind() != Kind::optional) return Value::unknown("it is no optional value");
  const Value* held = args[0].as_optional();
  if (function == Function::has_value) return Value::boolean(held != nullptr);
  return held == nullptr ? Value::unknown("the optional value holds nothing") : *held;
}

}  // namespace sluice::expr
