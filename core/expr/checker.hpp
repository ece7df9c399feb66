// Turns a syntax tree into code: resolves names, checks types, and finds all mistakes, each with its mend.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "expr/code.hpp"

namespace sluice::expr {

// What is known of a value before it runs.
struct Typed {
  std::uint32_t node = 0;
  Value::Kind type = Value::Kind::unknown;  // unknown: any
  bool domain = false;    // from traits, events, rows, aggregates: it may be missing, and numbers mix
  bool constant = false;  // the node is a constant
};

// The macros' names, for suggestions.
bool is_macro_name(std::string_view name);
void add_macro_names(std::vector<std::string>& names);

class Checker {
 public:
  Checker(const SyntaxTree& tree, const Scope& scope, Code& code, std::vector<Problem>& problems)
      : tree_(tree), scope_(scope), code_(code), problems_(problems) {}

  // Compiles the tree below `root`, whose value is the program's.
  void run(std::uint32_t root, bool want_boolean);

 private:
  // A name that stands at the beginning of a path.
  enum class Root : std::uint8_t {
    none,
    traits,
    scores,
    audiences,
    consent,
    profile,
    account,
    event,
    row,
    now
  };
  struct Variable {
    std::string name;
    bool domain = false;
  };
  struct Selector;

  // checker.cpp: the tree
  Typed compile(std::uint32_t index);
  Typed compile_node(std::uint32_t index);
  Typed unary_or_in(const Syntax& syntax);
  Typed connective(const Syntax& syntax);
  Typed comparison(const Syntax& syntax, std::uint32_t index);
  Typed arithmetic_of(const Syntax& syntax);
  Typed conditional(const Syntax& syntax);
  Typed list_or_map(const Syntax& syntax);
  void want_boolean(const Typed& value, std::uint32_t syntax, std::string_view where);
  Value::Kind result_type(Op op, const Typed& a, const Typed& b, bool& fits) const;
  // making code
  Typed emit(Node node, const std::vector<Typed>& operands, Value::Kind type, bool domain);
  Typed emit_leaf(Op op, std::uint32_t index, Value::Kind type);
  Typed constant(const Value& value);
  void fold(Typed& value);
  Typed nothing() { return constant(Value()); }
  std::uint32_t name_index(std::string_view name);
  // problems
  Typed problem(const Syntax& at, std::string what, std::string help = {});
  void warning(const Syntax& at, std::string what, std::string help);

  // checker_names.cpp: names and paths
  Root root_of(const Syntax& syntax) const;
  bool allowed(Root root) const;
  Typed name(const Syntax& syntax);
  Typed path(std::uint32_t index);
  Typed element(const Syntax& syntax, const Typed& container, const std::string* name);
  Typed optional_path(const Syntax& syntax);
  bool is_declared(std::string_view name) const;
  bool spelled(std::uint32_t index, std::string& name) const;
  Typed variable(const Syntax& at, const std::string& name);
  Typed root_member(Root root, const Syntax& base, const Syntax& at, const std::string& name);
  Typed trait(const Syntax& at, const std::string& name);
  Typed listed(Op op, std::vector<Symbol>& symbols, const std::vector<std::string>& known, const Syntax& at,
               const std::string& name);
  Typed field_of_event(const Syntax& at, const std::string& name);
  Typed field_of_profile(const Syntax& at, const std::string& name);
  Typed has(const Syntax& syntax);
  bool selected(const Syntax& syntax, std::string& name) const;
  bool row_path(const Syntax& syntax, std::string& path) const;
  void note_row_path(const Syntax& syntax);
  std::string what_may_be_read() const;
  std::size_t variable_named(std::string_view name) const;
  std::string path_text(std::uint32_t index) const { return canonical(tree_, index, scope_.element); }

  // checker_calls.cpp: functions
  Typed call(std::uint32_t index);
  Typed function(const Syntax& syntax, const FunctionInfo& info, std::size_t skip);
  void check_literal(const Syntax& syntax, const FunctionInfo& info, const std::vector<std::uint32_t>& args);
  Typed unknown_function(const Syntax& syntax);
  bool is_macro(const Syntax& syntax) const;

  // checker_macros.cpp: macros, optional values
  Typed macro(const Syntax& syntax);
  Typed optional_macro(const Syntax& syntax, Op op);
  Typed bind(const Syntax& syntax);
  Typed or_else(const Syntax& syntax);
  Typed with_variable(const std::string& name, bool domain, std::uint32_t body);
  bool variable_name(std::uint32_t index, std::string& name);

  // selectors.cpp: events(…)
  bool is_selector(std::uint32_t index) const;
  Typed selector(std::uint32_t index);
  bool selector_step(const Syntax& call, Selector& selector);
  bool selector_then(const Syntax& call, AggregateSpec& spec);
  bool selector_window(const Syntax& call, AggregateSpec& spec);
  bool selector_within(const Syntax& literal, AggregateSpec& spec);
  static bool has_window(const AggregateSpec& spec);
  bool sequence_is_whole(const Syntax& last, const Selector& selector);
  const Syntax* quoted(std::uint32_t index, std::string_view wrapper, const std::string& what,
                       const std::string& example);
  std::optional<DurationUs> parse_length(const Syntax& literal);
  bool selector_end(const Syntax& call, Selector& selector);
  bool over_event(const Syntax& call, std::size_t first, std::size_t count, bool boolean, std::string& text,
                  ProgramPtr& program);
  bool event_program(const Syntax& at, const std::string& text, bool boolean, ProgramPtr& program);
  Typed aggregate(AggregateSpec spec);

  // now.cpp
  bool reads_now(std::uint32_t index) const;
  bool now_comparison(const Syntax& syntax);
  bool linear_in_now(std::uint32_t index, int& sign);

  const SyntaxTree& tree_;
  const Scope& scope_;
  Code& code_;
  std::vector<Problem>& problems_;
  std::vector<Variable> variables_;
  std::vector<std::string> present_;  // canonical texts of what stands in has()
  bool in_now_comparison_ = false;
  bool in_row_path_ = false;  // what is compiled is the beginning of a path that was noted
};

}  // namespace sluice::expr
