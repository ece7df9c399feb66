// Inside this room: what the pipeline makes anew with each configuration.
#pragma once

#include <algorithm>
#include <vector>

#include "hub/foresight.hpp"
#include "hub/pipeline.hpp"
#include "unify/identity.hpp"
#include "unify/reader.hpp"
#include "view/compiled.hpp"
#include "view/context.hpp"
#include "view/effects.hpp"

namespace sluice::hub {

// Whether somebody is marked whose workflows are still to start: pipeline_found.cpp.
bool anybody_found(const state::State& state);
// Whether a list is being given anew: resync.cpp.
bool resync_under_way(const state::State& state);

struct Pipeline::Parts {
  Parts(const view::Compiled& compiled, state::State& state)
      : foresight(*compiled.config, state),
        reader(*compiled.config),
        identity(compiled, &state),
        context(compiled, state),
        effects(compiled),
        found_left(anybody_found(state)),
        resyncing(resync_under_way(state)) {
    readers.resize(compiled.config->audiences.size(), compiled.config->routes.size());
    new_routes.resize(compiled.config->routes.size());
  }
  void nothing_is_new() { std::fill(new_routes.begin(), new_routes.end(), false); }

  Foresight foresight;
  unify::Reader reader;  // of records
  unify::Identity identity;
  view::PersonContext context;
  view::EffectList effects;
  view::Readers readers;           // of the person at hand; cleared for each
  std::vector<std::size_t> found;  // audiences that a change, not an input, has put the person at hand into
  bool found_left;                 // anybody_found(): asked with each input
  bool resyncing;                  // resync_under_way(): likewise
  TimeUs resync_due = never;       // of the route whose list is next to be replaced
  std::vector<bool> new_routes;    // by slot, of the person at hand: came with what has now come to them
};

}  // namespace sluice::hub
