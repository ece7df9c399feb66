// Dates and times in cells: patterns as spreadsheets write them, local times to UTC.
//
// A pattern: yyyy yy MM M dd d HH H hh h mm ss SSS a (AM or PM), every other character for itself, letters
// within ' '; what stands in [ ] may be missing. One-letter forms take one or two digits. yy is 1970 to 2069.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace csv {

struct LocalTime {
  int year = 1970;
  unsigned month = 1, day = 1, hour = 0, minute = 0, second = 0, millisecond = 0;
};

class DatePattern {
 public:
  // Nothing when the pattern holds a letter that means nothing, or no complete date.
  static std::optional<DatePattern> compile(std::string_view pattern);
  // The whole text, and a day that exists.
  std::optional<LocalTime> match(std::string_view text) const;

 private:
  enum class Field : std::uint8_t {
    literal,
    year,
    year2,
    month,
    day,
    hour,
    hour12,
    minute,
    second,
    millisecond,
    half,
    skip
  };
  struct Item {
    Field field = Field::literal;
    unsigned least = 0, most = 0;  // digits
    char literal = 0;
    std::size_t until = 0;  // skip: where the optional part ends
  };
  bool match_from(std::size_t item, std::string_view text, LocalTime& out, int& half) const;
  static bool set(Field field, unsigned number, LocalTime& out);
  std::vector<Item> items_;
};

// Local times of one IANA zone as RFC 3339 UTC texts. One thread at a time: it remembers the last offset.
class Zone {
 public:
  // Nothing when the system's database has no such zone.
  static std::optional<Zone> find(const std::string& name);
  // "2010-12-01T08:26:00Z", with milliseconds where there are any. A time that the clocks skipped is the
  // moment of the jump, one that came twice is the first.
  void append_utc(std::string& out, const LocalTime& local);

 private:
  const void* zone_ = nullptr;                      // date::time_zone; null: UTC
  std::int64_t from_ = 0, until_ = 0, offset_ = 0;  // local seconds within which the offset holds for certain
  std::int64_t to_utc(std::int64_t local);
};

}  // namespace csv
