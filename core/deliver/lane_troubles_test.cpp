#include <catch2/catch.hpp>

#include "deliver/scripted.hpp"

namespace sluice::deliver {
namespace {

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

TEST_CASE("a record whose answer a connector cannot bear is sent five times, and no more", "[lane]") {
  LaneWorld w;
  w.open();
  bool broken = false;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    const bool bad =
        std::any_of(records.begin(), records.end(), [](const Seen& r) { return r.key.seq == 5; });
    if (!broken && !bad) return Vendor::ok();
    Verdicts v = Vendor::all(records, 200, Fate::unknown);
    for (Verdict& verdict : v.each) verdict.bug = true;
    return v;
  };
  const auto add = [&](std::uint64_t first) {
    for (std::uint64_t seq = first; seq < first + 10; ++seq) w.offer(seq, seq);
  };
  add(1);
  w.run();
  CHECK(w.vendor.accepted.size() == 9);
  CHECK(w.count(OutcomeKind::rejected) == 1);
  CHECK(std::count_if(w.vendor.requests.begin(), w.vendor.requests.end(), [](const auto& records) {
          return std::any_of(records.begin(), records.end(), [](const Seen& r) { return r.key.seq == 5; });
        }) == connector_failures_max);

  broken = true;  // of all: then it is not this record
  add(11);
  w.run(us_per_h);
  CHECK(w.count(OutcomeKind::rejected) == 1);
  broken = false;
  w.run();
  CHECK(w.vendor.accepted.size() == 19);
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

TEST_CASE("what is asked after a message without an answer neither sends it again nor makes it safe to",
          "[lane]") {
  for (const bool second_is_sent : {true, false}) {
    LaneWorld w;
    w.limits.unsafe_operations = 1U << static_cast<unsigned>(Operation::message);
    w.open();
    w.courier->asks_after = true;
    std::size_t asked = 0;
    w.vendor.answer = [&](const std::vector<Seen>& records) {
      Verdicts v = Vendor::all(records, 0, Fate::unknown);
      v.response.sent = asked++ == 0 || second_is_sent;
      return v;
    };
    Effect effect = w.effect(1, 1, 1);
    effect.op = Operation::message;
    w.offer(1, {effect});
    w.run();
    REQUIRE(w.outcomes.size() == 1);
    CHECK(w.outcomes[0].second.kind == OutcomeKind::held);
    CHECK(asked == 2);
  }
}

TEST_CASE("a message that never left is sent again, whatever was asked after it", "[lane]") {
  LaneWorld w;
  w.limits.unsafe_operations = 1U << static_cast<unsigned>(Operation::message);
  w.open();
  w.courier->asks_after = true;
  std::size_t asked = 0;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    if (asked++ >= 2) return Vendor::ok();
    Verdicts v = Vendor::all(records, 0, Fate::unknown);
    v.response.sent = asked == 2;  // the first was not, the question was
    return v;
  };
  Effect effect = w.effect(1, 1, 1);
  effect.op = Operation::message;
  w.offer(1, {effect});
  w.run();
  REQUIRE(w.outcomes.size() == 1);
  CHECK(w.outcomes[0].second.kind == OutcomeKind::delivered);
}

TEST_CASE("a receiver who has opted out ends the message suppressed, and is told of", "[lane]") {
  LaneWorld w;
  w.open();
  w.vendor.answer = [](const std::vector<Seen>& records) {
    Verdicts v = Vendor::all(records, 400, Fate::rejected);
    v.each[0].receiver = Receiver::opted_out;
    return v;
  };
  w.offer(1, 1);
  w.run();
  REQUIRE(w.outcomes.size() == 1);
  CHECK(w.outcomes[0].second.kind == OutcomeKind::suppressed);
  CHECK(w.outcomes[0].second.receiver == Receiver::opted_out);
}

}  // namespace
}  // namespace sluice::deliver
