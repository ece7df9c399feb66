#include "deliver/connector_courier.hpp"

#include <algorithm>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/json.hpp"
#include "deliver/courier_services.hpp"
#include "plugin/connector.hpp"
#include "plugin/http_request.hpp"
#include "plugin/installation.hpp"
#include "plugin/rate_headers.hpp"

namespace sluice::deliver {

namespace {

constexpr std::size_t described_bytes_max = 16 * 1024;
// What a request needs until its answer has been read. The connector's batch is shared by all requests of one
// plan().
struct Sent {
  std::shared_ptr<std::vector<plugin::Record>> batch;
  plugin::Request asked;
};

// What came back: an answer, or why there were no credentials to ask with.
struct Got {
  plugin::Response response;
  std::optional<Error> no_credentials = {};
};

// A request on its way: perhaps twice, when the vendor refuses the token. It outlives its courier.
struct Flight {
  std::shared_ptr<const Connections> connections;
  std::shared_ptr<plugin::Credentials> credentials;
  std::shared_ptr<Sent> sent;
  plugin::HttpRequest request;  // without its token
  std::function<void(CourierResponse)> done;
  bool renewed = false;
};

void answered(const Flight& flight, net::HttpResponse response) {
  CourierResponse out;
  out.sent = response.reached != net::Reached::no;
  out.status = response.status;
  out.error = response.error;
  const bool slow_down = response.status == 429 || response.status >= 500 || limit_used_up(response);
  if (response.retry_after_ms >= 0) {
    out.retry_after = response.retry_after_ms * us_per_ms;
  } else if (slow_down) {
    out.retry_after = until_reset(response, flight.connections->clock.wall_us());
  }
  auto got = std::make_shared<Got>(Got{.response = to_response(std::move(response))});
  if (out.retry_after >= 0) got->response.retry_after_ms = out.retry_after / us_per_ms;
  got->response.received = flight.connections->clock.wall_us();
  got->response.state = flight.sent->asked.state;
  got->response.records = flight.sent->asked.records;
  got->response.purpose = flight.sent->asked.purpose;
  out.what = std::move(got);
  flight.done(std::move(out));
}

void no_credentials(const Flight& flight, plugin::TokenAnswer answer) {
  CourierResponse out;
  out.sent = false;
  out.retry_after = answer.retry_after;
  out.error = answer.error->detail;
  out.what = std::make_shared<Got>(Got{.response = {}, .no_credentials = std::move(answer.error)});
  flight.done(std::move(out));
}

// A token that the vendor refuses is fetched anew, once: its second refusal is the answer.
void depart(const std::shared_ptr<Flight>& flight) {
  if (!flight->credentials->fetched() || flight->sent->asked.no_auth) {
    return flight->connections->http.send(to_http(std::move(flight->request)),
                                          [flight](net::HttpResponse r) { answered(*flight, std::move(r)); });
  }
  flight->credentials->token([flight](plugin::TokenAnswer answer) {
    if (!answer.ok()) return no_credentials(*flight, std::move(answer));
    plugin::HttpRequest ready = flight->request;
    flight->credentials->add(answer.token, ready);
    flight->connections->http.send(to_http(std::move(ready)),
                                   [flight, token = answer.token](net::HttpResponse response) {
                                     if (response.status != 401)
                                       return answered(*flight, std::move(response));
                                     flight->credentials->refused(token);
                                     if (std::exchange(flight->renewed, true))
                                       return answered(*flight, std::move(response));
                                     depart(flight);
                                   });
  });
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
  ConnectorCourier(std::shared_ptr<const Connections> connections, std::unique_ptr<CourierServices> host,
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
    limits_.called_back = !info.routes.empty();
    for (const plugin::Rate& rate : info.rates) limits_.rates.push_back({rate.count, rate.per});
    limits_.group_by = info.group_by == "key"    ? GroupBy::person
                       : info.group_by == "op"   ? GroupBy::operation
                       : info.group_by == "name" ? GroupBy::name
                                                 : GroupBy::nothing;
  }

  const CourierLimits& limits() const override { return limits_; }

  Result<Answer> plan(std::span<const Parcel> parcels) override {
    auto batch = std::make_shared<std::vector<plugin::Record>>(records_of(parcels));
    plugin::PlanOutput output = SLUICE_TRY(connector_->plan(*batch, computing()));
    return answer_of(std::move(output), batch, WasSent::no);
  }

  Result<Answer> interpret(const CourierRequest& request, const CourierResponse& response) override {
    const auto sent = std::static_pointer_cast<Sent>(request.what);
    const auto got = std::static_pointer_cast<Got>(response.what);
    if (got->no_credentials) return without_credentials(request, response, *got->no_credentials);
    Result<plugin::InterpretOutput> output = connector_->interpret(*sent->batch, got->response, computing());
    // What ended its process may not have been this answer: asking again sends nothing again.
    if (!output && output.error().code == Code::transient && !stop_.stop_requested())
      output = connector_->interpret(*sent->batch, got->response, computing());
    if (!output) return output.error();
    Answer out = answer_of(std::move(output).value(), sent->batch, WasSent::yes);
    sort_refusals(request, got->response, out);
    add_announced(request, got->response, out);
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
    for (std::uint32_t i = 0; i < outcomes.value().size(); ++i)
      out.verdicts.push_back({i, verdict_of(std::move(outcomes.value()[i]), WasSent::yes)});
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
      refused.what = std::make_shared<Got>();
      done(std::move(refused));
      return;
    }
    depart(std::make_shared<Flight>(Flight{.connections = connections_,
                                           .credentials = connector_->credentials(),
                                           .sent = sent,
                                           .request = std::move(http).value(),
                                           .done = std::move(done)}));
  }

  Exchange describe(const CourierRequest& request, const CourierResponse& response) const override {
    const auto sent = std::static_pointer_cast<Sent>(request.what);
    // Credentials are added later, by resolve(): this is what the connector asked for.
    Exchange out;
    const plugin::Request& asked = sent->asked;
    out.request = asked.method + " " + host_->redact(asked.url) + "\n\n" +
                  host_->redact(std::string_view(asked.body).substr(0, described_bytes_max));
    out.response = response.status == 0 ? "no answer: " + host_->redact(response.error)
                                        : "HTTP " + std::to_string(response.status);
    if (const auto got = std::static_pointer_cast<Got>(response.what)) {
      out.response +=
          "\n\n" + host_->redact(std::string_view(got->response.body).substr(0, described_bytes_max));
    }
    return out;
  }

  void cancel() override { stop_.request_stop(); }

 private:
  plugin::CallLimits computing() const {
    return {.timeout = std::min(connector_->info().timeout, plugin::compute_max), .stop = stop_.get_token()};
  }
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

  enum class WasSent : std::uint8_t { no, yes };
  // A bug in place of an outcome says nothing about what was sent before.
  Verdict verdict_of(plugin::Outcome outcome, WasSent sent) const {
    const bool bug = outcome.status == SLUICE_INTERNAL;
    const Fate fate = bug && sent == WasSent::yes ? Fate::unknown : fate_of(outcome.status);
    Verdict out{fate,
                -1,
                std::move(outcome.reason),
                host_->redact(outcome.detail),
                std::move(outcome.remote_id),
                static_cast<Receiver>(outcome.receiver),
                bug};
    if (outcome.retry_after_ms >= 0) out.retry_after = outcome.retry_after_ms * us_per_ms;
    return out;
  }

  Answer answer_of(plugin::Output output, const std::shared_ptr<std::vector<plugin::Record>>& batch,
                   WasSent sent) const {
    Answer out;
    for (plugin::Fate& fate : output.outcomes)
      out.verdicts.push_back({fate.record, verdict_of(std::move(fate.outcome), sent)});
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
      planned.reads_only = request.method == "GET" || request.method == "HEAD";
      planned.what = std::make_shared<Sent>(Sent{batch, std::move(request)});
    }
    for (const plugin::RateLimit& limit : output.limits) add_limit(bucket_of(limit.bucket), limit, out);
    for (const std::string& fault : output.faults) host_->log(SLUICE_WARN, fault);
    return out;
  }

  void add_limit(std::size_t bucket, const plugin::RateLimit& limit, Answer& out) const {
    if (limit.remaining > 0 || limit.reset == no_time) return;
    const DurationUs pause = limit.reset - connections_->clock.wall_us();
    if (limits_.rates.size() > 1) {
      out.bucket_pauses.push_back({bucket, pause});
    } else {
      out.pause = std::max(out.pause, pause);
    }
  }

  // By the manifest's rate_headers: of the bucket named there, else of the one that this request took from.
  void add_announced(const CourierRequest& request, const plugin::Response& response, Answer& out) const {
    for (const plugin::RateHeaders& names : connector_->info().rate_headers) {
      const auto limit = plugin::announced_limit(names, response.headers, connections_->clock.wall_us());
      if (limit) add_limit(names.bucket.empty() ? request.bucket : bucket_of(names.bucket), *limit, out);
    }
  }

  // Nothing has left: the connector is not asked. All requests need the same token, so all of them wait.
  Answer without_credentials(const CourierRequest& request, const CourierResponse& response,
                             const Error& error) const {
    const bool later = error.code == Code::transient || error.code == Code::cancelled;
    Answer out;
    for (const std::uint32_t record : request.records) {
      out.verdicts.push_back({record,
                              {later ? Fate::throttle : Fate::auth,
                               response.retry_after,
                               later ? "token_unavailable" : "token_refused",
                               host_->redact(error.detail),
                               {}}});
    }
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
  std::unique_ptr<CourierServices> host_;
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
  auto host = std::make_unique<CourierServices>(*connections, destination.name,
                                                Redactor(with, expanded, entry->info.secrets));
  std::vector<std::string> hosts = destination.allow_hosts;
  plugin::Instance instance{
      .name = destination.name,
      .config = expanded,
      .folder = connections->folder,
      .routes_url = connections->routes_url ? connections->routes_url(destination.name) : std::string(),
      .kind = SLUICE_DESTINATION,
      .allow_hosts = std::move(hosts)};
  instance.stop = connections->stop;
  if (destination.isolation.process) {
    instance.program = SLUICE_TRY(plugin::connector_program());
    instance.memory_bytes = destination.isolation.memory_bytes;
  }
  auto connector = plugin::Connector::open(*entry, instance, *host);
  if (!connector) return Error{connector.error().code, host->redact(connector.error().detail)};
  if (connections->opened) connections->opened(destination.name, *entry, destination.isolation);
  return std::unique_ptr<Courier>(
      std::make_unique<ConnectorCourier>(connections, std::move(host), std::move(connector).value()));
}

}  // namespace

Delivery::MakeCourier make_couriers(Connections connections) {
  const auto shared = std::make_shared<const Connections>(std::move(connections));
  return [shared](const config::Destination& destination) { return open_courier(shared, destination); };
}

}  // namespace sluice::deliver
