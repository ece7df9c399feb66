// sluice/time.hpp - a record's time as calendar and as text, for connectors. UTC, the Gregorian calendar, no
// locale. Standard library only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace sluice::sdk {

struct Civil {
  std::int64_t year = 1970;
  std::int64_t month = 1, day = 1;  // from 1
  std::int64_t hour = 0, minute = 0, second = 0, millisecond = 0;
  std::int64_t weekday = 4;  // 0: Sunday
};

// H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days. Microseconds are cut to
// milliseconds.
constexpr Civil civil_of(std::int64_t time_us) {
  constexpr std::int64_t us_per_day = 86'400'000'000;
  const std::int64_t rest = (time_us % us_per_day + us_per_day) % us_per_day;
  const std::int64_t day = (time_us - rest) / us_per_day;  // since 1970-01-01
  const std::int64_t shifted_day = day + 719'468;          // since 0000-03-01
  const std::int64_t era = (shifted_day >= 0 ? shifted_day : shifted_day - 146'096) / 146'097;
  const std::int64_t day_of_era = shifted_day - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;  // 0: March
  Civil out;
  out.month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  out.year = year_of_era + era * 400 + (out.month <= 2 ? 1 : 0);
  out.day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  out.hour = rest / 3'600'000'000;
  out.minute = rest / 60'000'000 % 60;
  out.second = rest / 1'000'000 % 60;
  out.millisecond = rest / 1'000 % 1'000;
  out.weekday = ((day + 4) % 7 + 7) % 7;
  return out;
}
static_assert(civil_of(951'782'400'000'000).day == 29);  // 2000-02-29
static_assert(civil_of(-1).year == 1969 && civil_of(-1).millisecond == 999 && civil_of(-1).weekday == 3);

inline void append_digits(std::string& out, std::int64_t value, std::size_t count) {
  char digits[20];
  for (std::size_t i = count; i-- > 0; value /= 10) digits[i] = static_cast<char>('0' + value % 10);
  out.append(digits, count);
}

// RFC 3339 in UTC: 2026-03-01T10:00:00.000Z. For years 0 to 9999.
inline void append_time(std::string& out, std::int64_t time_us) {
  const Civil at = civil_of(time_us);
  char text[] = "0000-00-00T00:00:00.000Z";
  const auto put = [&text](std::size_t end, std::int64_t value, int digits) {
    for (; digits > 0; --digits, value /= 10) text[--end] = static_cast<char>('0' + value % 10);
  };
  put(4, at.year, 4);
  put(7, at.month, 2);
  put(10, at.day, 2);
  put(13, at.hour, 2);
  put(16, at.minute, 2);
  put(19, at.second, 2);
  put(23, at.millisecond, 3);
  out.append(text, sizeof text - 1);
}

}  // namespace sluice::sdk
