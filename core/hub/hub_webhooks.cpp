// Who calls us: the routes of sources and destinations.
#include <algorithm>

#include "sluice/plugin.h"

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "hub/difference.hpp"
#include "hub/hub.hpp"
#include "plugin/installation.hpp"

namespace sluice::hub {

namespace {

// The values of the fields that may have signed, for each route.
std::vector<std::vector<std::string>> secrets_of(const std::vector<plugin::WebhookRoute>& routes,
                                                 const std::string& with) {
  JsonParser parser;
  const Json settings = parser.parse(with);
  std::vector<std::vector<std::string>> out;
  for (const plugin::WebhookRoute& route : routes) {
    auto& values = out.emplace_back();
    for (const std::string& field : route.verify.secrets) {
      const std::string_view value = settings[field].string_or("");
      if (!value.empty()) values.emplace_back(value);
    }
  }
  return out;
}

}  // namespace

std::string public_url(const config::Config& config) {
  std::string out = config.hub.public_url;
  while (out.ends_with('/')) out.pop_back();
  return out;
}

std::string Hub::routes_url(const config::Config& config, std::string_view name) const {
  const std::string base = public_url(config);
  return base.empty() ? base : base + "/in/" + std::string(name);
}

void Hub::make_webhooks() {
  const auto submit = [this](std::vector<Draft> drafts, Journal::Answer done) {
    return engine_->journal().submit(std::move(drafts), std::move(done));
  };
  const JournalIdentity& identity = engine_->journal().identity();
  receipts_ = std::make_unique<Receipts>(clock_, *database_,
                                         identity.id + '.' + std::to_string(identity.generation), submit);
  webhooks_ = std::make_unique<Webhooks>(
      Webhooks::Options{.clock = clock_,
                        .receipts = *receipts_,
                        .submit = submit,
                        .public_url = [this] { return public_url(*config()); },
                        .source_called = [this] { last_event_ = clock_.monotonic_us(); }});
  subscriptions_ = std::make_unique<Subscriptions>(clock_, *database_);
}

template <typename Item>
Result<std::shared_ptr<Endpoint>> Hub::open_endpoint(const config::Config& config, const Item& item,
                                                     std::uint32_t kind) {
  const plugin::Entry* const entry = registry_.find(item.plugin, kind);
  if (entry == nullptr || entry->info.routes.empty()) return std::shared_ptr<Endpoint>();
  const std::string folder = folder_of(config);
  const std::string with = SLUICE_TRY(config::expand_secrets(item.with.empty() ? "{}" : item.with, folder));
  const std::string section = kind == SLUICE_SOURCE ? "sources" : "destinations";
  const std::uint64_t print = hash64(
      with, hash64(text_of_item(config, section, item.name) + routes_url(config, item.name) + entry->sha256,
                   item.isolation.process ? 1 : 0));
  for (const auto& open : webhooks_->endpoints()) {
    if (open->name == item.name && open->kind == kind && open->print == print) return open;
  }
  auto endpoint = std::make_shared<Endpoint>();
  endpoint->name = item.name;
  endpoint->kind = kind;
  endpoint->print = print;
  endpoint->routes = entry->info.routes;
  std::erase_if(endpoint->routes, [](const plugin::WebhookRoute& route) {
    return route.verify.kind == plugin::VerifyKind::unsaid;
  });
  endpoint->secrets = secrets_of(endpoint->routes, with);
  endpoint->services = std::make_unique<ConnectorServices>(
      item.name, clock_, *database_, *vault_, *http_, connector_metrics_, connector_processes_,
      deliver::Redactor(item.with.empty() ? "{}" : item.with, with, entry->info.secrets));
  plugin::Instance instance{.name = item.name,
                            .config = with,
                            .folder = folder,
                            .routes_url = routes_url(config, item.name),
                            .kind = kind};
  if constexpr (requires { item.allow_hosts; }) instance.allow_hosts = item.allow_hosts;
  instance.stop = opening_.get_token();
  if (item.isolation.process) {
    instance.program = SLUICE_TRY(plugin::connector_program());
    instance.memory_bytes = item.isolation.memory_bytes;
  }
  endpoint->connector = SLUICE_TRY(plugin::Connector::open(*entry, instance, *endpoint->services));
  if (!endpoint->connector->offers_receive()) return std::shared_ptr<Endpoint>();
  return endpoint;
}

// Sources are called wherever the hub listens; destinations only where vendors know its public URL.
Status Hub::open_endpoints(const config::Config& config, Next& next) {
  const auto add = [&](Result<std::shared_ptr<Endpoint>> opened, const std::string& what) -> Status {
    if (!opened) return Error{opened.error().code, what + ": " + opened.error().detail};
    if (const auto& endpoint = opened.value()) {
      if (!endpoint->receiver) webhooks_->start(*endpoint);
      next.endpoints.push_back(endpoint);
    }
    return Done{};
  };
  for (const config::Source& source : config.sources) {
    const std::string what = "source '" + source.name + "'";
    auto opened = open_endpoint(config, source, SLUICE_SOURCE);
    if (opened && opened.value() && !opened.value()->rejects) {
      Endpoint& endpoint = *opened.value();
      endpoint.rejects = std::make_unique<ingest::RejectsFile>(rejects_folder(config.hub.data), source.name);
      endpoint.feed.source = source.name;
      endpoint.feed.stream = source.streams.size() == 1 ? source.streams.front().name : std::string();
      endpoint.feed.event_time = event_times();
    }
    SLUICE_TRY(add(std::move(opened), what));
  }
  if (public_url(config).empty()) return Done{};
  for (const config::Destination& destination : config.destinations) {
    SLUICE_TRY(add(open_endpoint(config, destination, SLUICE_DESTINATION),
                   "destination '" + destination.name + "'"));
  }
  return Done{};
}

}  // namespace sluice::hub
