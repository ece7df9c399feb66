// What one person's events of one kind add up to: running totals over all time, and the entries that sliding
// windows look at. A series is what `events(NAME).where(…)` with one value expression keeps; several windows
// share it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/decimal.hpp"
#include "base/time.hpp"
#include "state/entries.hpp"
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
// something: of most people who come by, most series are not. Bytes that still hold go back as they are. They
// are borrowed from the row.
class Series {  // one thread changes it; while none does, any number may read
 public:
  Series();
  ~Series();
  Series(const Series& other);
  Series(Series&& other) noexcept;
  Series& operator=(const Series& other);  // a copy borrows from no row
  Series& operator=(Series&& other) noexcept;

  mutable NextChange change;  // [step] kept by view::PersonContext
  std::uint64_t key = 0;      // hash of what it counts: the same across configurations

  // Adds one event. `value` is none for count; one that is missing in the event counts for count alone.
  // False: the oldest entries had to go.
  bool add(TimeUs time, std::uint64_t seq, StoredValue value, const SeriesNeeds& needs, TimeUs now);
  // Takes the other's totals and entries in: two people became one.
  void merge(const Series& other, const SeriesNeeds& needs, TimeUs now);

  const Entries& entries() const { return kept().entries; }
  // The entries in the window up to and with now.
  Stretch window(TimeUs now, const Window& within) const;
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

  void bring_near() const;  // asks for the memory that write() looks at

  // As part of a person's row, in either spelling (spelling.hpp). read() uses the memory that is there again.
  template <typename Writer>
  void write(Writer& w) const;
  template <typename Reader>
  void read(Reader& r);

 private:
  struct Kept {
    Entries entries;
    std::uint64_t count = 0, numbers = 0;
    Decimal total;
    StoredValue smallest, largest;
    Extreme first, last;
    std::vector<Distinct> distinct;
    bool overflowed = false;

    bool counts_over_all_time() const;
    bool insert(const SeriesEntry& entry);
    void count_distinct(const StoredValue& value, std::uint64_t count);
    void add_totals(const Extreme& event, bool distinct);
    template <typename Writer>
    void write(Writer& w) const;
    template <typename Reader>
    void read(Reader& r);
  };

  const Kept& kept() const {
    if (std::atomic_ref(folded_).load(std::memory_order_acquire)) unfold();
    return kept_ != nullptr ? *kept_ : nothing();
  }
  static const Kept& nothing();
  Kept& changing();
  void unfold() const;
  void trim(DurationUs window_max, TimeUs now);

  // Null: nothing was added yet, or it is folded, and was before. Apart, so that people in the pool whose
  // series nobody asks lie close together.
  mutable std::unique_ptr<Kept> kept_;
  std::string_view packed_;      // what it packs to, in the row that it was read from; empty: it has changed
  mutable bool folded_ = false;  // packed_ is not read into kept_ yet
};

}  // namespace sluice::state
