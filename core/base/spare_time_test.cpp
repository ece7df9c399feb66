#include "base/spare_time.hpp"

#include <atomic>

#include <catch2/catch.hpp>
#include <sched.h>

namespace sluice {

TEST_CASE("what is done in spare time is done when run() returns, on a thread that others go before") {
  SpareTime spare("spare");
  int policy = -1;
  std::thread::id thread;
  const double got = spare.run([&] {
    policy = sched_getscheduler(0);
    thread = std::this_thread::get_id();
  });
  CHECK(policy == SCHED_IDLE);
  CHECK(thread != std::this_thread::get_id());
  CHECK(sched_getscheduler(0) != SCHED_IDLE);
  CHECK(got >= 0);
  CHECK(got <= 1);
}

TEST_CASE("it says how much of the time it got") {
  SpareTime spare("spare");
  std::uint64_t sum = 0;
  const auto nothing = [] { std::this_thread::sleep_for(std::chrono::milliseconds(50)); };
  CHECK(spare.run(nothing) < 0.5);  // it slept, and a thread that is kept waiting gets no more
  const auto counting = [&] {
    for (std::atomic<std::uint64_t> n = 0; n < 1'000'000; ++n) sum += n;
  };
  CHECK(spare.run(counting) > 0);
  CHECK(sum == 499'999'500'000);
}

}  // namespace sluice
