// What outages, poison and changes of mind do to the records of a lane.
#include <algorithm>

#include <catch2/catch.hpp>

#include "deliver/scripted.hpp"

namespace sluice::deliver {
namespace {

Effect membership(std::uint64_t seq, Operation op, ProfileId person, const std::string& list = "VIP") {
  Effect e = LaneWorld::effect(seq, 1, person);
  e.op = op;
  e.name = list;
  return e;
}

std::size_t requests_with(const Vendor& vendor, std::uint64_t seq) {
  return static_cast<std::size_t>(
      std::count_if(vendor.requests.begin(), vendor.requests.end(), [&](const std::vector<Seen>& records) {
        return std::any_of(records.begin(), records.end(), [&](const Seen& r) { return r.key.seq == seq; });
      }));
}

TEST_CASE("an outage of a day costs no record its tries", "[lane][governor]") {
  LaneWorld w;
  w.limits.records_max = 1;
  w.open();
  bool down = true;
  std::map<EffectKey, int> failed_since;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    // Back again, it stumbles over each a few times more.
    const bool stumbles = !down && ++failed_since[records.front().key] <= 3;
    return down || stumbles ? Vendor::all(records, 503, Fate::retry) : Vendor::ok();
  };
  for (std::uint64_t seq = 1; seq <= 10; ++seq) w.offer(seq, seq);
  w.run(us_per_d);
  CHECK(w.lane->status().state == LaneState::backoff);
  CHECK(w.lane->status().breaker != Breaker::closed);
  CHECK(w.vendor.requests.size() > 10 * attempts_max);  // each would have had its tries
  down = false;
  w.run();
  CHECK(w.vendor.accepted.size() == 10);
  CHECK(w.count(OutcomeKind::rejected) == 0);
  CHECK(w.lane->status().breaker == Breaker::closed);
}

TEST_CASE("a record that comes into an outage after others were taken is not given up in it",
          "[lane][governor]") {
  LaneWorld w;
  w.limits.records_max = 1;
  w.open();
  bool down = false;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    const bool first = w.vendor.requests.size() == 1;
    return down || first ? Vendor::all(records, 503, Fate::retry) : Vendor::ok();
  };
  w.offer(1, 1);
  w.lane->pump();
  w.courier->answer(0);  // refused once ...
  w.offer(2, 2);
  w.lane->pump();
  w.courier->answer(0);  // ... while another is taken
  down = true;
  w.run(us_per_d);
  CHECK(w.count(OutcomeKind::rejected) == 0);
  CHECK(w.lane->status().breaker != Breaker::closed);
  down = false;
  w.run();
  CHECK(w.vendor.accepted.size() == 2);
}

TEST_CASE("behind an open breaker one request at a time goes out, and nothing while it is open",
          "[lane][governor]") {
  LaneWorld w;
  w.limits.records_max = 1;
  w.limits.parallel = 8;
  w.open();
  w.vendor.answer = [](const std::vector<Seen>& records) { return Vendor::all(records, 500, Fate::retry); };
  for (std::uint64_t seq = 1; seq <= 200; ++seq) w.offer(seq, seq);
  w.run(us_per_min);
  REQUIRE(w.lane->status().breaker != Breaker::closed);
  CHECK(w.lane->status().window == 1);
  const std::size_t before = w.vendor.requests.size();
  w.vendor.in_flight_max = 0;
  w.run(us_per_h);
  CHECK(w.vendor.in_flight_max == 1);
  CHECK(w.vendor.requests.size() - before < 60);
}

TEST_CASE("a destination that answers 429 gets fewer requests at a time", "[lane][governor]") {
  LaneWorld w;
  w.limits.records_max = 1;
  w.limits.parallel = w.destination.parallel = 16;
  w.open();
  int refused = 0;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    return refused++ < 1 ? Vendor::all(records, 429, Fate::throttle, us_per_ms) : Vendor::ok();
  };
  for (std::uint64_t seq = 1; seq <= 16; ++seq) w.offer(seq, seq);
  w.lane->pump();
  CHECK(w.vendor.in_flight_max == 16);
  w.run();
  CHECK(w.lane->status().window < 16);
  CHECK(w.lane->status().window >= 8);
}

TEST_CASE("whom a connector's deliver() cannot bear is found in a few calls, and the others are delivered",
          "[lane][governor]") {
  LaneWorld w;
  w.limits.blocking = true;
  w.limits.records_max = 64;
  w.open();
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    const bool dies =
        std::any_of(records.begin(), records.end(), [](const Seen& r) { return r.key.seq == 37; });
    if (!dies) return Vendor::ok();
    Verdicts v = Vendor::all(records, 0, Fate::unknown);
    for (Verdict& verdict : v.each) verdict.bug = true;
    return v;
  };
  for (std::uint64_t seq = 1; seq <= 64; ++seq) w.offer(seq, seq);
  w.run();
  CHECK(w.lane->idle());
  CHECK(w.vendor.accepted.size() == 63);
  CHECK(w.count(OutcomeKind::rejected) == 1);
  CHECK(requests_with(w.vendor, 37) <= 7);  // 64, 32, ... 1
  CHECK(w.vendor.requests.size() <= 14);
}

TEST_CASE("a connector that dies of every record loses none", "[lane][governor]") {
  LaneWorld w;
  w.limits.blocking = true;
  w.open();
  bool dies = true;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    Verdicts v = dies ? Vendor::all(records, 0, Fate::unknown) : Vendor::ok();
    for (Verdict& verdict : v.each) verdict.bug = true;
    return v;
  };
  for (std::uint64_t seq = 1; seq <= 8; ++seq) w.offer(seq, seq);
  w.run(us_per_d);
  CHECK(w.outcomes.empty());
  CHECK(w.lane->status().state == LaneState::backoff);
  dies = false;
  w.run();
  CHECK(w.vendor.accepted.size() == 8);
}

TEST_CASE("a message that was with a connector when it died is held, not halved", "[lane][governor]") {
  LaneWorld w;
  w.limits.blocking = true;
  w.limits.unsafe_operations = 1U << static_cast<unsigned>(Operation::message);
  w.open();
  w.vendor.answer = [](const std::vector<Seen>& records) {
    Verdicts v = Vendor::all(records, 0, Fate::unknown);
    for (Verdict& verdict : v.each) verdict.bug = true;
    return v;
  };
  Effect message = LaneWorld::effect(1, 1, 1);
  message.op = Operation::message;
  w.offer(1, {message});
  w.run();
  CHECK(w.count(OutcomeKind::held) == 1);
  CHECK(w.vendor.requests.size() == 1);
}

TEST_CASE("of a person's changes of one audience that wait only the last goes out", "[lane][governor]") {
  LaneWorld w;
  w.open();
  bool down = true;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    return down ? Vendor::all(records, 500, Fate::retry) : Vendor::ok();
  };
  w.offer(1, {membership(1, Operation::enter, 1)});
  w.offer(2, {LaneWorld::effect(2, 1, 1)});  // an event between them
  w.offer(3, {membership(3, Operation::leave, 1)});
  w.offer(4, {membership(4, Operation::enter, 1, "other")});
  w.offer(5, {membership(5, Operation::enter, 2)});
  w.offer(6, {membership(6, Operation::enter, 1)});
  w.offer(7, {membership(7, Operation::leave, 1)});
  w.run(us_per_min);
  down = false;
  w.run();
  CHECK(w.lane->idle());
  std::vector<std::uint64_t> of_one, of_two;
  for (const Seen& seen : w.vendor.accepted) (seen.person == 1 ? of_one : of_two).push_back(seen.key.seq);
  CHECK(of_one == std::vector<std::uint64_t>{2, 4, 7});
  CHECK(of_two == std::vector<std::uint64_t>{5});
  CHECK(w.count(OutcomeKind::superseded) == 3);
  CHECK(w.count(OutcomeKind::delivered) == 4);
}

TEST_CASE("messages and events never supersede each other, however alike they are", "[lane][governor]") {
  LaneWorld w;
  w.open();
  for (std::uint64_t seq = 1; seq <= 6; ++seq) {
    Effect effect = LaneWorld::effect(seq, 1, 1);
    if (seq > 3) effect.op = Operation::message;
    w.offer(seq, {effect});
  }
  w.run();
  CHECK(w.vendor.accepted.size() == 6);
}

TEST_CASE("who has become another still leaves the list as the one he was", "[lane][governor]") {
  LaneWorld w;
  w.open();
  bool down = true;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    return down ? Vendor::all(records, 500, Fate::retry) : Vendor::ok();
  };
  w.offer(1, {LaneWorld::effect(1, 1, 1)});
  w.run(us_per_s);
  w.gate.merge(2, 1);
  w.offer(2, {membership(2, Operation::leave, 2)});  // with the identifiers of the one who is no more
  w.offer(3, {membership(3, Operation::enter, 1)});
  w.run(us_per_s);
  down = false;
  w.run();
  CHECK(w.count(OutcomeKind::delivered) == 3);
}

}  // namespace
}  // namespace sluice::deliver
