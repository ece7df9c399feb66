// What an event says about its person: traits, consent, and what computed traits and audiences count.
#pragma once

#include <vector>

#include "model/event.hpp"
#include "state/state.hpp"
#include "view/compiled.hpp"
#include "view/context.hpp"

namespace sluice::unify {

struct ConsentChange {
  std::string_view purpose;  // borrowed from the configuration
  bool granted;
};

// Applies traits: the newest event time wins, `null` removes, a public source never overwrites what a server
// source said, computed names are the hub's own, an anonymous source says no names, e-mails and phones. What
// changed is entered into `readers`.
void apply_traits(state::State& state, state::Profile& profile, const Event& event,
                  const view::Compiled& compiled, view::Readers& readers);

// Applies consent: the newest event time wins, a refusal wins a tie. Returns what changed.
std::vector<ConsentChange> apply_consent(state::State& state, state::Profile& profile, const Event& event,
                                         const view::Compiled& compiled, view::Readers& readers);

// Counts a track, page or screen event into the series that take it. `context` stands at the profile and the
// event. Returns how many of its series and sequences were full: the person's oldest events there are
// forgotten.
std::size_t apply_counts(state::Profile& profile, const Event& event, const view::Compiled& compiled,
                         view::PersonContext& context, std::uint64_t seq, TimeUs now, view::Readers& readers);

}  // namespace sluice::unify
