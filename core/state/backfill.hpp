// What the state knows of the past of its series. A series that a configuration asks for anew has not counted
// the events before it: what it adds up to waits until the history has been read again (hub/backfiller.hpp),
// person by person. Kept in one row of the meta table; the step alone writes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.hpp"
#include "model/effect.hpp"
#include "state/profile.hpp"

namespace sluice::state {

struct KeptSeries {
  std::uint64_t series = 0;  // Series::key
  SeriesNeeds needs;         // that it has counted since the first event
};

struct Backfill {
  std::uint64_t id = 0;        // the epoch's input that asks for the past; 0: nothing waits
  std::uint64_t switched = 0;  // the input up to which the past is read; 0: not decided yet
  ProfileId after = nobody;    // whoever has an id up to this one has their past
  std::vector<KeptSeries> kept;
  std::vector<NameId> new_routes;  // that came with a configuration whose past is still missing

  bool waits(ProfileId person) const { return id != 0 && person > after; }
  // What a series has counted since the first event; nothing if it is not known.
  SeriesNeeds needs_of(std::uint64_t series) const;
  bool is_new_route(NameId route) const;

  std::string encode() const;
  static Backfill decode(std::string_view bytes);  // empty bytes: nothing is known
};

// Whether a series that has counted `has` serves `needs`.
bool covers(const SeriesNeeds& has, const SeriesNeeds& needs);
// What is counted from the beginning by a series that had `has` and goes on with `needs`.
SeriesNeeds both(const SeriesNeeds& has, const SeriesNeeds& needs);
inline bool counts_nothing(const SeriesNeeds& needs) {
  return needs.window_max == 0 && !needs.totals;
}

// The series that counts what happens while the past of `series` is read.
inline std::uint64_t beside(std::uint64_t series) {
  return hash64_pair(series, 0x626573696465ULL);
}

}  // namespace sluice::state
