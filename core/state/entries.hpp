// What the windows over one series look at: entries in the order of (time, seq), as delta-coded bytes, the
// way they stand in a packed row (spelling.hpp). Adding one behind the others touches no other; nothing is
// decoded but what a window has lost, and of that at most 2 * `step` entries, from the nearest mark on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/decimal.hpp"
#include "base/time.hpp"
#include "state/value.hpp"

namespace sluice::state {

class PackedReader;
class PackedWriter;

struct SeriesEntry {
  TimeUs time = 0;
  std::uint64_t seq = 0;
  StoredValue value;
};

// Where an entry stands, and what is known of those before it. Holds until the next change.
struct Place {
  std::size_t index = 0;   // so many are before it
  std::size_t offset = 0;  // of its bytes
  TimeUs time = 0;         // of the one before it, from which it is coded
  std::uint64_t seq = 0;   // likewise
  Decimal sum;             // of those before it that are numbers
  std::size_t others = 0;  // how many of them are none
};

// Entries next to each other: [first, last).
struct Stretch {
  Place first, last;

  std::size_t size() const { return last.index - first.index; }
  bool empty() const { return last.index == first.index; }
  std::size_t numbers() const { return size() - (last.others - first.others); }
  Decimal sum() const {
    Decimal sum = last.sum;
    return sum -= first.sum;
  }
};

class Entries {
 public:
  static constexpr std::size_t step = 32;  // between two marks

  std::size_t size() const { return end_.index; }
  bool empty() const { return end_.index == 0; }
  TimeUs first_time() const { return first_time_; }  // not empty
  TimeUs last_time() const { return end_.time; }     // likewise

  Place begin() const { return begin_; }
  Place end() const { return end_; }
  Place at(std::size_t index) const;         // up to size()
  Place later_than(TimeUs moment) const;     // of the first such, or the end
  TimeUs time_at(const Place& place) const;  // of the entry there: before the end
  // In their order, until it returns false.
  void each(const Stretch& some, const std::function<bool(const SeriesEntry&)>& each) const;

  void insert(const SeriesEntry& entry);  // behind those of the same time and seq
  void drop_first(std::size_t entries);
  void clear();

  // The last part of a series in a packed row. Where there are more than a few the end stands before them, so
  // that one can be added without reading them; has_end() says so.
  bool has_end() const { return size() >= 8; }
  void write(PackedWriter& w) const;
  void read(PackedReader& r, bool has_end);  // not ok() afterwards: damaged

 private:
  class Walk;
  void append(const SeriesEntry& entry);
  void mark_end();
  void count_from(Walk& walk);

  std::string bytes_;
  Place begin_, end_;  // the index, offset, sum and others of the first are 0
  TimeUs first_time_ = 0;
  std::vector<Place> marks_;  // the n-th of them before entry n * step; the first ones, or none
};

}  // namespace sluice::state
