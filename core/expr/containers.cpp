// Equality, lists and maps, whether of the program or of JSON.
#include <cmath>

#include "expr/operators.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

namespace {

constexpr const char* too_large = "the value is too large";
constexpr const char* no_key = "it has no such member";

bool is_map(const Value& v) {
  return v.kind() == Kind::map || (v.kind() == Kind::json && v.as_json().type() == JsonType::object);
}
bool is_list(const Value& v) {
  return v.kind() == Kind::list || (v.kind() == Kind::json && v.as_json().type() == JsonType::array);
}

// Keys are compared by value, numbers across their kinds.
const MapEntry* find(const Value::Map& map, const Value& key) {
  for (std::size_t i = 0; i < map.size; ++i) {
    if (compare(map.entries[i].key, key, false) == Order::equal) return &map.entries[i];
  }
  return nullptr;
}

Value equal_lists(const Value& a, const Value& b, Arena::Impl& arena) {
  const Value::List* x = list_of(a, arena);
  const Value::List* y = list_of(b, arena);
  if (x == nullptr || y == nullptr) return Value::unknown(too_large);
  if (x->size != y->size) return Value::boolean(false);
  for (std::size_t i = 0; i < x->size; ++i) {
    const Value same = equals(x->items[i], y->items[i], false, arena);
    if (!same.is_true()) return same;
  }
  return Value::boolean(true);
}

Value equal_maps(const Value& a, const Value& b, Arena::Impl& arena) {
  const Value::Map* x = map_of(a, arena);
  const Value::Map* y = map_of(b, arena);
  if (x == nullptr || y == nullptr) return Value::unknown(too_large);
  if (x->size != y->size) return Value::boolean(false);
  for (std::size_t i = 0; i < x->size; ++i) {
    const MapEntry& entry = x->entries[i];
    const bool in_step = compare(entry.key, y->entries[i].key, false) == Order::equal;
    const MapEntry* other = in_step ? &y->entries[i] : find(*y, entry.key);
    if (other == nullptr) return Value::boolean(false);
    const Value same = equals(entry.value, other->value, false, arena);
    if (!same.is_true()) return same;
  }
  return Value::boolean(true);
}

}  // namespace

const Value::List* list_of(const Value& value, Arena::Impl& arena) {
  if (value.kind() == Kind::list) return value.as_list();
  if (!is_list(value)) return nullptr;
  const Json json = value.as_json();
  const std::size_t size = json.size();
  Value* items = arena.values(size);
  if (items == nullptr) return nullptr;
  std::size_t i = 0;
  json.elements([&](Json element) { items[i++] = Value::json(element); });
  const Value list = arena.list(items, size);
  return list.is_unknown() ? nullptr : list.as_list();
}

const Value::Map* map_of(const Value& value, Arena::Impl& arena) {
  if (value.kind() == Kind::map) return value.as_map();
  if (!is_map(value)) return nullptr;
  const Json json = value.as_json();
  MapEntry* entries = arena.entries(json.size());
  if (entries == nullptr) return nullptr;
  std::size_t i = 0;
  json.members([&](std::string_view key, Json member_value) {
    entries[i].key = Value::string(key);
    entries[i++].value = Value::json(member_value);
  });
  const Value map = arena.map(entries, i);
  return map.is_unknown() ? nullptr : map.as_map();
}

Value equals(const Value& a, const Value& b, bool mix, Arena::Impl& arena) {
  if (is_list(a) && is_list(b)) return equal_lists(a, b, arena);
  if (is_map(a) && is_map(b)) return equal_maps(a, b, arena);
  if (a.kind() == b.kind() && a.kind() == Kind::null) return Value::boolean(true);
  if (a.kind() == b.kind() && a.kind() == Kind::type) return Value::boolean(a.as_text() == b.as_text());
  return Value::boolean(compare(a, b, mix) == Order::equal);
}

Value contains(const Value& container, const Value& item, bool mix, Arena::Impl& arena) {
  if (is_list(container)) {
    const Value::List* list = list_of(container, arena);
    if (list == nullptr) return Value::unknown(too_large);
    for (std::size_t i = 0; i < list->size; ++i) {
      const Value same = equals(list->items[i], item, mix, arena);
      if (same.is_unknown() || same.is_true()) return same;
    }
    return Value::boolean(false);
  }
  if (container.kind() == Kind::map) return Value::boolean(find(*container.as_map(), item) != nullptr);
  if (is_map(container)) {
    return Value::boolean(item.kind() == Kind::string &&
                          container.as_json()[item.as_text()].type() != JsonType::missing);
  }
  return Value::unknown("`in` needs a list or a map");
}

Value at(const Value& container, const Value& key, Arena::Impl& arena) {
  if (is_list(container)) {
    std::int64_t index = 0;
    const Value::List* list = list_of(container, arena);
    if (list == nullptr) return Value::unknown(too_large);
    if (!whole_number(key, index) || index < 0 || static_cast<std::uint64_t>(index) >= list->size) {
      return Value::unknown("the list has no such place");
    }
    return list->items[index];
  }
  if (is_map(container) && key.kind() == Kind::string) return member(container, key.as_text());
  if (container.kind() == Kind::map) {
    const MapEntry* entry = find(*container.as_map(), key);
    return entry == nullptr ? Value::unknown(no_key) : entry->value;
  }
  return Value::unknown(is_map(container) ? no_key : "it is neither a list nor a map");
}

Value member(const Value& container, std::string_view name) {
  if (container.kind() == Kind::json) {
    const Json found = container.as_json()[name];
    return found ? Value::json(found) : Value::unknown(no_key);
  }
  if (container.kind() != Kind::map) return Value::unknown("it has no members");
  const MapEntry* entry = find(*container.as_map(), Value::string(name));
  return entry == nullptr ? Value::unknown(no_key) : entry->value;
}

Value has_member(const Value& container, std::string_view name) {
  if (!is_map(container)) return Value::unknown("it has no members");
  return Value::boolean(!member(container, name).is_unknown());
}

}  // namespace sluice::expr
