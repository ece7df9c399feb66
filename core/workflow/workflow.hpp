// What happens in sequence: a trigger starts a run for one person, its steps wait and send. A run is state:
// where it stands and when it wakes. One person has at most one run of a workflow at a time.
#pragma once

#include "model/event.hpp"
#include "view/compiled.hpp"
#include "view/context.hpp"
#include "view/effects.hpp"

namespace sluice::workflow {

struct Tally {
  std::uint64_t started = 0, ended = 0, sent = 0;
  std::uint64_t suppressed = 0;  // a send without consent
};

// Starts the workflows that this event, or this change of an audience, triggers. `context` stands at the
// person and event.
void on_event(state::State& state, state::Profile& profile, const Event& event, TimeUs now,
              const view::Compiled& compiled, view::PersonContext& context, view::EffectList& out,
              Tally& tally);
void on_membership(state::State& state, state::Profile& profile, std::size_t audience, bool entered,
                   const Event* event, TimeUs now, const view::Compiled& compiled,
                   view::PersonContext& context, view::EffectList& out, Tally& tally);

// Likewise for somebody whom a change of the configuration has put into an audience: without a workflow that
// has started for them at or after `since`; never: all of them.
void on_found(state::State& state, state::Profile& profile, std::size_t audience, TimeUs since, TimeUs now,
              const view::Compiled& compiled, view::PersonContext& context, view::EffectList& out,
              Tally& tally);

// Runs whose wait is over at `now` go on.
void wake(state::Profile& profile, TimeUs now, const view::Compiled& compiled, view::PersonContext& context,
          view::EffectList& out, Tally& tally);

// The earliest moment at which a run of this person wakes; `never`.
TimeUs next_wake(const state::Profile& profile);

}  // namespace sluice::workflow
