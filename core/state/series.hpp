// What one person's events of one kind add up to: running totals over all time, and the entries that sliding
// windows look at. A series is what `events(NAME).where(…)` with one value expression keeps; several windows
// share it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/decimal.hpp"
#include "base/time.hpp"
#include "state/value.hpp"
#include "state/window.hpp"

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

// Out of a packed row it comes as the bytes that stood there (packed), and is read when it is first asked for
// something: of most people who come by, most series are not. Bytes that still hold go back as they are.
class Series {  // one thread changes it; while none does, any number may read
 public:
  mutable NextChange change;  // [step] kept by view::PersonContext
  std::uint64_t key = 0;      // hash of what it counts: the same across configurations

  // Adds one event. `value` is none for count; one that is missing in the event counts for count alone.
  // False: the oldest entries had to go.
  bool add(TimeUs time, std::uint64_t seq, StoredValue value, const SeriesNeeds& needs, TimeUs now);
  // Takes the other's totals and entries in: two people became one.
  void merge(const Series& other, const SeriesNeeds& needs, TimeUs now);

  // Indexes [first, second) of the entries in the window up to and with now.
  std::pair<std::size_t, std::size_t> window(TimeUs now, const Window& within) const;
  const std::vector<SeriesEntry>& entries() const { return kept().entries; }
  // How many of the entries in [first, last) are numbers.
  std::size_t numbers(std::size_t first, std::size_t last) const;
  Decimal sum(std::size_t first, std::size_t last) const;
  // The first moment after `now` at which window() holds other entries: `never` if it will not by time alone.
  TimeUs next_change(TimeUs now, const Window& within) const;
  // The first moment after `now` at which window() turns empty, or not empty.
  TimeUs next_existence_change(TimeUs now, const Window& within) const;

  // Over all time.
  std::uint64_t count() const { return kept().count; }
  std::uint64_t numbers() const { return kept().numbers; }  // how many values were numbers
  Decimal total() const { return kept().total; }
  const StoredValue& smallest() const { return kept().smallest; }
  const StoredValue& largest() const { return kept().largest; }
  const Extreme& first() const { return kept().first; }
  const Extreme& last() const { return kept().last; }
  const std::vector<Distinct>& distinct() const { return kept().distinct; }  // in order of first sight
  bool overflowed() const { return kept().overflowed; }

  // As part of a person's row, in either spelling (spelling.hpp). read() uses the memory that is there again.
  template <typename Writer>
  void write(Writer& w) const;
  template <typename Reader>
  void read(Reader& r);

 private:
  struct Kept {
    std::vector<SeriesEntry> entries;  // by (time, seq)
    std::size_t others = 0;            // how many of them are no numbers
    std::uint64_t count = 0, numbers = 0;
    Decimal total;
    StoredValue smallest, largest;
    Extreme first, last;
    std::vector<Distinct> distinct;
    bool overflowed = false;

    bool counts_over_all_time() const;
    bool insert(SeriesEntry entry);
    void drop_first(std::size_t entries);
    void count_distinct(const StoredValue& value, std::uint64_t count);
    void add_totals(const Extreme& event, bool distinct);
    template <typename Writer>
    void write(Writer& w) const;
    template <typename Reader>
    void read(Reader& r);
  };

  const Kept& kept() const {
    if (std::atomic_ref(folded_).load(std::memory_order_acquire)) unfold();
    return kept_;
  }
  Kept& changing();
  void unfold() const;
  void trim(DurationUs window_max, TimeUs now);

  mutable Kept kept_;
  mutable std::string packed_;   // what kept_ packs to; empty: not known
  mutable bool folded_ = false;  // packed_ holds, and is not read into kept_ yet
};

}  // namespace sluice::state
