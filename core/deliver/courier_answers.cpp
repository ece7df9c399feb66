#include "deliver/courier_answers.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "deliver/flight.hpp"
#include "deliver/verdicts.hpp"
#include "plugin/http_request.hpp"
#include "plugin/rate_headers.hpp"
#include "store/database.hpp"

namespace sluice::deliver {

void Answers::forget_if_gone(const plugin::Outcome& outcome, const plugin::Record& record) {
  if (outcome.status != SLUICE_GONE) return;
  if (!record.audience_id.empty()) return audiences_.forget(record.name, record.audience_id);
  const ProfileId person = parse_profile_id(record.key);
  if (record.remote_id.empty() || person == nobody || connections_.database == nullptr) return;
  const Status forgotten = connections_.database->keep_remote_ids(destination_, {{person, {}}});
  if (!forgotten) host_.log(SLUICE_WARN, forgotten.error().detail);
}

// A bug in place of an outcome says nothing about what was sent before.
Verdict Answers::verdict_of(plugin::Outcome outcome, WasSent sent) const {
  const bool bug = outcome.status == SLUICE_INTERNAL;
  const Fate fate = bug && sent == WasSent::yes ? Fate::unknown : fate_of(outcome.status);
  Verdict out{fate,
              -1,
              std::move(outcome.reason),
              outcome.detail.empty() ? std::string() : host_.redact(outcome.detail),
              std::move(outcome.remote_id),
              static_cast<Receiver>(outcome.receiver),
              bug};
  if (outcome.retry_after_ms >= 0) out.retry_after = outcome.retry_after_ms * us_per_ms;
  return out;
}

Answer Answers::answer_of(plugin::Output output, const std::shared_ptr<Batch>& batch, WasSent sent) {
  Answer out;
  out.verdicts.reserve(output.outcomes.size());
  for (plugin::Fate& fate : output.outcomes) {
    forget_if_gone(fate.outcome, batch->records[fate.record]);
    out.verdicts.push_back({fate.record, verdict_of(std::move(fate.outcome), sent)});
  }
  for (plugin::Request& request : output.requests) {
    // Whether it may be sent does not depend on its body, which is neither copied nor signed for that.
    std::string body = std::exchange(request.body, {});
    const auto http = plugin::resolve(connector_.http_policy(), request, host_.now_us());
    request.body = std::move(body);
    if (!http) {
      const Fate fate = http.error().code == Code::misconfigured ? Fate::auth : Fate::rejected;
      for (const std::uint32_t r : request.records) {
        out.verdicts.push_back({r, {fate, -1, "request_refused", host_.redact(http.error().detail), {}}});
      }
      continue;
    }
    out.requests.push_back(planned(std::move(request), batch));
  }
  for (const plugin::RateLimit& limit : output.limits) add_limit(bucket_of(limit.bucket), limit, out);
  for (const std::string& fault : output.faults) host_.log(SLUICE_WARN, fault);
  return out;
}

CourierRequest Answers::planned(plugin::Request request, std::shared_ptr<Batch> batch) const {
  CourierRequest out;
  out.records = request.records;
  out.delay = request.delay_ms * us_per_ms;
  out.bucket = bucket_of(request.bucket);
  out.harmless = request.method == "GET" || request.method == "HEAD";
  out.what = std::make_shared<Sent>(Sent{.batch = std::move(batch), .asked = std::move(request)});
  return out;
}

void Answers::add_limit(std::size_t bucket, const plugin::RateLimit& limit, Answer& out) const {
  if (limit.remaining > 0 || limit.reset == no_time) return;
  const DurationUs pause = limit.reset - connections_.clock.wall_us();
  if (connector_.info().rates.size() > 1) {
    out.bucket_pauses.push_back({bucket, pause});
  } else {
    out.pause = std::max(out.pause, pause);
  }
}

// By the manifest's rate_headers: of the bucket named there, else of the one that this request took from.
void Answers::add_announced(const CourierRequest& request, const plugin::Response& response,
                            Answer& out) const {
  for (const plugin::RateHeaders& names : connector_.info().rate_headers) {
    const auto limit = plugin::announced_limit(names, response.headers, connections_.clock.wall_us());
    if (limit) add_limit(names.bucket.empty() ? request.bucket : bucket_of(names.bucket), *limit, out);
  }
}

// Nothing has left: the connector is not asked. All requests need the same token, so all of them wait.
Answer Answers::without_credentials(const CourierRequest& request, const CourierResponse& response,
                                    const Error& error) const {
  const bool later = error.code == Code::transient || error.code == Code::cancelled;
  Answer out;
  for (const std::uint32_t record : request.records) {
    out.verdicts.push_back({record,
                            {later ? Fate::throttle : Fate::auth,
                             response.retry_after,
                             later ? "token_unavailable" : "token_refused",
                             host_.redact(error.detail),
                             {}}});
  }
  return out;
}

std::size_t Answers::bucket_of(const std::string& name) const {
  const std::vector<plugin::Rate>& rates = connector_.info().rates;
  const auto found =
      std::find_if(rates.begin(), rates.end(), [&](const plugin::Rate& rate) { return rate.bucket == name; });
  if (found != rates.end()) return static_cast<std::size_t>(found - rates.begin());
  if (!name.empty())
    host_.log(SLUICE_WARN, "against the plugin contract: the manifest's 'rate' has no bucket '" + name +
                               "'; the first is used");
  return 0;
}

}  // namespace sluice::deliver
