// A thread that gets the processor when nobody else wants it: for work that may take long and must hold up
// nobody. Linux's SCHED_IDLE; who is not allowed to get it back from there needs a thread of its own for it.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/time.hpp"

namespace sluice {

class SpareTime {
 public:
  explicit SpareTime(const char* name);  // of the thread
  ~SpareTime();
  SpareTime(const SpareTime&) = delete;
  SpareTime& operator=(const SpareTime&) = delete;

  // [any, one at a time] Has it done on that thread, and waits for it. `work` holds no lock that others wait
  // for, and is short: where everything is busy it takes many times as long as it works. What of that time
  // it got is returned, from 0 to 1.
  double run(const std::function<void()>& work);

 private:
  void loop();

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  const std::function<void()>* work_ = nullptr;
  DurationUs worked_ = 0;  // by the last one, on the processor
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice
