// Calls of functions.
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

std::string arity(std::size_t least, std::size_t most) {
  if (most == 0) return "no arguments";
  std::string text = std::to_string(least);
  if (most != least) text += " to " + std::to_string(most);
  return text + (most == 1 ? " argument" : " arguments");
}

std::string kinds_text(Kinds set) {
  static constexpr std::array<std::pair<Kind, std::string_view>, 10> names{
      {{Kind::integer, "a whole number"},
       {Kind::number, "a number with a fraction"},
       {Kind::string, "a text"},
       {Kind::bytes, "bytes"},
       {Kind::boolean, "true or false"},
       {Kind::timestamp, "a time"},
       {Kind::duration, "a duration"},
       {Kind::list, "a list"},
       {Kind::map, "a map"},
       {Kind::optional, "an optional value"}}};
  const bool any_number = (set & kinds(Kind::integer)) != 0 && (set & kinds(Kind::number)) != 0;
  std::string out = any_number ? "a number" : "";
  for (const auto& [kind, name] : names) {
    if ((set & kinds(kind)) == 0 || (any_number && (kind == Kind::integer || kind == Kind::number))) continue;
    out += (out.empty() ? "" : ", ") + std::string(name);
  }
  return out;
}

}  // namespace

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
    if (target.text == "cel" && syntax.text == "bind") return bind(syntax);
    if (const FunctionInfo* info = find_function(target.text + "." + syntax.text, false))
      return function(syntax, *info, 1);
  }
  if (syntax.text == "or" || syntax.text == "orValue") return or_else(syntax);
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
  } else if (is_macro_name(syntax.text)) {
    help = "write LIST." + syntax.text + "(…)";
  } else {
    std::vector<std::string> names;
    for (const FunctionInfo& f : functions()) {
      if (f.receiver == syntax.target) names.emplace_back(f.name);
    }
    if (syntax.target) add_macro_names(names);
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
  if (args.empty()) return;
  const Syntax& first = tree_[args[0]];
  if (first.is_string() && !syntax.target) {
    std::int64_t ns = 0;
    if (info.function == Function::to_duration && !parse_cel_duration(first.text, ns)) {
      problem(first, "this is no duration",
              "write 90s, 15m, 1h30m, 7d or 2w; months and years have no fixed length");
    }
    if (info.function == Function::to_timestamp && !parse_time(first.text)) {
      problem(first, "this is no time", "write 2026-11-22 or 2026-11-22T15:30:00Z");
    }
  }
  if (info.function == Function::format && first.is_string()) {
    const Syntax& list = tree_[args[1]];
    const bool counted =
        list.op == Op::list && std::none_of(list.args.begin(), list.args.end(), [&](std::uint32_t entry) {
          return tree_[entry].op == Op::optional_entry;
        });
    if (const char* wrong = format_mistake(first.text, counted ? list.args.size() : SIZE_MAX))
      problem(first, std::string("this is no format: ") + wrong,
              "write one clause for each value, as \"%s: %d\"");
  }
  const bool zoned = info.function >= Function::full_year && info.function <= Function::milliseconds;
  if (zoned && args.size() == 2 && tree_[args[1]].is_string() && !known_zone(tree_[args[1]].text)) {
    problem(tree_[args[1]], "no time zone has this name", "write \"Europe/Paris\" or \"+02:00\"");
  }
}

}  // namespace sluice::expr
