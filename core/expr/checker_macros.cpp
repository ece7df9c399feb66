// Macros: calls that give names to values.
#include <algorithm>
#include <array>
#include <utility>

#include "expr/checker.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

namespace {

// Macros and the arguments behind their target: with one variable, with two.
struct MacroInfo {
  std::string_view name;
  Op op;
  std::uint8_t one_least, one_most, two_least, two_most;
  bool filter;  // the result is the variable itself
};
constexpr std::array<MacroInfo, 10> macros{{{"all", Op::all, 2, 2, 3, 3, false},
                                            {"exists", Op::exists, 2, 2, 3, 3, false},
                                            {"exists_one", Op::exists_one, 2, 2, 3, 3, false},
                                            {"existsOne", Op::exists_one, 2, 2, 3, 3, false},
                                            {"map", Op::map_list, 2, 3, 0, 0, false},
                                            {"filter", Op::map_list, 2, 2, 0, 0, true},
                                            {"transformList", Op::map_list, 0, 0, 3, 4, false},
                                            {"transformMap", Op::transform_map, 0, 0, 3, 4, false},
                                            {"optMap", Op::optional_map, 2, 2, 0, 0, false},
                                            {"optFlatMap", Op::optional_flat_map, 2, 2, 0, 0, false}}};

const MacroInfo* find_macro(std::string_view name) {
  const auto* found =
      std::find_if(macros.begin(), macros.end(), [&](const MacroInfo& m) { return m.name == name; });
  return found == macros.end() ? nullptr : found;
}

}  // namespace

bool is_macro_name(std::string_view name) {
  return find_macro(name) != nullptr;
}

void add_macro_names(std::vector<std::string>& names) {
  for (const MacroInfo& m : macros) names.emplace_back(m.name);
}

bool Checker::is_macro(const Syntax& syntax) const {
  return syntax.target && find_macro(syntax.text) != nullptr;
}

bool Checker::variable_name(std::uint32_t index, std::string& name) {
  const Syntax& syntax = tree_[index];
  if (syntax.op != Op::name)
    return problem(syntax, "a variable's name must stand here", "write a name of your own, as e"), false;
  name = syntax.text;
  Syntax free = syntax;
  const Root root = root_of(free);
  if (scope_.element != name && variable_named(name) == SIZE_MAX && root != Root::none && allowed(root)) {
    return problem(syntax, "'" + name + "' has a meaning of its own here", "choose another name, as e"),
           false;
  }
  return true;
}

Typed Checker::macro(const Syntax& syntax) {
  const MacroInfo& info = *find_macro(syntax.text);
  const std::size_t args = syntax.args.size() - 1;
  const bool two = info.two_most > 0 && args >= info.two_least && args <= info.two_most;
  if (!two && (args < info.one_least || args > info.one_most || info.one_most == 0)) {
    return problem(syntax, syntax.text + "() takes a variable and a condition or value",
                   "write LIST." + syntax.text + (info.one_most > 0 ? "(x, …)" : "(i, x, …)"));
  }
  if (info.op == Op::optional_map || info.op == Op::optional_flat_map) return optional_macro(syntax, info.op);
  const Typed range = compile(syntax.args[0]);
  if (range.type != Kind::unknown && range.type != Kind::list && range.type != Kind::map &&
      range.type != Kind::json) {
    return problem(syntax, syntax.text + "() needs a list or a map before the dot");
  }
  const std::size_t variables = two ? 2 : 1;
  const auto first = static_cast<std::uint32_t>(variables_.size());
  std::vector<std::string> names(variables);
  for (std::size_t i = 0; i < variables; ++i) {
    if (!variable_name(syntax.args[1 + i], names[i])) return nothing();
  }
  if (two && names[0] == names[1]) return problem(tree_[syntax.args[2]], "the two variables need two names");
  for (const std::string& name : names) variables_.push_back({name, range.domain});
  code_.locals = std::max(code_.locals, static_cast<std::uint32_t>(variables_.size()));
  std::vector<Typed> operands{range};
  for (std::size_t i = 1 + variables; i < syntax.args.size(); ++i)
    operands.push_back(compile(syntax.args[i]));
  const bool quantifier = info.op == Op::all || info.op == Op::exists || info.op == Op::exists_one;
  if (quantifier || info.filter || operands.size() == 3)
    want_boolean(operands[1], syntax.args[1 + variables], syntax.text + "()");
  if (info.filter) operands.push_back(name(tree_[syntax.args[1]]));
  const bool domain = range.domain || operands.back().domain;
  variables_.resize(first);
  const Kind type = quantifier ? Kind::boolean : info.op == Op::transform_map ? Kind::map : Kind::list;
  return emit({.op = info.op, .mix = two, .index = first}, operands, type, domain && !quantifier);
}

// Compiles `body` with one more variable; its place among the locals is `first`.
Typed Checker::with_variable(const std::string& name, bool domain, std::uint32_t body) {
  variables_.push_back({name, domain});
  code_.locals = std::max(code_.locals, static_cast<std::uint32_t>(variables_.size()));
  const Typed value = compile(body);
  variables_.pop_back();
  return value;
}

// a.optMap(x, e), a.optFlatMap(x, e).
Typed Checker::optional_macro(const Syntax& syntax, Op op) {
  const Typed target = compile(syntax.args[0]);
  if (target.type != Kind::unknown && target.type != Kind::optional)
    return problem(syntax, syntax.text + "() needs an optional value before the dot", "as in traits.?city");
  std::string name;
  if (!variable_name(syntax.args[1], name)) return nothing();
  const auto first = static_cast<std::uint32_t>(variables_.size());
  const Typed body = with_variable(name, target.domain, syntax.args[2]);
  if (op == Op::optional_flat_map && body.type != Kind::unknown && body.type != Kind::optional)
    return problem(tree_[syntax.args[2]], "optFlatMap() needs an optional value here", "optMap() takes any");
  return emit({.op = op, .index = first}, {target, body}, Kind::optional, target.domain || body.domain);
}

// cel.bind(x, a, e): e, where x is a.
Typed Checker::bind(const Syntax& syntax) {
  if (syntax.args.size() != 4) {
    return problem(syntax, "cel.bind() takes a variable, its value and what is made of it",
                   "write cel.bind(x, VALUE, …)");
  }
  std::string name;
  if (!variable_name(syntax.args[1], name)) return nothing();
  const Typed value = compile(syntax.args[2]);
  const auto first = static_cast<std::uint32_t>(variables_.size());
  const Typed body = with_variable(name, value.domain, syntax.args[3]);
  return emit({.op = Op::bind, .index = first}, {value, body}, body.type, body.domain);
}

// a.or(b), a.orValue(b): b is asked only where a holds nothing.
Typed Checker::or_else(const Syntax& syntax) {
  if (syntax.args.size() != 2) return problem(syntax, syntax.text + "() takes 1 argument");
  const Syntax& target = tree_[syntax.args[0]];
  const Typed a = compile(syntax.args[0]);
  const Typed b = compile(syntax.args[1]);
  const bool path = target.op == Op::member || target.op == Op::index;
  if ((a.type != Kind::unknown && a.type != Kind::optional) ||
      (path && a.type == Kind::unknown && a.domain)) {
    std::string name;
    const bool named = selected(target, name);
    return problem(syntax, syntax.text + "() needs an optional value before the dot",
                   "write .?" + (named ? name : std::string("NAME")) + "." + syntax.text + "(…)");
  }
  const bool value = syntax.text == "orValue";
  if (!value && b.type != Kind::unknown && b.type != Kind::optional) {
    return problem(tree_[syntax.args[1]], "or() needs an optional value here",
                   "write .orValue(…) for a plain one");
  }
  return emit({.op = value ? Op::or_value : Op::or_optional}, {a, b}, value ? Kind::unknown : Kind::optional,
              a.domain || b.domain);
}

}  // namespace sluice::expr
