// For tests: a destination that does what the test says, and a lane around it in virtual time, on a disk that
// can crash.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "base/sim_file.hpp"
#include "deliver/lane.hpp"

namespace sluice::deliver {

struct Seen {  // a record as it arrived at the destination
  std::string id;
  EffectKey key;
  ProfileId person = nobody;
  std::uint32_t attempt = 0;
  DurationUs at = 0;
  std::string remote_id = {};  // that came with it
  Operation op = Operation::event;
  std::string step = {};  // the state of the request that it came with
  bool operator==(const Seen&) const = default;
};

struct Verdicts {  // what the destination does with a request
  CourierResponse response;
  std::string step = {};      // not empty: no verdict yet, but a further request that carries this state ...
  DurationUs delay = 0;       // ... after so long
  bool harmless = false;      // ... a GET
  std::vector<Verdict> each;  // by record; empty: delivered, all of them
};

// The destination itself: outlives couriers and lanes, as a vendor does.
struct Vendor {
  std::function<Verdicts(const std::vector<Seen>&)> answer = [](const std::vector<Seen>&) { return ok(); };
  std::vector<std::vector<Seen>> requests;  // that arrived, in order
  std::vector<Seen> accepted;               // records that it took, in order
  std::size_t in_flight_max = 0;

  static Verdicts ok() {
    Verdicts v;
    v.response.status = 200;
    return v;
  }
  // All records share one fate.
  static Verdicts all(const std::vector<Seen>& records, int status, Fate fate, DurationUs retry_after = -1) {
    Verdicts v;
    v.response.status = status;
    v.response.retry_after = retry_after;
    v.each.assign(records.size(), Verdict{fate, -1, "http_" + std::to_string(status), "", ""});
    return v;
  }
};

class ScriptedCourier final : public Courier {
 public:
  struct Pending {
    std::vector<Seen> records;
    std::function<void(CourierResponse)> done;
    std::shared_ptr<Verdicts> verdicts;
    std::string step = {};
  };
  ScriptedCourier(Vendor& vendor, const Clock& clock, CourierLimits limits, std::uint32_t per_request)
      : vendor_(vendor), clock_(clock), limits_(limits), per_request_(per_request) {}

  std::vector<Pending> pending;
  std::function<Status(std::span<const Parcel>)> refuse_plan, refuse_deliver;
  std::vector<Part> parts;                // of snapshots, as plan() had them
  std::size_t part_records_max = 10'000;  // what it takes of one; the rest is left to the next
  std::optional<Error> refuse_resume;
  // After a first answer with status 0, the same records are asked about, by a request that only reads.
  bool asks_after = false;
  std::function<std::size_t(const Parcel&)> bucket = [](const Parcel&) { return std::size_t{0}; };

  const CourierLimits& limits() const override { return limits_; }
  Result<Answer> plan(std::span<const Parcel> parcels, const Part& part) override {
    if (refuse_plan) SLUICE_TRY(refuse_plan(parcels));
    Answer answer;
    if (part.number > 0) {
      parts.push_back(part);
      parcels = parcels.first(std::min(parcels.size(), part_records_max));
    }
    for (std::uint32_t i = 0; i < parcels.size(); ++i) {
      if (i % per_request_ == 0) answer.requests.emplace_back().what = std::make_shared<Pending>();
      answer.requests.back().records.push_back(i);
      answer.requests.back().bucket = bucket(parcels[i]);
      std::static_pointer_cast<Pending>(answer.requests.back().what)->records.push_back(seen(parcels[i]));
    }
    return answer;
  }
  Result<Answer> interpret(const CourierRequest& request, const CourierResponse& response) override {
    const auto verdicts = std::static_pointer_cast<Verdicts>(response.what);
    Answer answer;
    if (!verdicts) return answer;
    if (!verdicts->step.empty()) {
      Pending next = *std::static_pointer_cast<Pending>(request.what);
      next.step = verdicts->step;
      for (Seen& record : next.records) record.step = next.step;
      answer.requests.push_back(
          further(request.records, std::move(next), verdicts->delay, verdicts->harmless));
      return answer;
    }
    if (asks_after && response.status == 0 && !request.harmless) {
      CourierRequest& asked = answer.requests.emplace_back();
      asked.records = request.records;
      asked.harmless = true;
      asked.what = request.what;
      return answer;
    }
    for (std::uint32_t i = 0; i < request.records.size(); ++i) {
      answer.verdicts.push_back({request.records[i], verdicts->each.empty() ? Verdict{} : verdicts->each[i]});
    }
    return answer;
  }
  std::string keep(const CourierRequest& request) const override {
    const std::string& step = std::static_pointer_cast<Pending>(request.what)->step;
    return step.empty() ? step : std::to_string(request.delay) + (request.harmless ? " h " : " - ") + step;
  }
  Result<CourierRequest> resume(std::string_view kept, std::span<const Parcel> parcels) override {
    if (refuse_resume) return *refuse_resume;
    const std::string text(kept);
    Pending next{.records = {}, .done = {}, .verdicts = {}, .step = text.substr(text.find(' ') + 3)};
    std::vector<std::uint32_t> all;
    for (std::uint32_t i = 0; i < parcels.size(); ++i) {
      all.push_back(i);
      next.records.push_back(seen(parcels[i]));
      next.records.back().step = next.step;
    }
    const bool harmless = text[text.find(' ') + 1] == 'h';
    return further(std::move(all), std::move(next), std::stoll(text), harmless);
  }
  Result<Answer> deliver(std::span<const Parcel> parcels, const Part&) override {
    if (refuse_deliver) SLUICE_TRY(refuse_deliver(parcels));
    std::vector<Seen> records;
    for (const Parcel& parcel : parcels) records.push_back(seen(parcel));
    const Verdicts verdicts = take(records);
    Answer answer;
    for (std::uint32_t i = 0; i < parcels.size(); ++i) {
      answer.verdicts.push_back({i, verdicts.each.empty() ? Verdict{} : verdicts.each[i]});
    }
    return answer;
  }
  void send(const CourierRequest& request, std::function<void(CourierResponse)> done) override {
    Pending one = *std::static_pointer_cast<Pending>(request.what);
    one.done = std::move(done);
    pending.push_back(std::move(one));
    vendor_.in_flight_max = std::max(vendor_.in_flight_max, pending.size());
  }
  Exchange describe(const CourierRequest&, const CourierResponse& response) const override {
    return {"the request", "HTTP " + std::to_string(response.status)};
  }
  void cancel() override {}

  // The n-th request in flight arrives and is answered.
  void answer(std::size_t n) {
    Pending one = std::move(pending[n]);
    pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(n));
    Verdicts verdicts = take(one.records);
    CourierResponse response = verdicts.response;
    response.what = std::make_shared<Verdicts>(std::move(verdicts));
    one.done(std::move(response));
  }

 private:
  static CourierRequest further(std::vector<std::uint32_t> records, Pending next, DurationUs delay,
                                bool harmless) {
    CourierRequest out;
    out.records = std::move(records);
    out.delay = delay;
    out.harmless = harmless;
    out.what = std::make_shared<Pending>(std::move(next));
    return out;
  }
  Seen seen(const Parcel& parcel) const {
    return {parcel.id,        parcel.effect->key,    parcel.effect->person,
            parcel.attempt,   clock_.monotonic_us(), parcel.remote_id,
            parcel.effect->op};
  }
  Verdicts take(std::vector<Seen> records) {
    for (Seen& record : records) record.at = clock_.monotonic_us();
    vendor_.requests.push_back(records);
    Verdicts verdicts = vendor_.answer(records);
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (!verdicts.step.empty()) continue;
      if (verdicts.each.empty() || verdicts.each[i].fate == Fate::delivered)
        vendor_.accepted.push_back(records[i]);
    }
    return verdicts;
  }
  Vendor& vendor_;
  const Clock& clock_;
  CourierLimits limits_;
  std::uint32_t per_request_;
};

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
    const Status opened = try_open();
    SLUICE_CHECK(static_cast<bool>(opened));
  }
  Status try_open() {
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
    if (!opened) return opened.error();
    lane = std::move(opened).value();
    return Done{};
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
  void offer(std::uint64_t seq, std::vector<Effect> effects, Follows follows = Follows::nothing) {
    const Status offered = lane->offer(seq, std::move(effects), follows);
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
