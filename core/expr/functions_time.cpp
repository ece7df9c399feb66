// Parts of times, in UTC or in a zone.
#include <chrono>
#include <stdexcept>

#include <date/tz.h>

#include "expr/functions.hpp"
#include "expr/operators.hpp"

namespace sluice::expr {

namespace {

// "+02:00", "-09:30", "02:00": a fixed distance from UTC.
bool fixed_offset(std::string_view zone, DurationUs& offset) {
  const bool negative = zone.starts_with('-');
  if (negative || zone.starts_with('+')) zone.remove_prefix(1);
  if (zone.size() != 5 || zone[2] != ':') return false;
  for (const std::size_t i : {0U, 1U, 3U, 4U}) {
    if (zone[i] < '0' || zone[i] > '9') return false;
  }
  const int hours = (zone[0] - '0') * 10 + (zone[1] - '0');
  const int minutes = (zone[3] - '0') * 10 + (zone[4] - '0');
  if (hours > 23 || minutes > 59) return false;
  offset = (hours * us_per_h + minutes * us_per_min) * (negative ? -1 : 1);
  return true;
}

bool zone_offset(std::string_view zone, TimeUs time, DurationUs& offset) {
  if (zone == "UTC" || zone == "Z" || zone.empty()) return offset = 0, !zone.empty();
  if (fixed_offset(zone, offset)) return true;
  try {
    const date::sys_time<std::chrono::microseconds> at{std::chrono::microseconds{time}};
    offset = std::chrono::microseconds(date::locate_zone(zone)->get_info(at).offset).count();
    return true;
  } catch (const std::exception&) {  // no zone of that name
    return false;
  }
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

Value part_of_duration(Function function, DurationUs d) {
  switch (function) {
    case Function::hours:
      return Value::integer(d / us_per_h);
    case Function::minutes:
      return Value::integer(d / us_per_min);
    case Function::seconds:
      return Value::integer(d / us_per_s);
    case Function::milliseconds:
      return Value::integer(d % us_per_s / us_per_ms);
    default:
      return Value::unknown("a duration has no date");
  }
}

}  // namespace

bool known_zone(std::string_view zone) {
  DurationUs offset = 0;
  return zone_offset(zone, 0, offset);
}

Value call_time_function(Function function, std::span<const Value> args) {
  Value moment = args[0];
  if (moment.kind() == Value::Kind::duration) return part_of_duration(function, nanoseconds(moment) / 1000);
  if (moment.kind() == Value::Kind::string) {
    const auto time = parse_time(moment.as_text());
    if (!time) return Value::unknown("the text is no time");
    moment = checked_timestamp(*time);
  }
  if (moment.kind() != Value::Kind::timestamp) return Value::unknown("it is no time");
  std::int64_t us = moment.as_integer();
  if (args.size() > 1) {
    DurationUs offset = 0;
    if (args[1].kind() != Value::Kind::string || !zone_offset(args[1].as_text(), us, offset)) {
      return Value::unknown("no time zone has this name");
    }
    us += offset;
  }
  const std::int64_t days = floor_divide(us, us_per_d);
  const std::int64_t in_day = us - days * us_per_d;
  const Civil civil = civil_from_days(days);
  switch (function) {
    case Function::full_year:
      return Value::integer(civil.year);
    case Function::month:
      return Value::integer(civil.month - 1);
    case Function::day_of_month:
      return Value::integer(civil.day - 1);
    case Function::date:
      return Value::integer(civil.day);
    case Function::day_of_week:
      return Value::integer(((days + 4) % 7 + 7) % 7);  // 1970-01-01 was a Thursday
    case Function::day_of_year:
      return Value::integer(days - days_from_civil(civil.year, 1, 1));
    case Function::hours:
      return Value::integer(in_day / us_per_h);
    case Function::minutes:
      return Value::integer(in_day / us_per_min % 60);
    case Function::seconds:
      return Value::integer(in_day / us_per_s % 60);
    default:
      return Value::integer(in_day / us_per_ms % 1000);
  }
}

}  // namespace sluice::expr
