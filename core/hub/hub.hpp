// The hub: recovers, then runs journal, step, lanes, sources and the listening door until it is told to stop
// or, with until_idle, until everything there is to read has been delivered.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "config/config.hpp"
#include "deliver/delivery.hpp"
#include "deliver/gate.hpp"
#include "hub/checkpointer.hpp"
#include "hub/projector.hpp"
#include "hub/services.hpp"
#include "hub/step_thread.hpp"
#include "hub/world.hpp"
#include "ingest/source_runner.hpp"
#include "ingest/tracking.hpp"
#include "journal/journal.hpp"
#include "journal/lock.hpp"
#include "net/client.hpp"
#include "net/server.hpp"
#include "plugin/registry.hpp"
#include "store/database.hpp"

namespace sluice::hub {

struct HubOptions {
  std::shared_ptr<const config::Config> config;
  std::vector<config::ConnectorInfo> connectors;  // of the registry
  const plugin::Registry* registry = nullptr;     // outlives the hub
  bool until_idle = false;
  bool clock_events = false;
  std::uint64_t checkpoint_inputs = StepOptions{}.checkpoint_inputs;
  DurationUs listen_idle =
      2 * us_per_s;  // until_idle: a source that listens has ended after so long without events
};

struct ReplayReport {
  std::uint64_t taken = 0;        // dead letters that are none any more
  std::uint64_t handed_back = 0;  // of these, records that went to a lane again
  std::uint64_t not_open = 0;     // no such number, or replayed before
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

  // Reading. [any]
  void read(const std::function<void(const World&)>& look) const { step_->read(look); }
  const config::Config& config() const { return *options_.config; }
  deliver::Delivery& delivery() { return *delivery_; }
  store::Database& database() { return *database_; }
  Journal& journal() { return *journal_; }
  Checkpoints& checkpoints() { return *checkpoints_; }
  const StepThread& step() const { return *step_; }
  const ingest::TrackingDoor* door() const { return door_.get(); }
  const ingest::SourceRunner* runner() const { return runner_.get(); }
  std::string listen_address() const { return server_ ? server_->address() : std::string{}; }
  const std::vector<std::unique_ptr<ConnectorServices>>& services() const { return services_; }

  // An operator's command, as JSON; returns when it is durable. [any]
  Status command(std::string payload);
  // Dead letters are mapped anew and go to their lanes again, in the order of their numbers: these, or all
  // open ones that match. Returns when the step has decided about them. [any]
  Result<ReplayReport> replay_dead(std::vector<std::int64_t> ids);
  Result<ReplayReport> replay_dead(const store::DeadFilter& filter);

 private:
  explicit Hub(HubOptions options);
  Status recover();
  Status open_delivery();
  Status write_epoch();
  Status start_sources();
  Status start_door();
  Result<std::unique_ptr<plugin::Connector>> open_connector(const config::Source& source,
                                                            ConnectorServices*& services);
  void apply_gate(const std::vector<GateChange>& changes);
  void fail(const Error& error);
  Result<std::uint64_t> submit(std::vector<Draft> drafts);  // the seq of the first, once they are durable
  bool idle() const;
  void retain();

  HubOptions options_;
  std::unique_ptr<FileSystem> files_;
  SystemClock clock_;
  std::unique_ptr<DirectoryLock> lock_;
  std::unique_ptr<net::HttpClient> http_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Checkpoints> checkpoints_;
  std::unique_ptr<World> world_;
  deliver::Gate gate_;
  std::vector<std::unique_ptr<ConnectorServices>> services_;
  std::unique_ptr<deliver::Delivery> delivery_;
  std::unique_ptr<Checkpointer> checkpointer_;
  std::unique_ptr<StepThread> step_;
  std::unique_ptr<Projector> projector_;
  std::unique_ptr<ingest::SourceRunner> runner_;
  std::unique_ptr<ingest::TrackingDoor> door_;
  std::unique_ptr<net::HttpServer> server_;

  std::mutex replay_mutex_;  // one replay at a time: a letter is looked at, journaled, then marked
  std::atomic<bool> ready_{false};
  std::atomic<DurationUs> last_event_{0};  // monotonic: when the door last took one
  mutable std::mutex mutex_;               // guards what follows
  std::condition_variable wake_;
  bool stop_requested_ = false;
  std::optional<Error> failure_;
  bool stopped_ = false;
};

}  // namespace sluice::hub
