// What each part of a condition gives.
#include "expr/code.hpp"
#include "expr/program.hpp"

namespace sluice::expr {

namespace {

using Reads = ExplainedPart::Reads;

void note_what_is_read(const Code& code, const Node& node, ExplainedPart& part) {
  if (node.op == Op::trait) {
    part.reads = Reads::trait;
    part.slot = code.traits[node.index].slot;
  } else if (node.op == Op::audience) {
    part.reads = Reads::audience;
    part.slot = code.audiences[node.index].slot;
  } else if (node.op == Op::aggregate) {
    part.reads = Reads::aggregate;
    part.slot = code.aggregate_slots[node.index];
  }
}

void explain_node(const Code& code, std::uint32_t index, std::size_t depth, Context& context,
                  Arena::Impl& arena, std::vector<ExplainedPart>& out) {
  const Node& node = code.nodes[index];
  if (node.op == Op::constant) return;
  const bool shown = index < code.texts.size() && !code.texts[index].empty();
  if (shown) {
    ExplainedPart part;
    part.depth = depth;
    part.text = code.texts[index];
    const Value value = evaluate_node(code, index, context, arena);
    if (value.is_unknown()) {
      part.why = value.why();
    } else {
      value.append_json(part.value);
    }
    note_what_is_read(code, node, part);
    out.push_back(std::move(part));
  }
  if (node.op >= Op::all) return;  // its variables live in it alone
  for (std::uint32_t i = 0; i < node.count; ++i)
    explain_node(code, code.children[node.first + i], depth + (shown ? 1 : 0), context, arena, out);
}

}  // namespace

std::vector<ExplainedPart> explain_code(const Code& code, Context& context, Arena::Impl& arena) {
  std::vector<ExplainedPart> out;
  explain_node(code, code.root, 0, context, arena, out);
  return out;
}

}  // namespace sluice::expr
