#include "deliver/connector_courier.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <stop_token>
#include <utility>

#include "base/json.hpp"
#include "net/gzip.hpp"
#include "plugin/connector.hpp"
#include "plugin/http_request.hpp"
#include "store/database.hpp"

namespace sluice::deliver {

namespace {

constexpr std::size_t described_bytes_max = 16 * 1024;
constexpr double epoch_seconds_min =
    1e9;  // a rate limit's reset above this is a time, below it a number of seconds

// What a request needs until its answer has been read. The connector's batch is shared by all requests of one
// plan().
struct Sent {
  std::shared_ptr<std::vector<plugin::Record>> batch;
  plugin::Request asked;
};

net::HttpRequest to_http(plugin::HttpRequest request) {
  net::HttpRequest out;
  out.method = std::move(request.method);
  out.url = std::move(request.url);
  for (plugin::Header& header : request.headers)
    out.headers.emplace_back(std::move(header.name), std::move(header.value));
  out.body = std::move(request.body);
  if (request.gzip) {
    out.body = net::gzip(out.body);
    out.headers.emplace_back("content-encoding", "gzip");
  }
  out.timeout_ms = std::max<std::int64_t>(1, request.timeout / us_per_ms);
  out.allow_private = request.host_trusted;
  return out;
}

plugin::Response to_response(net::HttpResponse response) {
  plugin::Response out;
  out.status = response.status;
  out.body = std::move(response.body);
  out.error = std::move(response.error);
  for (auto& [name, value] : response.headers) out.headers.push_back({std::move(name), std::move(value)});
  out.retry_after_ms = response.retry_after_ms;
  return out;
}

// Until when the vendor's limit is used up, from now: X-RateLimit-Reset and its relatives hold a time or a
// number of seconds.
DurationUs until_reset(const net::HttpResponse& response, TimeUs now) {
  for (const char* name : {"x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset"}) {
    const std::optional<double> reset = parse_number(response.header(name));
    if (!reset || *reset < 0 || *reset > 1e12) continue;
    const double us = *reset * static_cast<double>(us_per_s);
    return std::max<DurationUs>(0, static_cast<DurationUs>(us) - (*reset >= epoch_seconds_min ? now : 0));
  }
  return -1;
}

bool limit_used_up(const net::HttpResponse& response) {
  for (const char* name : {"x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining"}) {
    if (response.header(name) == "0") return true;
  }
  return false;
}

// The services of one destination's connector.
class Host final : public plugin::HostServices {
 public:
  Host(const Connections& connections, std::string name)
      : connections_(connections), name_(std::move(name)) {}
  Redactor redact;                   // set once, before the connector is opened
  std::atomic<bool> reached{false};  // a request of http() may have reached somebody

  void log(std::int32_t level, std::string_view text) override {
    if (connections_.log) connections_.log(level, name_, redact(text));
  }
  TimeUs now_us() override { return connections_.clock.wall_us(); }
  void metric(std::int32_t kind, std::string_view name, double value) override {
    if (connections_.metric) connections_.metric(name_, kind, name, value);
  }
  Result<std::optional<std::string>> get(std::string_view key) override {
    if (connections_.database != nullptr) return connections_.database->meta(full(key));
    const std::lock_guard lock(mutex_);
    const auto found = values_.find(std::string(key));
    return found == values_.end() ? std::optional<std::string>() : std::optional<std::string>(found->second);
  }
  Status put(std::string_view key, std::optional<std::string_view> value) override {
    if (connections_.database != nullptr) {
      return value ? connections_.database->put_meta(full(key), *value)
                   : connections_.database->remove_meta(full(key));
    }
    const std::lock_guard lock(mutex_);
    values_.erase(std::string(key));
    if (value) values_.emplace(key, *value);
    return Done{};
  }
  plugin::Response http(const plugin::HttpRequest& request) override {
    net::HttpResponse response = connections_.http.fetch(to_http(request));
    if (response.reached != net::Reached::no) reached = true;
    return to_response(std::move(response));
  }

 private:
  std::string full(std::string_view key) const { return "destination/" + name_ + "/" + std::string(key); }
  const Connections& connections_;
  std::string name_;
  std::mutex mutex_;  // guards values_
  std::map<std::string, std::string> values_;
};

// A bug in place of an outcome says nothing about what was sent before.
sluice_status once_sent(sluice_status status) {
  return status == SLUICE_INTERNAL ? SLUICE_UNKNOWN : status;
}

Fate fate_of(sluice_status status) {
  switch (status) {
    case SLUICE_OK:
      return Fate::delivered;
    case SLUICE_INVALID:
    case SLUICE_UNSUPPORTED:
      return Fate::rejected;
    case SLUICE_AUTH:
      return Fate::auth;
    case SLUICE_THROTTLE:
      return Fate::throttle;
    case SLUICE_SKIPPED:
      return Fate::skipped;
    case SLUICE_UNKNOWN:
      return Fate::unknown;
    default:
      return Fate::retry;
  }
}

class ConnectorCourier final : public Courier {
 public:
  ConnectorCourier(std::shared_ptr<const Connections> connections, std::unique_ptr<Host> host,
                   std::unique_ptr<plugin::Connector> connector)
      : connections_(std::move(connections)), host_(std::move(host)), connector_(std::move(connector)) {
    const plugin::ManifestInfo& info = connector_->info();
    limits_.records_max = info.batch_records;
    limits_.bytes_max = info.batch_bytes;
    limits_.parallel = info.parallel;
    limits_.blocking = !connector_->offers_plan();
    // By the status alone, one request has one fate.
    limits_.all_or_nothing =
        info.all_or_nothing || (connector_->offers_plan() && !connector_->offers_interpret());
    limits_.unsafe_operations = info.unsafe_ops;
    for (const plugin::Rate& rate : info.rates) limits_.rates.push_back({rate.count, rate.per});
    limits_.group_by = info.group_by == "key"    ? GroupBy::person
                       : info.group_by == "op"   ? GroupBy::operation
                       : info.group_by == "name" ? GroupBy::name
                                                 : GroupBy::nothing;
  }

  const CourierLimits& limits() const override { return limits_; }

  Result<Answer> plan(std::span<const Parcel> parcels) override {
    auto batch = std::make_shared<std::vector<plugin::Record>>(records_of(parcels));
    plugin::PlanOutput output = SLUICE_TRY(connector_->plan(*batch, {.stop = stop_.get_token()}));
    return answer_of(std::move(output), batch);
  }

  Result<Answer> interpret(const CourierRequest& request, const CourierResponse& response) override {
    const auto sent = std::static_pointer_cast<Sent>(request.what);
    const auto answer = std::static_pointer_cast<plugin::Response>(response.what);
    plugin::InterpretOutput output =
        SLUICE_TRY(connector_->interpret(*sent->batch, *answer, {.stop = stop_.get_token()}));
    for (plugin::Fate& fate : output.outcomes) fate.outcome.status = once_sent(fate.outcome.status);
    Answer out = answer_of(std::move(output), sent->batch);
    sort_refusals(request, *answer, out);
    if (response.status >= 200 && response.status < 300 && response.retry_after > 0)
      out.pause = response.retry_after;
    return out;
  }

  Result<Answer> deliver(std::span<const Parcel> parcels) override {
    const std::vector<plugin::Record> batch = records_of(parcels);
    const plugin::CallLimits limits{.timeout = connector_->info().timeout, .stop = stop_.get_token()};
    host_->reached = false;
    Result<std::vector<plugin::Outcome>> outcomes = connector_->deliver(batch, limits);
    Answer out;
    if (!outcomes) {
      const plugin::ManifestInfo& info = connector_->info();
      if (info.network || info.files || host_->reached) return outcomes.error();
      // All that it has is http(), and nothing got through: none was sent, and each may be sent again.
      const Error& error = outcomes.error();
      const Fate fate = error.code == Code::misconfigured ? Fate::auth
                        : error.code == Code::rejected    ? Fate::unclear
                                                          : Fate::retry;
      for (std::uint32_t i = 0; i < batch.size(); ++i)
        out.verdicts.push_back({i, {fate, -1, "connector_failed", host_->redact(error.detail), {}}});
      return out;
    }
    for (std::uint32_t i = 0; i < outcomes.value().size(); ++i) {
      plugin::Outcome& outcome = outcomes.value()[i];
      outcome.status = once_sent(outcome.status);
      out.verdicts.push_back({i, verdict_of(std::move(outcome))});
    }
    return out;
  }

  void send(const CourierRequest& request, std::function<void(CourierResponse)> done) override {
    const auto sent = std::static_pointer_cast<Sent>(request.what);
    Result<plugin::HttpRequest> http =
        plugin::resolve(connector_->http_policy(), sent->asked, host_->now_us());
    if (!http) {  // checked by answer_of() already; the policy does not change
      CourierResponse refused;
      refused.sent = false;
      refused.error = host_->redact(http.error().detail);
      refused.what = std::make_shared<plugin::Response>();
      done(std::move(refused));
      return;
    }
    auto answered = [sent, done = std::move(done), connections = connections_](net::HttpResponse response) {
      CourierResponse out;
      out.sent = response.reached != net::Reached::no;
      out.status = response.status;
      out.error = response.error;
      const bool slow_down = response.status == 429 || response.status >= 500 || limit_used_up(response);
      if (response.retry_after_ms >= 0) {
        out.retry_after = response.retry_after_ms * us_per_ms;
      } else if (slow_down) {
        out.retry_after = until_reset(response, connections->clock.wall_us());
      }
      auto answer = std::make_shared<plugin::Response>(to_response(std::move(response)));
      if (out.retry_after >= 0) answer->retry_after_ms = out.retry_after / us_per_ms;
      answer->state = sent->asked.state;
      answer->records = sent->asked.records;
      answer->purpose = sent->asked.purpose;
      out.what = std::move(answer);
      done(std::move(out));
    };
    connections_->http.send(to_http(std::move(http).value()), std::move(answered));
  }

  Exchange describe(const CourierRequest& request, const CourierResponse& response) const override {
    const auto sent = std::static_pointer_cast<Sent>(request.what);
    // Credentials are added later, by resolve(): this is what the connector asked for.
    Exchange out;
    const plugin::Request& asked = sent->asked;
    out.request = asked.method + " " + host_->redact(asked.url) + "\n\n" +
                  host_->redact(std::string_view(asked.body).substr(0, described_bytes_max));
    out.response =
        response.status == 0 ? "no answer: " + response.error : "HTTP " + std::to_string(response.status);
    if (const auto answer = std::static_pointer_cast<plugin::Response>(response.what)) {
      out.response += "\n\n" + host_->redact(std::string_view(answer->body).substr(0, described_bytes_max));
    }
    return out;
  }

  void cancel() override { stop_.request_stop(); }

 private:
  static std::vector<plugin::Record> records_of(std::span<const Parcel> parcels) {
    std::vector<plugin::Record> records;
    records.reserve(parcels.size());
    for (const Parcel& parcel : parcels) {
      const Effect& effect = *parcel.effect;
      records.push_back({.op = static_cast<std::uint32_t>(effect.op),
                         .attempt = parcel.attempt,
                         .time = effect.time,
                         .id = parcel.id,
                         .key = effect.person == nobody ? std::string() : format_profile_id(effect.person),
                         .name = effect.name,
                         .payload = effect.payload,
                         .identifiers = effect.identifiers,
                         .address = effect.address,
                         .remote_id = parcel.remote_id});
    }
    return records;
  }

  Verdict verdict_of(plugin::Outcome outcome) const {
    Verdict out{fate_of(outcome.status), -1, std::move(outcome.reason), host_->redact(outcome.detail),
                std::move(outcome.remote_id)};
    if (outcome.retry_after_ms >= 0) out.retry_after = outcome.retry_after_ms * us_per_ms;
    return out;
  }

  Answer answer_of(plugin::Output output, const std::shared_ptr<std::vector<plugin::Record>>& batch) const {
    Answer out;
    for (plugin::Fate& fate : output.outcomes)
      out.verdicts.push_back({fate.record, verdict_of(std::move(fate.outcome))});
    for (plugin::Request& request : output.requests) {
      // Whether it may be sent does not depend on its body, which is neither copied nor signed for that.
      std::string body = std::exchange(request.body, {});
      const auto http = plugin::resolve(connector_->http_policy(), request, host_->now_us());
      request.body = std::move(body);
      if (!http) {
        const Fate fate = http.error().code == Code::misconfigured ? Fate::auth : Fate::rejected;
        for (const std::uint32_t r : request.records) {
          out.verdicts.push_back({r, {fate, -1, "request_refused", host_->redact(http.error().detail), {}}});
        }
        continue;
      }
      CourierRequest& planned = out.requests.emplace_back();
      planned.records = request.records;
      planned.delay = request.delay_ms * us_per_ms;
      planned.bucket = bucket_of(request.bucket);
      planned.what = std::make_shared<Sent>(Sent{batch, std::move(request)});
    }
    for (const plugin::RateLimit& limit : output.limits) {
      if (limit.remaining > 0 || limit.reset == no_time) continue;
      const DurationUs pause = limit.reset - connections_->clock.wall_us();
      if (limits_.rates.size() > 1) {
        out.bucket_pauses.push_back({bucket_of(limit.bucket), pause});
      } else {
        out.pause = std::max(out.pause, pause);
      }
    }
    for (const std::string& fault : output.faults) host_->log(SLUICE_WARN, fault);
    return out;
  }

  std::size_t bucket_of(const std::string& name) const {
    const std::vector<plugin::Rate>& rates = connector_->info().rates;
    const auto found = std::find_if(rates.begin(), rates.end(),
                                    [&](const plugin::Rate& rate) { return rate.bucket == name; });
    if (found != rates.end()) return static_cast<std::size_t>(found - rates.begin());
    if (!name.empty())
      host_->log(SLUICE_WARN, "against the plugin contract: the manifest's 'rate' has no bucket '" + name +
                                  "'; the first is used");
    return 0;
  }

  // A refusal of the whole request says nothing about any one record: 413 and 400 are tried in halves, 401
  // and 403 are the credentials. A connector that could tell the records apart has given them different fates
  // or reasons.
  static void sort_refusals(const CourierRequest& request, const plugin::Response& response, Answer& answer) {
    const std::int32_t status = response.status;
    const bool credentials = status == 401 || status == 403;
    const bool whole = status == 413 || status == 400 || status == 422;
    if ((!credentials && !whole) || answer.verdicts.empty() ||
        answer.verdicts.size() != request.records.size())
      return;
    const std::string& reason = answer.verdicts.front().verdict.reason;
    for (const Judged& judged : answer.verdicts) {
      if (judged.verdict.fate != Fate::rejected || judged.verdict.reason != reason) return;
    }
    const Fate fate = credentials ? Fate::auth : status == 413 ? Fate::too_big : Fate::unclear;
    for (Judged& judged : answer.verdicts) judged.verdict.fate = fate;
  }

  std::shared_ptr<const Connections> connections_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<plugin::Connector> connector_;
  CourierLimits limits_;
  std::stop_source stop_;
};

Result<std::unique_ptr<Courier>> open_courier(const std::shared_ptr<const Connections>& connections,
                                              const config::Destination& destination) {
  const plugin::Entry* entry = connections->registry.find(destination.plugin, SLUICE_DESTINATION);
  if (entry == nullptr) {
    return Error{Code::misconfigured, "no installed plugin is named '" + destination.plugin + "'"};
  }
  const std::string with = destination.with.empty() ? "{}" : destination.with;
  const std::string expanded = SLUICE_TRY(connections->expand_secrets(with));
  auto host = std::make_unique<Host>(*connections, destination.name);
  host->redact = Redactor(with, expanded, entry->info.secrets);
  std::vector<std::string> hosts = destination.allow_hosts;
  const plugin::Instance instance{.name = destination.name,
                                  .config = expanded,
                                  .folder = connections->folder,
                                  .allow_hosts = std::move(hosts)};
  auto connector = plugin::Connector::open(*entry, instance, *host);
  if (!connector) return Error{connector.error().code, host->redact(connector.error().detail)};
  return std::unique_ptr<Courier>(
      std::make_unique<ConnectorCourier>(connections, std::move(host), std::move(connector).value()));
}

}  // namespace

Delivery::MakeCourier make_couriers(Connections connections) {
  const auto shared = std::make_shared<const Connections>(std::move(connections));
  return [shared](const config::Destination& destination) { return open_courier(shared, destination); };
}

}  // namespace sluice::deliver
