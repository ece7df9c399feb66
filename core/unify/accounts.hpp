// What a `group` call says: whose account a person's is, and what is known of the account.
#pragma once

#include "model/event.hpp"
#include "state/state.hpp"

namespace sluice::unify {

struct AccountChange {
  bool joined = false;                // the person belongs to another account now, or to one at last
  state::Account* changed = nullptr;  // traits of it are others now; null: none
};

// Applies the call, as apply_traits() does: the newest event time wins, `null` removes, a public source never
// overwrites what a server source said, neither a trait nor to whom a person belongs. An anonymous source
// says nothing of accounts.
AccountChange apply_group(state::State& state, const state::Profile& profile, const Event& event, TimeUs now);

}  // namespace sluice::unify
