// The hub: recovers, then runs journal, step, lanes, sources and the listening door until it is told to stop
// or, with until_idle, until everything there is to read has been delivered.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "config/config.hpp"
#include "deliver/delivery.hpp"
#include "hub/connecting.hpp"
#include "hub/connector_metrics.hpp"
#include "hub/connector_processes.hpp"
#include "hub/decisions.hpp"
#include "hub/engine.hpp"
#include "hub/projector.hpp"
#include "hub/receipts.hpp"
#include "hub/services.hpp"
#include "hub/step_thread.hpp"
#include "hub/subscriptions.hpp"
#include "hub/watcher.hpp"
#include "hub/webhooks.hpp"
#include "hub/world.hpp"
#include "ingest/source_runner.hpp"
#include "ingest/tracking.hpp"
#include "journal/journal.hpp"
#include "journal/lock.hpp"
#include "net/client.hpp"
#include "net/server.hpp"
#include "plugin/registry.hpp"
#include "store/database.hpp"
#include "store/vault.hpp"

namespace sluice::hub {

struct HubOptions {
  std::shared_ptr<const config::Config> config;
  std::vector<std::string> watch;                 // of config::Loaded
  std::vector<config::ConnectorInfo> connectors;  // of the registry
  const plugin::Registry* registry = nullptr;     // at the start; outlives the hub
  std::vector<std::string> plugin_folders;        // what it was read from, and is again when they change
  bool until_idle = false;
  bool clock_events = false;  // a batch over history: its configuration is read once
  std::uint64_t checkpoint_inputs = StepOptions{}.checkpoint_inputs;
  DurationUs listen_idle =
      2 * us_per_s;  // until_idle: a source that listens has ended after so long without events
};

struct ReplayReport {
  std::uint64_t taken = 0;        // dead letters that are none any more
  std::uint64_t handed_back = 0;  // of these, records that went to a lane again
  std::uint64_t not_open = 0;     // no such number, or replayed before
};

// What became of changes of the file since the start.
struct ReloadStatus {
  std::uint64_t applied = 0, refused = 0;
  std::size_t mistakes = 0;            // of the file as it is now; 0: what it says holds
  std::string first;                   // of those: its place and text, without the file's line
  std::vector<std::string> libraries;  // that are refused, and why: the ones before them run
};

class Hub {
 public:
  // [main] Recovers everything; nothing runs yet. Errors say what to do.
  static Result<std::unique_ptr<Hub>> open(HubOptions options);
  ~Hub();

  Status start();  // [main]
  // [main] Until request_stop(), a failure, or idleness. Returns the failure.
  Status wait();
  void stop();          // [main] drains, checkpoints, ends the threads
  void request_stop();  // [any]; not from a signal handler
  bool ready() const { return ready_.load(); }
  // Reads the configuration's files again and lets what they say hold from the next input on, or refuses it
  // whole, with every mistake in the log. The hub does so by itself when they change. [any; returns at once]
  void reload();
  ReloadStatus reload_status() const;  // [any]

  // Reading. [any]
  void read(const std::function<void(const World&)>& look) const { engine_->step().read(look); }
  std::shared_ptr<const config::Config> config() const;  // that holds now
  deliver::Delivery& delivery() { return engine_->delivery(); }
  store::Database& database() { return *database_; }
  Journal& journal() { return engine_->journal(); }
  Checkpoints& checkpoints() { return engine_->checkpoints(); }
  const StepThread& step() const { return engine_->step(); }
  const ingest::TrackingDoor* door() const { return door_.get(); }
  const net::HttpServer* server() const { return listening_.load(); }  // of `listen` [any]
  const Webhooks* webhooks() const { return webhooks_.get(); }
  const Receipts* receipts() const { return receipts_.get(); }
  const Subscriptions* subscriptions() const { return subscriptions_.get(); }
  std::vector<ingest::FeedStatus> feeds() const;
  BackfillStatus backfill() const { return engine_->backfiller().status(); }  // [any]
  const ConnectorMetrics& connector_metrics() const { return connector_metrics_; }
  const ConnectorProcesses& connector_processes() const { return connector_processes_; }

  // OAuth by a human: begins to wait for the browser that is sent to the address. `redirect_uri`: where it
  // comes back; empty: the hub's own callback_url(). Errors as find_connectable(). [any]
  Result<Connecting::Started> connect(std::string_view name, std::string redirect_uri);
  Connecting& connecting() { return *connecting_; }
  Result<std::string> connections() const;                      // connections_json() [any]
  std::vector<std::pair<Connectable, bool>> connected() const;  // and whether there is a token that may work

  // An operator's command, as JSON; returns when it is durable. [any]
  Status command(std::string payload);
  // Dead letters are mapped anew and go to their lanes again, in the order of their numbers: these, or all
  // open ones that match. Returns when the step has decided about them. [any]
  Result<ReplayReport> replay_dead(std::vector<std::int64_t> ids);
  Result<ReplayReport> replay_dead(const store::DeadFilter& filter);
  // All members of the audience of this route, once more: what else is on the list over there goes. Returns
  // how many there are, when it has begun. misconfigured: there is no such route, or the destination does not
  // take it.
  Result<std::uint64_t> resync(std::string_view route);  // [any]
  // An identifier ("email:desk@shop.example") that was quarantined joins people again, from the next input
  // on. misconfigured: it is not in quarantine.
  Status release(std::string_view identifier);  // [any]
  // What this input of the journal joined is several people again, once the history has been read again
  // (unmerges_json() says so). misconfigured: nobody is known by `person`, or it cannot be taken back.
  Status unmerge(std::string_view person, std::uint64_t input);  // [any]

 private:
  explicit Hub(HubOptions options);
  Status recover();
  deliver::Delivery::MakeCourier make_couriers();
  void start_step();
  void fail(const Error& error);
  Result<std::uint64_t> submit(std::vector<Draft> drafts);  // the seq of the first, once they are durable
  bool idle() const;
  void retain();

  struct OpenSource {  // its connectors are there, and read nothing yet
    std::string name;
    std::vector<std::unique_ptr<ConnectorServices>> services;
    std::vector<ingest::Feed> feeds;
  };
  struct RunningSource {
    std::vector<std::string> names;  // one, or with clock_events all: they are merged by time
    std::vector<std::unique_ptr<ConnectorServices>> services;
    std::unique_ptr<ingest::SourceRunner> runner;
  };
  struct Print {  // of a source or destination
    std::uint64_t settings = 0;
    std::string library;  // SHA-256
    bool operator==(const Print&) const = default;
  };
  struct Next {  // a configuration about to hold: what it needs is open
    std::shared_ptr<const config::Config> config;
    std::map<std::string, Print> prints;
    std::vector<OpenSource> sources;  // new or changed
    std::set<std::string> ending;     // sources gone or changed
    std::vector<ingest::TrackingSource> keys;
    std::vector<std::shared_ptr<Endpoint>> endpoints;  // all: those that are the same, and new ones
    std::vector<std::string> rotated;  // "destinations braze": its secrets are others, its text is the same
    std::vector<std::string> swapped;  // likewise: the connector's library is another, and no more
    bool running = false;              // else the lanes are there already
    deliver::Delivery::Change lanes;
  };

  // hub_apply.cpp: a configuration takes over from another, at the start and while all runs
  Result<Next> prepare(std::shared_ptr<const config::Config> config, bool running);
  Status write_epoch(const config::Config& config, bool running);
  Result<bool> apply(std::shared_ptr<const config::Config> config, const plugin::Registry& connectors);
  Result<bool> take_over(std::shared_ptr<const config::Config> config);
  Result<Print> print_of(const config::Config& config, const char* section, const auto& item,
                         std::uint32_t kind) const;
  Result<std::map<std::string, Print>> prints_of(const config::Config& config) const;
  Status settle();
  void finish(Next& next);
  std::vector<std::string> read_again(bool asked);
  void refuse(const std::vector<std::string>& mistakes, const std::vector<std::string>& libraries);

  // hub_connectors.cpp: libraries that come, change and go
  plugin::Registry look_for_connectors(std::vector<std::string>& refused);
  bool keep_what_runs_here(const config::Config& next, plugin::Registry& found);
  struct Outcome {  // of reading everything again
    config::Loaded loaded;
    std::vector<std::string> mistakes, libraries;
    bool news = false;  // connectors or secrets are others
  };
  Outcome apply_what_is_there();

  // hub_sources.cpp
  Result<OpenSource> open_source(const config::Source& source);
  Result<std::unique_ptr<plugin::Connector>> open_connector(const config::Source& source,
                                                            std::unique_ptr<ConnectorServices>& services);
  std::function<Result<TimeUs>(const RecordInput&)> event_times();
  void launch(std::vector<OpenSource> sources);
  void stop_sources(const std::set<std::string>& names);
  Result<std::vector<ingest::TrackingSource>> tracking_sources(const config::Config& config) const;
  void make_door();
  Status listen(const Next& next);
  void renew(const Connectable& what);

  // hub_webhooks.cpp
  void make_webhooks();
  Status open_endpoints(const config::Config& config, Next& next);
  template <typename Item>
  Result<std::shared_ptr<Endpoint>> open_endpoint(const config::Config& config, const Item& item,
                                                  std::uint32_t kind);
  std::string routes_url(const config::Config& config,
                         std::string_view name) const;  // empty: nowhere in public

  HubOptions options_;
  std::unique_ptr<FileSystem> files_;
  SystemClock clock_;
  std::unique_ptr<DirectoryLock> lock_;
  std::unique_ptr<net::HttpClient> http_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::Vault> vault_;
  ConnectorMetrics connector_metrics_;
  ConnectorProcesses connector_processes_{clock_};
  std::stop_source opening_;  // connectors that are being opened; stopped with the hub
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Projector> projector_;
  std::unique_ptr<Decisions> decisions_;
  std::unique_ptr<ingest::TrackingDoor> door_;
  std::unique_ptr<Receipts> receipts_;
  std::unique_ptr<Webhooks> webhooks_;
  std::unique_ptr<Subscriptions> subscriptions_;
  std::unique_ptr<Connecting> connecting_;
  std::unique_ptr<net::HttpServer> server_;  // made at the start, or by the watcher when the file asks for it
  std::atomic<const net::HttpServer*> listening_{nullptr};
  mutable std::mutex sources_mutex_;                     // guards sources_
  std::vector<std::unique_ptr<RunningSource>> sources_;  // of plugins; they end before what they stand on
  std::shared_ptr<const config::Config> opening_for_;    // the applier's: whose connectors are being opened
  std::map<std::string, Print> prints_;                  // the applier's: "destination braze" -> what it is
  plugin::Registry registry_;                            // the applier's: of what runs
  std::string opening_failed_;                           // the applier's: the plugin that could not be opened
  std::set<std::string> told_;                           // the applier's: libraries that were told of
  std::vector<ingest::TrackingSource> keys_;             // the applier's: of the door
  std::vector<std::string> mistakes_, libraries_;        // the applier's: as last told
  std::unique_ptr<Watcher> watcher_;

  std::mutex replay_mutex_;  // one replay at a time: a letter is looked at, journaled, then marked
  std::atomic<bool> ready_{false};
  std::atomic<DurationUs> last_event_{0};  // monotonic: when the door last took one
  std::atomic<bool> listens_{false};       // a source that is called is there
  std::atomic<bool> applying_{false};      // sources may be between two lives
  std::atomic<std::uint64_t> version_{1};  // of config_
  mutable std::mutex mutex_;               // guards what follows
  std::condition_variable wake_;
  std::shared_ptr<const config::Config> config_;
  ReloadStatus reload_status_;
  bool stop_requested_ = false;
  std::optional<Error> failure_;
  bool stopped_ = false;
};

// hub.public_url without a slash at its end; empty: none.
std::string public_url(const config::Config& config);

// Absolute: where relative paths of the configuration start.
std::string folder_of(const config::Config& config);

}  // namespace sluice::hub
