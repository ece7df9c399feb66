// Asynchronous jobs: what a destination works at goes on, and is not begun twice.
#include <catch2/catch.hpp>

#include "deliver/scripted.hpp"

namespace sluice::deliver {
namespace {

// A vendor that takes records as jobs: submit, poll until `polls` have come, done. `first`: how it answers a
// poll before that.
struct Jobs {
  explicit Jobs(LaneWorld& world) : w(world) {
    w.vendor.answer = [this](const std::vector<Seen>& records) { return answer(records); };
  }
  LaneWorld& w;
  std::map<EffectKey, int> submitted;  // how often a record was
  std::size_t jobs = 0, polled = 0;
  std::size_t polls = 3;
  bool harmless = true;
  std::function<std::optional<Verdicts>(const std::vector<Seen>&)> trouble;

  Verdicts running(std::string step) const {
    Verdicts v = Vendor::ok();
    v.step = std::move(step);
    v.delay = us_per_s;
    v.harmless = harmless;
    return v;
  }
  Verdicts answer(const std::vector<Seen>& records) {
    if (records.front().step.empty()) {
      for (const Seen& one : records) ++submitted[one.key];
      return running("job " + std::to_string(++jobs));
    }
    for (const Seen& one : records) CHECK(one.step == records.front().step);
    ++polled;
    if (trouble) {
      if (auto verdicts = trouble(records)) return *verdicts;
    }
    if (polled % polls != 0) return running(records.front().step);
    return Vendor::ok();
  }
  bool each_once() const {
    return std::all_of(submitted.begin(), submitted.end(), [](const auto& one) { return one.second == 1; });
  }
};

void offer_three(LaneWorld& w) {
  w.offer(1, {LaneWorld::effect(1, 1, 1), LaneWorld::effect(1, 2, 2), LaneWorld::effect(1, 3, 3)});
}

// Until the first job has been submitted and its poll waits.
void submit(LaneWorld& w) {
  w.lane->pump();
  REQUIRE(w.courier->pending.size() == 1);
  w.courier->answer(0);
  w.lane->pump();
  REQUIRE(w.courier->pending.empty());
}

}  // namespace

TEST_CASE("a job that is under way when the hub dies is asked for again, after its delay, and not begun anew",
          "[lane][crash]") {
  for (const bool unsafe : {false, true}) {
    LaneWorld w;
    if (unsafe) {
      w.limits.unsafe_operations = 1U << static_cast<unsigned>(Operation::event);
      w.destination.on_unknown_set = true;
      w.destination.on_unknown = config::OnUnknown::hold;
    }
    Jobs jobs(w);
    w.open();
    offer_three(w);
    REQUIRE(w.lane->sync());
    submit(w);
    w.crash();
    w.open();
    const DurationUs opened = w.clock.monotonic_us();
    w.run();
    CHECK(jobs.jobs == 1);
    CHECK(jobs.each_once());
    CHECK(w.count(OutcomeKind::delivered) == 3);
    CHECK(w.count(OutcomeKind::held) == 0);
    CHECK(w.vendor.requests.at(1).size() == 3);  // one poll for all, as before
    CHECK(w.vendor.requests.at(1).front().at >= opened + us_per_s);
    CHECK(w.lane->idle());
  }
}

TEST_CASE("wherever the hub dies a job that it knows of is begun once", "[lane][crash]") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    LaneWorld w(seed);
    w.limits.records_max = 4;
    w.limits.parallel = 3;
    Jobs jobs(w);
    std::map<EffectKey, int> known;  // submitted, and the answer has been read
    std::vector<Effect> all;
    for (std::uint32_t i = 1; i <= 12; ++i) all.push_back(LaneWorld::effect(1, i, i));
    w.open();
    w.offer(1, all);
    REQUIRE(w.lane->sync());
    for (int life = 0; life < 4; ++life) {
      for (std::uint64_t n = w.random() % 12; n > 0; --n) {
        const DurationUs next = w.lane->pump();
        if (!w.courier->pending.empty()) {
          w.courier->answer(w.random() % w.courier->pending.size());
        } else if (next != never) {
          w.clock.set(std::max(next, w.clock.monotonic_us()));
        }
      }
      w.lane->pump();  // every answer that came has been read
      known = jobs.submitted;
      for (ScriptedCourier::Pending& one : w.courier->pending) {
        if (one.step.empty()) {
          for (const Seen& record : one.records) known.erase(record.key);
        }
      }
      w.crash();
      w.open();
      w.offer(1, all);
      for (const auto& [key, times] : known) CHECK(jobs.submitted[key] >= times);
    }
    w.run();
    INFO("seed " << seed);
    CHECK(w.lane->idle());
    for (const auto& [key, times] : known) CHECK(jobs.submitted[key] == times);
  }
}

TEST_CASE("a poll that does not get through is repeated, whatever is wrong, and the job is not begun anew",
          "[lane]") {
  struct Trouble {
    int status;
    Fate fate;
  };
  for (const Trouble trouble : {Trouble{0, Fate::retry}, Trouble{503, Fate::retry},
                                Trouble{429, Fate::throttle}, Trouble{401, Fate::auth}}) {
    for (const bool harmless : {true, false}) {
      INFO(trouble.status << (harmless ? " GET" : " POST"));
      LaneWorld w;
      Jobs jobs(w);
      jobs.harmless = harmless;
      int left = 2;
      jobs.trouble = [&](const std::vector<Seen>& records) -> std::optional<Verdicts> {
        if (left-- <= 0) return std::nullopt;
        return Vendor::all(records, trouble.status, trouble.fate);
      };
      w.open();
      offer_three(w);
      w.run();
      CHECK(jobs.jobs == 1);
      CHECK(w.count(OutcomeKind::delivered) == 3);
      CHECK(w.lane->idle());
    }
  }
}

TEST_CASE("a job that failed over there is begun anew, after a restart too", "[lane][crash]") {
  LaneWorld w;
  Jobs jobs(w);
  bool failed = false;
  jobs.trouble = [&](const std::vector<Seen>& records) -> std::optional<Verdicts> {
    if (std::exchange(failed, true)) return std::nullopt;
    return Vendor::all(records, 200, Fate::retry);
  };
  w.open();
  offer_three(w);
  REQUIRE(w.lane->sync());
  while (!failed) {
    const DurationUs next = w.lane->pump();
    if (!w.courier->pending.empty()) {
      w.courier->answer(0);
    } else {
      w.clock.set(next);
    }
  }
  w.lane->pump();
  REQUIRE(w.lane->sync());
  w.crash();
  w.open();
  w.run();
  CHECK(jobs.jobs == 2);
  CHECK(w.count(OutcomeKind::delivered) == 3);
}

TEST_CASE("an unsafe step that was on its way when the hub died is held", "[lane][crash]") {
  LaneWorld w;
  w.limits.unsafe_operations = 1U << static_cast<unsigned>(Operation::event);
  w.destination.on_unknown_set = true;
  w.destination.on_unknown = config::OnUnknown::hold;
  Jobs jobs(w);
  jobs.harmless = false;
  w.open();
  offer_three(w);
  REQUIRE(w.lane->sync());
  submit(w);
  w.clock.advance(us_per_s);
  w.lane->pump();
  REQUIRE(w.courier->pending.size() == 1);  // the step
  w.crash();
  w.open();
  w.run();
  CHECK(w.count(OutcomeKind::held) == 3);
  CHECK(jobs.jobs == 1);
}

TEST_CASE("other settings go on with what is under way, and what cannot go on is begun anew or held",
          "[lane]") {
  for (const bool refuses : {false, true}) {
    LaneWorld w;
    Jobs jobs(w);
    w.open();
    offer_three(w);
    submit(w);
    auto next = std::make_unique<ScriptedCourier>(w.vendor, w.clock, w.limits, w.per_request);
    if (refuses) next->refuse_resume = Error{Code::rejected, "another version"};
    ScriptedCourier* const courier = next.get();
    w.lane->change(w.destination, std::move(next));
    w.courier = courier;
    w.run();
    CHECK(jobs.jobs == (refuses ? 2 : 1));
    CHECK(w.count(OutcomeKind::delivered) == 3);
  }
}

TEST_CASE(
    "a job of which one person has an older record by now goes on with the others, and with that one later",
    "[lane]") {
  LaneWorld w;
  w.limits.parallel = 1;
  Jobs jobs(w);
  bool failed = false;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    if (records.front().person == 5) return Vendor::ok();
    if (records.front().person != 9 || std::exchange(failed, true)) return jobs.answer(records);
    return Vendor::all(records, 503, Fate::retry);
  };
  w.open();
  w.offer(1, 9);
  w.lane->pump();
  w.courier->answer(0);
  w.lane->pump();
  REQUIRE(failed);  // and waits for its next try
  w.offer(2, {LaneWorld::effect(2, 1, 3), LaneWorld::effect(2, 2, 2)});
  submit(w);      // a job for both, which is asked for after a second
  w.offer(3, 5);  // takes the only place until then
  w.lane->pump();
  REQUIRE(w.courier->pending.size() == 1);
  w.clock.advance(us_per_s);
  w.lane->pump();
  w.gate.merge(9, 3);
  w.lane->pump();
  w.courier->answer(0);
  w.run();
  CHECK(w.count(OutcomeKind::delivered) == 4);
  CHECK(w.lane->idle());
  CHECK(jobs.each_once());
  const auto at = [&](std::uint64_t seq, std::uint32_t ordinal) {
    return std::find_if(w.vendor.accepted.begin(), w.vendor.accepted.end(),
                        [&](const Seen& one) { return one.key == EffectKey{seq, ordinal}; });
  };
  CHECK(at(1, 1) < at(2, 1));  // behind what had become their own
}

TEST_CASE("a record of a job that is withdrawn ends there, and the others go on", "[lane][crash]") {
  LaneWorld w;
  Jobs jobs(w);
  w.open();
  offer_three(w);
  REQUIRE(w.lane->sync());
  submit(w);
  w.crash();
  w.gate.deny(2, "newsletter");
  w.open();
  w.run();
  CHECK(w.count(OutcomeKind::suppressed) == 1);
  CHECK(w.count(OutcomeKind::delivered) == 2);
  CHECK(jobs.jobs == 1);
  CHECK(w.vendor.requests.at(1).size() == 2);
}

TEST_CASE(
    "a step that acts is not taken again for some of its records: it would act for those that have ended",
    "[lane][crash]") {
  LaneWorld w;
  Jobs jobs(w);
  jobs.harmless = false;
  jobs.polls = 1;
  w.open();
  offer_three(w);
  REQUIRE(w.lane->sync());
  submit(w);
  SECTION("after a crash") {
    w.crash();
    w.gate.deny(2, "newsletter");
    w.open();
    w.run();
    CHECK(w.count(OutcomeKind::suppressed) == 1);
    CHECK(w.count(OutcomeKind::delivered) == 2);
  }
  SECTION("when it is refused for some of them") {
    bool once = false;
    jobs.trouble = [&](const std::vector<Seen>& records) -> std::optional<Verdicts> {
      if (std::exchange(once, true)) return {};
      Verdicts v = Vendor::all(records, 200, Fate::throttle, us_per_s);
      v.each.at(1) = {};
      return v;
    };
    w.run();
    CHECK(w.count(OutcomeKind::delivered) == 3);
  }
  CHECK(jobs.jobs == 2);
  CHECK((jobs.submitted[{1, 1}] == 2 && jobs.submitted[{1, 2}] == 1 && jobs.submitted[{1, 3}] == 2));
  CHECK(w.vendor.requests.back().size() == 2);
  CHECK(w.vendor.requests.back().front().step == "job 2");
}

}  // namespace sluice::deliver
