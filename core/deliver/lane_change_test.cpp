#include <catch2/catch.hpp>

#include "deliver/scripted.hpp"

namespace sluice::deliver {
namespace {

// The lane goes by other settings, towards another place.
ScriptedCourier* change(LaneWorld& w, Vendor& there, CourierLimits limits = {}) {
  auto own = std::make_unique<ScriptedCourier>(there, w.clock, limits, 1'000);
  ScriptedCourier* courier = own.get();
  w.lane->change(w.destination, std::move(own));
  return courier;
}

void run(LaneWorld& w, ScriptedCourier& courier) {
  w.courier = &courier;
  w.run();
}

}  // namespace

TEST_CASE("other settings wait for what is in flight; the rest goes the new way, in order and under its keys",
          "[lane]") {
  LaneWorld w;
  w.limits.records_max = 2;
  w.limits.parallel = 2;
  w.per_request = 1;
  w.destination.parallel = 1;  // of two planned requests one is in flight
  w.open();
  for (std::uint64_t seq = 1; seq <= 6; ++seq) w.offer(seq, seq % 2 + 1);
  w.lane->pump();
  REQUIRE(w.courier->pending.size() == 1);
  Vendor there;
  ScriptedCourier* courier = change(w, there);
  w.lane->pump();
  CHECK(courier->pending.empty());
  CHECK(w.courier->pending.size() == 1);
  w.courier->answer(0);
  run(w, *courier);
  CHECK(w.vendor.accepted.size() == 1);
  REQUIRE(there.accepted.size() == 5);
  std::map<ProfileId, EffectKey> last{{w.vendor.accepted[0].person, w.vendor.accepted[0].key}};
  for (const Seen& seen : there.accepted) {
    CHECK(last[seen.person] < seen.key);
    last[seen.person] = seen.key;
    CHECK(seen.id == "j.1." + std::to_string(seen.key.seq) + ".1");
  }
  CHECK(w.count(OutcomeKind::delivered) == 6);
}

TEST_CASE("the way that failed for hours says nothing about the new one", "[lane]") {
  LaneWorld w;
  w.open();
  w.vendor.answer = [](const std::vector<Seen>& records) {
    return Vendor::all(records, 503, Fate::throttle, 3'000 * us_per_s);
  };
  w.offer(1, 1);
  w.run(us_per_s);
  CHECK(w.lane->status().state == LaneState::backoff);
  Vendor there;
  ScriptedCourier* courier = change(w, there);
  const DurationUs before = w.clock.monotonic_us();
  run(w, *courier);
  CHECK(there.accepted.size() == 1);
  CHECK(w.clock.monotonic_us() == before);
  CHECK(w.lane->status().last_error.empty());
}

TEST_CASE("a connector that sends by itself is changed between two calls", "[lane]") {
  LaneWorld w;
  w.limits.blocking = true;
  w.open();
  w.offer(1, 1);
  w.run();
  Vendor there;
  CourierLimits limits;
  limits.blocking = true;
  ScriptedCourier* courier = change(w, there, limits);
  w.offer(2, 1);
  run(w, *courier);
  CHECK(w.vendor.accepted.size() == 1);
  CHECK(there.accepted.size() == 1);
}

TEST_CASE("a message that was refused is sent again after a restart, not held", "[lane][crash]") {
  for (const Fate fate : {Fate::retry, Fate::throttle, Fate::auth}) {
    LaneWorld w;
    w.limits.unsafe_operations = 1U << static_cast<unsigned>(Operation::message);
    w.open();
    bool down = true;
    w.vendor.answer = [&](const std::vector<Seen>& records) {
      return down ? Vendor::all(records, 503, fate) : Vendor::ok();
    };
    Effect effect = LaneWorld::effect(1, 1, 1);
    effect.op = Operation::message;
    w.offer(1, {effect});
    w.run(us_per_s);
    w.lane->stop(0);
    w.lane.reset();
    w.open();
    down = false;
    w.run();
    CHECK(w.count(OutcomeKind::held) == 0);
    CHECK(w.count(OutcomeKind::delivered) == 1);
  }
}

}  // namespace sluice::deliver
