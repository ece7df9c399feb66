#include "base/spare_time.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <sched.h>

#include "base/thread_name.hpp"

namespace sluice {

namespace {

DurationUs cpu_us() {
  timespec spent{};
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return spent.tv_sec * us_per_s + spent.tv_nsec / 1'000;
}

}  // namespace

SpareTime::SpareTime(const char* name)
    : thread_([this, name] {
        name_thread(name);
        const sched_param none{};
        (void)sched_setscheduler(0, SCHED_IDLE, &none);  // of this thread alone
        loop();
      }) {}

SpareTime::~SpareTime() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

double SpareTime::run(const std::function<void()>& work) {
  const auto began = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  work_ = &work;
  changed_.notify_all();
  changed_.wait(lock, [this] { return work_ == nullptr; });
  const auto all =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
  return std::min(1.0,
                  static_cast<double>(worked_) / static_cast<double>(std::max<DurationUs>(all.count(), 1)));
}

void SpareTime::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || work_ != nullptr; });
    if (work_ == nullptr) return;
    lock.unlock();
    const DurationUs before = cpu_us();
    (*work_)();
    const DurationUs spent = cpu_us() - before;
    lock.lock();
    worked_ = spent;
    work_ = nullptr;
    changed_.notify_all();
  }
}

}  // namespace sluice
