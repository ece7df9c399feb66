#include <catch2/catch.hpp>

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
    w.limits.one_per_person = seed % 2 == 0;  // answers record by record
    w.per_request = seed % 3 == 0 ? 4 : 1'000;
    w.open();
    w.vendor.answer = [&](const std::vector<Seen>& records) {
      const std::uint64_t dice = w.random() % 100;
      if (dice < 10) return Vendor::all(records, 500, Fate::retry);
      if (dice < 13) return Vendor::all(records, 0, Fate::retry);
      if (dice < 15) return Vendor::all(records, 429, Fate::throttle, us_per_s);
      if (dice < 17 && records.size() > 1) return Vendor::all(records, 413, Fate::too_big);
      Verdicts v = Vendor::ok();
      if (w.limits.one_per_person && dice < 40) {
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

TEST_CASE("refused credentials pause the lane, which keeps its records and tries again", "[lane]") {
  LaneWorld w;
  w.open();
  bool refuse = true;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    return refuse ? Vendor::all(records, 401, Fate::auth) : Vendor::ok();
  };
  for (std::uint64_t seq = 1; seq <= 30; ++seq) w.offer(seq, seq);
  w.run(us_per_min);
  CHECK(w.lane->status().state == LaneState::paused);
  CHECK(w.lane->status().last_error == "http_401");
  CHECK(w.lane->status().backlog_records == 30);
  const std::size_t tries = w.vendor.requests.size();
  CHECK(tries <= 10);
  refuse = false;
  w.run();
  CHECK(w.vendor.accepted.size() == 30);
  CHECK(w.lane->status().state == LaneState::live);
  CHECK(w.lane->status().last_error.empty());
}

TEST_CASE("a destination that is down is probed, not hammered, and everything arrives when it is back",
          "[lane]") {
  LaneWorld w;
  w.open();
  bool down = true;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    return down ? Vendor::all(records, 500, Fate::retry) : Vendor::ok();
  };
  for (std::uint64_t seq = 1; seq <= 2000; ++seq) w.offer(seq, seq % 500 + 1);
  w.run(us_per_h);
  CHECK(w.vendor.requests.size() < 200);
  CHECK(w.lane->status().state == LaneState::backoff);
  down = false;
  w.run();
  CHECK(w.vendor.accepted.size() == 2000);
  CHECK(w.in_order());
}

TEST_CASE("requests in flight that fail together are one failure: the pause stays short", "[lane]") {
  for (const int status : {500, 429}) {
    LaneWorld w;
    w.limits.records_max = 1;
    w.limits.parallel = 8;
    w.open();
    for (std::uint64_t seq = 1; seq <= 8; ++seq) w.offer(seq, seq);
    w.lane->pump();
    REQUIRE(w.courier->pending.size() == 8);
    std::size_t failing = 8;
    w.vendor.answer = [&](const std::vector<Seen>& records) {
      if (failing == 0) return Vendor::ok();
      --failing;
      return Vendor::all(records, status, status == 429 ? Fate::throttle : Fate::retry);
    };
    w.clock.set(w.clock.monotonic_us() + us_per_ms);
    w.run(2 * backoff_base);
    CHECK(w.vendor.accepted.size() == 8);
  }
}

TEST_CASE("a record that alone keeps failing ends rejected, and its batch mates are delivered", "[lane]") {
  LaneWorld w;
  w.open();
  w.vendor.answer = [](const std::vector<Seen>& records) {
    for (const Seen& r : records) {
      if (r.key.seq == 5) return Vendor::all(records, 500, Fate::retry);
    }
    return Vendor::ok();
  };
  for (std::uint64_t seq = 1; seq <= 10; ++seq) w.offer(seq, seq);
  std::uint64_t seq = 10;
  while (!w.lane->idle()) {
    ++seq;
    w.offer(seq, 1'000 + seq);
    w.run(10 * us_per_min);
    REQUIRE(seq < 1'000);
  }
  CHECK(w.count(OutcomeKind::rejected) == 1);
  CHECK(w.vendor.accepted.size() == seq - 1);
  const auto& [key, outcome] = *std::find_if(w.outcomes.begin(), w.outcomes.end(), [](const auto& o) {
    return o.second.kind == OutcomeKind::rejected;
  });
  CHECK(key.seq == 5);
  CHECK(outcome.reason == "retries_exhausted");
}

TEST_CASE("a connector that cannot plan a record loses that record alone", "[lane]") {
  LaneWorld w;
  w.open();
  w.courier->refuse_plan = [](std::span<const Parcel> parcels) -> Status {
    for (const Parcel& parcel : parcels) {
      if (parcel.effect->key.seq == 3) return Error{Code::transient, "internal"};
    }
    return Done{};
  };
  for (std::uint64_t seq = 1; seq <= 10; ++seq) w.offer(seq, seq);
  w.run();
  CHECK(w.vendor.accepted.size() == 9);
  CHECK(w.count(OutcomeKind::rejected) == 1);
}

TEST_CASE("a gate that closes while a record waits ends it suppressed", "[lane]") {
  LaneWorld w;
  w.limits.records_max = 1;
  w.destination.parallel = 1;
  w.open();
  w.offer(1, 1);
  w.lane->pump();
  w.offer(2, 2);
  w.offer(3, 3);
  w.gate.deny(2, "newsletter");
  w.gate.deny(3, "ads");
  w.run();
  CHECK(w.vendor.accepted.size() == 2);
  CHECK(w.count(OutcomeKind::suppressed) == 1);
}

TEST_CASE("a gate that closes between planning and sending still holds", "[lane]") {
  LaneWorld w;
  w.per_request = 1;
  w.destination.parallel = 1;
  w.open();
  std::vector<Effect> effects;
  for (std::uint32_t i = 1; i <= 3; ++i) effects.push_back(LaneWorld::effect(1, i, i));
  w.offer(1, effects);
  w.lane->pump();
  w.gate.forget(3);
  w.run();
  CHECK(w.vendor.accepted.size() == 2);
  CHECK(w.count(OutcomeKind::suppressed) == 1);
}

TEST_CASE("a record that is too old ends expired, by the time at which it was offered", "[lane]") {
  LaneWorld w;
  w.destination.expires = us_per_h;
  w.open();
  w.vendor.answer = [](const std::vector<Seen>& records) { return Vendor::all(records, 500, Fate::retry); };
  w.offer(1, 1);  // its own time is 1970
  w.run(30 * us_per_min);
  CHECK(w.outcomes.empty());
  w.run(3 * us_per_h);
  CHECK(w.count(OutcomeKind::expired) == 1);
}

TEST_CASE("of queued records that supersede each other only the latest goes out", "[lane]") {
  LaneWorld w;
  w.limits.records_max = 1;
  w.destination.parallel = 1;
  w.open();
  w.offer(1, 9);
  w.lane->pump();
  for (std::uint64_t seq = 2; seq <= 6; ++seq) {
    Effect effect = LaneWorld::effect(seq, 1, seq < 6 ? 1 : 2);
    effect.supersede = "profile";
    w.offer(seq, {effect});
  }
  w.run();
  CHECK(w.count(OutcomeKind::superseded) == 3);
  CHECK(w.vendor.accepted.size() == 3);
}

TEST_CASE("mode: shadow records and sends nothing", "[lane]") {
  LaneWorld w;
  w.destination.shadow = true;
  w.open();
  for (std::uint64_t seq = 1; seq <= 5; ++seq) w.offer(seq, seq);
  w.run();
  CHECK(w.vendor.requests.empty());
  CHECK(w.count(OutcomeKind::shadow) == 5);
}

TEST_CASE("after a merge the winner's records wait for the loser's", "[lane]") {
  LaneWorld w;
  w.limits.records_max = 1;
  w.open();
  bool refuse = true;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    return refuse && records.front().person == 1 ? Vendor::all(records, 500, Fate::retry) : Vendor::ok();
  };
  w.offer(1, 1);
  w.lane->pump();  // the loser's is in flight
  w.gate.merge(1, 2);
  w.offer(2, 2);
  w.lane->pump();
  CHECK(w.courier->pending.size() == 1);
  w.run(0);
  CHECK(w.vendor.accepted.empty());
  refuse = false;
  w.run();
  REQUIRE(w.vendor.accepted.size() == 2);
  CHECK(w.vendor.accepted[0].key.seq == 1);
}

TEST_CASE("a connector with I/O of its own delivers on the lane's thread", "[lane]") {
  LaneWorld w;
  w.limits.blocking = true;
  w.limits.one_per_person = true;
  w.open();
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    Verdicts v = Vendor::ok();
    for (std::size_t i = 0; i < records.size(); ++i) {
      v.each.push_back({w.random() % 5 == 0 ? Fate::retry : Fate::delivered, -1, "busy", "", ""});
    }
    return v;
  };
  for (std::uint64_t seq = 1; seq <= 500; ++seq) w.offer(seq, seq % 20 + 1);
  w.run();
  CHECK(w.count(OutcomeKind::delivered) == 500);
  CHECK(w.in_order());
}

TEST_CASE("a batch holds records of one kind where the connector groups them", "[lane]") {
  LaneWorld w;
  w.limits.group_by = GroupBy::name;
  w.open();
  for (std::uint64_t seq = 1; seq <= 60; ++seq) {
    Effect effect = LaneWorld::effect(seq, 1, seq);
    effect.name = "name" + std::to_string(seq % 3);
    w.offer(seq, {effect});
  }
  bool mixed = false;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    for (const Seen& r : records) mixed |= r.key.seq % 3 != records.front().key.seq % 3;
    return Vendor::ok();
  };
  w.run();
  CHECK_FALSE(mixed);
  CHECK(w.vendor.accepted.size() == 60);
  CHECK(w.vendor.requests.size() < 20);
}

TEST_CASE("beyond its memory budget a lane reads back from its log", "[lane]") {
  LaneWorld w;
  w.memory_bytes = 4 * 1024;
  w.open();
  for (std::uint64_t seq = 1; seq <= 2000; ++seq) {
    w.offer(seq, seq % 50 + 1);
    if (seq % 97 == 0) w.lane->pump();
  }
  CHECK(w.lane->status().backlog_records > 1'000);
  w.run();
  CHECK(w.vendor.accepted.size() == 2000);
  CHECK(w.in_order());
  for (std::uint64_t seq = 2001; seq <= 2010; ++seq) w.offer(seq, 3);
  w.run();
  CHECK(w.vendor.accepted.size() == 2010);
  CHECK(w.in_order());
}

}  // namespace
}  // namespace sluice::deliver
