// The compiled form of a program: resolved operations in one vector, evaluated by index.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "expr/arena.hpp"
#include "expr/functions.hpp"
#include "expr/program.hpp"
#include "expr/syntax.hpp"

namespace re2 {
class RE2;
}

namespace sluice::expr {

struct Node {
  Op op = Op::constant;
  bool mix = false;  // an operand is of the domain: numbers of all kinds mix, texts may be times
  Function function = Function::size;  // call
  std::uint32_t first = 0, count = 0;  // operands: children[first .. first + count)
  std::uint32_t index = 0;             // constant, name, symbol, local, aggregate or pattern
};

// A comparison that changes as time goes: `left op right` with `sign` times now in left - right.
struct NowComparison {
  std::uint32_t node = 0;
  Op op = Op::less;
  int sign = 1;
};

inline constexpr std::uint32_t no_index = UINT32_MAX;

struct Code {
  std::string text;
  std::vector<Node> nodes;
  std::vector<std::string>
      texts;  // of the nodes that a part of the text stands for; may be shorter than `nodes`
  std::vector<std::uint32_t> children;
  std::vector<Value> constants;    // texts borrow from `memory`
  std::vector<std::string> names;  // members, fields
  std::vector<std::unique_ptr<re2::RE2>> patterns;
  std::vector<NowComparison> now_comparisons;
  std::vector<Symbol> traits, audiences, purposes, accounts, variables, row_paths;
  std::vector<AggregateSpec> aggregates;
  std::vector<std::uint32_t> aggregate_slots;
  Arena memory;  // of the constants
  std::uint32_t root = 0;
  std::uint32_t locals = 0;  // how many variables of macros are alive at once, at most
  bool reads_event = false, reads_now = false, reads_profile = false, reads_whole_row = false;

  Code();
  ~Code();
};

// Evaluates one node.
Value evaluate_node(const Code& code, std::uint32_t node, Context& context, Arena::Impl& arena);

std::vector<ExplainedPart> explain_code(const Code& code, Context& context, Arena::Impl& arena);

// The compiled program of a tree, or problems among which at least one is an error: then the result means
// nothing. `element` is the name that stands for the event, beside `event` itself.
void compile(const SyntaxTree& tree, const Scope& scope, bool want_boolean, Code& code,
             std::vector<Problem>& problems);

}  // namespace sluice::expr
