#include "view/explain.hpp"

#include <algorithm>

namespace sluice::view {

namespace {

constexpr std::size_t depth_max = 32;  // circles are refused by `check`; this holds even if they were not

class Explainer {
 public:
  Explainer(const Compiled& compiled, const state::State& state, const state::Profile& profile,
            PersonContext& context, TimeUs now)
      : compiled_(compiled), state_(state), profile_(profile), context_(context), now_(now) {}

  void add(const expr::Program& program, std::size_t depth) {
    using Reads = expr::ExplainedPart::Reads;
    for (expr::ExplainedPart& part : program.explain(context_, context_.arena())) {
      Reason reason;
      reason.depth = depth + part.depth;
      reason.text = std::move(part.text);
      reason.value = std::move(part.value);
      reason.why = std::move(part.why);
      if (part.reads == Reads::aggregate) add_events(compiled_.aggregates[part.slot], reason);
      const expr::Program* below = nullptr;
      if (part.reads == Reads::trait) below = add_trait(compiled_.traits[part.slot], reason);
      if (part.reads == Reads::audience) below = add_audience(part.slot, reason);
      const std::size_t next = reason.depth + 1;
      reasons_.push_back(std::move(reason));
      if (below != nullptr && next < depth_max) add(*below, next);
    }
  }
  std::vector<Reason> take() { return std::move(reasons_); }

 private:
  const expr::Program* add_trait(const TraitPlan& plan, Reason& reason) const {
    if (plan.computed != SIZE_MAX) return compiled_.config->computed[plan.computed].program.get();
    if (const state::Trait* const trait = profile_.trait(plan.id)) {
      reason.source = state_.name(trait->source);
      reason.since = trait->time;
    }
    return nullptr;
  }
  const expr::Program* add_audience(std::size_t slot, Reason& reason) const {
    if (const state::Membership* const m = profile_.membership(compiled_.audience_ids[slot]))
      reason.since = m->entered;
    return compiled_.config->audiences[slot].condition.get();
  }
  // Until when what counts is what it is.
  template <typename Kept>
  void add_window(const AggregatePlan& plan, const Kept& kept, Reason& reason) const {
    const state::Window window = context_.window_of(plan);
    reason.changes_at = plan.op == expr::Aggregation::exists ? kept.next_existence_change(now_, window)
                                                             : kept.next_change(now_, window);
    reason.forgotten = kept.overflowed();
  }
  void add_steps(const AggregatePlan& plan, Reason& reason) const {
    const SequencePlan& steps = compiled_.sequences[plan.sequence];
    const state::Sequence* const sequence = profile_.find_sequence(steps.key);
    reason.windowed = true;
    if (sequence == nullptr) return;
    add_window(plan, *sequence, reason);
    const auto [first, last] = sequence->window(now_, context_.window_of(plan));
    reason.events_total = last - first;
    if (first == last) return;
    std::size_t step = 0;
    for (const state::SequenceEntry& entry : sequence->steps_of(sequence->completions()[last - 1]))
      reason.events.push_back({entry.time, entry.seq, {}, steps.steps[step++].event});
  }
  void add_events(const AggregatePlan& plan, Reason& reason) const {
    if (plan.sequence != SIZE_MAX) return add_steps(plan, reason);
    const state::Series* const series = profile_.find_series(compiled_.series[plan.series].key);
    if (!plan.windowed()) {
      reason.events_total = series == nullptr ? 0 : series->count();
      return;
    }
    reason.windowed = true;
    if (series == nullptr) return;
    add_window(plan, *series, reason);
    const state::Entries& entries = series->entries();
    state::Stretch inside = series->window(now_, context_.window_of(plan));
    reason.events_total = inside.size();
    if (inside.size() > explained_events_max)
      inside.first = entries.at(inside.last.index - explained_events_max);
    const bool takes_none = plan.op == expr::Aggregation::count || plan.op == expr::Aggregation::exists;
    entries.each(inside, [&](const state::SeriesEntry& entry) {
      ExplainedEvent event{entry.time, entry.seq, {}, {}};
      if (!takes_none && !entry.value.is_none()) entry.value.append_json(event.value);
      reason.events.push_back(std::move(event));
      return true;
    });
  }

  const Compiled& compiled_;
  const state::State& state_;
  const state::Profile& profile_;
  PersonContext& context_;
  TimeUs now_;
  std::vector<Reason> reasons_;
};

}  // namespace

std::vector<Reason> explain(const expr::Program& program, const Compiled& compiled, const state::State& state,
                            const state::Profile& profile, PersonContext& context, TimeUs now) {
  Explainer explainer(compiled, state, profile, context, now);
  explainer.add(program, 0);
  return explainer.take();
}

}  // namespace sluice::view
