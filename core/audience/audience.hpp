// Who is in which audience. Only the audiences that an input or a moment can change are evaluated, each after
// those that it reads; entering and leaving are recorded with their time and cause.
#pragma once

#include <vector>

#include "state/state.hpp"
#include "view/compiled.hpp"
#include "view/context.hpp"

namespace sluice::audience {

struct Change {
  std::size_t audience = 0;  // slot
  bool entered = false;
};

// Evaluates the audiences in `readers` for the person at which `context` stands; enters what reads a change
// into `readers`. `by_time`: a moment has come, no event. Returns the changes in the order in which they were
// made.
std::vector<Change> update(state::State& state, state::Profile& profile, view::PersonContext& context,
                           const view::Compiled& compiled, view::Readers& readers, TimeUs now,
                           std::uint64_t cause, bool by_time);

// What the history that was read again says of an audience that waited for it: `past` since when, or null.
// True if the person was not inside before, or was.
bool set_past(state::State& state, state::Profile& profile, const view::Compiled& compiled, std::size_t slot,
              const state::Membership* past);

// Audiences that the configuration no longer has: the person leaves them without a word to anybody.
void drop_unknown(state::State& state, state::Profile& profile, const view::Compiled& compiled);

}  // namespace sluice::audience
