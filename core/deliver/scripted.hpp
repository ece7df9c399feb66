// For tests: a lane in virtual time, on a disk that can crash, to a destination that does what the test says.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "base/sim_file.hpp"
#include "deliver/scripted_courier.hpp"

namespace sluice::deliver {

// One lane in virtual time.
struct LaneWorld {
  explicit LaneWorld(std::uint64_t seed = 1) : files(seed), random(seed) {
    destination.name = "braze";
    limits.records_max = 10;
  }
  SimFileSystem files;
  ManualClock clock{1'000'000'000'000'000};
  Gate gate;
  Vendor vendor;
  CourierLimits limits;
  config::Destination destination;
  store::Database* database = nullptr;
  std::uint64_t memory_bytes = 1 << 20;
  std::uint64_t segment_bytes = 64 * 1024;
  std::uint32_t per_request = 1'000;
  std::mt19937_64 random;
  std::vector<std::pair<EffectKey, Outcome>> outcomes;  // in the order in which they were known
  std::map<EffectKey, std::size_t> ended;               // how often each
  std::optional<Error> fatal;
  ScriptedCourier* courier = nullptr;  // the lane's
  std::unique_ptr<Lane> lane;

  void open() {
    auto own = std::make_unique<ScriptedCourier>(vendor, clock, limits, per_request);
    courier = own.get();
    auto opened = Lane::open({.files = files,
                              .clock = clock,
                              .directory = "/data/lanes/braze",
                              .journal = "j.1",
                              .gate = gate,
                              .database = database,
                              .history = nullptr,
                              .seed = 7,
                              .memory_bytes = memory_bytes,
                              .segment_bytes = segment_bytes,
                              .destination = destination,
                              .on_outcome =
                                  [this](const Effect& effect, const Outcome& outcome) {
                                    outcomes.emplace_back(effect.key, outcome);
                                    ++ended[effect.key];
                                  },
                              .on_idle = {},
                              .on_fatal = [this](const Error& error) { fatal = error; }},
                             std::move(own));
    SLUICE_CHECK(static_cast<bool>(opened));
    lane = std::move(opened).value();
  }
  static Effect effect(std::uint64_t seq, std::uint32_t ordinal, ProfileId person) {
    Effect e;
    e.key = {seq, ordinal};
    e.destination = "braze";
    e.person = person;
    e.purpose = "newsletter";
    e.name = "Order Completed";
    e.payload = R"({"seq":)" + std::to_string(seq) + "}";
    return e;
  }
  void offer(std::uint64_t seq, std::vector<Effect> effects) {
    const Status offered = lane->offer(seq, std::move(effects));
    SLUICE_CHECK(static_cast<bool>(offered));
  }
  void offer(std::uint64_t seq, ProfileId person) { offer(seq, {effect(seq, 1, person)}); }
  // Answers what is in flight in random order and lets time pass until all have ended or nothing can happen
  // any more.
  void run(DurationUs at_most = never) {
    const DurationUs until = at_most == never ? never : clock.monotonic_us() + at_most;
    while (true) {
      const DurationUs next = lane->pump();
      if (!courier->pending.empty()) {
        courier->answer(random() % courier->pending.size());
      } else if (lane->idle() || next == never || next > until) {
        return;
      } else if (next > clock.monotonic_us()) {
        clock.set(next);
      }
    }
  }
  std::size_t count(OutcomeKind kind) const {
    std::size_t n = 0;
    for (const auto& [key, outcome] : outcomes) n += outcome.kind == kind ? 1 : 0;
    return n;
  }
  // The power goes: what was in flight has arrived or not, and nobody learns of it.
  void crash() {
    while (!courier->pending.empty() && random() % 2 == 0)
      courier->answer(random() % courier->pending.size());
    for (ScriptedCourier::Pending& one : courier->pending) one.done({});
    files.crash();
    lane.reset();
    fatal.reset();
  }
  // Whether the destination took each person's records in the order of their keys, repeats of the same aside.
  bool in_order() const {
    std::map<ProfileId, EffectKey> last;
    std::set<EffectKey> known;
    for (const Seen& seen : vendor.accepted) {
      if (!known.insert(seen.key).second) continue;
      EffectKey& before = last[seen.person];
      if (seen.key < before) return false;
      before = seen.key;
    }
    return true;
  }
};

}  // namespace sluice::deliver
