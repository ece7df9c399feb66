#include <array>
#include <span>

#include "expr/code.hpp"
#include "expr/operators.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

namespace {

// Macros over lists may nest; together they take at most this many turns in one evaluation.
constexpr std::uint32_t turns_max = 100'000;

class Evaluator {
 public:
  Evaluator(const Code& code, Context& context, Arena::Impl& arena, Value* locals)
      : code_(code), context_(context), arena_(arena), locals_(locals) {}

  Value run(std::uint32_t index) {
    const Node& node = code_.nodes[index];
    switch (node.op) {
      case Op::constant:
        return code_.constants[node.index];
      case Op::local:
        return locals_[node.index];
      case Op::trait:
        return context_.trait(code_.traits[node.index]);
      case Op::audience:
        return context_.audience(code_.audiences[node.index]);
      case Op::consent:
        return context_.consent(code_.purposes[node.index]);
      case Op::profile_field:
        return context_.profile_field(code_.names[node.index]);
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
      default:
        return run_more(node);
    }
  }

 private:
  std::uint32_t child(const Node& node, std::uint32_t i) const { return code_.children[node.first + i]; }
  static Value unknown_of(const Value& v) {
    return v.is_unknown() ? v : Value::unknown("it is not true or false");
  }

  // && and ||: a value that decides wins over what is unknown, wherever it stands.
  Value connect(const Node& node, bool decisive) {
    Value unknown;
    bool known = true;
    for (std::uint32_t i = 0; i < node.count; ++i) {
      const Value v = run(child(node, i));
      if (v.kind() == Kind::boolean) {
        if (v.as_boolean() == decisive) return v;
      } else if (known) {
        known = false;
        unknown = unknown_of(v);
      }
    }
    return known ? Value::boolean(!decisive) : unknown;
  }

  Value run_more(const Node& node) {
    switch (node.op) {
      case Op::has_value:
        return Value::boolean(!run(child(node, 0)).is_unknown());
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
      default:
        break;
    }
    const Value a = run(child(node, 0));
    if (a.is_unknown()) return a;
    if (node.op == Op::negate) return negate(a);
    if (node.op == Op::member) return member(a, code_.names[node.index]);
    const Value b = run(child(node, 1));
    if (b.is_unknown()) return b;
    return binary(node, a, b);
  }

  Value binary(const Node& node, const Value& a, const Value& b) {
    switch (node.op) {
      case Op::equal:
        return equals(a, b, node.mix, arena_);
      case Op::not_equal: {
        const Value same = equals(a, b, node.mix, arena_);
        return same.is_unknown() ? same : Value::boolean(!same.as_boolean());
      }
      case Op::in:
        return contains(b, a, node.mix, arena_);
      case Op::index:
        return at(a, b, arena_);
      case Op::less:
      case Op::less_equal:
      case Op::greater:
      case Op::greater_equal:
        return ordered(node.op, compare(a, b, node.mix));
      default:
        return arithmetic(node.op, a, b, node.mix, arena_);
    }
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

  // has(a.b): where a itself is missing in the data, b is too.
  Value has(const Node& node) {
    const Value container = run(child(node, 0));
    if (container.is_unknown()) return node.mix ? Value::boolean(false) : container;
    return has_member(container, code_.names[node.index]);
  }

  Value call(const Node& node) {
    std::array<Value, 4> few;
    Value* args = node.count <= few.size() ? few.data() : arena_.values(node.count);
    if (args == nullptr) return Value::unknown("the evaluation is too large");
    for (std::uint32_t i = 0; i < node.count; ++i) {
      args[i] = run(child(node, i));
      if (args[i].is_unknown()) return args[i];
    }
    const re2::RE2* pattern = node.index == no_index ? nullptr : code_.patterns[node.index].get();
    return call_function(node.function, {args, node.count}, arena_, pattern);
  }

  Value list(const Node& node) {
    Value* items = arena_.values(node.count);
    if (items == nullptr) return Value::unknown("the list is too large");
    for (std::uint32_t i = 0; i < node.count; ++i) {
      items[i] = run(child(node, i));
      if (items[i].is_unknown()) return items[i];
    }
    return arena_.list(items, node.count);
  }

  Value map(const Node& node) {
    const std::uint32_t count = node.count / 2;
    MapEntry* entries = arena_.entries(count);
    if (entries == nullptr) return Value::unknown("the map is too large");
    for (std::uint32_t i = 0; i < count; ++i) {
      entries[i].key = run(child(node, 2 * i));
      if (entries[i].key.is_unknown()) return entries[i].key;
      entries[i].value = run(child(node, 2 * i + 1));
      if (entries[i].value.is_unknown()) return entries[i].value;
      const Kind kind = entries[i].key.kind();
      const bool key = kind == Kind::string || kind == Kind::boolean || kind == Kind::integer ||
                       kind == Kind::unsigned_integer || (kind == Kind::number && node.mix);
      if (!key) return Value::unknown("this may be no key of a map");
      for (std::uint32_t j = 0; j < i; ++j) {
        if (compare(entries[j].key, entries[i].key, false) == Order::equal)
          return Value::unknown("a key stands twice");
      }
    }
    return arena_.map(entries, count);
  }

  Value macro(const Node& node);
  bool turn(const Node& node, const Value::List* list, const Value::Map* map, std::size_t i);
  Value quantify(const Node& node, const Value::List* list, const Value::Map* map, std::size_t size);
  Value transform(const Node& node, const Value::List* list, const Value::Map* map, std::size_t size);

  const Code& code_;
  Context& context_;
  Arena::Impl& arena_;
  Value* locals_;
  std::uint32_t turns_ = 0;
};

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

// Sets the variables for one turn; false when there were too many.
bool Evaluator::turn(const Node& node, const Value::List* list, const Value::Map* map, std::size_t i) {
  if (++turns_ > turns_max) return false;
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
    if (!turn(node, list, map, i)) return Value::unknown("the lists are too long");
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
    if (!turn(node, list, map, i)) return Value::unknown("the lists are too long");
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
  std::array<Value, 4> few;
  Value* locals = code.locals <= few.size() ? few.data() : arena.values(code.locals);
  if (locals == nullptr) return Value::unknown("the evaluation is too large");
  return Evaluator(code, context, arena, locals).run(node);
}

}  // namespace sluice::expr
