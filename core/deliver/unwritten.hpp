// The records of a lane that are in memory alone, in the order in which they were offered.
//
// After a crash the step offers again whatever came behind the last checkpoint. So a record that ends before
// the next one need never stand in the lane's log: it is written down when a checkpoint is about to be
// committed and it has no outcome yet, or when memory does not hold them all.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "deliver/lane_log.hpp"
#include "deliver/lane_queue.hpp"

namespace sluice::deliver {

class Unwritten {  // [any]
 public:
  // [step] Of the offer up to `seq`, before the lane can see them.
  void add(std::uint64_t seq, std::span<const std::unique_ptr<Item>> items);
  // [lane] These have their outcomes in the log.
  void forget(std::span<const std::unique_ptr<Item>> items);
  // What is in memory alone goes into the log; the outcomes of all that has left the list are durable before.
  Status write_to(LaneLog& log);
  // [step] The same, and behind it the records of the offer up to `seq`, which do not go into memory.
  Status write_to(LaneLog& log, std::uint64_t seq, std::span<const LaneLog::Record> more);
  // Of the log, the latest that holds records which are, or were, in memory; 0: none.
  std::uint64_t frame() const;

 private:
  Status write_all(LaneLog& log);
  void take_out(Item& item);

  std::mutex writing_;        // one writes at a time; taken before the other
  mutable std::mutex mutex_;  // held without I/O: guards what follows, and of each item what it is linked by
  Item *oldest_ = nullptr, *newest_ = nullptr;
  std::uint64_t seq_ = 0;  // of the latest offer
  std::uint64_t frame_ = 0;
  std::vector<LaneLog::Record> records_;  // used again
};

}  // namespace sluice::deliver
