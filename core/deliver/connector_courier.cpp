#include "deliver/connector_courier.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/json.hpp"
#include "deliver/audiences.hpp"
#include "deliver/courier_services.hpp"
#include "deliver/flight.hpp"
#include "deliver/verdicts.hpp"
#include "plugin/connector.hpp"
#include "plugin/http_request.hpp"
#include "plugin/inquiry.hpp"
#include "plugin/installation.hpp"
#include "plugin/rate_headers.hpp"
#include "store/database.hpp"

namespace sluice::deliver {

namespace {

constexpr std::size_t described_bytes_max = 16 * 1024;
class ConnectorCourier final : public Courier {
 public:
  ConnectorCourier(std::shared_ptr<const Connections> connections, std::unique_ptr<CourierServices> host,
                   std::unique_ptr<plugin::Connector> connector, const std::string& name)
      : connections_(std::move(connections)),
        host_(std::move(host)),
        connector_(std::move(connector)),
        destination_(name),
        audiences_(name, connections_->database) {
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
    limits_.settle = info.settle;
    for (const plugin::Rate& rate : info.rates) limits_.rates.push_back({rate.count, rate.per});
    limits_.group_by = info.group_by == "key"    ? GroupBy::person
                       : info.group_by == "op"   ? GroupBy::operation
                       : info.group_by == "name" ? GroupBy::name
                                                 : GroupBy::nothing;
  }

  const CourierLimits& limits() const override { return limits_; }

  Result<Answer> plan(std::span<const Parcel> parcels, const Part& part) override {
    return plan(std::make_shared<Batch>(Batch{records_of(parcels, connector_->info()), {part.snapshot, part.number}}));
  }

  Result<Answer> interpret(const CourierRequest& request, const CourierResponse& response) override {
    const auto sent = std::static_pointer_cast<Sent>(request.what);
    const auto got = std::static_pointer_cast<Got>(response.what);
    if (!sent->audience.empty()) return sought(*sent, request, response);
    if (got->no_credentials) return without_credentials(request, response, *got->no_credentials);
    const auto judge = [&] { return connector_->interpret(sent->batch->records, got->response, computing()); };
    Result<plugin::InterpretOutput> output = judge();
    // What ended its process may not have been this answer: asking again sends nothing again.
    if (!output && output.error().code == Code::transient && !stop_.stop_requested()) output = judge();
    if (!output) return output.error();
    Answer out = answer_of(std::move(output).value(), sent->batch, WasSent::yes);
    sort_refusals(request, got->response, !sent->asked.state.empty(), out);
    add_announced(request, got->response, out);
    if (response.status >= 200 && response.status < 300 && response.retry_after > 0)
      out.pause = response.retry_after;
    return out;
  }

  // Only what has a state is about something that the vendor works at.
  std::string keep(const CourierRequest& request) const override {
    const plugin::Request& asked = std::static_pointer_cast<Sent>(request.what)->asked;
    return asked.state.empty() || request.asks ? std::string() : encode_request(asked);
  }

  Result<CourierRequest> resume(std::string_view kept, std::span<const Parcel> parcels) override {
    std::optional<plugin::Request> request = decode_request(kept);
    if (!request) return Error{Code::corrupt, "what was kept of a request is not of this version"};
    const auto http = plugin::resolve(connector_->http_policy(), *request, host_->now_us());
    if (!http) return Error{http.error().code, host_->redact(http.error().detail)};
    for (std::uint32_t i = 0; i < parcels.size(); ++i) request->records.push_back(i);
    auto batch = std::make_shared<Batch>(Batch{records_of(parcels, connector_->info()), {}});
    (void)audiences_.fill(batch->records);
    return planned(std::move(*request), std::move(batch));
  }

  Result<Answer> deliver(std::span<const Parcel> parcels, const Part& part) override {
    std::vector<plugin::Record> batch = records_of(parcels, connector_->info());
    const plugin::CallLimits limits{.timeout = connector_->info().timeout, .stop = stop_.get_token()};
    if (std::optional<Verdict> without = provision_all(batch, limits)) return for_all(batch.size(), *without);
    host_->reached = false;
    Result<std::vector<plugin::Outcome>> outcomes =
        connector_->deliver(batch, limits, {part.snapshot, part.number});
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
      forget_if_gone(outcome, batch[i]);
      out.verdicts.push_back({i, verdict_of(std::move(outcome), WasSent::yes)});
    }
    return out;
  }

  void send(const CourierRequest& request, std::function<void(CourierResponse)> done) override {
    const auto sent = std::static_pointer_cast<Sent>(request.what);
    if (sent->waits) {
      return audiences_.wait(sent->audience, [done = std::move(done)] {
        CourierResponse settled;
        settled.sent = false;
        settled.what = std::make_shared<Got>();
        done(std::move(settled));
      });
    }
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

  std::string unready() const override { return connector_->credentials()->unready(); }
  void renew() override { connector_->credentials()->renew(); }
  void cancel() override {
    stop_.request_stop();
    audiences_.release_all();
  }

 private:
  plugin::CallLimits computing() const {
    return {.timeout = std::min(connector_->info().timeout, plugin::compute_max), .stop = stop_.get_token()};
  }

  Result<Answer> plan(const std::shared_ptr<Batch>& batch) {
    if (connector_->offers_provision()) {
      if (const std::string name = audiences_.fill(batch->records); !name.empty()) return seek(name, batch);
    }
    return answer_of(SLUICE_TRY(connector_->plan(batch->records, computing(), batch->part)), batch,
                     WasSent::no);
  }

  static Answer for_all(std::size_t records, const Verdict& verdict) {
    Answer out;
    for (std::uint32_t i = 0; i < records; ++i) out.verdicts.push_back({i, verdict});
    return out;
  }

  // The batch goes on when the id of this audience is known. Its requests are the search's until then.
  Result<Answer> seek(const std::string& name, const std::shared_ptr<Batch>& batch) {
    if (audiences_.sought(name)) {
      Answer out;
      CourierRequest& waiting = out.requests.emplace_back();
      waiting.records = all_of(*batch);
      waiting.asks = true;
      waiting.what =
          std::make_shared<Sent>(Sent{.batch = batch, .asked = {}, .audience = name, .waits = true});
      return out;
    }
    Result<plugin::Provision> what = audiences_.seek(name);
    if (!what)
      return for_all(batch->records.size(), {Fate::retry, -1, "store_failed", what.error().detail, {}});
    return go_on(name, batch, connector_->provision(what.value(), computing()), {});
  }

  // An answer in the search for an audience.
  Result<Answer> sought(const Sent& sent, const CourierRequest& request, const CourierResponse& response) {
    const auto got = std::static_pointer_cast<Got>(response.what);
    if (sent.waits) {
      if (audiences_.fill(sent.batch->records) != sent.audience) return plan(sent.batch);
      return for_all(sent.batch->records.size(), audiences_.failure(sent.audience));
    }
    if (got->no_credentials) {
      Answer out = without_credentials(request, response, *got->no_credentials);
      audiences_.failed(sent.audience, out.verdicts.front().verdict);
      return out;
    }
    return go_on(sent.audience, sent.batch,
                 connector_->interpret_inquiry(got->response, computing()), sent.next);
  }

  Result<Answer> go_on(const std::string& name, const std::shared_ptr<Batch>& batch,
                       Result<plugin::Inquiry> found, std::vector<plugin::Request> next) {
    if (found && !found.value().outcome) {
      std::move(found.value().requests.begin(), found.value().requests.end(), std::back_inserter(next));
      if (!next.empty()) {
        plugin::Output one;
        one.requests.push_back(std::move(next.front()));
        one.requests.front().records = all_of(*batch);
        next.erase(next.begin());
        Answer out = answer_of(std::move(one), batch, WasSent::no);
        for (const plugin::RateLimit& limit : found.value().limits)
          add_limit(bucket_of(limit.bucket), limit, out);
        if (out.requests.empty()) {
          audiences_.failed(name, out.verdicts.front().verdict);
          return out;
        }
        out.requests.front().asks = true;
        const auto sent = std::static_pointer_cast<Sent>(out.requests.front().what);
        sent->audience = name;
        sent->next = std::move(next);
        return out;
      }
    }
    const Result<std::string> id = plugin::id_of(*connector_, std::move(found));
    if (id && !id.value().empty()) {
      SLUICE_TRY(audiences_.found(name, id.value()));
      return plan(batch);
    }
    const Verdict why = not_found(name, id);
    audiences_.failed(name, why);
    return for_all(batch->records.size(), why);
  }

  // Without its audience no record can be delivered, and each may be later: the lane pauses.
  Verdict not_found(const std::string& name, const Result<std::string>& id) const {
    const bool later = id || id.error().code == Code::transient || id.error().code == Code::cancelled;
    return {later ? Fate::retry : Fate::auth,
            -1,
            "no_audience",
            "the audience '" + name + "' was neither found nor created over there: " +
                (id ? std::string("the connector named no id") : host_->redact(id.error().detail)),
            {}};
  }

  // The same, by a connector that blocks.
  std::optional<Verdict> provision_all(std::vector<plugin::Record>& records,
                                       const plugin::CallLimits& limits) {
    if (!connector_->offers_provision()) return {};
    for (std::string name = audiences_.fill(records); !name.empty(); name = audiences_.fill(records)) {
      Result<plugin::Provision> what = audiences_.seek(name);
      const Result<std::string> id =
          what ? plugin::provision(*connector_, *host_, what.value(), limits) : what.error();
      if (!id) {
        Verdict why = not_found(name, id);
        audiences_.failed(name, why);
        return why;
      }
      if (const Status kept = audiences_.found(name, id.value()); !kept) return audiences_.failure(name);
    }
    return {};
  }

  static std::vector<std::uint32_t> all_of(const Batch& batch) {
    std::vector<std::uint32_t> all(batch.records.size());
    for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
    return all;
  }

  void forget_if_gone(const plugin::Outcome& outcome, const plugin::Record& record) {
    if (outcome.status != SLUICE_GONE) return;
    if (!record.audience_id.empty()) return audiences_.forget(record.name, record.audience_id);
    const ProfileId person = parse_profile_id(record.key);
    if (record.remote_id.empty() || person == nobody || connections_->database == nullptr) return;
    const Status forgotten = connections_->database->keep_remote_ids(destination_, {{person, {}}});
    if (!forgotten) host_->log(SLUICE_WARN, forgotten.error().detail);
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

  Answer answer_of(plugin::Output output, const std::shared_ptr<Batch>& batch, WasSent sent) {
    Answer out;
    for (plugin::Fate& fate : output.outcomes) {
      forget_if_gone(fate.outcome, batch->records[fate.record]);
      out.verdicts.push_back({fate.record, verdict_of(std::move(fate.outcome), sent)});
    }
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
      out.requests.push_back(planned(std::move(request), batch));
    }
    for (const plugin::RateLimit& limit : output.limits) add_limit(bucket_of(limit.bucket), limit, out);
    for (const std::string& fault : output.faults) host_->log(SLUICE_WARN, fault);
    return out;
  }

  CourierRequest planned(plugin::Request request, std::shared_ptr<Batch> batch) const {
    CourierRequest out;
    out.records = request.records;
    out.delay = request.delay_ms * us_per_ms;
    out.bucket = bucket_of(request.bucket);
    out.harmless = request.method == "GET" || request.method == "HEAD";
    out.what = std::make_shared<Sent>(Sent{.batch = std::move(batch), .asked = std::move(request)});
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

  std::shared_ptr<const Connections> connections_;
  std::unique_ptr<CourierServices> host_;
  std::unique_ptr<plugin::Connector> connector_;
  const std::string destination_;
  Audiences audiences_;
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
  return std::unique_ptr<Courier>(std::make_unique<ConnectorCourier>(
      connections, std::move(host), std::move(connector).value(), destination.name));
}

}  // namespace

Delivery::MakeCourier make_couriers(Connections connections) {
  const auto shared = std::make_shared<const Connections>(std::move(connections));
  return [shared](const config::Destination& destination) { return open_courier(shared, destination); };
}

}  // namespace sluice::deliver
