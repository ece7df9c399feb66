#include "expr/checker.hpp"

#include <algorithm>
#include <utility>

#include "expr/operators.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

namespace {

constexpr Kinds numeric = kinds(Kind::integer) | kinds(Kind::unsigned_integer) | kinds(Kind::number);

bool is_in(Kind kind, Kinds set) {
  return (kinds(kind) & set) != 0;
}

// For people: "a text", "a number".
std::string_view described(Kind kind) {
  switch (kind) {
    case Kind::unknown:
      return "any value";
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "true or false";
    case Kind::integer:
    case Kind::unsigned_integer:
    case Kind::number:
      return "a number";
    case Kind::string:
      return "a text";
    case Kind::bytes:
      return "bytes";
    case Kind::timestamp:
      return "a time";
    case Kind::duration:
      return "a duration";
    case Kind::list:
      return "a list";
    case Kind::map:
    case Kind::json:
      return "a map";
    case Kind::type:
      return "a type";
    case Kind::optional:
      return "an optional value";
  }
  return "";
}

std::string_view symbol_of(Op op) {
  switch (op) {
    case Op::add:
      return "+";
    case Op::subtract:
      return "-";
    case Op::multiply:
      return "*";
    case Op::divide:
      return "/";
    default:
      return "%";
  }
}

bool comparable(Kind a, Kind b) {
  if (a == Kind::unknown || b == Kind::unknown || a == b) return true;
  return is_in(a, numeric) && is_in(b, numeric);
}

}  // namespace

Typed Checker::problem(const Syntax& at, std::string what, std::string help) {
  if (!scope_.checked) return nothing();
  problems_.push_back({at.offset, at.length, std::move(what), std::move(help), false});
  return nothing();
}

void Checker::warning(const Syntax& at, std::string what, std::string help) {
  problems_.push_back({at.offset, at.length, std::move(what), std::move(help), true});
}

Typed Checker::constant(const Value& value) {
  code_.constants.push_back(value);
  code_.nodes.push_back(
      {.op = Op::constant, .index = static_cast<std::uint32_t>(code_.constants.size() - 1)});
  return {static_cast<std::uint32_t>(code_.nodes.size() - 1), value.kind(), false, true};
}

std::uint32_t Checker::name_index(std::string_view name) {
  const auto found = std::find(code_.names.begin(), code_.names.end(), name);
  const auto index = static_cast<std::uint32_t>(found - code_.names.begin());
  if (found == code_.names.end()) code_.names.emplace_back(name);
  return index;
}

Typed Checker::emit_leaf(Op op, std::uint32_t index, Kind type) {
  code_.nodes.push_back({.op = op, .index = index});
  return {static_cast<std::uint32_t>(code_.nodes.size() - 1), type, true, false};
}

Typed Checker::emit(Node node, const std::vector<Typed>& operands, Kind type, bool domain) {
  node.first = static_cast<std::uint32_t>(code_.children.size());
  node.count = static_cast<std::uint32_t>(operands.size());
  bool all_constant = true;
  for (const Typed& operand : operands) {
    code_.children.push_back(operand.node);
    all_constant = all_constant && operand.constant;
  }
  code_.nodes.push_back(node);
  Typed value{static_cast<std::uint32_t>(code_.nodes.size() - 1), type, domain, false};
  const bool stays = node.op >= Op::all || node.op == Op::optional_entry;
  if (all_constant && !stays) fold(value);
  return value;
}

// Replaces what depends on nothing by its value. What fails stays: it is unknown each time.
void Checker::fold(Typed& value) {
  EmptyContext context;
  const Value result = evaluate_node(code_, value.node, context, code_.memory.impl());
  if (result.is_unknown()) return;
  code_.constants.push_back(result);
  code_.nodes[value.node] = {.op = Op::constant,
                             .index = static_cast<std::uint32_t>(code_.constants.size() - 1)};
  value.constant = true;
}

void Checker::run(std::uint32_t index, bool boolean) {
  const Arena::Impl::Share all_folds(code_.memory.impl());
  for (const Syntax& syntax : tree_.nodes) {
    if (syntax.op == Op::call && syntax.text == "has" && syntax.args.size() == 1)
      present_.push_back(path_text(syntax.args[0]));
  }
  const Typed root = compile(index);
  code_.root = root.node;
  if (boolean && root.type != Kind::unknown && root.type != Kind::boolean) {
    problem(tree_[index], "this is " + std::string(described(root.type)) + ", not a condition",
            "compare it: VALUE > 0, or has(VALUE)");
  }
}

Typed Checker::compile(std::uint32_t index) {
  const Typed made = compile_node(index);
  if (!scope_.checked || made.constant) return made;
  if (code_.texts.size() <= made.node) code_.texts.resize(std::size_t{made.node} + 1);
  if (code_.texts[made.node].empty()) code_.texts[made.node] = path_text(index);
  return made;
}

Typed Checker::compile_node(std::uint32_t index) {
  const Syntax& syntax = tree_[index];
  switch (syntax.op) {
    case Op::constant: {
      Value value = syntax.literal();
      if (value.kind() == Kind::string || value.kind() == Kind::bytes) {  // into memory of the program
        const Value copy = code_.memory.impl().copy_string(value.as_text());
        value = value.kind() == Kind::string ? copy : Value::bytes(copy.as_text());
      }
      return constant(value);
    }
    case Op::name:
      return name(syntax);
    case Op::member:
    case Op::index:
      return is_selector(index) ? selector(index) : path(index);
    case Op::optional_member:
    case Op::optional_index:
      return optional_path(syntax);
    case Op::optional_entry: {
      const Typed entry = compile(syntax.args[0]);
      if (entry.type == Kind::unknown || entry.type == Kind::optional)
        return emit({.op = Op::optional_entry}, {entry}, Kind::unknown, entry.domain);
      return problem(tree_[syntax.args[0]],
                     "? needs an optional value, and this is " + std::string(described(entry.type)));
    }
    case Op::call:
      return is_selector(index) ? selector(index) : call(index);
    case Op::and_:
    case Op::or_:
      return connective(syntax);
    case Op::equal:
    case Op::not_equal:
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
      return comparison(syntax, index);
    case Op::conditional:
      return conditional(syntax);
    case Op::list:
    case Op::map:
      return list_or_map(syntax);
    case Op::not_:
    case Op::negate:
    case Op::in:
      return unary_or_in(syntax);
    default:
      return arithmetic_of(syntax);
  }
}

void Checker::want_boolean(const Typed& value, std::uint32_t syntax, std::string_view where) {
  if (value.type == Kind::unknown || value.type == Kind::boolean) return;
  problem(tree_[syntax],
          std::string(where) + " needs conditions, and this is " + std::string(described(value.type)),
          "compare it: VALUE > 0, or has(VALUE)");
}

Typed Checker::connective(const Syntax& syntax) {
  std::vector<Typed> operands;
  for (const std::uint32_t arg : syntax.args) {
    operands.push_back(compile(arg));
    want_boolean(operands.back(), arg, syntax.op == Op::and_ ? "&&" : "||");
  }
  return emit({.op = syntax.op}, operands, Kind::boolean, false);
}

Typed Checker::conditional(const Syntax& syntax) {
  const std::vector<Typed> operands{compile(syntax.args[0]), compile(syntax.args[1]),
                                    compile(syntax.args[2])};
  want_boolean(operands[0], syntax.args[0], "?");
  const bool same = operands[1].type == operands[2].type;
  return emit({.op = Op::conditional}, operands, same ? operands[1].type : Kind::unknown,
              operands[1].domain || operands[2].domain);
}

Typed Checker::list_or_map(const Syntax& syntax) {
  std::vector<Typed> operands;
  bool domain = false;
  for (const std::uint32_t arg : syntax.args) {
    operands.push_back(compile(arg));
    domain = domain || operands.back().domain;
  }
  return emit({.op = syntax.op, .mix = domain}, operands, syntax.op == Op::list ? Kind::list : Kind::map,
              domain);
}

Typed Checker::comparison(const Syntax& syntax, std::uint32_t index) {
  const bool of_now = reads_now(index);
  if (of_now && !now_comparison(syntax)) return nothing();
  const bool outer = std::exchange(in_now_comparison_, of_now);
  const Typed a = compile(syntax.args[0]);
  const Typed b = compile(syntax.args[1]);
  in_now_comparison_ = outer;
  const bool domain = a.domain || b.domain;
  const bool equality = syntax.op == Op::equal || syntax.op == Op::not_equal;
  const Kinds unordered = kinds(Kind::null) | kinds(Kind::list) | kinds(Kind::map) | kinds(Kind::json) |
                          kinds(Kind::type) | kinds(Kind::optional);
  const bool time_text = domain && ((a.type == Kind::string && b.type == Kind::timestamp) ||
                                    (a.type == Kind::timestamp && b.type == Kind::string));
  if (!comparable(a.type, b.type) && !time_text &&
      !(equality && (a.type == Kind::null || b.type == Kind::null))) {
    const std::string what =
        std::string(described(a.type)) + " is compared with " + std::string(described(b.type));
    if (!equality)
      return problem(syntax, what,
                     "compare values of one type; int(), double(), string() and timestamp() convert");
    warning(syntax, what + ": they are never equal",
            "compare values of one type; int(), double(), string() and timestamp() convert");
  }
  if (!equality && (is_in(a.type, unordered) || is_in(b.type, unordered)) && a.type != Kind::unknown &&
      b.type != Kind::unknown) {
    return problem(syntax, std::string(described(a.type)) + " has no order", "compare with == or !=");
  }
  if (syntax.op == Op::not_equal) {
    for (const std::uint32_t arg : syntax.args) {
      const Syntax& side = tree_[arg];
      std::string field;
      if (!selected(side, field) || root_of(tree_[side.args[0]]) != Root::traits) continue;
      if (std::find(present_.begin(), present_.end(), path_text(arg)) != present_.end()) continue;
      problems_.push_back({syntax.offset, syntax.length, "this leaves out people without " + field,
                           "write !has(" + path_text(arg) + ") || … to take them in, has(" + path_text(arg) +
                               ") && … if it is meant",
                           true});
    }
  }
  const Typed result = emit({.op = syntax.op, .mix = domain}, {a, b}, Kind::boolean, false);
  if (of_now) {
    int sign = 0;
    (void)linear_in_now(index, sign);
    code_.now_comparisons.push_back({result.node, syntax.op, sign});
  }
  return result;
}

Kind Checker::result_type(Op op, const Typed& a, const Typed& b, bool& fits) const {
  const bool domain = a.domain || b.domain;
  fits = true;
  if (a.type == Kind::unknown || b.type == Kind::unknown) return Kind::unknown;
  const auto is = [&](Kind x, Kind y) { return a.type == x && b.type == y; };
  if (is_in(a.type, numeric) && is_in(b.type, numeric)) {
    fits = (a.type == b.type && (op != Op::modulo || a.type != Kind::number)) || domain;
    return a.type == b.type ? a.type : Kind::number;
  }
  if (op == Op::add) {
    if (a.type == b.type &&
        is_in(a.type, kinds(Kind::string) | kinds(Kind::bytes) | kinds(Kind::list) | kinds(Kind::duration)))
      return a.type;
    if (is(Kind::timestamp, Kind::duration) || is(Kind::duration, Kind::timestamp)) return Kind::timestamp;
  }
  if (op == Op::subtract) {
    if (is(Kind::timestamp, Kind::timestamp) || is(Kind::duration, Kind::duration)) return Kind::duration;
    if (is(Kind::timestamp, Kind::duration)) return Kind::timestamp;
  }
  fits = domain && (is(Kind::string, Kind::timestamp) || is(Kind::timestamp, Kind::string) ||
                    is(Kind::string, Kind::duration) || is(Kind::duration, Kind::string));
  return Kind::unknown;
}

Typed Checker::arithmetic_of(const Syntax& syntax) {
  const Typed a = compile(syntax.args[0]);
  const Typed b = compile(syntax.args[1]);
  bool fits = true;
  const Kind type = result_type(syntax.op, a, b, fits);
  if (!fits) {
    const bool numbers = is_in(a.type, numeric) && is_in(b.type, numeric);
    return problem(syntax,
                   "no " + std::string(symbol_of(syntax.op)) + " for " +
                       std::string(numbers ? name_of(a.type) : described(a.type)) + " and " +
                       std::string(numbers ? name_of(b.type) : described(b.type)),
                   numbers ? "write both as whole numbers, or convert with double()"
                           : "convert with int(), double() or string()");
  }
  return emit({.op = syntax.op, .mix = a.domain || b.domain}, {a, b}, type, a.domain || b.domain);
}

Typed Checker::unary_or_in(const Syntax& syntax) {
  const Typed a = compile(syntax.args[0]);
  if (syntax.op == Op::not_) {
    want_boolean(a, syntax.args[0], "!");
    return emit({.op = Op::not_}, {a}, Kind::boolean, false);
  }
  if (syntax.op == Op::negate) {
    if (a.type != Kind::unknown && a.type != Kind::integer && a.type != Kind::number) {
      return problem(
          syntax, "no - for " + std::string(a.type == Kind::unsigned_integer ? "uint" : described(a.type)));
    }
    return emit({.op = Op::negate}, {a}, a.type, a.domain);
  }
  const Typed b = compile(syntax.args[1]);
  if (!is_in(b.type, kinds(Kind::unknown) | kinds(Kind::list) | kinds(Kind::map) | kinds(Kind::json))) {
    return problem(syntax, "`in` needs a list or a map, and this is " + std::string(described(b.type)),
                   b.type == Kind::string ? "for a part of a text write TEXT.contains(\"…\")"
                                          : "write VALUE in [\"a\", \"b\"]");
  }
  return emit({.op = Op::in, .mix = a.domain || b.domain}, {a, b}, Kind::boolean, false);
}

void compile(const SyntaxTree& tree, const Scope& scope, bool want_boolean, Code& code,
             std::vector<Problem>& problems) {
  Checker(tree, scope, code, problems).run(tree.root, want_boolean);
}

}  // namespace sluice::expr
