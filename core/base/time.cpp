#include "base/time.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace sluice {

// Howard Hinnant's civil-date algorithms (chrono-Compatible Low-Level Date Algorithms): eras of 400 years,
// years from March.
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}

Civil civil_from_days(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned march_month = (5 * day_of_year + 2) / 153;
  const unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0), month,
          day_of_year - (153 * march_month + 2) / 5 + 1};
}

namespace {

unsigned days_in_month(std::int64_t year, unsigned month) {
  static constexpr std::array<unsigned, 12> days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : days[month - 1];
}

// Reads fixed-width digits and separators off the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}
  bool done() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool eat(char c) {
    if (peek() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool digits(unsigned count, unsigned& out) {
    if (rest_.size() < count) return false;
    out = 0;
    for (unsigned i = 0; i < count; ++i) {
      const char c = rest_[i];
      if (c < '0' || c > '9') return false;
      out = out * 10 + static_cast<unsigned>(c - '0');
    }
    rest_.remove_prefix(count);
    return true;
  }
  bool is_digit() const { return peek() >= '0' && peek() <= '9'; }

 private:
  std::string_view rest_;
};

bool scan_fraction(Scanner& in, DurationUs& us) {
  if (!in.eat('.') && !in.eat(',')) return true;
  if (!in.is_digit()) return false;
  for (DurationUs unit = 100'000; in.is_digit(); unit /= 10) {
    unsigned digit = 0;
    (void)in.digits(1, digit);
    us += unit * digit;
  }
  return true;
}

bool scan_zone(Scanner& in, TimeUs& time) {
  if (in.done() || in.eat('Z') || in.eat('z')) return true;
  const bool east = in.peek() == '+';
  if (!in.eat('+') && !in.eat('-')) return false;
  unsigned hours = 0;
  unsigned minutes = 0;
  if (!in.digits(2, hours) || hours > 23) return false;
  (void)in.eat(':');
  if (!in.done() && (!in.digits(2, minutes) || minutes > 59)) return false;
  const DurationUs offset = hours * us_per_h + minutes * us_per_min;
  time += east ? -offset : offset;
  return true;
}

}  // namespace

std::optional<TimeUs> parse_time(std::string_view text) {
  Scanner in(text);
  unsigned year = 0;
  unsigned month = 0;
  unsigned day = 0;
  if (!in.digits(4, year) || !in.eat('-') || !in.digits(2, month) || !in.eat('-') || !in.digits(2, day))
    return {};
  if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return {};
  TimeUs time = days_from_civil(year, month, day) * us_per_d;
  if (in.done()) return time;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  if (!in.eat('T') && !in.eat(' ') && !in.eat('t')) return {};
  if (!in.digits(2, hour) || !in.eat(':') || !in.digits(2, minute)) return {};
  if (in.eat(':') && !in.digits(2, second)) return {};
  if (hour > 23 || minute > 59 || second > 60) return {};
  time += hour * us_per_h + minute * us_per_min + second * us_per_s;
  if (!scan_fraction(in, time)) return {};
  if (in.peek() == ' ') (void)in.eat(' ');
  if (!scan_zone(in, time) || !in.done()) return {};
  return time;
}

std::string format_time(TimeUs time) {
  std::int64_t days = time / us_per_d;
  std::int64_t rest = time % us_per_d;
  if (rest < 0) {
    rest += us_per_d;
    --days;
  }
  const Civil date = civil_from_days(days);
  const auto us = static_cast<int>(rest % us_per_s);
  rest /= us_per_s;
  std::array<char, 64> out{};
  const int n = std::snprintf(
      out.data(), out.size(),
      us % 1000 == 0 ? "%04lld-%02u-%02uT%02d:%02d:%02d.%03dZ" : "%04lld-%02u-%02uT%02d:%02d:%02d.%06dZ",
      static_cast<long long>(date.year), date.month, date.day, static_cast<int>(rest / 3600),
      static_cast<int>(rest / 60 % 60), static_cast<int>(rest % 60), us % 1000 == 0 ? us / 1000 : us);
  return {out.data(), static_cast<std::size_t>(n)};
}

namespace {
struct Unit {
  std::string_view name;
  std::int32_t months;
  DurationUs us;
};
constexpr std::array<Unit, 26> units{{
    {"ms", 0, us_per_ms},
    {"s", 0, us_per_s},
    {"m", 0, us_per_min},
    {"h", 0, us_per_h},
    {"d", 0, us_per_d},
    {"w", 0, 7 * us_per_d},
    {"mo", 1, 0},
    {"y", 12, 0},
    {"sec", 0, us_per_s},
    {"second", 0, us_per_s},
    {"seconds", 0, us_per_s},
    {"min", 0, us_per_min},
    {"minute", 0, us_per_min},
    {"minutes", 0, us_per_min},
    {"hour", 0, us_per_h},
    {"hours", 0, us_per_h},
    {"day", 0, us_per_d},
    {"days", 0, us_per_d},
    {"week", 0, 7 * us_per_d},
    {"weeks", 0, 7 * us_per_d},
    {"month", 1, 0},
    {"months", 1, 0},
    {"year", 12, 0},
    {"years", 12, 0},
    {"us", 0, 1},
    {"min.", 0, us_per_min},
}};
constexpr std::int64_t span_count_max = 1'000'000'000;  // keeps every product inside 64 bits
}  // namespace

std::optional<Span> parse_span(std::string_view text) {
  Span span;
  if (text.empty()) return {};
  std::size_t i = 0;
  while (i < text.size()) {
    std::int64_t count = 0;
    const std::size_t first = i;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
      count = count * 10 + (text[i] - '0');
      if (count > span_count_max) return {};
    }
    if (i == first) return {};
    while (i < text.size() && text[i] == ' ') ++i;
    std::size_t end = i;
    while (end < text.size() && text[end] >= 'a' && text[end] <= 'z') ++end;
    const auto* unit = std::find_if(units.begin(), units.end(),
                                    [&](const Unit& u) { return u.name == text.substr(i, end - i); });
    if (unit == units.end()) return {};
    if (unit->months != 0 && count > 12'000) return {};
    if (unit->us != 0 && count > std::numeric_limits<std::int64_t>::max() / 4 / unit->us) return {};
    span.months += static_cast<std::int32_t>(count) * unit->months;
    span.us += count * unit->us;
    i = end;
    while (i < text.size() && text[i] == ' ') ++i;
  }
  return span;
}

std::optional<DurationUs> parse_duration(std::string_view text) {
  const auto span = parse_span(text);
  if (!span || span->months != 0) return {};
  return span->us;
}

std::string format_duration(DurationUs duration) {
  if (duration == 0) return "0s";
  std::string out;
  if (duration < 0) {
    out = "-";
    duration = -duration;
  }
  static constexpr std::array<std::pair<const char*, DurationUs>, 6> parts{
      {{"d", us_per_d}, {"h", us_per_h}, {"m", us_per_min}, {"s", us_per_s}, {"ms", us_per_ms}, {"us", 1}}};
  for (const auto& [name, us] : parts) {
    if (duration >= us) {
      out += std::to_string(duration / us) + name;
      duration %= us;
    }
  }
  return out;
}

TimeUs add_span(TimeUs time, Span span, int sign) {
  if (span.months != 0) {
    std::int64_t days = time / us_per_d;
    std::int64_t rest = time % us_per_d;
    if (rest < 0) {
      rest += us_per_d;
      --days;
    }
    const Civil date = civil_from_days(days);
    const std::int64_t months = date.year * 12 + date.month - 1 + sign * span.months;
    const std::int64_t year = (months >= 0 ? months : months - 11) / 12;
    const auto month = static_cast<unsigned>(months - year * 12) + 1;
    time = days_from_civil(year, month, std::min(date.day, days_in_month(year, month))) * us_per_d + rest;
  }
  return time + sign * span.us;
}

}  // namespace sluice
