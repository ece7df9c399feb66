// What one person's events of one kind add up to: running totals over all time, and the entries that sliding
// windows look at. A series is what `events(NAME).where(…)` with one value expression keeps; several windows
// share it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/decimal.hpp"
#include "base/time.hpp"
#include "state/value.hpp"

namespace sluice::state {

// Entries kept for windows, a person and series; beyond it the oldest go and the series says so
// (`overflowed`).
inline constexpr std::size_t series_entries_max = 50'000;
// Different values kept for unique and top, a person and series; further ones are not counted, `overflowed`
// says so.
inline constexpr std::size_t distinct_values_max = 10'000;

// What a series must keep, from all the aggregates that read it.
struct SeriesNeeds {
  DurationUs window_max = 0;  // longest window; 0: no entries
  bool values = false;        // entries keep their values (all but count and exists)
  bool distinct = false;      // unique or top over all time
  bool totals = false;        // anything over all time (or since a fixed moment)
};

struct SeriesEntry {
  TimeUs time;
  std::uint64_t seq;
  StoredValue value;
  Decimal sum_before;  // of the entries before this one in the vector: a window's sum is one subtraction
};

struct Distinct {
  StoredValue value;
  std::uint64_t count;
};

struct Extreme {  // first or last: by time, then by seq
  TimeUs time = 0;
  std::uint64_t seq = 0;
  StoredValue value;
};

class Series {
 public:
  std::uint64_t key = 0;  // hash of what it counts: the same across configurations

  // Adds one event. `value` is none for count; one that is missing in the event counts for count alone.
  void add(TimeUs time, std::uint64_t seq, StoredValue value, const SeriesNeeds& needs, TimeUs now);
  // Takes the other's totals and entries in: two people became one.
  void merge(const Series& other, const SeriesNeeds& needs, TimeUs now);
  // Drops entries that no window can see any more.
  void trim(DurationUs window_max, TimeUs now);

  // Indexes [first, second) of the entries with time in (now - within, now].
  std::pair<std::size_t, std::size_t> window(TimeUs now, DurationUs within) const;
  const std::vector<SeriesEntry>& entries() const { return entries_; }
  Decimal sum(std::size_t first, std::size_t last) const;
  // The first moment after `now` at which window() holds other entries: `never` if it will not by time alone.
  TimeUs next_change(TimeUs now, DurationUs within) const;
  // The first moment after `now` at which window() turns empty, or not empty.
  TimeUs next_existence_change(TimeUs now, DurationUs within) const;

  // Over all time.
  std::uint64_t count() const { return count_; }
  std::uint64_t numbers() const { return numbers_; }  // how many values were numbers
  Decimal total() const { return total_; }
  const StoredValue& smallest() const { return smallest_; }
  const StoredValue& largest() const { return largest_; }
  const Extreme& first() const { return first_; }
  const Extreme& last() const { return last_; }
  const std::vector<Distinct>& distinct() const { return distinct_; }  // in order of first sight
  bool overflowed() const { return overflowed_; }

  // As part of a person's row, in either spelling (spelling.hpp). read() uses the memory that is there again.
  template <typename Writer>
  void write(Writer& w) const;
  template <typename Reader>
  void read(Reader& r);

 private:
  bool counts_over_all_time() const;
  void insert(SeriesEntry entry);
  void count_distinct(const StoredValue& value, std::uint64_t count);
  void add_totals(const Extreme& event, bool distinct);

  std::vector<SeriesEntry> entries_;  // by (time, seq)
  std::uint64_t count_ = 0, numbers_ = 0;
  Decimal total_;
  StoredValue smallest_, largest_;
  Extreme first_, last_;
  std::vector<Distinct> distinct_;
  bool overflowed_ = false;
};

}  // namespace sluice::state
