// Why a person is in an audience, or is not: its condition as a tree, each part with its value, and what
// stands behind it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "state/state.hpp"
#include "view/compiled.hpp"
#include "view/context.hpp"

namespace sluice::view {

inline constexpr std::size_t explained_events_max = 10;  // of one part that are shown, the newest

struct ExplainedEvent {
  TimeUs time = 0;
  std::uint64_t seq = 0;  // of the input
  std::string value;      // JSON of what the aggregate takes; empty: it takes none
  std::string step;       // of a sequence: the event's name
};

struct Reason {
  std::size_t depth = 0;
  std::string text, value, why;  // of expr::ExplainedPart
  // A trait that a source sent: who said it, and when. An audience: since when the person is in it.
  std::string source;
  TimeUs since = no_time;
  // Events of a window that count now, and when time alone changes which (never: it does not). Of a sequence
  // the events that completed it count, and those shown are the steps of the newest.
  bool windowed = false;
  std::uint64_t events_total = 0;
  std::vector<ExplainedEvent> events;  // oldest first
  TimeUs changes_at = never;
  bool forgotten = false;  // there were more events than are kept: the oldest are missing
};

// `context` stands at the person and moment. Computed traits and audiences that the condition reads are
// explained below the part that reads them.
std::vector<Reason> explain(const expr::Program& program, const Compiled& compiled, const state::State& state,
                            const state::Profile& profile, PersonContext& context, TimeUs now);

}  // namespace sluice::view
