// One person at one moment (and, where there is one, the event at hand), as conditions and mapped values see
// them. Computed traits are worked out here, when they are read: they have no stored value that could be
// stale.
#pragma once

#include <deque>

#include "expr/program.hpp"
#include "model/event.hpp"
#include "state/state.hpp"
#include "view/compiled.hpp"
#include "view/waiting.hpp"

namespace sluice::view {

class PersonContext final : public expr::Context {
 public:
  PersonContext(const Compiled& compiled, const state::State& state) : compiled_(compiled), state_(state) {}

  // `profile` may be null (nobody yet), `event` too. Both are borrowed until the next at().
  void at(const state::Profile* profile, TimeUs now, const Event* event);

  expr::Value trait(const expr::Symbol& name) override;
  expr::Value audience(const expr::Symbol& name) override;
  expr::Value consent(const expr::Symbol& purpose) override;
  expr::Value profile_field(std::string_view name) override;
  expr::Value event_field(std::string_view name) override;
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
  bool waits_audience(std::size_t slot) const { return waits_ && waiting_.readers.audiences.test(slot); }
  bool waits_route(std::size_t slot) const { return waits_ && waiting_.readers.routes.test(slot); }
  bool waits_series(std::size_t slot) const { return waits_ && waiting_.series[slot]; }
  const state::Backfill& backfill() const { return state_.backfill; }

  // The next moment after now at which time alone may change what this person's conditions give.
  TimeUs next_change();

 private:
  expr::Value stored(const state::StoredValue& value);
  expr::Value windowed(const AggregatePlan& plan, const state::Series& series);
  expr::Value all_time(const AggregatePlan& plan, const state::Series& series);
  expr::Value distinct(std::vector<state::Distinct> values, const AggregatePlan& plan);
  std::string_view keep(std::string text);
  Json parse(std::string_view text);

  const Compiled& compiled_;
  const state::State& state_;
  const state::Profile* profile_ = nullptr;
  const Event* event_ = nullptr;
  TimeUs now_ = 0;
  expr::Arena arena_;
  std::deque<std::string> texts_;   // what values made here borrow from; cleared by at()
  std::deque<JsonParser> parsers_;  // one for each JSON text read since at()
  std::size_t parsers_used_ = 0;
  bool waits_ = false;
  std::uint64_t waiting_for_ = 0;  // the backfill that waiting_ is of
  Waiting waiting_;
  int depth_ = 0;  // computed traits reading computed traits
};

}  // namespace sluice::view
