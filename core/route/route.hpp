// Standing rules: what leaves for which destination. Payloads are mapped and frozen here; delivery never
// reads the state.
#pragma once

#include "model/event.hpp"
#include "view/compiled.hpp"
#include "view/context.hpp"
#include "view/effects.hpp"

namespace sluice::route {

// Counted by the pipeline for metrics.
struct Tally {
  std::uint64_t suppressed = 0;  // consent was missing when the record would have been made
};

// Track events by name, through `where:` and consent, mapped by `fields:` or as they are.
void route_event(const state::Profile& profile, const Event& event, const view::Compiled& compiled,
                 view::PersonContext& context, view::EffectList& out, Tally& tally);

// Somebody has granted a purpose: the lists of the audiences that they are in already, and that it was asked
// for.
void route_granted(const state::Profile& profile, std::string_view purpose, TimeUs now,
                   const view::Compiled& compiled, view::PersonContext& context, view::EffectList& out,
                   Tally& tally);

// Somebody entered or left an audience.
void route_membership(const state::Profile& profile, std::size_t audience, bool entered, TimeUs now,
                      const view::Compiled& compiled, view::PersonContext& context, view::EffectList& out,
                      Tally& tally);

// The same by one route alone. The record, until the next one is added; null: consent is missing.
Effect* route_list(const state::Profile& profile, std::size_t route, bool entered, TimeUs now,
                   const view::Compiled& compiled, view::PersonContext& context, view::EffectList& out,
                   Tally& tally);

// Profile routes whose slots are in `readers`, or all of them where the person's identifiers changed: sends
// the fields that are not what was sent last.
void route_profile(state::State& state, state::Profile& profile, const view::SlotSet& routes,
                   bool identifiers_changed, TimeUs now, const view::Compiled& compiled,
                   view::PersonContext& context, view::EffectList& out, Tally& tally);

// Sends all that a profile route maps, as if nothing had been sent before.
void resend(state::State& state, state::Profile& profile, std::size_t route, TimeUs now,
            const view::Compiled& compiled, view::PersonContext& context, view::EffectList& out,
            Tally& tally);

// A person has become another: the audiences' destinations hear that the old one has left.
void route_merged(const state::Profile& loser, TimeUs now, const view::Compiled& compiled,
                  view::PersonContext& context, view::EffectList& out, Tally& tally);

// A route that is new for this person without `backfill`: what it would send now counts as sent.
void mark_silent(state::State& state, state::Profile& profile, std::size_t route,
                 const view::Compiled& compiled, view::PersonContext& context);

}  // namespace sluice::route
