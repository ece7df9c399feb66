// One person at one moment (and, where there is one, the event at hand), as conditions and mapped values see
// them. Computed traits are worked out here, when they are read: they have no stored value that could be
// stale.
#pragma once

#include <deque>
#include <vector>

#include "expr/program.hpp"
#include "model/event.hpp"
#include "state/state.hpp"
#include "view/compiled.hpp"
#include "view/waiting.hpp"

namespace sluice::view {

class PersonContext final : public expr::Context {
 public:
  PersonContext(const Compiled& compiled, const state::State& state)
      : compiled_(compiled), state_(state), trait_places_(compiled.traits.size()) {}

  // `profile` may be null (nobody yet), `event` too. Both are borrowed until the next at().
  void at(const state::Profile* profile, TimeUs now, const Event* event);

  expr::Value trait(const expr::Symbol& name) override;
  expr::Value audience(const expr::Symbol& name) override;
  expr::Value consent(const expr::Symbol& purpose) override;
  expr::Value profile_field(std::string_view name) override;
  expr::Value event_field(std::string_view name) override;
  expr::Value account_field(std::string_view name) override;
  expr::Value row() override { return expr::Value::unknown("no row here"); }
  expr::Value now() override { return expr::Value::timestamp(now_); }
  expr::Value aggregate(std::uint32_t slot) override;

  expr::Value computed(std::size_t index);      // of config->computed
  bool allows(std::size_t purpose) const;       // slot; the consent gate's rule
  bool allows(std::string_view purpose) const;  // by name; "internal" and a file without consent: always
  // Evaluates in this context with memory of its own.
  expr::Value evaluate(const expr::Program& program) { return program.evaluate(*this, arena_); }
  bool holds(const expr::ProgramPtr& program) { return !program || program->holds(*this, arena_); }
  expr::Arena& arena() { return arena_; }

  // Whether the person's past is still to be read, and what waits for it; see view/waiting.hpp.
  bool waits() const { return waits_; }
  bool waits_audience(std::size_t slot) const { return waits_ && waiting_.audience(compiled_, slot); }
  bool waits_route(std::size_t slot) const { return waits_ && waiting_.readers.routes.test(slot); }
  bool waits_series(std::size_t slot) const { return waits_ && waiting_.series[slot]; }
  bool waits_sequence(std::size_t slot) const { return waits_ && waiting_.sequences[slot]; }
  const state::Backfill& backfill() const { return state_.backfill; }

  // The window of an aggregate that has one, as it holds for this person.
  state::Window window_of(const AggregatePlan& plan);
  // The next moment after now at which time alone may change what this person's conditions give. [step]
  TimeUs next_change();
  // Likewise, but only of what was touched since it was last asked, and of what is in `readers`: nothing else
  // changes earlier than it did. [step]
  TimeUs next_touched_change(const Readers& readers);
  // What reads something that time alone changes at `due`, the person's first such moment. Stands just before
  // it then. [step]
  void add_due(TimeUs due, Readers& readers);

 private:
  expr::Value stored(const state::StoredValue& value);
  const state::Trait* find_trait(std::size_t slot);
  const Zone* zone();
  expr::Value sequence(const AggregatePlan& plan);
  expr::Value windowed(const AggregatePlan& plan, const state::Series& series);
  template <typename Kept>
  TimeUs next_change(const AggregatePlan& plan, const Kept& kept);
  template <typename Kept>
  TimeUs change_of(const Kept& kept);
  template <typename F>
  void each_kept(const F& each);
  expr::Value all_time(const AggregatePlan& plan, const state::Series& series);
  expr::Value distinct(std::vector<state::Distinct> values, const AggregatePlan& plan);
  std::string_view keep(std::string text);
  Json parse(std::string_view text);

  const Compiled& compiled_;
  const state::State& state_;
  const state::Profile* profile_ = nullptr;
  const Event* event_ = nullptr;
  TimeUs now_ = 0;
  // By slot: where in the row the trait stood the last time. People of one source mostly have theirs in one
  // order.
  std::vector<std::uint32_t> trait_places_;
  std::string zone_name_;       // the last that was looked up,
  const Zone* zone_ = nullptr;  // and what it is: null, there is none of that name
  expr::Arena arena_;
  std::deque<std::string> texts_;          // what values made here borrow from; cleared by at()
  std::deque<state::StoredValue> values_;  // likewise
  std::deque<JsonParser> parsers_;         // one for each JSON text read since at()
  std::size_t parsers_used_ = 0;
  bool waits_ = false;
  std::uint64_t waiting_for_ = 0;  // the backfill that waiting_ is of
  Waiting waiting_;
  int depth_ = 0;  // computed traits reading computed traits
};

}  // namespace sluice::view
