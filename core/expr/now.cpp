// `now`: where it may stand, and when what it says changes.
#include "expr/now.hpp"

#include <algorithm>

#include "expr/checker.hpp"
#include "expr/functions.hpp"
#include "expr/operators.hpp"

namespace sluice::expr {

namespace {

bool is_comparison(Op op) {
  switch (op) {
    case Op::equal:
    case Op::not_equal:
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
      return true;
    default:
      return false;
  }
}

// left - right in microseconds, upwards or downwards, where both are times or both are durations.
bool difference(const Value& left, const Value& right, bool upwards, DurationUs& out) {
  const auto as_time = [](const Value& v) {
    return v.kind() == Value::Kind::string ? time_of(v.as_text()) : v;
  };
  const Value a = as_time(left);
  const Value b = as_time(right);
  if (a.kind() != b.kind() || (a.kind() != Value::Kind::timestamp && a.kind() != Value::Kind::duration))
    return false;
  if (__builtin_sub_overflow(a.as_integer(), b.as_integer(), &out)) return false;
  if (upwards) return a.nanos() <= b.nanos() || !__builtin_add_overflow(out, 1, &out);
  return a.nanos() >= b.nanos() || !__builtin_sub_overflow(out, 1, &out);
}

}  // namespace

// Whether `now` stands below this node, outside of a comparison of its own.
bool Checker::reads_now(std::uint32_t index) const {
  const Syntax& node = tree_[index];
  if (node.op == Op::name) return root_of(node) == Root::now;
  return std::any_of(node.args.begin(), node.args.end(),
                     [&](std::uint32_t arg) { return !is_comparison(tree_[arg].op) && reads_now(arg); });
}

// How many times `now` counts in this value: -1, 0 or 1. False when the value is no sum of it.
bool Checker::linear_in_now(std::uint32_t index, int& sign) {
  const Syntax& node = tree_[index];
  sign = 0;
  if (node.op == Op::name && root_of(node) == Root::now) return sign = 1, true;
  const bool sum = node.op == Op::add || node.op == Op::subtract || is_comparison(node.op);
  if (!sum) return !reads_now(index);
  int left = 0;
  int right = 0;
  if (!linear_in_now(node.args[0], left) || !linear_in_now(node.args[1], right)) return false;
  sign = node.op == Op::add ? left + right : left - right;
  return sign >= -1 && sign <= 1;
}

bool Checker::now_comparison(const Syntax& syntax) {
  const auto index = static_cast<std::uint32_t>(&syntax - tree_.nodes.data());
  if (syntax.op == Op::equal || syntax.op == Op::not_equal) {
    return problem(syntax, "now is equal to a time for a microsecond only", "compare it with < or >"), false;
  }
  int sign = 0;
  if (linear_in_now(index, sign) && sign != 0) return true;
  return problem(syntax, "the moment at which this changes cannot be computed",
                 "compare times: now - traits.since > duration(\"7d\")"),
         false;
}

TimeUs next_change(const Code& code, Context& context, Arena::Impl& arena) {
  TimeUs first = never;
  if (code.now_comparisons.empty()) return first;
  const Value now = context.now();
  if (now.kind() != Value::Kind::timestamp) return first;
  for (const NowComparison& comparison : code.now_comparisons) {
    const Node& node = code.nodes[comparison.node];
    const Value left = evaluate_node(code, code.children[node.first], context, arena);
    const Value right = evaluate_node(code, code.children[node.first + 1], context, arena);
    // As time goes d rises (or falls) by one each microsecond. `<` and `>=` change between -1 and 0, the
    // others between 0 and 1.
    const bool at_zero = comparison.op == Op::less || comparison.op == Op::greater_equal;
    DurationUs d = 0;
    if (!difference(left, right, !at_zero, d)) continue;
    const DurationUs rising = at_zero ? 0 : 1;
    const DurationUs falling = at_zero ? -1 : 0;
    DurationUs wait = 0;
    const bool overflows = comparison.sign > 0 ? __builtin_sub_overflow(rising, d, &wait)
                                               : __builtin_sub_overflow(d, falling, &wait);
    TimeUs at = 0;
    if (overflows || wait <= 0 || __builtin_add_overflow(now.as_integer(), wait, &at)) continue;
    first = std::min(first, at);
  }
  return first;
}

}  // namespace sluice::expr
