// Equality, lists and maps, whether of the program or of JSON.
#include <algorithm>

#include "expr/operators.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

namespace {

constexpr const char* too_large = "the value is too large";
constexpr const char* no_key = "it has no such member";
constexpr const char* no_container = "it is neither a list nor a map";

bool is_map(const Value& v) {
  return v.kind() == Kind::map || (v.kind() == Kind::json && v.as_json().type() == JsonType::object);
}
bool is_list(const Value& v) {
  return v.kind() == Kind::list || (v.kind() == Kind::json && v.as_json().type() == JsonType::array);
}

// Entries are looked at one after the other.
std::size_t cost_of_key(std::size_t entries, const Value& key) {
  const std::size_t bytes = key.kind() == Kind::string ? key.as_text().size() : 0;
  return (entries + entries * bytes / 32) / 8;
}

// Keys are compared by value, numbers across their kinds and to the last digit.
const MapEntry* find(const Value::Map& map, Value key) {
  if (std::int64_t whole = 0; key.kind() == Kind::number && whole_number(key, whole))
    key = Value::integer(whole);
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
  if (!arena.spend(x->size)) return Value::unknown(too_large);
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
    if (!arena.spend(in_step ? 1 : y->size)) return Value::unknown(too_large);
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
  if (items == nullptr || !arena.spend(size)) return nullptr;
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
  if (entries == nullptr || !arena.spend(json.size())) return nullptr;
  std::size_t i = 0;
  json.members([&](std::string_view key, Json member_value) {
    entries[i].key = Value::string(key);
    entries[i++].value = Value::json(member_value);
  });
  const Value map = arena.map(entries, i);
  return map.is_unknown() ? nullptr : map.as_map();
}

Value equals(const Value& a, const Value& b, bool mix, Arena::Impl& arena) {
  if (a.kind() == Kind::string && b.kind() == Kind::string) {
    const std::string_view x = a.as_text();
    const std::string_view y = b.as_text();
    if (x.size() != y.size()) return Value::boolean(false);
    return arena.spend_text(x.size()) ? Value::boolean(x == y) : Value::unknown(too_large);
  }
  if (is_list(a) && is_list(b)) return equal_lists(a, b, arena);
  if (is_map(a) && is_map(b)) return equal_maps(a, b, arena);
  if (a.kind() == b.kind() && a.kind() == Kind::null) return Value::boolean(true);
  if (a.kind() == b.kind() && a.kind() == Kind::type) return Value::boolean(a.as_text() == b.as_text());
  if (a.kind() == Kind::optional && b.kind() == Kind::optional) {
    const Value* x = a.as_optional();
    const Value* y = b.as_optional();
    return x != nullptr && y != nullptr ? equals(*x, *y, mix, arena) : Value::boolean(x == y);
  }
  return Value::boolean(compare(a, b, mix) == Order::equal);
}

Value contains(const Value& container, const Value& item, bool mix, Arena::Impl& arena) {
  if (is_list(container)) {
    const Value::List* list = list_of(container, arena);
    if (list == nullptr || !arena.spend(list->size)) return Value::unknown(too_large);
    const bool text = item.kind() == Kind::string;
    if (text && !arena.spend_text(item.as_text().size() * list->size)) return Value::unknown(too_large);
    for (std::size_t i = 0; i < list->size; ++i) {
      if (text && list->items[i].kind() == Kind::string) {
        if (list->items[i].as_text() == item.as_text()) return Value::boolean(true);
        continue;
      }
      const Value same = equals(list->items[i], item, mix, arena);
      if (same.is_unknown() || same.is_true()) return same;
    }
    return Value::boolean(false);
  }
  if (container.kind() == Kind::map) {
    if (!arena.spend(cost_of_key(container.as_map()->size, item))) return Value::unknown(too_large);
    return Value::boolean(find(*container.as_map(), item) != nullptr);
  }
  if (is_map(container)) {
    if (!arena.spend(cost_of_key(container.as_json().size(), item))) return Value::unknown(too_large);
    return Value::boolean(item.kind() == Kind::string &&
                          container.as_json()[item.as_text()].type() != JsonType::missing);
  }
  return Value::unknown("`in` needs a list or a map");
}

namespace {

// What a container has at a place; unknown `no_key` (that very text) where it has nothing there.
Value element(const Value& container, const Value& key, Arena::Impl& arena) {
  if (container.kind() == Kind::map) {
    if (!arena.spend(cost_of_key(container.as_map()->size, key))) return Value::unknown(too_large);
    const MapEntry* entry = find(*container.as_map(), key);
    return entry == nullptr ? Value::unknown(no_key) : entry->value;
  }
  if (is_map(container)) {
    if (!arena.spend(cost_of_key(container.as_json().size(), key))) return Value::unknown(too_large);
    const Json found = key.kind() == Kind::string ? container.as_json()[key.as_text()] : Json();
    return found ? Value::json(found) : Value::unknown(no_key);
  }
  if (!is_list(container)) return Value::unknown(no_container);
  std::int64_t index = 0;
  if (!whole_number(key, index)) return Value::unknown("a place in a list is a whole number");
  if (container.kind() == Kind::list) {
    const Value::List& list = *container.as_list();
    const bool there = index >= 0 && static_cast<std::uint64_t>(index) < list.size;
    return there ? list.items[index] : Value::unknown(no_key);
  }
  const Json json = container.as_json();
  const bool there = index >= 0 && static_cast<std::uint64_t>(index) < json.size();
  if (there && !arena.spend(static_cast<std::size_t>(index) / 8)) return Value::unknown(too_large);
  return there ? Value::json(json.at(static_cast<std::size_t>(index))) : Value::unknown(no_key);
}

}  // namespace

Value at(const Value& container, const Value& key, Arena::Impl& arena) {
  return container.kind() == Kind::optional ? optional_at(container, key, arena)
                                            : element(container, key, arena);
}

Value member(const Value& container, std::string_view name, Arena::Impl& arena) {
  if (is_list(container)) return Value::unknown("a list has no members");
  return at(container, Value::string(name), arena);
}

Value optional_at(const Value& container, const Value& key, Arena::Impl& arena) {
  const Value* held = &container;
  if (container.kind() == Kind::optional) {
    held = container.as_optional();
    if (held == nullptr) return container;
    if (held->kind() == Kind::optional) return Value::unknown(no_container);
  }
  const Value found = element(*held, key, arena);
  if (found.is_unknown()) return found.why() == no_key ? Value::optional(nullptr) : found;
  return arena.optional(found);
}

Value has_member(const Value& container, std::string_view name, Arena::Impl& arena) {
  const Value* held = &container;
  if (container.kind() == Kind::optional) held = container.as_optional();
  if (held == nullptr) return Value::boolean(false);
  if (!is_map(*held)) return Value::unknown("it has no members");
  return Value::boolean(!element(*held, Value::string(name), arena).is_unknown());
}

}  // namespace sluice::expr
