// For tests: a destination that does what the test says, and the way to it. scripted.hpp has the lane around it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "deliver/lane.hpp"

namespace sluice::deliver {

struct Seen {  // a record as it arrived at the destination
  std::string id;
  EffectKey key;
  ProfileId person = nobody;
  std::uint32_t attempt = 0;
  DurationUs at = 0;
  std::string remote_id = {};  // that came with it
  std::string step = {};       // the state of the request that it came with
  bool operator==(const Seen&) const = default;
};

struct Verdicts {  // what the destination does with a request
  CourierResponse response;
  std::string step = {};   // not empty: no verdict yet, but a further request that carries this state ...
  DurationUs delay = 0;    // ... after so long
  bool reads_only = false;   // ... a GET
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
  std::optional<Error> refuse_resume;
  // After a first answer with status 0, the same records are asked about, by a request that only reads.
  bool asks_after = false;
  std::function<std::size_t(const Parcel&)> bucket = [](const Parcel&) { return std::size_t{0}; };

  const CourierLimits& limits() const override { return limits_; }
  Result<Answer> plan(std::span<const Parcel> parcels) override {
    if (refuse_plan) SLUICE_TRY(refuse_plan(parcels));
    Answer answer;
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
    if (asks_after && response.status == 0 && !request.reads_only) {
      CourierRequest& further = answer.requests.emplace_back();
      further.records = request.records;
      further.reads_only = true;
      further.what = request.what;
      return answer;
    }
    if (!verdicts->step.empty()) {
      Pending next = *std::static_pointer_cast<Pending>(request.what);
      next.step = verdicts->step;
      for (Seen& record : next.records) record.step = next.step;
      answer.requests.push_back(further(request.records, std::move(next), verdicts->delay, verdicts->reads_only));
      return answer;
    }
    for (std::uint32_t i = 0; i < request.records.size(); ++i) {
      answer.verdicts.push_back({request.records[i], verdicts->each.empty() ? Verdict{} : verdicts->each[i]});
    }
    return answer;
  }
  std::string keep(const CourierRequest& request) const override {
    const std::string& step = std::static_pointer_cast<Pending>(request.what)->step;
    return step.empty() ? step : std::to_string(request.delay) + (request.reads_only ? " h " : " - ") + step;
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
    const bool reads_only = text[text.find(' ') + 1] == 'h';
    return further(std::move(all), std::move(next), std::stoll(text), reads_only);
  }
  Result<Answer> deliver(std::span<const Parcel> parcels) override {
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
  static CourierRequest further(std::vector<std::uint32_t> records, Pending next, DurationUs delay, bool reads_only) {
    CourierRequest out;
    out.records = std::move(records);
    out.delay = delay;
    out.reads_only = reads_only;
    out.what = std::make_shared<Pending>(std::move(next));
    return out;
  }
  Seen seen(const Parcel& parcel) const {
    return {parcel.id,      parcel.effect->key,    parcel.effect->person,
            parcel.attempt, clock_.monotonic_us(), parcel.remote_id};
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

}  // namespace sluice::deliver
