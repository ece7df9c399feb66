#include "base/zone.hpp"

#include <chrono>
#include <stdexcept>

#include <date/tz.h>

namespace sluice {

namespace {

using std::chrono::microseconds;

TimeUs start_of(const Zone& zone, date::local_days day) {
  const date::local_info midnight = zone.get_info(day);
  const auto start = midnight.result == date::local_info::nonexistent
                         ? midnight.first.end
                         : date::sys_seconds{day.time_since_epoch() - midnight.first.offset};
  return microseconds{start.time_since_epoch()}.count();
}

}  // namespace

const Zone* find_zone(std::string_view name) {
  try {
    return date::locate_zone(name);
  } catch (const std::exception&) {  // none of that name, or no zone data
    return nullptr;
  }
}

TimeUs day_start(const Zone* zone, TimeUs time, std::int64_t days) {
  if (zone == nullptr) {
    const std::int64_t day = time / us_per_d - (time % us_per_d < 0 ? 1 : 0);
    return (day + days) * us_per_d;
  }
  const date::sys_time<microseconds> at{microseconds{time}};
  date::local_days day{date::floor<date::days>(at.time_since_epoch() + zone->get_info(at).offset)};
  while (start_of(*zone, day + date::days{1}) <= time) day += date::days{1};
  return start_of(*zone, day + date::days{days});
}

std::string zone_data_version() {
  try {
    return date::get_tzdb().version;
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace sluice
