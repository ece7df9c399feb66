#include "hub/hub.hpp"

#include <algorithm>
#include <filesystem>
#include <future>
#include <random>

#include "sluice/plugin.h"

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "deliver/connector_courier.hpp"

namespace sluice::hub {

namespace {

// Randomness is read here, at the edge: it names a new journal and spreads retries, and nothing else.
std::uint64_t random_word() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

}  // namespace

std::string folder_of(const config::Config& config) {
  return std::filesystem::absolute(config.file).parent_path().lexically_normal().string();
}

Hub::Hub(HubOptions options)
    : options_(std::move(options)),
      files_(make_file_system()),
      opening_for_(options_.config),
      registry_(*options_.registry),
      config_(options_.config) {}

Hub::~Hub() {
  stop();
}

Result<std::unique_ptr<Hub>> Hub::open(HubOptions options) {
  std::unique_ptr<Hub> hub(new Hub(std::move(options)));
  const std::string& data = hub->options_.config->hub.data;
  SLUICE_TRY(hub->files_->make_directory(data));
  hub->lock_ = std::make_unique<DirectoryLock>(SLUICE_TRY(DirectoryLock::take(data)));
  hub->http_ = SLUICE_TRY(net::HttpClient::create());
  hub->database_ = SLUICE_TRY(store::Database::open(database_path(data)));
  hub->vault_ = std::make_unique<store::Vault>(*hub->database_, key_path(data));
  SLUICE_TRY(hub->recover());
  return hub;
}

Status Hub::recover() {
  EngineOptions engine{*files_, clock_, {}};
  engine.journal.directory = options_.config->hub.data;
  engine.journal.stamps = options_.clock_events ? StampMode::events : StampMode::wall;
  engine.journal.seed = {random_word(), random_word()};
  engine.step.ticks = !options_.clock_events;
  engine.step.checkpoint_inputs = options_.checkpoint_inputs;
  engine.memory_bytes = options_.config->hub.memory_bytes;
  engine.delivery_seed = random_word();
  engine.database = database_.get();
  engine.outcome = [this](const std::string& destination, const Effect& effect,
                          const deliver::Outcome& outcome) {
    if (receipts_) receipts_->take_outcome(destination, effect, outcome);
  };
  engine.changed = [this](ProfileId person) { projector_->changed(person); };
  engine.applied = [this] {
    const std::lock_guard lock(mutex_);
    wake_.notify_all();
  };
  engine.committed = [this] { retain(); };
  engine.failed = [this](const Error& error) { fail(error); };
  Recovery found;
  engine_ = SLUICE_TRY(Engine::open(std::move(engine), *options_.config, make_couriers(), found));
  for (const std::string& problem : found.checkpoints.problems) log_warn("store", problem);
  if (found.journal.cut_bytes > 0) {
    log_warn("journal", "cut " + std::to_string(found.journal.cut_bytes) + " bytes (" +
                            std::to_string(found.journal.cut_entries) + " whole inputs) at " +
                            found.journal.cut_place + ": they were never acknowledged");
  }
  if (found.journal.created) {
    log_info("hub", "a new journal in " + options_.config->hub.data);
    return Done{};
  }
  log_info("hub", "recovered " + std::to_string(engine_->world().state.profiles()) +
                      " people: checkpoint at " + std::to_string(found.checkpoint_seq) + " and " +
                      std::to_string(found.replayed) + " inputs after it");
  return Done{};
}

// Each destination's way to its connector.
deliver::Delivery::MakeCourier Hub::make_couriers() {
  deliver::Connections connections{
      registry_,
      *http_,
      clock_,
      folder_of(*options_.config),
      [folder = folder_of(*options_.config)](const std::string& with) {
        return config::expand_secrets(with, folder);
      },
      database_.get(),
      [](std::int32_t level, std::string_view destination, std::string_view text) {
        const LogLevel as = level >= SLUICE_ERROR  ? LogLevel::error
                            : level >= SLUICE_WARN ? LogLevel::warn
                                                   : LogLevel::info;
        log(as, destination, text);
      },
      [this](std::string_view destination, std::int32_t kind, std::string_view name, double value) {
        connector_metrics_.report(destination, kind, name, value);
      },
      [this](std::string_view name) { return routes_url(*opening_for_, name); },
      vault_.get(),
      [this](const std::string& name, const plugin::Entry& entry, const config::Isolation& isolation) {
        connector_processes_.opened(name, entry, isolation);
      },
      [this](std::string_view name, const std::string& how) { connector_processes_.ended(name, how); },
      opening_.get_token()};
  return [this, open = deliver::make_couriers(std::move(connections))](const config::Destination& d) {
    auto way = open(d);
    if (!way) opening_failed_ = d.plugin;
    return way;
  };
}

void Hub::start_step() {
  projector_ = std::make_unique<Projector>(engine_->step(), *database_, clock_);
  const state::State& state = engine_->world().state;
  const auto projected = database_->projected_seq();
  if (projected && projected.value() != state.seq) {
    projector_->add(state.ids());
  }
  engine_->merger().start();
  engine_->checkpointer().start();
}

Status Hub::start() {
  start_step();
  make_door();
  make_webhooks();
  connecting_ =
      std::make_unique<Connecting>(clock_, *vault_, *http_, [this](const Connectable& what) { renew(what); });
  Next next = SLUICE_TRY(prepare(options_.config, false));
  SLUICE_TRY(write_epoch(*options_.config, false));
  engine_->delivery().start();
  projector_->start();
  finish(next);
  if (!options_.clock_events) {
    watcher_ = std::make_unique<Watcher>([this](bool asked) { return read_again(asked); });
    std::vector<std::string> watch = options_.watch;
    for (std::string& place : plugin::places_of_libraries(options_.plugin_folders))
      watch.push_back(std::move(place));
    watcher_->start(watch);
  }
  for (const auto& [what, usable] : connected()) {
    if (!usable) log_warn("hub", plugin::connect_advice("'" + what.name + "' is not connected", what.name));
  }
  engine_->backfiller().start();
  ready_ = true;
  return Done{};
}

bool Hub::idle() const {
  if (applying_ || engine_->backfiller().busy()) return false;
  {
    const std::lock_guard lock(sources_mutex_);
    for (const auto& source : sources_) {
      if (!source->runner->ended()) return false;
    }
  }
  if (listens_ && clock_.monotonic_us() - last_event_ < options_.listen_idle) return false;
  const bool still = engine_->journal().queued_bytes() == 0 &&
                     engine_->step().stepped_seq() + 1 == engine_->journal().log().next_seq() &&
                     engine_->delivery().idle();
  if (!still || options_.clock_events) return still;  // with event clocks no ticks go on with who is found
  bool found_left = false;
  engine_->step().read([&](const World& world) { found_left = world.pipeline.found_left(); });
  return !found_left;
}

Status Hub::wait() {
  std::unique_lock lock(mutex_);
  while (!stop_requested_ && !failure_) {
    wake_.wait_for(lock, std::chrono::milliseconds(options_.until_idle ? 20 : 500));
    if (!options_.until_idle || stop_requested_ || failure_) continue;
    lock.unlock();
    const bool done = idle();
    lock.lock();
    if (done) break;
  }
  if (failure_) return *failure_;
  return Done{};
}

std::shared_ptr<const config::Config> Hub::config() const {
  const std::lock_guard lock(mutex_);
  return config_;
}

void Hub::request_stop() {
  opening_.request_stop();
  const std::lock_guard lock(mutex_);
  stop_requested_ = true;
  wake_.notify_all();
}

void Hub::fail(const Error& error) {
  log_error("hub", "stopping: " + error.detail);
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = error;
  wake_.notify_all();
}

// In the order of the data's way: nothing comes in, what came in is journaled and stepped, what was stepped
// is delivered as far as a short patience goes, and the rest waits in the lanes.
void Hub::stop() {
  if (stopped_ || !engine_) return;
  stopped_ = true;
  ready_ = false;
  if (watcher_) watcher_->stop();
  if (subscriptions_) subscriptions_->stop();
  for (const auto& source : sources_) source->runner->stop();
  if (server_) server_->stop();
  if (decisions_) decisions_->stop();
  if (connecting_) connecting_->stop();
  if (webhooks_) webhooks_->stop();
  engine_->backfiller().stop();
  engine_->journal().stop();
  if (receipts_) receipts_->stop();
  engine_->step().stop();
  const bool failed = [this] {
    const std::lock_guard lock(mutex_);
    return failure_.has_value();
  }();
  if (failed) {
    delivery().stop();
  } else if (!delivery().drain_and_stop()) {
    log_info("delivery", "undelivered records wait in the lanes until the next start");
  }
  engine_->merger().stop();
  engine_->checkpointer().stop();
  if (projector_) projector_->stop();
  if (http_) http_->stop();
}

Status Hub::command(std::string payload) {
  std::vector<Draft> drafts(1);
  drafts[0].kind = InputKind::command;
  drafts[0].payload = std::move(payload);
  SLUICE_TRY(submit(std::move(drafts)));
  return Done{};
}

Result<std::uint64_t> Hub::submit(std::vector<Draft> drafts) {
  std::promise<Result<std::uint64_t>> done;
  const Submit submitted =
      engine_->journal().submit(std::move(drafts), [&](const Status& status, std::uint64_t first_seq) {
        done.set_value(status ? Result<std::uint64_t>(first_seq) : Result<std::uint64_t>(status.error()));
      });
  if (submitted != Submit::ok)
    return Error{Code::transient, "the hub is stopping or its journal is full: try again"};
  return done.get_future().get();
}

// The legal maxima of `retention:`. Of events: segments whose newest input is older go, once a base
// checkpoint stands behind them. Called after each checkpoint.
void Hub::retain() {
  const auto config = this->config();
  if (const auto& letters = config->retention.dead_letters) {
    const auto removed = database_->remove_dead_letters_before(add_span(clock_.wall_us(), *letters, -1));
    if (!removed) log_warn("store", "retention: " + removed.error().detail);
  }
  const auto& keep = config->retention.events;
  const TimeUs now = clock_.wall_us();
  const TimeUs known_since = std::max(now - message_memory, keep ? add_span(now, *keep, -1) : INT64_MIN);
  if (const auto removed = database_->remove_messages_before(known_since); !removed)
    log_warn("store", "retention: " + removed.error().detail);
  const TimeUs kept = keep ? add_span(now, *keep, -1) : INT64_MIN;
  const Status expired = engine_->delivery().expire_removed(std::max(now - deliver::expires_default, kept));
  if (!expired) log_warn("delivery", "lanes of removed destinations: " + expired.error().detail);
  if (!keep) return;
  const Status dropped = engine_->drop_before(kept);
  if (!dropped) log_warn("journal", "retention: " + dropped.error().detail);
}

}  // namespace sluice::hub
