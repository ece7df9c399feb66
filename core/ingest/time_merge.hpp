// Several feeds into one order by event time: always the earliest of the feeds' heads, so each feed keeps its
// own order. Pure.
//
// Neighbours are up to 16 records before and up to 16 after one. A record is far ahead when it is more than
// `far_ahead` after the one before it, most of those that follow it are behind it again by as much, and it is
// four times further from its neighbours than they are from each other (their middle half). So one bad row
// does not move time, a pause in the data does, and a file in no order of time (a CRM's, one person after the
// other) is read whole. Where few neighbours are known it has to be further off: 30 times `far_ahead`, of two
// 5 years. Where nothing follows, a year, and ten times further than any step before it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "journal/journal.hpp"

namespace sluice::ingest {

struct MergeItem {
  Draft draft;        // event_time: no_time goes with the item before it
  std::string place;  // for the rejects file
  bool has_cursor = false;
};

class TimeMerge {  // one thread at a time
 public:
  static constexpr std::size_t neighbours = 16;
  static constexpr std::uint32_t steps_known = 8;  // before the end of a feed can be judged by its steps
  static constexpr DurationUs far_of_two = 5 * 365 * us_per_d;
  static constexpr DurationUs far_at_end = 365 * us_per_d;

  explicit TimeMerge(DurationUs far_ahead) : far_ahead_(far_ahead) {}

  std::size_t add_feed();
  void push(std::size_t feed, MergeItem item);
  // Waiting: the feed has nothing to read at the moment, or has ended; it holds nobody back.
  void set_waiting(std::size_t feed, bool waiting) { feeds_[feed].waiting = waiting; }
  std::size_t queued(std::size_t feed) const { return feeds_[feed].items.size(); }
  bool empty() const;

  struct Released {
    std::size_t feed = 0;
    bool far_ahead = false;
    MergeItem item;
  };
  // Nothing: empty, or what comes next is not known yet.
  std::optional<Released> next();

 private:
  enum class Judgement : std::uint8_t { fine, far, unknown };
  struct Queued {
    TimeUs time;  // the item's, or that of the one before it
    MergeItem item;
  };
  struct FeedQueue {
    std::deque<Queued> items;
    bool waiting = false;
    TimeUs released = no_time;  // the newest that was let go
    std::deque<TimeUs> recent;  // the last that were let go, as many as neighbours
    DurationUs longest_step = 0;
    std::uint32_t steps = 0;
  };
  Judgement judge(const FeedQueue& feed) const;
  bool stands_apart(TimeUs head, std::vector<TimeUs> around) const;
  Released release(std::size_t feed, bool far);

  DurationUs far_ahead_;
  std::vector<FeedQueue> feeds_;
};

}  // namespace sluice::ingest
