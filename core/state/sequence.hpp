// One person's steps of a sequence, events("A").then("B"): which events completed it, and since when each of
// those had been under way. Late events are put where they belong.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "state/window.hpp"

namespace sluice::state {

// Entries kept, a person and sequence: 240 kB at most. Beyond it the oldest tenth goes and `overflowed` says
// so: a sequence that began with one of those is no longer seen.
inline constexpr std::size_t sequence_entries_max = 10'000;
inline constexpr std::size_t sequence_steps_max = 8;

struct SequenceEntry {
  TimeUs time;
  std::uint64_t seq;
  std::uint8_t steps;  // bit k: the event is one for step k
};

// An event of the last step with all steps before it. Of the sequences that end there the one that began last
// counts.
struct Completion {
  TimeUs start;
  TimeUs time;
  std::uint64_t seq;
};

// What is asked of a sequence, from the configuration.
struct SequenceNeeds {
  std::vector<DurationUs> gaps;  // a step's longest time after the one before; 0: any. The first is 0
  DurationUs window_max = 0;     // the longest window over it
};

class Sequence {
 public:
  mutable NextChange change;  // [step] kept by view::PersonContext
  std::uint64_t key = 0;      // hash of what it follows: the same across configurations

  // Adds an event for the steps whose bits are set. False: the oldest entries had to go.
  bool add(const SequenceEntry& entry, const SequenceNeeds& needs, TimeUs now);
  // Takes the other's entries in: two people became one.
  void merge(const Sequence& other, const SequenceNeeds& needs, TimeUs now);

  // Indexes [first, second) of the completions that lie in the window whole, from their first event on.
  std::pair<std::size_t, std::size_t> window(TimeUs now, const Window& within) const;
  const std::vector<Completion>& completions() const { return completions_; }  // by (time, seq)
  const std::vector<SequenceEntry>& entries() const { return entries_; }       // likewise
  // The first moment after `now` at which window() holds others; at which it turns empty, or not empty.
  // `never`: not by time alone.
  TimeUs next_change(TimeUs now, const Window& within) const;
  TimeUs next_existence_change(TimeUs now, const Window& within) const;
  // The events of a completion, one for each step.
  std::vector<SequenceEntry> steps_of(const Completion& completion) const;
  bool overflowed() const { return overflowed_; }

  // As part of a person's row, in either spelling (spelling.hpp). read() uses the memory that is there again.
  template <typename Writer>
  void write(Writer& w) const;
  template <typename Reader>
  void read(Reader& r);

 private:
  struct Reach {  // of a step: the last event with all steps before it, and when those began
    DurationUs gap = 0;
    TimeUs time = no_time, start = no_time;
  };
  void begin(const SequenceNeeds& needs);
  bool insert(const SequenceEntry& entry);  // true: at the end
  void advance(const SequenceEntry& entry);
  void rebuild();
  void trim(DurationUs window_max, TimeUs now);
  bool bound();

  // Kept. What stands below follows from it.
  std::vector<SequenceEntry> entries_;
  std::vector<Reach> steps_;
  std::vector<Completion> completions_;  // starts and times both rise
  bool overflowed_ = false;
};

}  // namespace sluice::state
