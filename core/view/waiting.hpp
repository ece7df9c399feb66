// What a configuration cannot say yet because the past has not been read again: see state/backfill.hpp. What
// reads it waits, as it was: audiences and profile routes are not evaluated, values are unknown.
#pragma once

#include <string>
#include <vector>

#include "state/backfill.hpp"
#include "view/compiled.hpp"

namespace sluice::view {

struct Waiting {
  std::vector<bool> series, sequences, aggregates;  // by slot
  Readers readers;  // audiences, and profile routes, that read them in any way
  bool audience(const Compiled& compiled, std::size_t slot) const {
    return readers.audiences.test(compiled.audience_ranks[slot]);
  }
  bool any = false;
  // Their names, as people know them: computed traits, audiences, profile routes.
  std::vector<std::string> names(const Compiled& compiled) const;
};

// Of everybody who has not got their past yet.
Waiting waiting(const Compiled& compiled, const state::Backfill& backfill);

}  // namespace sluice::view
