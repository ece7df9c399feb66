// What lies in a data directory, brought to life: journal, state, checkpoints and lanes, and the way from one
// to the next. open() is the recovery after any end, planned or not. The hub runs an engine by threads; the
// simulation (tests/sim) moves the same parts on by their pump()s, in an order and a time of its own.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sluice/result.hpp"

#include "base/clock.hpp"
#include "base/file.hpp"
#include "config/config.hpp"
#include "deliver/delivery.hpp"
#include "deliver/gate.hpp"
#include "hub/backfiller.hpp"
#include "hub/checkpointer.hpp"
#include "hub/merger.hpp"
#include "hub/step_thread.hpp"
#include "hub/world.hpp"
#include "journal/journal.hpp"

namespace sluice::hub {

struct EngineOptions {
  FileSystem& files;  // this and the clock outlive the engine
  const Clock& clock;
  JournalOptions journal;  // its directory is the one of data; known_durable and fatal are the engine's
  StepOptions step = {};
  std::uint64_t memory_bytes = 0;  // what people may take, as State::keep_within(); 0: no bound
  BackfillOptions backfill = {};
  std::uint64_t delivery_seed = 0;  // of the retries' jitter
  std::uint64_t lane_segment_bytes = 16ULL << 20, lane_memory_bytes = 32ULL << 20;
  DurationUs stop_patience = 5 * us_per_s;  // as in deliver::DeliveryOptions
  bool threads = true;                      // false: open() does one thing after the other
  store::Database* database = nullptr;      // likewise
  std::function<void(const std::string& destination, const Effect&, const deliver::Outcome&)> outcome =
      {};                                       // [lane threads]
  std::function<void(ProfileId)> changed = {};  // [step] a row went into a checkpoint
  std::function<void()> applied = {};           // [step] an epoch was stepped; its effects are with the lanes
  std::function<void()> committed = {};         // [checkpointer] a checkpoint is durable
  std::function<void(const Error&)> failed = {};  // [any] the process must stop
};

// What open() found.
struct Recovery {
  OpenReport journal;
  LoadReport checkpoints;
  std::uint64_t checkpoint_seq = 0, replayed = 0;  // inputs after the checkpoint
};

// How a configuration differs, as an epoch, from the one that holds.
struct EpochNews {
  bool first = true;  // none holds yet
  bool same = false;  // it is no new epoch
  std::string payload;
  std::vector<std::string> differences;
};

class Engine {
 public:
  // [main] Recovers everything; nothing runs yet. `config` says which lanes there are, `courier` makes their
  // ways to the destinations.
  static Result<std::unique_ptr<Engine>> open(EngineOptions options, const config::Config& config,
                                              const deliver::Delivery::MakeCourier& courier,
                                              Recovery& recovery);
  ~Engine() = default;

  // [main] A new epoch must find a checkpoint at the journal's end: what another configuration or binary has
  // stepped is never stepped again by this one. Before start().
  void close_epoch(const EpochNews& news);
  Status start();  // [main] journal and step; Delivery::start() starts the lanes
  // [main] As start(), for who calls the pump()s.
  void connect();
  // [any, while the step runs] Whether `config` makes a new epoch.
  EpochNews compare(const config::Config& config, const std::vector<config::ConnectorInfo>& connectors) const;
  // [any] Events older than this go, as far as a base checkpoint stands behind them.
  Status drop_before(TimeUs kept);

  Journal& journal() { return *journal_; }
  const Journal& journal() const { return *journal_; }
  World& world() { return *world_; }
  Checkpoints& checkpoints() { return *checkpoints_; }
  Checkpointer& checkpointer() { return *checkpointer_; }
  Merger& merger() { return *merger_; }
  StepThread& step() { return *step_; }
  const StepThread& step() const { return *step_; }
  Backfiller& backfiller() { return *backfiller_; }
  const Backfiller& backfiller() const { return *backfiller_; }
  deliver::Delivery& delivery() { return *delivery_; }
  const deliver::Delivery& delivery() const { return *delivery_; }

 private:
  explicit Engine(EngineOptions options) : options_(std::move(options)) {}
  Status open_journal(Recovery& recovery);
  Result<std::uint64_t> restore(Recovery& recovery);
  Status open_delivery(const config::Config& config, const deliver::Delivery::MakeCourier& courier);
  Status replay(std::uint64_t from, Recovery& recovery);
  void make_step();
  Status take_letters(const std::vector<std::int64_t>& ids);  // that a command handed back
  void apply_gate(const std::vector<GateChange>& changes);

  EngineOptions options_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Checkpoints> checkpoints_;
  std::unique_ptr<World> world_;
  deliver::Gate gate_;
  std::unique_ptr<deliver::Delivery> delivery_;
  std::unique_ptr<Merger> merger_;
  std::unique_ptr<Checkpointer> checkpointer_;
  std::unique_ptr<StepThread> step_;
  std::unique_ptr<Backfiller> backfiller_;
};

}  // namespace sluice::hub
