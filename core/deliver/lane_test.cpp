#include <catch2/catch.hpp>

#include "deliver/lane_parts.hpp"
#include "deliver/scripted.hpp"

namespace sluice::deliver {
namespace {

TEST_CASE("what is offered is delivered once, and the lane is idle", "[lane]") {
  LaneWorld w;
  w.open();
  CHECK(w.lane->idle());
  for (std::uint64_t seq = 1; seq <= 100; ++seq) w.offer(seq, seq % 7 + 1);
  CHECK_FALSE(w.lane->idle());
  w.run();
  CHECK(w.lane->idle());
  CHECK(w.vendor.accepted.size() == 100);
  CHECK(w.count(OutcomeKind::delivered) == 100);
  CHECK(w.vendor.accepted.front().id == "j.1." + std::to_string(w.vendor.accepted.front().key.seq) + ".1");
  CHECK(w.in_order());
  CHECK(w.lane->applied() == 100);
}

TEST_CASE("the first record leaves at once; what follows gathers until the batch is full or has lingered",
          "[lane]") {
  LaneWorld w;
  w.limits.records_max = 3;
  w.limits.parallel = 4;
  w.open();
  w.offer(1, 1);
  w.lane->pump();
  REQUIRE(w.courier->pending.size() == 1);
  w.offer(2, 2);
  const DurationUs due = w.lane->pump();
  CHECK(w.courier->pending.size() == 1);
  CHECK(due == w.clock.monotonic_us() + linger_default);
  w.clock.set(due);
  w.lane->pump();
  CHECK(w.courier->pending.size() == 2);
  for (std::uint64_t seq = 3; seq <= 5; ++seq) w.offer(seq, seq);
  w.lane->pump();
  REQUIRE(w.courier->pending.size() == 3);
  CHECK(w.courier->pending.back().records.size() == 3);
}

TEST_CASE("while the step is about to offer more, a batch waits to be full though nothing is under way",
          "[lane]") {
  LaneWorld w;
  w.limits.records_max = 3;
  w.limits.parallel = 4;
  w.open();
  w.offer(1, {LaneWorld::effect(1, 1, 1)}, Follows::more);
  CHECK(w.lane->pump() == w.clock.monotonic_us() + linger_more * linger_default);
  CHECK(w.courier->pending.empty());
  w.offer(2, {LaneWorld::effect(2, 1, 2), LaneWorld::effect(2, 2, 3)}, Follows::more);
  w.lane->pump();
  REQUIRE(w.courier->pending.size() == 1);
  CHECK(w.courier->pending.back().records.size() == 3);
  w.courier->answer(0);
  SECTION(
      "what does not fill one goes at once when nothing follows, though the offer holds none of the lane's") {
    w.offer(3, {LaneWorld::effect(3, 1, 4)}, Follows::more);
    w.lane->pump();
    CHECK(w.courier->pending.empty());
    w.offer(4, {});
    w.lane->pump();
    CHECK(w.courier->pending.size() == 1);
  }
  SECTION("and after a while even if the step is held up") {
    w.offer(3, {LaneWorld::effect(3, 1, 4)}, Follows::more);
    w.clock.set(w.lane->pump());
    w.lane->pump();
    CHECK(w.courier->pending.size() == 1);
  }
}

TEST_CASE("no more requests are in flight than the configuration allows", "[lane]") {
  LaneWorld w;
  w.limits.records_max = 1;
  w.limits.parallel = 8;
  w.destination.parallel = 3;
  w.open();
  for (std::uint64_t seq = 1; seq <= 50; ++seq) w.offer(seq, seq);
  w.run();
  CHECK(w.vendor.in_flight_max == 3);
  CHECK(w.vendor.accepted.size() == 50);
}

TEST_CASE("each person's records arrive in order, whatever fails", "[lane]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    LaneWorld w(seed);
    w.limits.all_or_nothing = seed % 2 == 1;  // else it answers record by record
    w.per_request = seed % 3 == 0 ? 4 : 1'000;
    w.open();
    w.vendor.answer = [&](const std::vector<Seen>& records) {
      const std::uint64_t dice = w.random() % 100;
      if (dice < 10) return Vendor::all(records, 500, Fate::retry);
      if (dice < 13) return Vendor::all(records, 0, Fate::retry);
      if (dice < 15) return Vendor::all(records, 429, Fate::throttle, us_per_s);
      if (dice < 17 && records.size() > 1) return Vendor::all(records, 413, Fate::too_big);
      Verdicts v = Vendor::ok();
      if (!w.limits.all_or_nothing && dice < 40) {
        for (std::size_t i = 0; i < records.size(); ++i) {
          v.each.push_back({w.random() % 4 == 0 ? Fate::retry : Fate::delivered, -1, "busy", "", ""});
        }
      }
      return v;
    };
    std::uint64_t seq = 0;
    for (int round = 0; round < 40; ++round) {
      for (int i = 0; i < 50; ++i) w.offer(++seq, 1 + w.random() % 60);
      w.run(us_per_s);
    }
    w.run();
    CHECK(w.lane->idle());
    CHECK(w.in_order());
    CHECK(w.ended.size() == 2000);
    CHECK(w.vendor.accepted.size() == 2000);
  }
}

TEST_CASE("a retry holds back its person and nobody else", "[lane]") {
  LaneWorld w;
  w.limits.records_max = 1;
  w.open();
  bool refuse = true;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    if (records.front().person == 1 && refuse) return Vendor::all(records, 503, Fate::retry);
    return Vendor::ok();
  };
  w.offer(1, 1);
  w.offer(2, 1);
  for (std::uint64_t seq = 3; seq <= 30; ++seq) w.offer(seq, seq);
  w.run(0);
  CHECK(w.vendor.accepted.size() == 28);
  CHECK(w.lane->status().blocked_people == 1);
  refuse = false;
  w.run();
  CHECK(w.vendor.accepted.size() == 30);
  CHECK(w.vendor.accepted.back().attempt == 1);
  CHECK(w.in_order());
}

TEST_CASE("retries come after random times within an exponential bound", "[lane]") {
  Backoff backoff(3);
  for (std::uint32_t attempts = 1; attempts <= 30; ++attempts) {
    const DurationUs bound = Backoff::bound(attempts);
    CHECK(bound <= backoff_max);
    DurationUs lowest = bound, highest = 0;
    for (int i = 0; i < 200; ++i) {
      const DurationUs wait = backoff.next(attempts);
      lowest = std::min(lowest, wait);
      highest = std::max(highest, wait);
    }
    CHECK(lowest > 0);
    CHECK(highest <= bound);
    CHECK(lowest < bound / 10);
    CHECK(highest > bound * 9 / 10);
  }
  CHECK(Backoff::bound(1) == backoff_base);
  CHECK(Backoff::bound(3) == 4 * backoff_base);
}

TEST_CASE("Retry-After pauses the lane for as long as it says", "[lane]") {
  LaneWorld w;
  w.limits.records_max = 1;
  w.open();
  bool first = true;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    return std::exchange(first, false) ? Vendor::all(records, 429, Fate::throttle, 30 * us_per_s)
                                       : Vendor::ok();
  };
  w.offer(1, 1);
  w.run(0);
  CHECK(w.lane->status().state == LaneState::backoff);
  const DurationUs start = w.clock.monotonic_us();
  for (std::uint64_t seq = 2; seq <= 5; ++seq) w.offer(seq, seq);
  w.run();
  REQUIRE(w.vendor.accepted.size() == 5);
  CHECK(w.vendor.accepted.front().at == start + 30 * us_per_s);
  CHECK(w.lane->status().state == LaneState::live);
}

TEST_CASE("the configured rate is not exceeded in any second", "[lane]") {
  LaneWorld w;
  w.limits.records_max = 1;
  w.destination.rate = {{10, us_per_s}};
  w.open();
  for (std::uint64_t seq = 1; seq <= 100; ++seq) w.offer(seq, seq);
  const DurationUs start = w.clock.monotonic_us();
  w.run();
  REQUIRE(w.vendor.accepted.size() == 100);
  // The bucket was full at the start; from then on ten a second.
  CHECK(w.vendor.accepted.back().at - start >= 8'999 * us_per_ms);
  CHECK(w.vendor.accepted.back().at - start <= 9'100 * us_per_ms);
  for (std::size_t i = 20; i < 100; ++i) {
    CHECK(w.vendor.accepted[i].at - w.vendor.accepted[i - 10].at >= us_per_s - 10);
  }
}

TEST_CASE("a batch too big is halved until it fits", "[lane]") {
  LaneWorld w;
  w.open();
  w.vendor.answer = [](const std::vector<Seen>& records) {
    return records.size() > 2 ? Vendor::all(records, 413, Fate::too_big) : Vendor::ok();
  };
  std::vector<Effect> effects;
  for (std::uint32_t i = 1; i <= 10; ++i) effects.push_back(LaneWorld::effect(1, i, i % 3 + 1));
  w.offer(1, effects);
  w.run();
  CHECK(w.vendor.accepted.size() == 10);
  CHECK(w.count(OutcomeKind::delivered) == 10);
  CHECK(w.in_order());
}

TEST_CASE("a bad request is split until the bad record stands alone, and that one is rejected", "[lane]") {
  LaneWorld w;
  w.limits.all_or_nothing = true;
  w.open();
  w.vendor.answer = [](const std::vector<Seen>& records) {
    for (const Seen& r : records) {
      if (r.key.ordinal == 7) return Vendor::all(records, 400, Fate::unclear);
    }
    return Vendor::ok();
  };
  std::vector<Effect> effects;
  for (std::uint32_t i = 1; i <= 10; ++i) effects.push_back(LaneWorld::effect(1, i, 1));
  w.offer(1, effects);
  w.run();
  CHECK(w.vendor.accepted.size() == 9);
  CHECK(w.count(OutcomeKind::rejected) == 1);
  CHECK(w.in_order());
  CHECK(w.vendor.requests.size() <= 9);
}

TEST_CASE("records that the destination refuses are rejected, the others delivered", "[lane]") {
  LaneWorld w;
  w.open();
  w.vendor.answer = [](const std::vector<Seen>& records) {
    Verdicts v = Vendor::ok();
    for (const Seen& r : records) {
      v.each.push_back({r.key.seq % 2 == 0 ? Fate::rejected : Fate::delivered, -1, "bad_email", "", ""});
    }
    return v;
  };
  for (std::uint64_t seq = 1; seq <= 40; ++seq) w.offer(seq, seq % 5 + 1);
  w.run();
  CHECK(w.count(OutcomeKind::delivered) == 20);
  CHECK(w.count(OutcomeKind::rejected) == 20);
  CHECK(w.lane->status().state == LaneState::live);
}

TEST_CASE("a record without an address ends so, without a dead letter", "[lane]") {
  LaneWorld w;
  w.open();
  w.vendor.answer = [](const std::vector<Seen>& records) { return Vendor::all(records, 200, Fate::skipped); };
  w.offer(1, 1);
  w.run();
  CHECK(w.count(OutcomeKind::no_address) == 1);
  CHECK(name_of(OutcomeKind::no_address) == "no address");
}

}  // namespace
}  // namespace sluice::deliver
