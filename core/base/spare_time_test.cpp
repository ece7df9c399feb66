#include "base/spare_time.hpp"

#include <atomic>
#include <future>
#include <sched.h>

#include <catch2/catch.hpp>

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
  const auto count = [] {
    std::uint64_t sum = 0;
    for (std::atomic<std::uint64_t> n = 0; n < 1'000'000; ++n) sum += n;
    return sum;
  };
  std::uint64_t sum = 0;
  CHECK(spare.run([&] { sum = count(); }) > 0);
  CHECK(sum == 499'999'500'000);
  // It waits for another one, who works meanwhile.
  CHECK(spare.run([&] { sum = std::async(std::launch::async, count).get(); }) < 0.5);
}

}  // namespace sluice
