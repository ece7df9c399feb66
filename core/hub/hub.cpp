#include "hub/hub.hpp"

#include <filesystem>
#include <random>
#include <set>

#include "sluice/plugin.h"

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "deliver/connector_courier.hpp"
#include "hub/epoch.hpp"

namespace sluice::hub {

namespace {

// Randomness is read here, at the edge: it names a new journal and spreads retries, and nothing else.
std::uint64_t random_word() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

std::string folder_of(const config::Config& config) {
  return std::filesystem::absolute(config.file).parent_path().lexically_normal().string();
}

}  // namespace

Hub::Hub(HubOptions options) : options_(std::move(options)), files_(make_file_system()) {}

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
  SLUICE_TRY(hub->recover());
  return hub;
}

Status Hub::recover() {
  const std::string& data = options_.config->hub.data;
  JournalOptions journal;
  journal.directory = data;
  journal.stamps = options_.clock_events ? StampMode::events : StampMode::wall;
  journal.known_durable = newest_checkpoint(*files_, data);
  journal.seed = {random_word(), random_word()};
  journal.fatal = [this](const Error& error) { fail(error); };
  OpenReport opened;
  journal_ = SLUICE_TRY(Journal::open(*files_, clock_, std::move(journal), opened));
  if (opened.cut_bytes > 0) {
    log_warn("journal", "cut " + std::to_string(opened.cut_bytes) + " bytes (" +
                            std::to_string(opened.cut_entries) + " whole inputs) at " + opened.cut_place +
                            ": they were never acknowledged");
  }
  const JournalIdentity& identity = journal_->identity();
  world_ = std::make_unique<World>(identity.hash_seed);
  checkpoints_ =
      SLUICE_TRY(Checkpoints::open(*files_, checkpoint_folder(data), identity.id, identity.generation));
  LoadReport loaded;
  const std::uint64_t seq = SLUICE_TRY(world_->restore(*checkpoints_, loaded));
  for (const std::string& problem : loaded.problems) log_warn("store", problem);
  SLUICE_TRY(open_delivery());

  Status stepped = Done{};
  StepOutput out;
  std::uint64_t replayed = 0;
  SLUICE_TRY(journal_->replay(seq + 1, [&](const Input& input) {
    stepped = world_->step(input, out);
    if (stepped) stepped = delivery_->offer(input.seq, std::exchange(out.effects, {}));
    out.gate.clear();
    ++replayed;
    return static_cast<bool>(stepped);
  }));
  if (!stepped) return stepped.error();
  std::vector<GateChange> gate;
  if (world_->pipeline.compiled() != nullptr) world_->pipeline.describe_gate(gate);
  apply_gate(gate);
  if (opened.created) {
    log_info("hub", "a new journal in " + data);
    return Done{};
  }
  log_info("hub", "recovered " + std::to_string(world_->state.profiles()) + " people: checkpoint at " +
                      std::to_string(seq) + " and " + std::to_string(replayed) + " inputs after it");
  return Done{};
}

Status Hub::open_delivery() {
  deliver::Connections connections{
      *options_.registry,
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
      }};
  const JournalIdentity& identity = journal_->identity();
  deliver::DeliveryOptions delivery{*files_, clock_, lanes_folder(options_.config->hub.data),
                                    identity.id + '.' + std::to_string(identity.generation), gate_};
  delivery.database = database_.get();
  delivery.seed = random_word();
  delivery.on_fatal = [this](const Error& error) { fail(error); };
  delivery_ = SLUICE_TRY(deliver::Delivery::open(std::move(delivery), *options_.config,
                                                 deliver::make_couriers(std::move(connections))));
  return Done{};
}

void Hub::apply_gate(const std::vector<GateChange>& changes) {
  for (const GateChange& change : changes) {
    switch (change.kind) {
      case GateChange::Kind::deny:
        gate_.deny(change.person, change.purpose);
        break;
      case GateChange::Kind::allow:
        gate_.allow(change.person, change.purpose);
        break;
      case GateChange::Kind::merge:
        gate_.merge(change.person, change.winner);
        break;
    }
  }
}

Status Hub::start() {
  Checkpointer::Hooks hooks;
  hooks.sync_lanes = [this] { return delivery_->sync(); };
  hooks.committed = [this](const CheckpointInfo&) { retain(); };
  hooks.failed = [this](const Error& error) { fail(error); };
  checkpointer_ = std::make_unique<Checkpointer>(*checkpoints_, std::move(hooks));
  checkpointer_->start();

  StepThread::Hooks step;
  step.offer = [this](std::uint64_t seq, std::vector<Effect> effects) {
    return delivery_->offer(seq, std::move(effects));
  };
  step.gate = [this](const std::vector<GateChange>& changes) { apply_gate(changes); };
  step.tick = [this](TimeUs now) {
    std::vector<Draft> drafts(1);
    drafts[0].event_time = now;
    (void)journal_->submit(std::move(drafts), [](const Status&, std::uint64_t) {});
  };
  step.failed = [this](const Error& error) { fail(error); };
  step.changed = [this](ProfileId person) { projector_->changed(person); };
  StepOptions limits;
  limits.ticks = !options_.clock_events;
  limits.checkpoint_inputs = options_.checkpoint_inputs;
  step_ =
      std::make_unique<StepThread>(*world_, *checkpoints_, *checkpointer_, clock_, limits, std::move(step));
  projector_ = std::make_unique<Projector>(*step_, *database_, clock_);
  const auto projected = database_->projected_seq();
  if (projected && projected.value() != world_->state.seq) {
    std::as_const(world_->state).each_profile([&](const state::Profile& p) { projector_->changed(p.id); });
  }
  SLUICE_TRY(write_epoch());
  SLUICE_TRY(start_sources());
  delivery_->start();
  projector_->start();
  SLUICE_TRY(start_door());
  if (runner_) runner_->start();
  ready_ = true;
  return Done{};
}

// The configuration is an input: it holds from its place in the journal on. A checkpoint at the tail comes
// first, so that what was stepped under another configuration is never stepped again under this one.
Status Hub::write_epoch() {
  const std::string payload = epoch_payload(*options_.config, options_.connectors);
  const bool changed = payload != world_->epoch;
  const std::string before = world_->epoch;
  if (changed && world_->state.seq > 1) step_->checkpoint_now();
  SLUICE_TRY(journal_->start([this](std::shared_ptr<const Batch> batch) { step_->push(std::move(batch)); }));
  step_->start();
  if (!changed) return Done{};
  std::vector<Draft> drafts(1);
  drafts[0].kind = InputKind::epoch;
  drafts[0].payload = payload;
  std::promise<Status> done;
  const Submit submitted = journal_->submit(
      std::move(drafts), [&](const Status& status, std::uint64_t) { done.set_value(status); });
  if (submitted != Submit::ok)
    return Error{Code::transient, "the journal does not take the configuration: its disk is full"};
  SLUICE_TRY(done.get_future().get());
  log_applied(before, *options_.config);
  return Done{};
}

Result<std::unique_ptr<plugin::Connector>> Hub::open_connector(const config::Source& source,
                                                               ConnectorServices*& services) {
  const plugin::Entry* entry = options_.registry->find(source.plugin, SLUICE_SOURCE);
  if (entry == nullptr) {
    return Error{Code::misconfigured,
                 "source '" + source.name + "': no plugin named '" + source.plugin + "' is installed"};
  }
  services_.push_back(std::make_unique<ConnectorServices>(source.name, clock_, *database_, *http_));
  services = services_.back().get();
  plugin::Instance instance;
  instance.name = source.name;
  instance.folder = folder_of(*options_.config);
  instance.config = SLUICE_TRY(config::expand_secrets(source.with, instance.folder));
  return plugin::Connector::open(*entry, instance, *services);
}

Status Hub::start_sources() {
  for (const config::Source& source : options_.config->sources) {
    if (source.plugin == "tracking") continue;
    if (!runner_) {
      ingest::RunnerOptions runner;
      runner.rejects_folder = rejects_folder(options_.config->hub.data);
      runner.until_idle = options_.until_idle;
      runner.merge_by_time = options_.clock_events;
      runner_ = std::make_unique<ingest::SourceRunner>(
          std::move(runner), [this](std::vector<Draft> drafts, Journal::Answer done) {
            return journal_->submit(std::move(drafts), std::move(done));
          });
    }
    for (const config::Stream& stream : source.streams) {
      ingest::Feed feed;
      feed.source = source.name;
      feed.stream = stream.name;
      feed.cursor = std::string(world_->state.cursor(source.name + '/' + stream.name));
      if (source.every) feed.every = *source.every;
      ConnectorServices* services = nullptr;
      feed.connector = SLUICE_TRY(open_connector(source, services));
      feed.host = services;
      // A reader of its own: the feed's thread asks whether a row can be read before it is journaled.
      auto reader = std::make_shared<unify::Reader>(*options_.config);
      feed.event_time = [reader, this](const RecordInput& record) -> Result<TimeUs> {
        const Result<Event> event = reader->read_record(record);
        if (event) return event.value().time == no_time ? clock_.wall_us() : event.value().time;
        if (event.error().code == Code::cancelled) return no_time;  // filtered: journaled, without effect
        return event.error();
      };
      runner_->add(std::move(feed));
    }
  }
  return Done{};
}

Status Hub::start_door() {
  ingest::TrackingOptions door;
  for (const config::Source& source : options_.config->sources) {
    if (source.plugin != "tracking") continue;
    const std::string with = SLUICE_TRY(config::expand_secrets(source.with, folder_of(*options_.config)));
    JsonParser parser;
    const std::string key(parser.parse(with)["write_key"].string_or(""));
    door.sources.push_back({source.name, key, source.trust == config::Trust::publik});
  }
  if (door.sources.empty()) return Done{};
  door.submit = [this](std::vector<Draft> drafts, Journal::Answer done) {
    last_event_ = clock_.monotonic_us();
    return journal_->submit(std::move(drafts), std::move(done));
  };
  door.percent_used = [this] { return journal_->percent_used(); };
  door.ready = [this] { return ready_.load(); };
  door.public_url = options_.config->hub.public_url;
  door_ = std::make_unique<ingest::TrackingDoor>(clock_, std::move(door));
  net::ServerOptions server;
  server.error_headers = ingest::TrackingDoor::cors_headers();
  server_ = SLUICE_TRY(net::HttpServer::listen(options_.config->hub.listen, server,
                                               [this](net::Request request, net::Responder responder) {
                                                 door_->handle(std::move(request), std::move(responder));
                                               }));
  last_event_ = clock_.monotonic_us();
  log_info("hub", "listening on " + server_->address());
  return Done{};
}

bool Hub::idle() const {
  if (runner_ && !runner_->ended()) return false;
  if (door_ && clock_.monotonic_us() - last_event_ < options_.listen_idle) return false;
  return journal_->queued_bytes() == 0 && step_->stepped_seq() + 1 == journal_->log().next_seq() &&
         delivery_->idle();
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

void Hub::request_stop() {
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
  if (stopped_ || !journal_) return;
  stopped_ = true;
  ready_ = false;
  constexpr DurationUs drain_time = 10 * us_per_s;
  if (runner_) runner_->stop();
  if (server_) server_->stop();
  journal_->stop();
  if (step_) step_->stop();
  const bool failed = [this] {
    const std::lock_guard lock(mutex_);
    return failure_.has_value();
  }();
  if (!failed) {
    const Status drained = delivery_->drain(drain_time);
    if (!drained) log_info("delivery", "undelivered records wait in the lanes until the next start");
  }
  delivery_->stop();
  if (checkpointer_) checkpointer_->stop();
  if (projector_) projector_->stop();
  if (http_) http_->stop();
}

Status Hub::command(std::string payload) {
  std::vector<Draft> drafts(1);
  drafts[0].kind = InputKind::command;
  drafts[0].payload = std::move(payload);
  std::promise<Status> done;
  const Submit submitted = journal_->submit(
      std::move(drafts), [&](const Status& status, std::uint64_t) { done.set_value(status); });
  if (submitted != Submit::ok)
    return Error{Code::transient, "the hub is stopping or its journal is full: try again"};
  return done.get_future().get();
}

Result<std::size_t> Hub::replay_dead(const std::vector<std::int64_t>& ids) {
  const std::lock_guard lock(replay_mutex_);
  std::size_t replayed = 0;
  for (const std::int64_t id : std::set<std::int64_t>(ids.begin(), ids.end())) {
    const auto letter = SLUICE_TRY(database_->dead_letter(id));
    if (!letter || letter->state != "open") continue;
    std::string bytes;
    letter->effect.encode(bytes);
    std::string payload;
    JsonWriter(payload)
        .begin_object()
        .member("command", "replay")
        .member("destination", letter->effect.destination)
        .member("record", base64(bytes))
        .end_object();
    // A letter counts as replayed only when the journal has it: a crash in between leaves it listed, never
    // lost.
    SLUICE_TRY(command(std::move(payload)));
    SLUICE_TRY(database_->take_dead_letters({id}));
    ++replayed;
  }
  return replayed;
}

// The legal maxima of `retention:`. Of events: segments whose newest input is older go, once a base
// checkpoint stands behind them. Called after each checkpoint.
void Hub::retain() {
  if (const auto& letters = options_.config->retention.dead_letters) {
    const auto removed = database_->remove_dead_letters_before(add_span(clock_.wall_us(), *letters, -1));
    if (!removed) log_warn("store", "retention: " + removed.error().detail);
  }
  const auto& keep = options_.config->retention.events;
  const auto base = checkpoints_->oldest_base();
  if (!keep || !base) return;
  const TimeUs cutoff = add_span(clock_.wall_us(), *keep, -1);
  std::uint64_t seq = 0;
  const Status read = journal_->replay(journal_->log().first_seq(), [&](const Input& input) {
    seq = input.seq;
    return input.stamp < cutoff && input.seq <= *base;
  });
  const Status dropped = read ? journal_->drop_before(std::min(seq, *base + 1)) : read;
  if (!dropped) log_warn("journal", "retention: " + dropped.error().detail);
}

}  // namespace sluice::hub
