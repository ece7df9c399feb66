#include "sim/machine.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace sluice::sim {

namespace {

constexpr std::uint64_t actions_per_seed = 500;

}  // namespace

void Counts::operator+=(const Counts& o) {
  actions += o.actions, inputs += o.inputs, records += o.records, arrivals += o.arrivals, merges += o.merges,
      unmerges += o.unmerges, grafts += o.grafts;
  lives += o.lives, power_failures += o.power_failures, kills += o.kills, stops += o.stops;
  failed_syncs += o.failed_syncs, full_disks += o.full_disks;
  configurations += o.configurations, refused += o.refused, dropped += o.dropped;
  virtual_time += o.virtual_time;
  for (const auto& [kind, n] : o.outcomes) outcomes[kind] += n;
}

Report simulate(const Options& options) {
  Machine machine(options);
  return machine.run();
}

Machine::Machine(const Options& options)
    : options_(options),
      random_(hash64_pair(options.seed, 0x5e1)),
      disk_(options.seed, options.plant),
      network_(random_, clock_, judge_, options.plant),
      clients_(random_, clock_) {
  network_.leaving = [this](const Effect& effect) {
    note("sends " + effect.destination + ' ' + text(effect.key));
    if (engine_ && !dead_) judge_.check_may_leave(effect, engine_->world().state);
  };
  network_.dark = [this] { return disk_.files().stopped(); };
  checkpoint_inputs_ = 15 + random_.below(120);
  config_ = load_configuration(configuration_text(0, 0)).config;
}

Machine::~Machine() {
  end_life();
}

void Machine::note(const std::string& what) {
  trace_ = hash64(what, trace_);
  if (options_.trace) options_.trace(format_time(clock_.wall_us()) + ' ' + what);
}

Report Machine::run() {
  const TimeUs begin = clock_.wall_us();
  while (counts_.actions < actions_per_seed && !judge_.violation()) live();
  if (!judge_.violation()) finale();
  end_life();
  counts_.inputs = judge_.seq();
  counts_.records = judge_.effects();
  counts_.arrivals = judge_.arrivals();
  counts_.merges = judge_.merges();
  counts_.unmerges = judge_.unmerges();
  counts_.grafts = judge_.grafts();
  counts_.virtual_time = clock_.wall_us() - begin;
  counts_.outcomes = judge_.outcome_counts();
  return {judge_.violation(), counts_, trace_};
}

// From a start to an end of any kind.
void Machine::live() {
  if (!boot()) return;
  const std::uint64_t until = counts_.actions + 20 + random_.below(120);
  if (random_.once_in(2)) disk_.files().stop_after(random_.below(300));
  if (random_.once_in(6)) disk_.files().fail_sync_after(random_.below(60));
  while (counts_.actions < until && failure_.empty() && !disk_.files().stopped() && !judge_.violation()) {
    act();
    ++counts_.actions;
  }
  if (judge_.violation()) return;
  if (const std::string file = disk_.take_failed_sync(); !file.empty()) {
    ++counts_.failed_syncs;
    if (failure_.empty()) judge_.violated(1, "the hub goes on after the sync of " + file + " failed");
  }
  note("life ends: " + failure_);
  if (disk_.files().stopped() || random_.once_in(3)) {
    power_failure();
  } else if (!failure_.empty() || random_.once_in(2)) {
    kill();
  } else {
    stop();
  }
}

hub::EngineOptions Machine::engine_options() {
  hub::EngineOptions o{disk_, clock_, {}};
  o.threads = false;
  o.journal.directory = data_directory;
  o.journal.segment_bytes = 32 * 1024;
  o.journal.reserve_bytes = reserve_bytes;
  o.journal.seed = {options_.seed, 2};
  o.step.checkpoint_inputs = checkpoint_inputs_;
  o.memory_bytes = options_.seed % 2 == 0 ? 8 * 1024 : 0;  // half of the people and more are cold
  o.backfill.slice_people = 1 + options_.seed % 7;
  o.delivery_seed = random_.below(UINT64_MAX);
  o.lane_segment_bytes = 8 * 1024;
  o.lane_memory_bytes = options_.seed % 3 == 0 ? 4 * 1024 : 1024 * 1024;
  o.stop_patience = 0;
  o.outcome = [this](const std::string& destination, const Effect& effect, const deliver::Outcome& outcome) {
    if (dead_) return;
    if (destination == "lake") lake_moved_ = clock_.monotonic_us();
    note("ends " + destination + ' ' + text(effect.key) + ' ' + std::string(name_of(outcome.kind)));
    judge_.outcome(destination, effect, outcome);
    if (delivered_ && outcome.kind == deliver::OutcomeKind::delivered) delivered_(destination, effect.key);
  };
  o.committed = [this] {
    if (!dead_) judge_.outcomes_durable();
  };
  o.failed = [this](const Error& error) {
    if (failure_.empty()) failure_ = error.detail;
  };
  return o;
}

deliver::Delivery::MakeCourier Machine::couriers() {
  return [this](const config::Destination& d) -> Result<std::unique_ptr<deliver::Courier>> {
    if (d.name == unopenable) return Error{Code::misconfigured, "its credentials are refused"};
    return make_courier(network_, d.name, options_.plant);
  };
}

// What the hub does at a start. The power may go in its middle.
bool Machine::boot() {
  ++counts_.lives;
  failure_.clear();
  dead_ = false;
  if (!calm_ && random_.once_in(5)) disk_.files().stop_after(random_.below(120));
  const bool up = recover() && begin_epoch();
  if (up || judge_.violation()) return up;
  ++counts_.actions;
  if (failure_.find("no space") != std::string::npos) disk_.files().set_capacity(UINT64_MAX);
  power_failure();
  return false;
}

bool Machine::recover() {
  hub::Recovery found;
  auto opened = hub::Engine::open(engine_options(), *config_, couriers(), found);
  if (!opened) {
    note("no start: " + opened.error().detail);
    failure_ = opened.error().detail;
    const bool full = failure_.find("no space") != std::string::npos;
    if (!full && !disk_.files().stopped())
      judge_.violated(failure_.starts_with("lane ") ? 3 : 1,
                      "the hub does not start: " + opened.error().detail);
    return false;
  }
  engine_ = std::move(opened).value();
  if (disk_.files().stopped()) return false;
  note("start: checkpoint " + std::to_string(found.checkpoint_seq) + ", " + std::to_string(found.replayed) +
       " replayed, " + std::to_string(found.journal.cut_bytes) + " bytes cut");
  for (const std::string& problem : found.checkpoints.problems)
    judge_.violated(8, "a checkpoint is damaged: " + problem);
  judge_.check_journal(engine_->journal());
  judge_.follow(engine_->journal());
  if (options_.plant == Plant::recovers_otherwise && found.checkpoint_seq > 0)
    engine_->world().state.set_cursor("crm/other", "7");
  judge_.check_state(engine_->world().state, 8, "after a recovery");
  return !judge_.violation();
}

bool Machine::begin_epoch() {
  const hub::EpochNews news = engine_->compare(*config_, connectors());
  engine_->close_epoch(news);
  if (!failure_.empty()) return false;
  engine_->connect();
  if (options_.plant == Plant::time_of_batch)
    engine_->journal().set_sink([this](const std::shared_ptr<const Batch>& batch) { pass_on(batch); });
  if (!news.same && !write_epoch(news)) return false;
  const std::string cursor(engine_->world().state.cursor("crm/rows"));
  next_row_ = cursor.empty() ? 0 : std::stoull(cursor);
  reading_ = false;
  lake_moved_ = clock_.monotonic_us();
  lake_waits_ = false;
  due_.clear();
  nearly_full_ = noticed_full_ = false;
  disk_.files().set_capacity(UINT64_MAX);
  return !disk_.files().stopped();
}

// A planted bug.
void Machine::pass_on(const std::shared_ptr<const Batch>& batch) {
  const auto other = std::make_shared<Batch>(*batch);
  for (std::size_t i = 0; i < other->inputs.size(); ++i) {
    other->inputs[i] = batch->inputs[i];
    other->inputs[i].stamp = batch->inputs.front().stamp + static_cast<DurationUs>(batch->inputs.size());
  }
  // The payloads stay where the first batch has them.
  engine_->step().push(std::shared_ptr<const Batch>(other.get(), [other, batch](const Batch*) {}));
}

void Machine::end_life() {
  dead_ = true;
  disk_.files().stop_after(0);  // what the objects still do as they go reaches no disk
  engine_.reset();
  judge_.life_ended();
}

void Machine::power_failure() {
  note("power failure");
  ++counts_.power_failures;
  network_.cut("", false);
  end_life();
  disk_.files().crash();
  clock_.advance(random_.between(1, 60) * us_per_s);
}

void Machine::kill() {
  note("kill");
  ++counts_.kills;
  network_.cut("", false);
  end_life();
  disk_.files().restart();
  clock_.advance(random_.between(0, 10) * us_per_s);
}

// In the order of Hub::stop().
void Machine::stop() {
  note("stop");
  ++counts_.stops;
  while (failure_.empty() && engine_->journal().queued_bytes() > 0) pump_journal();
  while (failure_.empty() && !engine_->step().caught_up()) pump_step();
  while (failure_.empty() && engine_->journal().queued_bytes() > 0) pump_journal();
  engine_->journal().stop();
  while (failure_.empty() && !engine_->step().caught_up()) pump_step();
  if (failure_.empty()) engine_->step().finish();
  if (failure_.empty()) (void)engine_->delivery().drain_and_stop();
  if (const std::string file = disk_.take_failed_sync(); !file.empty() && failure_.empty())
    judge_.violated(1, "the hub stops well after the sync of " + file + " failed");
  if (failure_.empty() && !disk_.files().stopped()) judge_.outcomes_durable();
  network_.cut("", false);
  end_life();
  disk_.files().restart();
}

// Everything works again: all has to come to its end, and to what it must be.
void Machine::finale() {
  note("finale");
  network_.heal();
  disk_.files().set_capacity(UINT64_MAX);
  config_ = load_configuration(configuration_text(0, 0)).config;
  calm_ = true;
  while (!judge_.violation() && !boot()) {
  }
  if (judge_.violation()) return;
  for (int round = 0; round < 2'000 && !judge_.violation() && failure_.empty(); ++round) {
    if (clients_.waiting()) call();
    if (!settle()) break;
    const bool past_is_read = !engine_->backfiller().busy();
    if (engine_->delivery().idle() && past_is_read && !clients_.waiting() && round > 20) break;
    jump(us_per_h);
  }
  if (!judge_.violation() && !failure_.empty()) judge_.violated(3, "the hub stopped: " + failure_);
  if (judge_.violation()) return;
  if (engine_->backfiller().busy()) judge_.violated(7, "the past is not read though all works");
  if (!engine_->delivery().idle()) judge_.violated(3, "records do not come to an end though all works");
  judge_.check_state(engine_->world().state, 8, "at the end");
  for (const auto& [one, other] : engine_->world().state.apart.pairs) {
    if (engine_->world().state.resolve(one) == engine_->world().state.resolve(other))
      judge_.violated(2, "two people who were taken apart are one again");
  }
  judge_.check_every_record_has_ended();
  judge_.check_order();
  judge_.check_messages_stepped_once();
  judge_.check_rows_read_once();
  judge_.check_other_split(options_.seed);
  stop();
  if (judge_.violation()) return;
  const auto verified = hub::verify_store(disk_, data_directory);
  if (!verified) return judge_.violated(8, "store verify: " + verified.error().detail);
  for (const std::string& problem : verified.value().problems) judge_.violated(8, "store verify: " + problem);
}

}  // namespace sluice::sim
