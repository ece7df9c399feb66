#include "hub/webhooks.hpp"

#include <algorithm>
#include <utility>

#include "sluice/plugin.h"

#include "base/log.hpp"
#include "ingest/webhook_rows.hpp"

namespace sluice::hub {

namespace {

// What a failed call is told the caller.
ingest::Taken taken_of(const Error& error) {
  return error.code == Code::rejected ? ingest::Taken::unreadable : ingest::Taken::failed;
}

}  // namespace

Webhooks::Webhooks(Options options)
    : options_(std::move(options)), door_(options_.clock, options_.public_url) {}

void Webhooks::start(Endpoint& endpoint) const {
  endpoint.receiver = std::make_shared<ingest::Receiver>(
      options_.clock, [this, &endpoint](const plugin::Incoming& incoming, ingest::Receiver::Answer answer) {
        receive(endpoint, incoming, std::move(answer));
      });
}

void Webhooks::receive(Endpoint& endpoint, const plugin::Incoming& incoming,
                       ingest::Receiver::Answer answer) const {
  endpoint.kind == SLUICE_SOURCE ? receive_rows(endpoint, incoming, std::move(answer))
                                 : receive_callbacks(endpoint, incoming, std::move(answer));
}

void Webhooks::receive_rows(Endpoint& endpoint, const plugin::Incoming& incoming,
                            ingest::Receiver::Answer answer) const {
  std::vector<Draft> drafts;
  const auto reply = [&] {
    const std::lock_guard lock(endpoint.calls);
    return ingest::receive_rows(*endpoint.connector, incoming, endpoint.feed, *endpoint.rejects,
                                {.timeout = receive_timeout, .stop = {}}, drafts);
  }();
  if (!reply) {
    log_warn("sources", "source '" + endpoint.name + "': a request on " + incoming.route +
                            " is refused: " + reply.error().detail);
    return answer(taken_of(reply.error()), {});
  }
  if (drafts.empty()) return answer(ingest::Taken::accepted, reply.value());
  options_.source_called();
  const Submit submitted =
      options_.submit(std::move(drafts), [answer, said = reply.value()](const Status& status, std::uint64_t) {
        answer(status ? ingest::Taken::accepted : ingest::Taken::failed, said);
      });
  if (submitted != Submit::ok) answer(ingest::Taken::failed, {});
}

void Webhooks::receive_callbacks(Endpoint& endpoint, const plugin::Incoming& incoming,
                                 ingest::Receiver::Answer answer) const {
  CallbackSink sink(incoming.received);
  const auto reply = [&] {
    const std::lock_guard lock(endpoint.calls);
    return endpoint.connector->receive(incoming, sink, {.timeout = receive_timeout, .stop = {}});
  }();
  if (!reply) {
    log_warn("delivery", "destination '" + endpoint.name + "': a request on " + incoming.route +
                             " is refused: " + reply.error().detail);
    return answer(taken_of(reply.error()), {});
  }
  options_.receipts.take(endpoint.name, std::move(sink.callbacks),
                         [answer, said = reply.value()](const Status& status) {
                           answer(status ? ingest::Taken::accepted : ingest::Taken::failed, said);
                         });
}

void Webhooks::pause_but(const std::vector<std::shared_ptr<Endpoint>>& staying) {
  for (const auto& endpoint : endpoints_) {
    if (std::find(staying.begin(), staying.end(), endpoint) == staying.end()) endpoint->receiver->stop();
  }
}

void Webhooks::set(std::vector<std::shared_ptr<Endpoint>> endpoints) {
  std::vector<ingest::WebhookEndpoint> open;
  for (const auto& endpoint : endpoints)
    open.push_back({endpoint->name, endpoint->routes, endpoint->secrets, endpoint->receiver});
  door_.set_endpoints(std::move(open));
  std::swap(endpoints_, endpoints);
  for (const auto& endpoint : endpoints) {
    if (std::find(endpoints_.begin(), endpoints_.end(), endpoint) == endpoints_.end())
      endpoint->receiver->stop();
  }
}

bool Webhooks::has_sources() const {
  return std::any_of(endpoints_.begin(), endpoints_.end(),
                     [](const auto& endpoint) { return endpoint->kind == SLUICE_SOURCE; });
}

void Webhooks::stop() {
  for (const auto& endpoint : endpoints_) endpoint->receiver->stop();
}

}  // namespace sluice::hub
