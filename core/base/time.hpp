// Time as the journal and the state know it: microseconds since 1970-01-01 UTC in a signed 64-bit number.
// Texts are read and written without locale. Calendar arithmetic (mo, y, zones) is in base/calendar.hpp.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

using TimeUs = std::int64_t;
using DurationUs = std::int64_t;

inline constexpr TimeUs no_time = std::numeric_limits<TimeUs>::min();
inline constexpr TimeUs never = std::numeric_limits<TimeUs>::max();
inline constexpr DurationUs us_per_ms = 1'000;
inline constexpr DurationUs us_per_s = 1'000'000;
inline constexpr DurationUs us_per_min = 60 * us_per_s;
inline constexpr DurationUs us_per_h = 60 * us_per_min;
inline constexpr DurationUs us_per_d = 24 * us_per_h;

// Days since 1970-01-01 of a civil date of the proleptic Gregorian calendar, and back.
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day);
struct Civil {
  std::int64_t year;
  unsigned month, day;  // 1 to 12, 1 to 31
};
Civil civil_from_days(std::int64_t days);

// RFC 3339 and what real clients send beside it: "2026-11-22", "2026-11-22T15:30:11.722Z", "2026-11-22
// 15:30:11+01:00". A time without a zone is UTC; digits beyond microseconds are dropped. Nothing else may
// stand around it.
std::optional<TimeUs> parse_time(std::string_view text);

// "2026-11-22T15:30:11.722Z": UTC, milliseconds; microseconds only when they are not zero.
std::string format_time(TimeUs time);

// A length of time as config.md writes it: "90s", "15m", "1h30m", "7d", "2w", "500ms"; months and years are
// calendar units and so kept apart. "7 days", "1 hour" are read too.
struct Span {
  std::int32_t months = 0;  // mo and y
  DurationUs us = 0;        // everything else
  bool operator==(const Span&) const = default;
};
std::optional<Span> parse_span(std::string_view text);
// The same without calendar units.
std::optional<DurationUs> parse_duration(std::string_view text);
std::string format_duration(DurationUs duration);  // "1h30m"
// `time` plus (sign 1) or minus (sign -1) a span, in UTC; the day of the month is cut to the month's length.
TimeUs add_span(TimeUs time, Span span, int sign = 1);

}  // namespace sluice
