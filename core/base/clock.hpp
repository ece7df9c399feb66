// The two clocks that the hub may read, behind an interface so that tests and the simulator drive them.
#pragma once

#include <atomic>
#include <chrono>

#include "base/time.hpp"

namespace sluice {

class Clock {  // [any]
 public:
  virtual ~Clock() = default;
  virtual TimeUs wall_us() const = 0;           // may jump; for stamps
  virtual DurationUs monotonic_us() const = 0;  // never goes back; for timeouts, backoff and pacing
};

class SystemClock final : public Clock {
 public:
  TimeUs wall_us() const override { return since_epoch(std::chrono::system_clock::now()); }
  DurationUs monotonic_us() const override { return since_epoch(std::chrono::steady_clock::now()); }

 private:
  template <typename T>
  static std::int64_t since_epoch(T now) {
    return std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  }
};

// Stands still until it is told; both clocks move together.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(TimeUs start = 0) : now_(start) {}
  TimeUs wall_us() const override { return now_; }
  DurationUs monotonic_us() const override { return now_; }
  void advance(DurationUs by) { now_ += by; }
  void set(TimeUs now) { now_ = now; }

 private:
  std::atomic<TimeUs> now_;
};

}  // namespace sluice
