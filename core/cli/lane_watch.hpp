// Tells the log what becomes of the destinations: which one is in trouble and why, when it takes records
// again, and what it refused. Names, counts and reasons alone.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "deliver/delivery.hpp"
#include "hub/hub.hpp"

namespace sluice::cli {

// What is worth a line, found by looking at a lane now and then.
class LaneStory {
 public:
  struct Line {
    bool warning;
    std::string text;
  };
  // At `now_s`, any seconds that grow; `last` looks at what is left to tell.
  std::vector<Line> look(const deliver::LaneStatus& lane, std::int64_t now_s, bool last = false);

 private:
  void tell_trouble(const deliver::LaneStatus& lane, std::int64_t now_s, std::vector<Line>& lines);

  bool in_trouble_ = false;       // it was told
  std::int64_t troubled_s_ = -1;  // since when it is not live; -1: it is
  std::uint64_t told_refused_ = 0, told_held_ = 0;
  std::int64_t told_s_ = -3600;
};

class LaneWatch {
 public:
  explicit LaneWatch(hub::Hub& hub);  // starts its thread; `hub` outlives it
  ~LaneWatch();

 private:
  void look(bool last);

  hub::Hub& hub_;
  std::map<std::string, LaneStory> stories_;
  std::map<std::string, std::string> source_errors_;  // as last told
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice::cli
