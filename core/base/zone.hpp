// Calendar days of a time zone. Reads the machine's zone data, which an epoch names (zone_data_version()).
#pragma once

#include <string>
#include <string_view>

#include "base/time.hpp"

namespace date {
class time_zone;
}

namespace sluice {

using Zone = date::time_zone;

// A zone by its IANA name, "Europe/Paris"; lives for ever. Null: there is none of that name. [any]
const Zone* find_zone(std::string_view name);

// The first moment of the zone's (null: UTC's) calendar day that lies `days` after (before, if negative) the
// day of `time`. A day begins at its midnight, at the clock change that leaves that out, or at the first of
// two midnights; it lasts until the next one begins, even where the clock goes back over midnight: days never
// overlap.
TimeUs day_start(const Zone* zone, TimeUs time, std::int64_t days);

std::string zone_data_version();  // "2025b"; empty: this machine has no zone data

}  // namespace sluice
