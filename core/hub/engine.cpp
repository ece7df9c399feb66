#include "hub/engine.hpp"

#include <algorithm>
#include <future>
#include <span>
#include <utility>

#include "hub/difference.hpp"
#include "hub/epoch.hpp"
#include "hub/foresight.hpp"
#include "hub/read_ahead.hpp"
#include "store/database.hpp"

namespace sluice::hub {

Result<std::unique_ptr<Engine>> Engine::open(EngineOptions options, const config::Config& config,
                                             const deliver::Delivery::MakeCourier& courier,
                                             Recovery& recovery) {
  std::unique_ptr<Engine> engine(new Engine(std::move(options)));
  SLUICE_TRY(engine->open_journal(recovery));
  // Before inputs are stepped again, people and lanes know nothing of each other.
  std::future<Status> lanes =
      std::async(engine->options_.threads ? std::launch::async : std::launch::deferred,
                 [&] { return engine->open_delivery(config, courier); });
  const Result<std::uint64_t> restored = engine->restore(recovery);
  const Status opened = lanes.get();
  if (!restored) return restored.error();
  if (!opened) return opened.error();
  recovery.checkpoint_seq = restored.value();
  SLUICE_TRY(engine->replay(recovery.checkpoint_seq + 1, recovery));
  engine->make_step();
  return engine;
}

Status Engine::open_journal(Recovery& recovery) {
  const std::string& data = options_.journal.directory;
  JournalOptions journal = options_.journal;
  journal.known_durable = newest_checkpoint(options_.files, data);
  journal.fatal = options_.failed;
  journal_ = SLUICE_TRY(Journal::open(options_.files, options_.clock, std::move(journal), recovery.journal));
  return Done{};
}

Result<std::uint64_t> Engine::restore(Recovery& recovery) {
  const std::string& data = options_.journal.directory;
  const JournalIdentity& identity = journal_->identity();
  world_ = std::make_unique<World>(identity.hash_seed);
  if (options_.memory_bytes > 0)
    SLUICE_TRY(world_->state.keep_within(options_.memory_bytes, options_.files, cold_folder(data)));
  checkpoints_ = SLUICE_TRY(
      Checkpoints::open(options_.files, checkpoint_folder(data), identity.id, identity.generation));
  return world_->restore(*checkpoints_, recovery.checkpoints, options_.threads);
}

Status Engine::open_delivery(const config::Config& config, const deliver::Delivery::MakeCourier& courier) {
  const JournalIdentity& identity = journal_->identity();
  deliver::DeliveryOptions delivery{options_.files, options_.clock, lanes_folder(options_.journal.directory),
                                    identity.id + '.' + std::to_string(identity.generation), gate_};
  delivery.database = options_.database;
  delivery.seed = options_.delivery_seed;
  delivery.memory_bytes = options_.lane_memory_bytes;
  delivery.segment_bytes = options_.lane_segment_bytes;
  delivery.stop_patience = options_.stop_patience;
  delivery.on_fatal = options_.failed;
  delivery.on_outcome = options_.outcome;
  delivery_ = SLUICE_TRY(deliver::Delivery::open(std::move(delivery), config, courier));
  return Done{};
}

Status Engine::replay(std::uint64_t from, Recovery& recovery) {
  Status stepped = Done{};
  StepOutput out;
  const auto step = [&](const Input& input) {
    stepped = world_->step(input, out);
    if (stepped) stepped = delivery_->offer(input.seq, std::exchange(out.effects, {}));
    if (stepped) stepped = take_letters(std::exchange(out.letters, {}));
    out.gate.clear();
    ++recovery.replayed;
    return static_cast<bool>(stepped);
  };
  SLUICE_TRY(read_ahead(*journal_, from, options_.threads, [&](std::span<const Input> inputs) {
    while (!inputs.empty()) {
      const auto near = inputs.first(std::min(Foresight::most, inputs.size()));
      world_->pipeline.bring_near(near);
      if (!std::all_of(near.begin(), near.end(), step)) return false;
      inputs = inputs.subspan(near.size());
    }
    return true;
  }));
  if (!stepped) return stepped.error();
  std::vector<GateChange> gate;
  if (world_->pipeline.compiled() != nullptr) world_->pipeline.describe_gate(gate);
  apply_gate(gate);
  return Done{};
}

void Engine::make_step() {
  merger_ = std::make_unique<Merger>(*checkpoints_, options_.failed);
  Checkpointer::Hooks background;
  background.sync_lanes = [this] { return delivery_->sync(); };
  background.committed = [this](const CheckpointInfo&) {
    merger_->look();
    if (options_.committed) options_.committed();
  };
  background.failed = options_.failed;
  checkpointer_ = std::make_unique<Checkpointer>(*checkpoints_, std::move(background));

  StepThread::Hooks hooks;
  hooks.offer = [this](std::uint64_t seq, std::vector<Effect> effects, deliver::Follows follows) {
    return delivery_->offer(seq, std::move(effects), follows);
  };
  hooks.gate = [this](const std::vector<GateChange>& changes) { apply_gate(changes); };
  hooks.tick = [this](TimeUs due) {
    std::vector<Draft> drafts(1);
    drafts[0].event_time = due;
    return journal_->submit(std::move(drafts), {}) == Submit::ok;
  };
  hooks.failed = options_.failed;
  hooks.changed = [this](ProfileId person) {
    if (options_.changed) options_.changed(person);
  };
  hooks.letters = [this](const std::vector<std::int64_t>& ids) { return take_letters(ids); };
  hooks.applied = [this] {
    backfiller_->look();
    if (options_.applied) options_.applied();
  };
  step_ = std::make_unique<StepThread>(*world_, *checkpoints_, *checkpointer_, options_.clock, options_.step,
                                       std::move(hooks));
  backfiller_ = std::make_unique<Backfiller>(options_.files, options_.clock, options_.journal.directory,
                                             *journal_, *checkpoints_, *step_, options_.backfill);
}

Status Engine::take_letters(const std::vector<std::int64_t>& ids) {
  if (options_.database == nullptr || ids.empty()) return Done{};
  SLUICE_TRY(options_.database->take_dead_letters(ids));
  return Done{};
}

void Engine::apply_gate(const std::vector<GateChange>& changes) {
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
      case GateChange::Kind::split:
        gate_.split(change.person);
        break;
    }
  }
}

EpochNews Engine::compare(const config::Config& config,
                          const std::vector<config::ConnectorInfo>& connectors) const {
  EpochNews news;
  news.payload = epoch_payload(config, connectors);
  step_->read([&](const World& world) {
    if (world.pipeline.compiled() == nullptr) return;
    const config::Config& before = *world.pipeline.compiled()->config;
    news.first = false;
    news.same = same_epoch(world.epoch, before, news.payload, config);
    news.differences = differences(before, config);
  });
  return news;
}

void Engine::close_epoch(const EpochNews& news) {
  if (!news.same && world_->state.seq > 1) step_->checkpoint_now();
}

void Engine::connect() {
  journal_->set_sink([this](std::shared_ptr<const Batch> batch) { step_->push(std::move(batch)); });
}

Status Engine::start() {
  SLUICE_TRY(journal_->start([this](std::shared_ptr<const Batch> batch) { step_->push(std::move(batch)); }));
  step_->start();
  return Done{};
}

Status Engine::drop_before(TimeUs kept) {
  const auto base = checkpoints_->oldest_base();
  if (!base) return Done{};
  std::uint64_t seq = 0;
  SLUICE_TRY(journal_->replay(journal_->log().first_seq(), [&](const Input& input) {
    seq = input.seq;
    return input.stamp < kept && input.seq <= *base;
  }));
  return journal_->drop_before(std::min(seq, *base + 1));
}

}  // namespace sluice::hub
