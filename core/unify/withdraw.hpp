// Records of a source that are people (streams with `deleted: drop_source`): which person is which record,
// and what happens when the last record of somebody goes.
#pragma once

#include <vector>

#include "model/event.hpp"
#include "state/state.hpp"
#include "unify/facts.hpp"

namespace sluice::unify {

// The record that `event` came from is this person from now on, whoever it was before.
void know_entity(state::State& state, state::Profile& profile, const Event& event);

// The record is gone. The person that it was, if no other record of the source is that person; else null.
state::Profile* forget_entity(state::State& state, std::string_view source, std::string_view stream,
                              std::string_view entity);

// Takes back what the source said: its traits, and its consent. A yes becomes a no, dated `time`; a no stays.
// Returns what changed.
std::vector<ConsentChange> withdraw_facts(state::Profile& profile, state::NameId source, TimeUs time,
                                          const view::Compiled& compiled);
// And the identifiers that no other source has said; true if there were any.
bool withdraw_identifiers(state::State& state, state::Profile& profile, state::NameId source);

}  // namespace sluice::unify
