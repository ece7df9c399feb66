// CEL's operators over values. All give unknown where the types do not fit, as CEL gives an error.
#pragma once

#include "expr/arena.hpp"
#include "expr/syntax.hpp"
#include "expr/value.hpp"

namespace sluice::expr {

enum class Order : std::int8_t { less = -1, equal = 0, greater = 1, unordered = 2, mismatch = 3 };

// Numbers of all kinds by their mathematical value; texts by bytes. `mix`: a text counts as a time beside
// one.
Order compare(const Value& a, const Value& b, bool mix);
// Boolean or, where memory runs out, unknown. Values of unlike types are not equal.
Value equals(const Value& a, const Value& b, bool mix, Arena::Impl& arena);
// +, -, *, / and %. `mix`: numbers of unlike kinds become doubles.
Value arithmetic(Op op, const Value& a, const Value& b, bool mix, Arena::Impl& arena);
Value negate(const Value& a);
Value contains(const Value& container, const Value& item, bool mix, Arena::Impl& arena);  // item in container
Value at(const Value& container, const Value& key, Arena::Impl& arena);                   // container[key]
Value member(const Value& container, std::string_view name, Arena::Impl& arena);          // container.name
Value optional_at(const Value& container, const Value& key, Arena::Impl& arena);          // container[?key]
Value has_member(const Value& container, std::string_view name, Arena::Impl& arena);

// The values of a list, the entries of a map; JSON is taken apart one level deep. Null when it is neither, or
// too large.
const Value::List* list_of(const Value& value, Arena::Impl& arena);
const Value::Map* map_of(const Value& value, Arena::Impl& arena);

bool is_numeric(const Value& value);
Value checked_timestamp(TimeUs time, unsigned nanos = 0);  // unknown beyond the years 1 to 9999
Value duration_of(std::int64_t ns);                        // 64 bits of nanoseconds: about 292 years
std::int64_t nanoseconds(const Value& duration);
// The value as an integer where it is a number that is one.
bool whole_number(const Value& value, std::int64_t& out);

}  // namespace sluice::expr
