// Several feeds into one order by event time: always the earliest of the feeds' heads, so each feed keeps its
// own order. Pure.
//
// Neighbours: a record is far ahead when it is more than `far_ahead` after the last one of its feed, and so
// are fewer than half of the up to 16 that follow it: one bad row does not move time, a pause in the data
// does. At the end of a feed, where nothing follows, it has to be ten times further than any step before it.
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
    DurationUs longest_step = 0;
    std::uint32_t steps = 0;
  };
  Judgement judge(const FeedQueue& feed) const;
  Released release(std::size_t feed, bool far);

  DurationUs far_ahead_;
  std::vector<FeedQueue> feeds_;
};

}  // namespace sluice::ingest
