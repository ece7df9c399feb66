#include "dates.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <stdexcept>

#include <date/date.h>
#include <date/tz.h>

namespace csv {
namespace {

bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void append_digits(std::string& out, unsigned number, int width) {
  std::array<char, 10> digits{};
  for (int i = width; i-- > 0; number /= 10)
    digits[static_cast<std::size_t>(i)] = static_cast<char>('0' + number % 10);
  out.append(digits.data(), static_cast<std::size_t>(width));
}

}  // namespace

std::optional<DatePattern> DatePattern::compile(std::string_view pattern) {
  struct Token {
    std::string_view text;
    Field field;
    unsigned least, most;
  };
  static constexpr std::array<Token, 14> tokens{{{"yyyy", Field::year, 4, 4},
                                                 {"yy", Field::year2, 2, 2},
                                                 {"MM", Field::month, 2, 2},
                                                 {"M", Field::month, 1, 2},
                                                 {"dd", Field::day, 2, 2},
                                                 {"d", Field::day, 1, 2},
                                                 {"HH", Field::hour, 2, 2},
                                                 {"H", Field::hour, 1, 2},
                                                 {"hh", Field::hour12, 2, 2},
                                                 {"h", Field::hour12, 1, 2},
                                                 {"mm", Field::minute, 2, 2},
                                                 {"ss", Field::second, 2, 2},
                                                 {"SSS", Field::millisecond, 3, 3},
                                                 {"a", Field::half, 2, 2}}};
  DatePattern out;
  std::vector<std::size_t> open;
  unsigned seen = 0;
  while (!pattern.empty()) {
    const char c = pattern.front();
    if (c == '[') {
      open.push_back(out.items_.size());
      out.items_.push_back({.field = Field::skip});
    } else if (c == ']') {
      if (open.empty()) return std::nullopt;
      out.items_[open.back()].until = out.items_.size();
      open.pop_back();
    } else if (c == '\'') {
      const std::size_t close = pattern.find('\'', 1);
      if (close == std::string_view::npos) return std::nullopt;
      for (const char in : pattern.substr(1, close - 1)) out.items_.push_back({.literal = in});
      pattern.remove_prefix(close);
    } else if (letter(c) && c != 'T') {
      const auto* const token = std::find_if(tokens.begin(), tokens.end(),
                                             [&](const Token& t) { return pattern.starts_with(t.text); });
      if (token == tokens.end()) return std::nullopt;
      out.items_.push_back({.field = token->field, .least = token->least, .most = token->most});
      if (open.empty()) seen |= 1U << static_cast<unsigned>(token->field);
      pattern.remove_prefix(token->text.size() - 1);
    } else {
      out.items_.push_back({.literal = c});
    }
    pattern.remove_prefix(1);
  }
  const auto has = [&](Field field) { return (seen >> static_cast<unsigned>(field) & 1U) != 0; };
  const bool whole =
      (has(Field::year) || has(Field::year2)) && has(Field::month) && has(Field::day) && open.empty();
  return whole ? std::optional(std::move(out)) : std::nullopt;
}

bool DatePattern::set(Field field, unsigned number, LocalTime& out) {
  switch (field) {
    case Field::year:
      out.year = static_cast<int>(number);
      return true;
    case Field::year2:
      out.year = static_cast<int>(number < 70 ? 2000 + number : 1900 + number);
      return true;
    case Field::month:
      out.month = number;
      return number >= 1 && number <= 12;
    case Field::day:
      out.day = number;
      return number >= 1 && number <= 31;
    case Field::hour:
      out.hour = number;
      return number < 24;
    case Field::hour12:
      out.hour = number % 12;
      return number >= 1 && number <= 12;
    case Field::minute:
      out.minute = number;
      return number < 60;
    case Field::second:
      out.second = number;
      return number < 60;
    case Field::millisecond:
      out.millisecond = number;
      return true;
    default:
      return false;
  }
}

bool DatePattern::match_from(std::size_t item, std::string_view text, LocalTime& out, int& half) const {
  for (; item < items_.size(); ++item) {
    const Item& want = items_[item];
    if (want.field == Field::skip) {
      LocalTime with = out;
      int with_half = half;
      if (match_from(item + 1, text, with, with_half)) return out = with, half = with_half, true;
      return match_from(want.until, text, out, half);
    }
    if (want.field == Field::literal) {
      if (!text.starts_with(want.literal)) return false;
      text.remove_prefix(1);
      continue;
    }
    if (want.field == Field::half) {
      if (text.size() < 2 || (text[1] | 0x20) != 'm') return false;
      const int first = text[0] | 0x20;
      if (first != 'a' && first != 'p') return false;
      half = first == 'p' ? 12 : 0;
      text.remove_prefix(2);
      continue;
    }
    unsigned digits = 0, number = 0;
    while (digits < want.most && digits < text.size() && digit(text[digits])) {
      number = number * 10 + static_cast<unsigned>(text[digits++] - '0');
    }
    if (digits < want.least || !set(want.field, number, out)) return false;
    text.remove_prefix(digits);
  }
  return text.empty();
}

std::optional<LocalTime> DatePattern::match(std::string_view text) const {
  LocalTime out;
  int half = 0;
  if (text.empty() || text.size() > 64 || !match_from(0, text, out, half)) return std::nullopt;
  if (out.hour < 12) out.hour += static_cast<unsigned>(half);
  const date::year_month_day day{date::year{out.year}, date::month{out.month}, date::day{out.day}};
  return day.ok() ? std::optional(out) : std::nullopt;
}

std::optional<Zone> Zone::find(const std::string& name) {
  Zone out;
  if (name == "UTC" || name == "Etc/UTC") return out;
  try {
    out.zone_ = date::locate_zone(name);
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
  return out;
}

std::int64_t Zone::to_utc(std::int64_t local) {
  if (zone_ == nullptr) return local;
  if (local >= from_ && local < until_) return local - offset_;
  const date::local_seconds time{std::chrono::seconds{local}};
  const auto* const zone = static_cast<const date::time_zone*>(zone_);
  const date::local_info info = zone->get_info(time);
  if (info.result == date::local_info::nonexistent) return info.first.end.time_since_epoch().count();
  offset_ = info.first.offset.count();
  // Two days away from a change of the clocks no local time is doubtful.
  static constexpr std::int64_t margin = 2 * 86'400;
  from_ = info.first.begin.time_since_epoch().count() + margin;
  until_ = info.first.end.time_since_epoch().count() - margin;
  return local - offset_;
}

void Zone::append_utc(std::string& out, const LocalTime& local) {
  const date::local_days day{date::year{local.year} / static_cast<int>(local.month) /
                             static_cast<int>(local.day)};
  const std::int64_t seconds = std::int64_t{day.time_since_epoch().count()} * 86'400 + local.hour * 3600 +
                               local.minute * 60 + local.second;
  const std::int64_t utc = to_utc(seconds);
  const std::int64_t days = utc >= 0 ? utc / 86'400 : -((-utc + 86'399) / 86'400);
  const auto rest = static_cast<unsigned>(utc - days * 86'400);
  const date::year_month_day date{date::sys_days{date::days{static_cast<int>(days)}}};
  append_digits(out, static_cast<unsigned>(std::max(0, static_cast<int>(date.year()))), 4);
  out += '-';
  append_digits(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  append_digits(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  append_digits(out, rest / 3600, 2);
  out += ':';
  append_digits(out, rest / 60 % 60, 2);
  out += ':';
  append_digits(out, rest % 60, 2);
  if (local.millisecond != 0) {
    out += '.';
    append_digits(out, local.millisecond, 3);
  }
  out += 'Z';
}

}  // namespace csv
