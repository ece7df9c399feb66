// What comes in: plugin sources with their feeds, and the tracking door.
#include <algorithm>

#include "sluice/plugin.h"

#include "base/json.hpp"
#include "base/log.hpp"
#include "hub/hub.hpp"
#include "plugin/installation.hpp"

namespace sluice::hub {

namespace {
constexpr std::string_view tracking = "tracking";
}

Result<std::unique_ptr<plugin::Connector>> Hub::open_connector(const config::Source& source,
                                                               std::unique_ptr<ConnectorServices>& services) {
  const plugin::Entry* entry = registry_.find(source.plugin, SLUICE_SOURCE);
  if (entry == nullptr) {
    return Error{Code::misconfigured,
                 "source '" + source.name + "': no plugin named '" + source.plugin + "' is installed"};
  }
  plugin::Instance instance;
  instance.name = source.name;
  instance.folder = folder_of(*options_.config);
  instance.kind = SLUICE_SOURCE;
  instance.config = SLUICE_TRY(config::expand_secrets(source.with, instance.folder));
  instance.routes_url = routes_url(*opening_for_, source.name);
  instance.stop = opening_.get_token();
  if (source.isolation.process) {
    instance.program = SLUICE_TRY(plugin::connector_program());
    instance.memory_bytes = source.isolation.memory_bytes;
  }
  services = std::make_unique<ConnectorServices>(
      source.name, clock_, *database_, *vault_, *http_, connector_metrics_, connector_processes_,
      deliver::Redactor(source.with.empty() ? "{}" : source.with, instance.config, entry->info.secrets));
  auto opened = plugin::Connector::open(*entry, instance, *services);
  if (!opened) {
    opening_failed_ = source.plugin;
    return Error{opened.error().code, "source '" + source.name + "': " + opened.error().detail};
  }
  return opened;
}

// A reader of its own: the feed's thread asks whether a row can be read before it is journaled. It follows
// the configuration that holds.
std::function<Result<TimeUs>(const RecordInput&)> Hub::event_times() {
  struct Held {
    std::uint64_t version = 0;
    std::shared_ptr<const config::Config> config;
    std::unique_ptr<unify::Reader> reader;
  };
  return [this, held = std::make_shared<Held>()](const RecordInput& record) -> Result<TimeUs> {
    if (const std::uint64_t version = version_; held->version != version) {
      std::shared_ptr<const config::Config> config = this->config();
      held->reader = std::make_unique<unify::Reader>(*config);
      held->config = std::move(config);
      held->version = version;
    }
    const Result<Event> event = held->reader->read_record(record);
    if (event) return event.value().time == no_time ? clock_.wall_us() : event.value().time;
    if (record.deleted) return record.time;
    if (event.error().code == Code::cancelled) return no_time;  // filtered: journaled, without effect
    return event.error();
  };
}

Result<Hub::OpenSource> Hub::open_source(const config::Source& source) {
  OpenSource open;
  open.name = source.name;
  for (const config::Stream& stream : source.streams) {
    ingest::Feed feed;
    feed.source = source.name;
    feed.stream = stream.name;
    if (!stream.reads_whole_row) {
      for (const config::RowField& field : stream.reads) feed.fields.push_back(field.path);
    }
    feed.connector = SLUICE_TRY(open_connector(source, open.services.emplace_back()));
    feed.host = open.services.back().get();
    feed.every = source.every.value_or(feed.connector->info().poll_every.value_or(feed.every));
    // One that is only called has nothing to read: see hub_webhooks.cpp.
    if (!feed.connector->offers_fetch() && !feed.connector->offers_read()) break;
    feed.event_time = event_times();
    open.feeds.push_back(std::move(feed));
  }
  if (!open.feeds.empty())
    connector_processes_.opened(source.name, open.feeds.front().connector->entry(), source.isolation);
  return open;
}

// Everything that an earlier run of the same source gave has been stepped: the cursors are where it ended.
void Hub::launch(std::vector<OpenSource> sources) {
  std::unique_ptr<RunningSource> running;
  const auto start = [&] {
    running->runner->start();
    const std::lock_guard lock(sources_mutex_);
    sources_.push_back(std::move(running));
  };
  for (OpenSource& source : sources) {
    if (!running) {
      running = std::make_unique<RunningSource>();
      ingest::RunnerOptions options;
      options.rejects_folder = rejects_folder(options_.config->hub.data);
      options.until_idle = options_.until_idle;
      options.merge_by_time = options_.clock_events;
      running->runner = std::make_unique<ingest::SourceRunner>(
          std::move(options), [this](std::vector<Draft> drafts, Journal::Answer done) {
            return engine_->journal().submit(std::move(drafts), std::move(done));
          });
    }
    running->names.push_back(source.name);
    for (auto& services : source.services) running->services.push_back(std::move(services));
    for (ingest::Feed& feed : source.feeds) {
      engine_->step().read([&](const World& world) {
        feed.cursor = std::string(world.state.cursor(feed.source + '/' + feed.stream));
      });
      running->runner->add(std::move(feed));
    }
    if (!options_.clock_events) start();
  }
  if (running) start();
}

void Hub::stop_sources(const std::set<std::string>& names) {
  std::vector<std::unique_ptr<RunningSource>> stopped;
  {
    const std::lock_guard lock(sources_mutex_);
    for (auto& source : sources_) {
      if (names.contains(source->names.front())) stopped.push_back(std::move(source));
    }
    std::erase(sources_, nullptr);
  }
  for (const auto& source : stopped) {
    source->runner->stop();
    while (!source->runner->wait_ended(us_per_s)) {  // what it gave is on its way to the journal
    }
  }
}

std::vector<ingest::FeedStatus> Hub::feeds() const {
  const std::lock_guard lock(sources_mutex_);
  std::vector<ingest::FeedStatus> out;
  for (const auto& source : sources_) {
    for (ingest::FeedStatus& feed : source->runner->status()) out.push_back(std::move(feed));
  }
  return out;
}

Result<std::vector<ingest::TrackingSource>> Hub::tracking_sources(const config::Config& config) const {
  std::vector<ingest::TrackingSource> out;
  for (const config::Source& source : config.sources) {
    if (source.plugin != tracking) continue;
    const std::string with = SLUICE_TRY(config::expand_secrets(source.with, folder_of(config)));
    JsonParser parser;
    const std::string key(parser.parse(with)["write_key"].string_or(""));
    ingest::TrackingSource& open = out.emplace_back();
    open.name = source.name;
    open.write_key = key;
    open.in_browsers = source.trust == config::Trust::publik;
    if (source.derive) open.derive = SLUICE_TRY(ingest::Derivation::open(*source.derive));
  }
  return out;
}

void Hub::make_door() {
  ingest::TrackingOptions door;
  door.submit = [this](std::vector<Draft> drafts, Journal::Answer done) {
    last_event_ = clock_.monotonic_us();
    return engine_->journal().submit(std::move(drafts), std::move(done));
  };
  door.percent_used = [this] { return engine_->journal().percent_used(); };
  door.ready = [this] { return ready_.load(); };
  door.public_url = [this] { return config()->hub.public_url; };
  decisions_ = std::make_unique<Decisions>(engine_->step(), clock_, !options_.clock_events);
  decisions_->start();
  door.decide = [this](std::string anonymous_id, Decisions::Told told) {
    return decisions_->ask(std::move(anonymous_id), std::move(told));
  };
  door_ = std::make_unique<ingest::TrackingDoor>(clock_, std::move(door));
}

// The door opens where the file asks for it or a source needs it: it says whether the hub is well even if
// nothing is sent to it.
Status Hub::listen(const Next& next) {
  const config::Config& config = *next.config;
  const bool called_back = !config.hub.public_url.empty() && any_connectable(config, *options_.registry);
  const bool needed = !next.keys.empty() || !next.endpoints.empty() || called_back;
  if (server_ || (!needed && !config.hub.listen_written)) return Done{};
  net::ServerOptions server;
  server.error_headers = ingest::TrackingDoor::cors_headers();
  constexpr std::size_t of_one_caller = 256;  // an office behind one address, and no more
  server.connections_per_peer_max = of_one_caller;
  server_ = SLUICE_TRY(net::HttpServer::listen(
      config.hub.listen, server, [this](net::Request request, net::Responder responder) {
        if (ingest::WebhookDoor::is_at(request.path)) {
          return webhooks_->door().handle(std::move(request), std::move(responder));
        }
        if (request.path == plugin::redirect_path && request.method == "GET" &&
            connecting_->callback(request, responder))
          return;
        door_->handle(std::move(request), std::move(responder));
      }));
  last_event_ = clock_.monotonic_us();
  listening_ = server_.get();
  log_info("hub", "listening on " + server_->address());
  return Done{};
}

}  // namespace sluice::hub
