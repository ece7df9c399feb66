// The stretch of time up to now that an aggregate looks at: an exact length, or whole calendar days of the
// person.
#pragma once

#include <cstdint>

#include "base/time.hpp"
#include "base/zone.hpp"

namespace sluice::state {

struct Window {
  DurationUs length = 0;
  std::uint32_t days = 0;      // calendar days, today the last; 0: `length` holds
  const Zone* zone = nullptr;  // whose days; null: UTC's

  Window(DurationUs l) : length(l) {}  // NOLINT(google-explicit-constructor): a length is a window
  Window(std::uint32_t d, const Zone* z) : days(d), zone(z) {}

  // What happened at this moment or before it is outside at `now`.
  TimeUs before(TimeUs now) const {
    return days == 0 ? now - length : day_start(zone, now, 1 - std::int64_t{days}) - 1;
  }
  // When what happened at `time` goes out.
  TimeUs leaves(TimeUs time) const {
    return days == 0 ? time + length : day_start(zone, time, std::int64_t{days});
  }
};

// Kept beside what windows look at, and no part of a row: when time alone changes what is asked of it.
struct NextChange {
  TimeUs at = no_time;   // no_time: not known
  bool touched = false;  // something came since: `at` does not hold
  bool holds(TimeUs now) const { return !touched && at > now; }
};

// So long back a person's own days can reach, wherever the person goes: zones lie 26 hours apart, and clocks
// change.
inline constexpr DurationUs days_reach(std::uint32_t days) {
  return (std::int64_t{days} + 3) * us_per_d;
}

}  // namespace sluice::state
