#include <array>
#include <span>

#include "expr/code.hpp"
#include "expr/operators.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

namespace {

constexpr const char* too_costly = "it costs too much";

bool is_comparison(Op op) {
  return op >= Op::equal && op <= Op::greater_equal;
}

class Evaluator {
 public:
  Evaluator(const Code& code, Context& context, Arena::Impl& arena, Value* locals)
      : code_(code),
        nodes_(code.nodes.data()),
        children_(code.children.data()),
        constants_(code.constants.data()),
        context_(context),
        arena_(arena),
        locals_(locals) {}

  Value run(std::uint32_t index) { return run(nodes_[index]); }

 private:
  Value run(const Node& node) {
    switch (node.op) {
      case Op::constant:
        return constants_[node.index];
      case Op::local:
        return locals_[node.index];
      case Op::variable:
        return context_.variable(code_.variables[node.index]);
      case Op::trait:
        return context_.trait(code_.traits[node.index]);
      case Op::audience:
        return context_.audience(code_.audiences[node.index]);
      case Op::consent:
        return context_.consent(code_.purposes[node.index]);
      case Op::profile_field:
        return context_.profile_field(code_.names[node.index]);
      case Op::account_field:
        return context_.account_field(code_.accounts[node.index].name);
      case Op::event_field:
        return context_.event_field(code_.names[node.index]);
      case Op::row:
        return context_.row();
      case Op::now:
        return context_.now();
      case Op::aggregate:
        return context_.aggregate(code_.aggregate_slots[node.index]);
      case Op::and_:
        return connect(node, false);
      case Op::or_:
        return connect(node, true);
      case Op::not_: {
        const Value v = run(child(node, 0));
        return v.kind() == Kind::boolean ? Value::boolean(!v.as_boolean()) : unknown_of(v);
      }
      case Op::conditional: {
        const Value v = run(child(node, 0));
        if (v.kind() != Kind::boolean) return unknown_of(v);
        return run(child(node, v.as_boolean() ? 1 : 2));
      }
      case Op::has_value:
        return Value::boolean(!run(child(node, 0)).is_unknown());
      case Op::equal:
      case Op::not_equal:
      case Op::less:
      case Op::less_equal:
      case Op::greater:
      case Op::greater_equal:
        return comparison(node);
      default:
        return run_more(node);
    }
  }

  std::uint32_t child(const Node& node, std::uint32_t i) const { return children_[node.first + i]; }
  // What most operands are needs no call.
  Value operand(const Node& parent, std::uint32_t i) {
    const Node& node = nodes_[child(parent, i)];
    if (node.op == Op::constant) return constants_[node.index];
    if (node.op == Op::trait) return context_.trait(code_.traits[node.index]);
    return run(node);
  }
  static Value unknown_of(const Value& v) {
    return v.is_unknown() ? v : Value::unknown("it is not true or false");
  }

  // && and ||: a value that decides wins over what is unknown, wherever it stands.
  [[gnu::noinline]] Value connect(const Node& node, bool decisive) {
    if (!arena_.spend(node.count)) return Value::unknown(too_costly);
    Value unknown;
    bool known = true;
    for (std::uint32_t i = 0; i < node.count; ++i) {
      const Node& term = nodes_[child(node, i)];
      const Value v = is_comparison(term.op) ? comparison(term) : run(term);
      if (v.kind() == Kind::boolean) {
        if (v.as_boolean() == decisive) return v;
      } else if (known) {
        known = false;
        unknown = unknown_of(v);
      }
    }
    return known ? Value::boolean(!decisive) : unknown;
  }

  // Doubles first: most conditions compare them. Rarer operations stand apart: run() then needs little stack.
  [[gnu::noinline]] Value comparison(const Node& node) {
    if (!arena_.spend(1)) return Value::unknown(too_costly);
    const Value a = operand(node, 0);
    if (a.is_unknown()) return a;
    const Value b = operand(node, 1);
    if (b.is_unknown()) return b;
    if (a.kind() != Kind::number || b.kind() != Kind::number) return compared(node, a, b);
    const double x = a.as_number();
    const double y = b.as_number();
    const bool upwards = node.op == Op::less || node.op == Op::less_equal;
    if (node.op == Op::equal) return Value::boolean(x == y);
    if (node.op == Op::not_equal) return Value::boolean(x != y);
    if (node.op == Op::less || node.op == Op::greater) return Value::boolean(upwards ? x < y : x > y);
    return Value::boolean(upwards ? x <= y : x >= y);
  }

  [[gnu::noinline]] Value compared(const Node& node, const Value& a, const Value& b) {
    if (node.op == Op::equal) return equals(a, b, node.mix, arena_);
    if (node.op != Op::not_equal) return ordered(node.op, compare(a, b, node.mix));
    const Value same = equals(a, b, node.mix, arena_);
    return same.is_unknown() ? same : Value::boolean(!same.as_boolean());
  }

  [[gnu::noinline]] Value run_more(const Node& node) {
    if (!arena_.spend(1)) return Value::unknown(too_costly);
    switch (node.op) {
      case Op::has_member:
        return has(node);
      case Op::call:
        return call(node);
      case Op::list:
        return list(node);
      case Op::map:
        return map(node);
      case Op::all:
      case Op::exists:
      case Op::exists_one:
      case Op::map_list:
      case Op::transform_map:
        return macro(node);
      case Op::optional_value:
      case Op::optional_member:
      case Op::optional_index:
      case Op::or_optional:
      case Op::or_value:
      case Op::optional_map:
      case Op::optional_flat_map:
        return optional(node);
      case Op::bind:
        locals_[node.index] = run(child(node, 0));
        return run(child(node, 1));
      default:
        break;
    }
    const Value a = operand(node, 0);
    if (a.is_unknown()) return a;
    if (node.op == Op::negate) return negate(a);
    if (node.op == Op::member) return member(a, code_.names[node.index], arena_);
    const Value b = operand(node, 1);
    if (b.is_unknown()) return b;
    if (node.op == Op::in) return contains(b, a, node.mix, arena_);
    return node.op == Op::index ? at(a, b, arena_) : arithmetic(node.op, a, b, node.mix, arena_);
  }

  static Value ordered(Op op, Order order) {
    if (order == Order::mismatch) return Value::unknown("the types cannot be compared");
    switch (op) {
      case Op::less:
        return Value::boolean(order == Order::less);
      case Op::less_equal:
        return Value::boolean(order == Order::less || order == Order::equal);
      case Op::greater:
        return Value::boolean(order == Order::greater);
      default:
        return Value::boolean(order == Order::greater || order == Order::equal);
    }
  }

  // Where a of has(a.b) is missing in the data, b is too.
  Value has(const Node& node) {
    const Value container = run(child(node, 0));
    if (container.is_unknown()) return node.mix ? Value::boolean(false) : container;
    return has_member(container, code_.names[node.index], arena_);
  }

  [[gnu::noinline]] Value call(const Node& node) {
    std::array<Value, 4> few;
    Value* args = node.count <= few.size() ? few.data() : arena_.values(node.count);
    if (args == nullptr) return Value::unknown("the evaluation is too large");
    for (std::uint32_t i = 0; i < node.count; ++i) {
      args[i] = operand(node, i);
      if (args[i].is_unknown()) return args[i];
    }
    const re2::RE2* pattern = node.index == no_index ? nullptr : code_.patterns[node.index].get();
    return call_function(node.function, {args, node.count}, arena_, pattern);
  }

  [[gnu::noinline]] Value list(const Node& node);
  [[gnu::noinline]] Value map(const Node& node);
  bool entry(std::uint32_t index, Value& value);
  [[gnu::noinline]] Value optional(const Node& node);
  [[gnu::noinline]] Value macro(const Node& node);
  bool turn(const Node& node, const Value::List* list, const Value::Map* map, std::size_t i);
  Value quantify(const Node& node, const Value::List* list, const Value::Map* map, std::size_t size);
  Value transform(const Node& node, const Value::List* list, const Value::Map* map, std::size_t size);

  const Code& code_;
  const Node* nodes_;
  const std::uint32_t* children_;
  const Value* constants_;
  Context& context_;
  Arena::Impl& arena_;
  Value* locals_;
};

// One entry of a list or map; false where it is optional and holds nothing.
bool Evaluator::entry(std::uint32_t index, Value& value) {
  const Node& node = code_.nodes[index];
  if (node.op != Op::optional_entry) return value = run(index), true;
  const Value held = run(child(node, 0));
  if (held.kind() != Kind::optional)
    return value = held.is_unknown() ? held : Value::unknown("it is no optional value"), true;
  if (held.as_optional() == nullptr) return false;
  return value = *held.as_optional(), true;
}

Value Evaluator::list(const Node& node) {
  Value* items = arena_.values(node.count);
  if (items == nullptr) return Value::unknown("the list is too large");
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < node.count; ++i) {
    if (!entry(child(node, i), items[count])) continue;
    if (items[count].is_unknown()) return items[count];
    ++count;
  }
  return arena_.list(items, count);
}

Value Evaluator::map(const Node& node) {
  MapEntry* entries = arena_.entries(node.count / 2);
  if (entries == nullptr) return Value::unknown("the map is too large");
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < node.count; i += 2) {
    MapEntry& made = entries[count];
    made.key = run(child(node, i));
    if (made.key.is_unknown()) return made.key;
    const Kind kind = made.key.kind();
    const bool key = kind == Kind::string || kind == Kind::boolean || kind == Kind::integer ||
                     kind == Kind::unsigned_integer || (kind == Kind::number && node.mix);
    if (!key) return Value::unknown("this may be no key of a map");
    if (!entry(child(node, i + 1), made.value)) continue;
    if (made.value.is_unknown()) return made.value;
    if (!arena_.spend(count)) return Value::unknown(too_costly);
    for (std::size_t j = 0; j < count; ++j) {
      if (compare(entries[j].key, made.key, false) == Order::equal)
        return Value::unknown("a key stands twice");
    }
    ++count;
  }
  return arena_.map(entries, count);
}

// a.?b, a[?b], a.or(b), a.orValue(b), a.optMap(x, b), a.optFlatMap(x, b).
Value Evaluator::optional(const Node& node) {
  const Value a = run(child(node, 0));
  if (a.is_unknown()) {
    const bool missing = node.op == Op::optional_value ||
                         ((node.op == Op::optional_member || node.op == Op::optional_index) && node.mix);
    return missing ? Value::optional(nullptr) : a;
  }
  switch (node.op) {
    case Op::optional_value:
      return arena_.optional(a);
    case Op::optional_member:
      return optional_at(a, Value::string(code_.names[node.index]), arena_);
    case Op::optional_index: {
      const Value key = run(child(node, 1));
      return key.is_unknown() ? key : optional_at(a, key, arena_);
    }
    default:
      break;
  }
  if (a.kind() != Kind::optional) return Value::unknown("it is no optional value");
  const Value* held = a.as_optional();
  if (node.op == Op::or_optional || node.op == Op::or_value) {
    if (held != nullptr) return node.op == Op::or_value ? *held : a;
    const Value other = run(child(node, 1));
    const bool fits = node.op == Op::or_value || other.kind() == Kind::optional || other.is_unknown();
    return fits ? other : Value::unknown("it is no optional value");
  }
  if (held == nullptr) return a;
  locals_[node.index] = *held;
  const Value made = run(child(node, 1));
  if (made.is_unknown()) return made;
  if (node.op == Op::optional_map) return arena_.optional(made);
  return made.kind() == Kind::optional ? made : Value::unknown("it is no optional value");
}

// A macro's operands: what it goes over, then (of map and its like) filter and result, else the condition.
// `index` is its first variable; `mix` says that there are two (place or key, and value).
Value Evaluator::macro(const Node& node) {
  const Value range = run(child(node, 0));
  if (range.is_unknown()) return range;
  const Value::Map* map = map_of(range, arena_);
  const Value::List* list = map == nullptr ? list_of(range, arena_) : nullptr;
  if (map == nullptr && list == nullptr) return Value::unknown("it is neither a list nor a map");
  const std::size_t size = map != nullptr ? map->size : list->size;
  const bool quantifier = node.op == Op::all || node.op == Op::exists || node.op == Op::exists_one;
  return quantifier ? quantify(node, list, map, size) : transform(node, list, map, size);
}

// Sets the variables for one turn; false when it costs too much.
bool Evaluator::turn(const Node& node, const Value::List* list, const Value::Map* map, std::size_t i) {
  if (!arena_.spend(1)) return false;
  Value* variable = &locals_[node.index];
  if (node.mix)
    *variable++ = map != nullptr ? map->entries[i].key : Value::integer(static_cast<std::int64_t>(i));
  if (map == nullptr) {
    *variable = list->items[i];
  } else {
    *variable = node.mix ? map->entries[i].value : map->entries[i].key;
  }
  return true;
}

Value Evaluator::quantify(const Node& node, const Value::List* list, const Value::Map* map,
                          std::size_t size) {
  Value unknown;
  bool known = true;
  std::size_t found = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if (!turn(node, list, map, i)) return Value::unknown(too_costly);
    const Value v = run(child(node, 1));
    if (v.kind() != Kind::boolean) {
      if (known) unknown = unknown_of(v);
      known = false;
    } else if (node.op != Op::exists_one) {
      if (v.as_boolean() == (node.op == Op::exists)) return v;
    } else {
      found += v.as_boolean() ? std::size_t{1} : 0;
    }
  }
  if (!known) return unknown;
  return Value::boolean(node.op == Op::exists_one ? found == 1 : node.op == Op::all);
}

Value Evaluator::transform(const Node& node, const Value::List* list, const Value::Map* map,
                           std::size_t size) {
  const bool to_map = node.op == Op::transform_map;
  Value* items = to_map ? nullptr : arena_.values(size);
  MapEntry* entries = to_map ? arena_.entries(size) : nullptr;
  if (items == nullptr && entries == nullptr) return Value::unknown("the list is too large");
  std::size_t count = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if (!turn(node, list, map, i)) return Value::unknown(too_costly);
    if (node.count == 3) {
      const Value keep = run(child(node, 1));
      if (keep.kind() != Kind::boolean) return unknown_of(keep);
      if (!keep.as_boolean()) continue;
    }
    const Value v = run(child(node, node.count - 1));
    if (v.is_unknown()) return v;
    if (to_map) {
      entries[count++] = {locals_[node.index], v};
    } else {
      items[count++] = v;
    }
  }
  return to_map ? arena_.map(entries, count) : arena_.list(items, count);
}

}  // namespace

Value evaluate_node(const Code& code, std::uint32_t node, Context& context, Arena::Impl& arena) {
  const Arena::Impl::Share share(arena);
  if (code.locals == 0) return Evaluator(code, context, arena, nullptr).run(node);
  std::array<Value, 4> few;
  Value* locals = code.locals <= few.size() ? few.data() : arena.values(code.locals);
  if (locals == nullptr) return Value::unknown("the evaluation is too large");
  return Evaluator(code, context, arena, locals).run(node);
}

}  // namespace sluice::expr
