// Makes a new base out of checkpoints' files where the deltas have grown past the last one, so that recovery
// reads each row about twice at most. In the background: the step has no part in it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "sluice/result.hpp"

#include "store/checkpoint.hpp"

namespace sluice::hub {

class Merger {
 public:
  // `failed` hears once of what must end the process: a disk that takes no checkpoint.
  Merger(Checkpoints& checkpoints, std::function<void(const Error&)> failed);
  ~Merger();  // stop()

  void start();  // [main] before anybody calls look()
  void stop();   // [main] what is under way is given up
  // [any] A checkpoint was committed. Without a thread it merges here and now.
  void look();

 private:
  void run();
  bool due() const;
  void merge(const std::function<bool()>& go_on);
  bool rest();

  Checkpoints& checkpoints_;
  std::function<void(const Error&)> failed_;
  bool threaded_ = false;
  std::chrono::steady_clock::time_point rested_;  // [its thread]
  std::mutex mutex_;                              // guards what follows
  std::condition_variable changed_;
  bool wanted_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice::hub
