#include "deliver/governor.hpp"

#include <catch2/catch.hpp>

namespace sluice::deliver {
namespace {

constexpr DurationUs ms = us_per_ms;

struct Bench {
  Governor governor{7};
  DurationUs now = us_per_s;
  explicit Bench(std::uint32_t parallel = 16) { governor.go_by(parallel, {}, nullptr, now); }
  bool admits(std::uint64_t in_flight = 0) {
    DurationUs next = never;
    return governor.admits(in_flight, true, now, next);
  }
  DurationUs next() {
    DurationUs next = never;
    (void)governor.admits(0, true, now, next);
    return next;
  }
  void succeed(DurationUs took) {
    const DurationUs sent = now;
    now += took;
    governor.succeeded(sent, now);
  }
  void fail(DurationUs took = ms) {
    const DurationUs sent = now;
    now += took;
    governor.failed(sent, -1, now);
  }
};

TEST_CASE("a refusal for haste halves what may be in flight, and good answers let it grow by one a round",
          "[governor]") {
  Bench b;
  CHECK(b.governor.window() == 16);
  const DurationUs sent = b.now;
  b.now += ms;
  b.governor.throttled(sent, 0, b.now);
  CHECK(b.governor.window() == 8);
  b.governor.throttled(sent, 0, b.now + ms);  // was in flight with it: no news
  CHECK(b.governor.window() == 8);
  for (int i = 0; i < 8; ++i) b.succeed(ms);
  CHECK(b.governor.window() == 8);
  b.succeed(ms);
  CHECK(b.governor.window() == 9);
  for (int i = 0; i < 1'000; ++i) b.succeed(ms);
  CHECK(b.governor.window() == 16);
}

TEST_CASE("a destination that becomes slow gets fewer requests at a time, one that always was does not",
          "[governor]") {
  Bench steady;
  for (int i = 0; i < 500; ++i) steady.succeed(2 * us_per_s);
  CHECK(steady.governor.window() == 16);
  Bench b;
  for (int i = 0; i < 500; ++i) b.succeed(50 * ms);
  for (int i = 0; i < 12; ++i) b.succeed(600 * ms);
  CHECK(b.governor.window() < 8);
  CHECK(b.governor.window() >= 1);
  CHECK(b.governor.breaker(b.now) == Breaker::closed);
  for (int i = 0; i < 500; ++i) b.succeed(50 * ms);
  CHECK(b.governor.window() == 16);
  // What stays slow for minutes is how it is now.
  for (int i = 0; i < 1'000; ++i) b.succeed(600 * ms);
  CHECK(b.governor.window() == 16);
}

TEST_CASE("three failures open the breaker; one probe closes it, or opens it again", "[governor]") {
  Bench b;
  b.fail();
  b.fail();
  CHECK(b.governor.breaker(b.now) == Breaker::closed);
  CHECK(b.admits(1));
  b.fail();
  CHECK(b.governor.breaker(b.now) == Breaker::open);
  CHECK_FALSE(b.admits());
  b.now = b.next();
  CHECK(b.governor.breaker(b.now) == Breaker::half_open);
  CHECK(b.admits());
  CHECK_FALSE(b.admits(1));
  b.fail();
  CHECK(b.governor.breaker(b.now) == Breaker::open);
  b.now = b.next();
  b.succeed(ms);
  CHECK(b.governor.breaker(b.now) == Breaker::closed);
  CHECK(b.governor.window() < 16);  // it begins gently
  for (int i = 0; i < 8; ++i) b.succeed(ms);
  CHECK(b.governor.window() >= 8);
}

TEST_CASE("the breaker's pauses grow, up to five minutes", "[governor]") {
  Bench b;
  DurationUs longest = 0, first = 0;
  for (int i = 0; i < 60; ++i) {
    b.fail();
    if (b.governor.breaker(b.now) == Breaker::closed) continue;
    const DurationUs pause = b.next() - b.now;
    CHECK(pause <= backoff_max);
    longest = std::max(longest, pause);
    if (first == 0) first = pause;
    b.now += pause;
  }
  CHECK(first <= backoff_base);
  CHECK(longest > us_per_min);
}

TEST_CASE("refused credentials pause all, longer each time, until they are others", "[governor]") {
  Bench b;
  b.governor.refused(b.now);
  CHECK(b.next() == b.now + auth_pause_first);
  CHECK(b.governor.credentials_refused());
  b.now = b.next();
  CHECK(b.admits());
  CHECK_FALSE(b.admits(1));  // one asks
  b.governor.refused(b.now);
  CHECK(b.next() == b.now + 2 * auth_pause_first);
  CHECK(b.governor.renew());
  CHECK(b.admits(1));
  CHECK_FALSE(b.governor.renew());
  for (int i = 0; i < 20; ++i) b.governor.refused(b.now);
  CHECK(b.next() - b.now <= pause_max);
}

}  // namespace
}  // namespace sluice::deliver
