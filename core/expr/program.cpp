#include "expr/program.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "expr/code.hpp"
#include "expr/now.hpp"

namespace sluice::expr {

struct Program::Impl {
  Code code;
};

Program::Program(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Program::~Program() = default;

Program::Parsed Program::parse(std::string_view text, const Scope& scope, bool want_boolean) {
  Parsed parsed;
  SyntaxTree tree;
  if (!parse_syntax(text, tree, parsed.problems)) return parsed;
  auto impl = std::make_unique<Impl>();
  impl->code.text = text;
  compile(tree, scope, want_boolean, impl->code, parsed.problems);
  std::stable_sort(parsed.problems.begin(), parsed.problems.end(),
                   [](const Problem& a, const Problem& b) { return a.offset < b.offset; });
  const bool wrong = std::any_of(parsed.problems.begin(), parsed.problems.end(),
                                 [](const Problem& p) { return !p.warning; });
  if (!wrong) parsed.program.reset(new Program(std::move(impl)));
  return parsed;
}

const std::string& Program::text() const {
  return impl_->code.text;
}
const std::vector<Symbol>& Program::traits() const {
  return impl_->code.traits;
}
const std::vector<Symbol>& Program::audiences() const {
  return impl_->code.audiences;
}
const std::vector<Symbol>& Program::purposes() const {
  return impl_->code.purposes;
}
const std::vector<AggregateSpec>& Program::aggregates() const {
  return impl_->code.aggregates;
}
const std::vector<Symbol>& Program::row_paths() const {
  return impl_->code.row_paths;
}
bool Program::reads_whole_row() const {
  return impl_->code.reads_whole_row;
}
bool Program::reads_event() const {
  return impl_->code.reads_event;
}
bool Program::reads_now() const {
  return impl_->code.reads_now;
}
const std::vector<Symbol>& Program::accounts() const {
  return impl_->code.accounts;
}
bool Program::reads_profile() const {
  return impl_->code.reads_profile;
}

void Program::bind_trait(std::size_t index, std::uint32_t slot) const {
  SLUICE_CHECK(index < impl_->code.traits.size());
  impl_->code.traits[index].slot = slot;
}

void Program::bind_audience(std::size_t index, std::uint32_t slot) const {
  SLUICE_CHECK(index < impl_->code.audiences.size());
  impl_->code.audiences[index].slot = slot;
}

void Program::bind_purpose(std::size_t index, std::uint32_t slot) const {
  SLUICE_CHECK(index < impl_->code.purposes.size());
  impl_->code.purposes[index].slot = slot;
}

void Program::bind_aggregate(std::size_t index, std::uint32_t slot) const {
  SLUICE_CHECK(index < impl_->code.aggregate_slots.size());
  impl_->code.aggregate_slots[index] = slot;
}

Value Program::evaluate(Context& context, Arena& arena) const {
  return evaluate_node(impl_->code, impl_->code.root, context, arena.impl());
}

bool Program::holds(Context& context, Arena& arena) const {
  const Arena::Impl::Mark mark = arena.impl().mark();
  const bool yes = evaluate(context, arena).is_true();
  arena.impl().back(mark);
  return yes;
}

std::vector<ExplainedPart> Program::explain(Context& context, Arena& arena) const {
  return explain_code(impl_->code, context, arena.impl());
}

TimeUs Program::next_change(Context& context, Arena& arena) const {
  return expr::next_change(impl_->code, context, arena.impl());
}

}  // namespace sluice::expr
