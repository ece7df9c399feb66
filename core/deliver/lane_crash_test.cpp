#include <catch2/catch.hpp>

#include "deliver/lane_parts.hpp"
#include "deliver/scripted.hpp"

namespace sluice::deliver {
namespace {

// The journal and the step, as far as a lane can tell: what was offered once is offered again after a crash,
// from the last checkpoint on.
struct Step {
  std::vector<Effect> effects;  // by seq, from 1
  std::uint64_t checkpoint = 0;

  void offer(LaneWorld& w, ProfileId person) {
    const std::uint64_t seq = effects.size() + 1;
    effects.push_back(LaneWorld::effect(seq, 1, person));
    const Status offered = w.lane->offer(seq, {effects.back()});
    SLUICE_CHECK(static_cast<bool>(offered) || w.files.stopped());
  }
  void replay(LaneWorld& w) const {
    for (std::uint64_t seq = checkpoint + 1; seq <= effects.size() && !w.files.stopped(); ++seq) {
      const Status offered = w.lane->offer(seq, {effects[seq - 1]});
      SLUICE_CHECK(static_cast<bool>(offered) || w.files.stopped());
    }
  }
};

TEST_CASE("a lane whose files cannot be opened says so", "[lane][crash]") {
  LaneWorld w;
  w.open();
  w.crash();
  w.files.stop_after(0);
  const Status refused = w.try_open();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().detail.find("lost power") != std::string::npos);
  w.files.crash();
  w.open();
  w.offer(1, 1);
  w.run();
  CHECK(w.count(OutcomeKind::delivered) == 1);
}

TEST_CASE("records in the place of lost ones are not taken for done", "[lane][crash]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    LaneWorld w(seed);
    w.open();
    Step step;
    for (int i = 0; i < 3; ++i) step.offer(w, 1);
    w.run();
    w.clock.advance(2 * us_per_s);
    w.lane->pump();  // the outcomes are durable; the records need not be
    w.crash();
    w.open();
    step.replay(w);
    for (ProfileId person = 2; person <= 4; ++person) step.offer(w, person);
    REQUIRE(w.lane->sync());
    w.crash();
    w.open();
    w.run();
    CHECK(w.ended.size() == 6);
  }
}

TEST_CASE("what the gate stopped stays stopped after a crash, once a later record of the person is out",
          "[lane][crash]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    LaneWorld w(seed);
    w.open();
    Effect without_purpose = LaneWorld::effect(2, 1, 7);
    without_purpose.purpose.clear();
    w.gate.deny(7, "newsletter");
    w.offer(1, 7);
    w.offer(2, {without_purpose});
    w.run(0);
    CHECK(w.count(OutcomeKind::suppressed) == 1);
    REQUIRE(w.vendor.accepted.size() == 1);
    w.crash();
    w.gate.allow(7, "newsletter");  // as an input says that is replayed, too
    w.open();
    w.offer(1, 7);
    w.offer(2, {without_purpose});
    w.run();
    CHECK(w.in_order());
  }
}

TEST_CASE("what a later record has superseded does not come behind it after a crash", "[lane][crash]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    LaneWorld w(seed);
    w.open();
    Effect enter = LaneWorld::effect(1, 1, 7), leave = LaneWorld::effect(2, 1, 7);
    enter.supersede = leave.supersede = "audience";
    w.offer(1, {enter});
    w.offer(2, {leave});
    w.run(0);
    CHECK(w.count(OutcomeKind::superseded) == 1);
    REQUIRE(w.vendor.accepted.size() == 1);
    w.crash();
    w.open();
    w.offer(1, {enter});  // a replay hands over one input after the other
    w.run();
    w.offer(2, {leave});
    w.run();
    CHECK(w.in_order());
  }
}

TEST_CASE("after a clean stop nothing is sent again", "[lane][crash]") {
  LaneWorld w;
  w.open();
  Step step;
  for (int i = 0; i < 100; ++i) step.offer(w, 1 + w.random() % 9);
  w.run();
  w.lane->stop(0);
  w.open();
  CHECK(w.lane->idle());
  CHECK(w.lane->applied() == 100);
  step.replay(w);
  w.run();
  CHECK(w.vendor.accepted.size() == 100);
}

TEST_CASE("whatever a crash takes, every record reaches its outcome, in order and under the same key",
          "[lane][crash]") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    LaneWorld w(seed);
    w.segment_bytes = 4 * 1024;
    w.memory_bytes = seed % 2 == 0 ? 1 << 20 : 2 * 1024;
    Step step;
    w.vendor.answer = [&](const std::vector<Seen>& records) {
      return w.random() % 10 == 0 ? Vendor::all(records, 500, Fate::retry) : Vendor::ok();
    };
    std::set<EffectKey> safe;  // ended, and synced since
    bool sent_again = false;
    for (int life = 0; life < 12; ++life) {
      w.open();
      if (w.random() % 2 == 0) w.files.stop_after(w.random() % 400);
      step.replay(w);
      for (int i = 0; i < 20 && !w.fatal; ++i) {
        for (int n = 0; n < 10 && !w.files.stopped(); ++n) step.offer(w, 1 + w.random() % 15);
        for (int n = 0; n < 3; ++n) w.lane->pump();
        if (w.random() % 3 != 0) w.run(us_per_s / 4);
        if (w.random() % 6 == 0 && w.lane->sync()) {
          step.checkpoint = step.effects.size();
          for (const auto& [key, times] : w.ended) safe.insert(key);
        }
        w.clock.advance(us_per_s / 4);
      }
      w.crash();
    }
    w.open();
    const std::size_t before = w.vendor.accepted.size();
    step.replay(w);
    w.run();
    for (std::size_t i = before; i < w.vendor.accepted.size(); ++i)
      sent_again |= safe.contains(w.vendor.accepted[i].key);
    CHECK_FALSE(sent_again);
    CHECK(w.in_order());
    CHECK(w.lane->idle());
    CHECK(w.ended.size() == step.effects.size());
    std::set<EffectKey> taken;
    for (const Seen& seen : w.vendor.accepted) {
      taken.insert(seen.key);
      CHECK(seen.id == "j.1." + std::to_string(seen.key.seq) + ".1");
    }
    CHECK(taken.size() == step.effects.size());
  }
}

TEST_CASE("a message that was on its way when the hub died is held, an event is sent again",
          "[lane][crash]") {
  for (const int variant : {0, 1, 2, 3}) {
    const bool message = (variant & 1) != 0, written = (variant & 2) != 0;
    CAPTURE(message, written);
    LaneWorld w;
    w.limits.unsafe_operations =
        1U << static_cast<unsigned>(Operation::message) | 1U << static_cast<unsigned>(Operation::event);
    w.open();
    Effect effect = LaneWorld::effect(1, 1, 1);
    if (message) effect.op = Operation::message;
    w.lane->pump();
    w.offer(1, {effect});
    if (written) REQUIRE(w.lane->sync());
    w.lane->pump();
    REQUIRE(w.courier->pending.size() == 1);
    w.courier->answer(0);  // it arrives, and the answer is lost
    w.crash();
    w.outcomes.clear();
    w.open();
    w.offer(1, {effect});
    w.run();
    CHECK(w.count(OutcomeKind::held) == (message ? 1 : 0));
    CHECK(w.vendor.accepted.size() == (message ? 1 : 2));
    CHECK(w.lane->idle());
  }
}

TEST_CASE("on_unknown decides what a time-out means", "[lane]") {
  for (const bool hold : {true, false}) {
    LaneWorld w;
    w.limits.unsafe_operations = 1U << static_cast<unsigned>(Operation::event);
    w.destination.on_unknown_set = true;
    w.destination.on_unknown = hold ? config::OnUnknown::hold : config::OnUnknown::retry;
    w.open();
    bool hang = true;
    w.vendor.answer = [&](const std::vector<Seen>& records) {
      return std::exchange(hang, false) ? Vendor::all(records, 0, Fate::retry) : Vendor::ok();
    };
    w.offer(1, 1);
    w.run();
    CHECK(w.count(OutcomeKind::held) == (hold ? 1 : 0));
    CHECK(w.count(OutcomeKind::delivered) == (hold ? 0 : 1));
  }
}

TEST_CASE("what never left is sent again whatever on_unknown says", "[lane]") {
  LaneWorld w;
  w.limits.unsafe_operations = 1U << static_cast<unsigned>(Operation::message);
  w.open();
  bool down = true;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    if (!std::exchange(down, false)) return Vendor::ok();
    Verdicts v = Vendor::all(records, 0, Fate::retry);
    v.response.sent = false;
    return v;
  };
  Effect effect = LaneWorld::effect(1, 1, 1);
  effect.op = Operation::message;
  w.offer(1, {effect});
  w.run();
  CHECK(w.count(OutcomeKind::delivered) == 1);
}

TEST_CASE("a deliver() that fails as a whole leaves its messages in doubt, and does not repeat them",
          "[lane]") {
  for (const Code code : {Code::transient, Code::cancelled, Code::misconfigured}) {
    LaneWorld w;
    w.limits.blocking = true;
    w.limits.unsafe_operations = 1U << static_cast<unsigned>(Operation::message);
    w.open();
    bool fail = true;
    w.courier->refuse_deliver = [&](std::span<const Parcel>) -> Status {
      if (!std::exchange(fail, false)) return Done{};
      return Error{code, "it stopped half-way"};
    };
    for (std::uint32_t i = 1; i <= 3; ++i) {
      Effect effect = LaneWorld::effect(i, 1, i);
      effect.op = i == 3 ? Operation::event : Operation::message;
      w.offer(i, {effect});
    }
    w.run();
    // Refused credentials mean that nothing was sent; of anything else the one on the wire is in doubt.
    const std::size_t held = code == Code::misconfigured ? 0 : 1;
    CHECK(w.count(OutcomeKind::held) == held);
    CHECK(w.count(OutcomeKind::delivered) == 3 - held);
    CHECK(w.vendor.accepted.size() == 3 - held);
  }
}

TEST_CASE("what waits for a retry when the hub dies was not sent, and is not held", "[lane][crash]") {
  LaneWorld w;
  w.limits.blocking = true;
  w.limits.unsafe_operations = 1U << static_cast<unsigned>(Operation::message);
  w.open();
  bool down = true;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    return down ? Vendor::all(records, 0, Fate::retry) : Vendor::ok();
  };
  for (std::uint64_t seq = 1; seq <= 20; ++seq) {
    Effect effect = LaneWorld::effect(seq, 1, seq);
    effect.op = Operation::message;
    w.offer(seq, {effect});
  }
  w.run(us_per_min);
  REQUIRE(w.vendor.requests.size() >= 5);
  REQUIRE(w.lane->sync());
  w.crash();
  down = false;
  w.open();
  w.run();
  CHECK(w.count(OutcomeKind::held) == 0);
  CHECK(w.count(OutcomeKind::delivered) == 20);
}

TEST_CASE("a crash holds what is on the wire, and no more than a handful", "[lane][crash]") {
  LaneWorld w;
  w.limits.records_max = 50;
  w.limits.unsafe_operations = 1U << static_cast<unsigned>(Operation::message);
  w.open();
  const auto offer = [&w](std::uint64_t seq) {
    Effect effect = LaneWorld::effect(seq, 1, seq);
    if (seq % 10 != 0) effect.op = Operation::message;
    w.offer(seq, {effect});
  };
  for (std::uint64_t seq = 1; seq <= 1'000; ++seq) offer(seq);
  for (int i = 0; i < 10; ++i) {
    w.lane->pump();
    w.courier->answer(0);
  }
  REQUIRE(w.lane->sync());
  w.crash();
  w.open();
  w.run();
  CHECK(w.count(OutcomeKind::held) <= careful_batches_max * careful_records_max);
  CHECK(w.lane->idle());
  // What may be repeated is not slowed down by what may not.
  CHECK(w.vendor.in_flight_max == w.limits.parallel);
}

TEST_CASE("where the connector sends by itself, a crash holds the one message on the wire", "[lane][crash]") {
  LaneWorld w;
  w.limits.blocking = true;
  w.limits.unsafe_operations = 1U << static_cast<unsigned>(Operation::message);
  w.open();
  for (std::uint64_t seq = 1; seq <= 60; ++seq) {
    Effect effect = LaneWorld::effect(seq, 1, seq);
    effect.op = Operation::message;
    w.offer(seq, {effect});
  }
  REQUIRE(w.lane->sync());
  int calls = 0;
  struct PowerFailure {};
  w.courier->refuse_deliver = [&](std::span<const Parcel> parcels) -> Status {
    CHECK(parcels.size() == 1);
    if (++calls == 40) throw PowerFailure{};
    return Done{};
  };
  CHECK_THROWS_AS(w.run(), PowerFailure);
  w.crash();
  w.outcomes.clear();
  w.open();
  w.run();
  CHECK(w.count(OutcomeKind::held) == 1);
  CHECK(w.vendor.accepted.size() == 59);
}

TEST_CASE("segments that hold only what is done are dropped, and a straggler keeps its own", "[lane]") {
  LaneWorld w;
  w.segment_bytes = 4 * 1024;
  w.open();
  bool refuse = true;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    Verdicts v = Vendor::ok();
    for (const Seen& r : records)
      v.each.push_back({r.key.seq == 500 && refuse ? Fate::retry : Fate::delivered, -1, "", "", ""});
    return v;
  };
  const auto files = [&](const char* what) {
    return w.files.list(std::string("/data/lanes/braze/") + what).value().size();
  };
  for (std::uint64_t seq = 1; seq <= 2'000; ++seq) {
    w.offer(seq, seq);
    if (seq % 10 == 0) {
      REQUIRE(w.lane->sync());
      w.run(0);
      w.clock.advance(us_per_s);
    }
  }
  CHECK(files("records") > 10);
  refuse = false;
  w.run();
  w.clock.advance(2 * us_per_s);
  w.offer(2'001, 1);
  w.run();
  w.clock.advance(2 * us_per_s);
  w.lane->pump();
  CHECK(files("records") <= 2);
  CHECK(files("outcomes") <= 3);
  w.lane->stop(0);
  w.open();
  CHECK(w.lane->idle());
  w.offer(2'001, 1);
  CHECK(w.lane->idle());
}

}  // namespace
}  // namespace sluice::deliver
