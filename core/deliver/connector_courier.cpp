#include "deliver/connector_courier.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/json.hpp"
#include "deliver/audiences.hpp"
#include "deliver/courier_answers.hpp"
#include "deliver/courier_services.hpp"
#include "deliver/flight.hpp"
#include "deliver/verdicts.hpp"
#include "plugin/connector.hpp"
#include "plugin/http_request.hpp"
#include "plugin/inquiry.hpp"
#include "plugin/installation.hpp"
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
        audiences_(name, connections_->database),
        answers_(*connections_, *host_, *connector_, audiences_, name) {
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
    return plan(std::make_shared<Batch>(
        Batch{records_of(parcels, connector_->info()), {part.snapshot, part.number}}));
  }

  Result<Answer> interpret(const CourierRequest& request, const CourierResponse& response) override {
    const auto sent = std::static_pointer_cast<Sent>(request.what);
    const auto got = std::static_pointer_cast<Got>(response.what);
    if (!sent->audience.empty()) return sought(*sent, request, response);
    if (got->no_credentials) return answers_.without_credentials(request, response, *got->no_credentials);
    const auto judge = [&] {
      return connector_->interpret(sent->batch->records, got->response, computing());
    };
    Result<plugin::InterpretOutput> output = judge();
    // What ended its process may not have been this answer: asking again sends nothing again.
    if (!output && output.error().code == Code::transient && !stop_.stop_requested()) output = judge();
    if (!output) return output.error();
    Answer out = answers_.answer_of(std::move(output).value(), sent->batch, WasSent::yes);
    sort_refusals(request, got->response, !sent->asked.state.empty(), out);
    answers_.add_announced(request, got->response, out);
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
    return answers_.planned(std::move(*request), std::move(batch));
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
    const plugin::ManifestInfo& info = connector_->info();
    const WasSent sent = info.network || info.files || host_->reached ? WasSent::yes : WasSent::no;
    for (std::uint32_t i = 0; i < outcomes.value().size(); ++i) {
      plugin::Outcome& outcome = outcomes.value()[i];
      answers_.forget_if_gone(outcome, batch[i]);
      out.verdicts.push_back({i, answers_.verdict_of(std::move(outcome), sent)});
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
    return answers_.answer_of(SLUICE_TRY(connector_->plan(batch->records, computing(), batch->part)), batch,
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
      Answer out = answers_.without_credentials(request, response, *got->no_credentials);
      audiences_.failed(sent.audience, out.verdicts.front().verdict);
      return out;
    }
    return go_on(sent.audience, sent.batch, connector_->interpret_inquiry(got->response, computing()),
                 sent.next);
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
        Answer out = answers_.answer_of(std::move(one), batch, WasSent::no);
        for (const plugin::RateLimit& limit : found.value().limits)
          answers_.add_limit(answers_.bucket_of(limit.bucket), limit, out);
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

  std::shared_ptr<const Connections> connections_;
  std::unique_ptr<CourierServices> host_;
  std::unique_ptr<plugin::Connector> connector_;
  Audiences audiences_;
  Answers answers_;
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
