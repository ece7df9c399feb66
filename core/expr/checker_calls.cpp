// Calls: functions and macros.
#include <algorithm>
#include <array>
#include <utility>

#include <re2/re2.h>

#include "base/text.hpp"
#include "expr/checker.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

Code::Code() = default;
Code::~Code() = default;

namespace {

// Macros and the arguments behind their target: with one variable, with two.
struct MacroInfo {
  std::string_view name;
  Op op;
  std::uint8_t one_least, one_most, two_least, two_most;
  bool filter;  // the result is the variable itself
};
constexpr std::array<MacroInfo, 8> macros{{{"all", Op::all, 2, 2, 3, 3, false},
                                           {"exists", Op::exists, 2, 2, 3, 3, false},
                                           {"exists_one", Op::exists_one, 2, 2, 3, 3, false},
                                           {"existsOne", Op::exists_one, 2, 2, 3, 3, false},
                                           {"map", Op::map_list, 2, 3, 0, 0, false},
                                           {"filter", Op::map_list, 2, 2, 0, 0, true},
                                           {"transformList", Op::map_list, 0, 0, 3, 4, false},
                                           {"transformMap", Op::transform_map, 0, 0, 3, 4, false}}};

const MacroInfo* find_macro(std::string_view name) {
  const auto* found =
      std::find_if(macros.begin(), macros.end(), [&](const MacroInfo& m) { return m.name == name; });
  return found == macros.end() ? nullptr : found;
}

std::string arity(std::size_t least, std::size_t most) {
  if (most == 0) return "no arguments";
  std::string text = std::to_string(least);
  if (most != least) text += " to " + std::to_string(most);
  return text + (most == 1 ? " argument" : " arguments");
}

std::string kinds_text(Kinds set) {
  static constexpr std::array<std::pair<Kind, std::string_view>, 9> names{
      {{Kind::integer, "a whole number"},
       {Kind::number, "a number with a fraction"},
       {Kind::string, "a text"},
       {Kind::bytes, "bytes"},
       {Kind::boolean, "true or false"},
       {Kind::timestamp, "a time"},
       {Kind::duration, "a duration"},
       {Kind::list, "a list"},
       {Kind::map, "a map"}}};
  const bool any_number = (set & kinds(Kind::integer)) != 0 && (set & kinds(Kind::number)) != 0;
  std::string out = any_number ? "a number" : "";
  for (const auto& [kind, name] : names) {
    if ((set & kinds(kind)) == 0 || (any_number && (kind == Kind::integer || kind == Kind::number))) continue;
    out += (out.empty() ? "" : ", ") + std::string(name);
  }
  return out;
}

}  // namespace

bool Checker::is_macro(const Syntax& syntax) const {
  return syntax.target && find_macro(syntax.text) != nullptr;
}

Typed Checker::call(std::uint32_t index) {
  const Syntax& syntax = tree_[index];
  if (!syntax.target) {
    if (syntax.text == "has") {
      return syntax.args.size() == 1 ? has(syntax)
                                     : problem(syntax, "has() takes 1 argument", "write has(traits.NAME)");
    }
    const FunctionInfo* info = find_function(syntax.text, false);
    return info != nullptr ? function(syntax, *info, 0) : unknown_function(syntax);
  }
  if (is_macro(syntax)) return macro(syntax);
  const Syntax& target = tree_[syntax.args[0]];
  if (target.op == Op::name && variable_named(target.text) == SIZE_MAX) {  // math.abs(…)
    if (const FunctionInfo* info = find_function(target.text + "." + syntax.text, false))
      return function(syntax, *info, 1);
  }
  const FunctionInfo* info = find_function(syntax.text, true);
  return info != nullptr ? function(syntax, *info, 0) : unknown_function(syntax);
}

Typed Checker::unknown_function(const Syntax& syntax) {
  if (syntax.target && tree_[syntax.args[0]].op == Op::name) {
    const std::string space = tree_[syntax.args[0]].text + ".";
    std::vector<std::string> names;
    for (const FunctionInfo& f : functions()) {
      if (f.name.starts_with(space)) names.emplace_back(f.name);
    }
    const std::string best = closest(space + syntax.text, names);
    const std::string help = best.empty() ? "" : "did you mean '" + best + "'?";
    if (!names.empty()) return problem(syntax, "no function is named '" + space + syntax.text + "'", help);
  }
  const std::size_t before = problems_.size();
  if (syntax.target) (void)compile(syntax.args[0]);
  if (problems_.size() != before) return nothing();  // what stands before the dot comes first
  const FunctionInfo* other = find_function(syntax.text, !syntax.target);
  std::string help;
  if (other != nullptr) {
    help = other->receiver ? "write VALUE." + syntax.text + "(…)" : "write " + syntax.text + "(VALUE)";
  } else if (find_macro(syntax.text) != nullptr) {
    help = "write LIST." + syntax.text + "(…)";
  } else {
    std::vector<std::string> names;
    for (const FunctionInfo& f : functions()) {
      if (f.receiver == syntax.target) names.emplace_back(f.name);
    }
    for (const MacroInfo& m : macros) {
      if (syntax.target) names.emplace_back(m.name);
    }
    if (!syntax.target && scope_.selectors) names.emplace_back("events");
    if (const std::string best = closest(syntax.text, names); !best.empty())
      help = "did you mean '" + best + "'?";
  }
  return problem(syntax,
                 "no function is named '" + syntax.text + "'" + (other != nullptr ? " in this place" : ""),
                 std::move(help));
}

// `skip`: arguments of the tree that are none: the namespace.
Typed Checker::function(const Syntax& syntax, const FunctionInfo& info, std::size_t skip) {
  const std::vector<std::uint32_t> args(syntax.args.begin() + static_cast<std::ptrdiff_t>(skip),
                                        syntax.args.end());
  if (args.size() < info.least || args.size() > info.most) {
    const std::size_t receiver = info.receiver ? 1 : 0;
    return problem(syntax, std::string(info.name) + "() takes " +
                               arity(info.least - receiver, info.most - receiver) + ", not " +
                               std::to_string(args.size() - receiver));
  }
  std::vector<Typed> operands;
  bool domain = false;
  bool fits = true;
  for (std::size_t i = 0; i < args.size(); ++i) {
    operands.push_back(compile(args[i]));
    const Typed& operand = operands.back();
    const Kinds wanted = wanted_kinds(info, i);
    domain = domain || operand.domain;
    if (operand.type == Kind::unknown || (wanted & kinds(operand.type)) != 0) continue;
    fits = false;
    problem(tree_[args[i]], std::string(info.name) + "() needs " + kinds_text(wanted) + " here",
            "int(), double() and string() convert");
  }
  if (!fits) return nothing();
  check_literal(syntax, info, args);
  Node node{.op = Op::call, .function = info.function, .index = no_index};
  if (info.function == Function::matches && tree_[args[1]].is_string()) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    auto pattern = std::make_unique<re2::RE2>(tree_[args[1]].text, options);
    if (!pattern->ok()) {
      return problem(tree_[args[1]], "this is no regular expression: " + pattern->error(),
                     "RE2's syntax holds: no look-ahead, no references back");
    }
    node.index = static_cast<std::uint32_t>(code_.patterns.size());
    code_.patterns.push_back(std::move(pattern));
  }
  // What a conversion gives is no domain value any more, so that the language's own rules hold for it.
  return emit(node, operands, info.result, domain && info.result == Kind::unknown);
}

// Literals that can never do their work are mistakes now, not unknown later.
void Checker::check_literal(const Syntax& syntax, const FunctionInfo& info,
                            const std::vector<std::uint32_t>& args) {
  const Syntax& first = tree_[args[0]];
  if (first.is_string() && !syntax.target) {
    DurationUs us = 0;
    if (info.function == Function::to_duration && !parse_cel_duration(first.text, us)) {
      problem(first, "this is no duration",
              "write 90s, 15m, 1h30m, 7d or 2w; months and years have no fixed length");
    }
    if (info.function == Function::to_timestamp && !parse_time(first.text)) {
      problem(first, "this is no time", "write 2026-11-22 or 2026-11-22T15:30:00Z");
    }
  }
  const bool zoned = info.function >= Function::full_year && info.function <= Function::milliseconds;
  if (zoned && args.size() == 2 && tree_[args[1]].is_string() && !known_zone(tree_[args[1]].text)) {
    problem(tree_[args[1]], "no time zone has this name", "write \"Europe/Paris\" or \"+02:00\"");
  }
}

bool Checker::variable_name(std::uint32_t index, std::string& name) {
  const Syntax& syntax = tree_[index];
  if (syntax.op != Op::name)
    return problem(syntax, "a variable's name must stand here", "write a name of your own, as e"), false;
  name = syntax.text;
  Syntax free = syntax;
  if (scope_.element != name && variable_named(name) == SIZE_MAX && root_of(free) != Root::none) {
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

}  // namespace sluice::expr
