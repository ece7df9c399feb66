#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

#include "base/hash.hpp"
#include "base/thread_name.hpp"
#include "deliver/lane_parts.hpp"

namespace sluice::deliver {

namespace {
constexpr std::chrono::milliseconds wait_max{1'000};
}  // namespace

Lane::Lane(LaneOptions options)
    : options_(std::move(options)),
      name_(options_.destination.name),
      inbox_(std::make_shared<Inbox>()),
      governor_(options_.seed),
      opened_wall_(options_.clock.wall_us()),
      opened_(options_.clock.monotonic_us()) {}

void Lane::go_by_limits() {
  CourierLimits& limits = limits_ = courier_->limits();
  const config::Destination& destination = options_.destination;
  // The operator may ask for less than the connector's own limit of a batch, never for more.
  if (destination.batch_records)
    limits.records_max = std::min(limits.records_max, *destination.batch_records);
  limits.records_max = std::max<std::uint32_t>(1, limits.records_max);
  limits.linger = destination.linger.value_or(linger_default);
  settle_ = destination.settle.value_or(limits.settle);
  limits.parallel =
      limits.blocking ? 1 : std::max<std::uint32_t>(1, std::min(destination.parallel, limits.parallel));
  std::optional<Rate> rate;
  if (destination.rate) rate = Rate{destination.rate->first, destination.rate->second};
  governor_.go_by(limits.parallel, limits.rates, rate ? &*rate : nullptr, options_.clock.monotonic_us());
  one_per_person_ = !limits.all_or_nothing;
  full_at_ = limits.records_max;
}

Result<std::unique_ptr<Lane>> Lane::open(LaneOptions options, std::unique_ptr<Courier> courier) {
  std::unique_ptr<Lane> lane(new Lane(std::move(options)));
  const LaneOptions& o = lane->options_;
  lane->courier_ = std::move(courier);
  lane->go_by_limits();
  lane->unready_ = lane->courier_->unready();
  lane->log_ =
      SLUICE_TRY(LaneLog::open({o.files, o.directory, hash64(o.journal + lane->name_), o.segment_bytes}));
  if (o.database != nullptr) lane->has_remote_ids_ = SLUICE_TRY(o.database->has_remote_ids(lane->name_));
  lane->loaded_frame_ = lane->log_->first_frame() - 1;
  SLUICE_TRY(lane->count_backlog());
  lane->stopped_ = false;
  lane->publish();
  return lane;
}

Lane::~Lane() {
  stop(0);
  for (auto& [line, snapshot] : snapshots_) {
    for (Item* item : snapshot.held) const std::unique_ptr<Item> unsent(item);
  }
  for (Batch& batch : batches_) {
    batch.rest.push_back(std::move(batch.items));
    for (const std::vector<Item*>& group : batch.rest) {
      for (Item* item : group) const std::unique_ptr<Item> unsent(item);
    }
  }
}

Status Lane::count_backlog() {
  std::uint64_t records = 0, bytes = 0;
  SLUICE_TRY(log_->read(log_->first_frame(), [&](const LaneLog::Stored& stored, Effect) {
    ++records;
    bytes += stored.bytes;
    return true;
  }));
  unfinished_ = records;
  unfinished_bytes_ = bytes;
  return Done{};
}

Status Lane::offer(std::uint64_t seq, std::vector<Effect> effects, Follows follows) {
  const TimeUs now = steady_wall();
  log_->keep_new(seq, effects);
  if (effects.empty()) {
    if (follows == Follows::nothing) nothing_follows();
    return Done{};
  }
  more_follows_.store(follows == Follows::more, std::memory_order_release);
  std::uint64_t bytes = 0;
  bool under_way = false;
  std::vector<LaneLog::Record> records;
  records.reserve(effects.size());
  for (Effect& effect : effects) {
    prepare(effect);
    records.push_back({&effect, now, LaneLog::encoded_bytes(effect)});
    bytes += records.back().bytes;
    under_way = under_way || log_->under_way(effect.key);
  }
  unfinished_ += effects.size();
  unfinished_bytes_ += bytes;
  bool spilled = under_way || memory_ + bytes > options_.memory_bytes;
  {
    const std::lock_guard lock(inbox_->mutex);
    spilled = spilled || inbox_->spilled;
  }
  return spilled ? spill(seq, records) : hand_over(seq, std::move(effects), records);
}

// To be read back from the log. The lane is told when they are there: it may just have read to its end.
Status Lane::spill(std::uint64_t seq, std::span<const LaneLog::Record> records) {
  SLUICE_TRY(unwritten_.write_to(*log_, seq, records));
  const std::lock_guard lock(inbox_->mutex);
  inbox_->spilled = true;
  ++inbox_->offers;
  inbox_->changed.notify_one();
  return Done{};
}

Status Lane::hand_over(std::uint64_t seq, std::vector<Effect> effects,
                       std::span<const LaneLog::Record> records) {
  std::vector<std::unique_ptr<Item>> items;
  items.reserve(effects.size());
  ++offers_;
  const std::uint64_t frame = log_->next_frame();
  for (std::size_t i = 0; i < effects.size(); ++i) {
    Item& item = *items.emplace_back(std::make_unique<Item>());
    item.effect = std::move(effects[i]);
    item.frame = frame;
    item.offer = offers_;
    item.bytes = records[i].bytes;
    item.offered = records[i].offered;
    memory_ += item.bytes;
  }
  unwritten_.add(seq, items);
  const std::lock_guard lock(inbox_->mutex);
  std::move(items.begin(), items.end(), std::back_inserter(inbox_->arrived));
  // Less than a batch, and more comes: the lane need not wake up for it yet.
  if (more_follows_.load(std::memory_order_relaxed) && inbox_->arrived.size() < full_at_) {
    const TimeUs now = records.front().offered;
    if (inbox_->quiet_since == 0) inbox_->quiet_since = now;
    if (now - inbox_->quiet_since < linger_default) return Done{};
  }
  inbox_->quiet_since = 0;
  ++inbox_->offers;
  inbox_->changed.notify_one();
  return Done{};
}

Status Lane::sync() {
  SLUICE_TRY(unwritten_.write_to(*log_));
  return log_->sync();
}

void Lane::nothing_follows() {
  if (!more_follows_.exchange(false, std::memory_order_acq_rel)) return;
  const std::lock_guard lock(inbox_->mutex);
  inbox_->quiet_since = 0;
  ++inbox_->offers;
  inbox_->changed.notify_one();
}

// A wall clock that jumps neither ends records as too old nor keeps them for ever: from the start on their
// age is counted by the other clock.
TimeUs Lane::steady_wall() const {
  return opened_wall_ + (options_.clock.monotonic_us() - opened_);
}

void Lane::follow_merges() {
  if (options_.gate.merge_count() == merges_seen_) return;
  std::vector<Gate::Merge> merges;
  options_.gate.merges_since(merges_seen_, merges);
  for (const Gate::Merge& merge : merges) {
    if (merge.old_line != merge.line) queue_.join(merge.old_line, merge.line);
    if (has_remote_ids_) inherit_remote_id(merge);
  }
  merges_seen_ += merges.size();
}

std::string Lane::remote_id_at(ProfileId person) const {
  auto found = options_.database->remote_id(name(), person);
  return found ? std::move(found).value() : std::string();
}

// The winner keeps what the destination calls him; who has no name there takes the loser's.
void Lane::inherit_remote_id(const Gate::Merge& merge) {
  const std::string other = remote_id_at(merge.loser);
  if (other.empty() || !remote_id_at(merge.winner).empty()) return;
  if (const Status kept = options_.database->keep_remote_ids(name(), {{merge.winner, other}}); !kept)
    fail(kept.error());
}

void Lane::push(std::unique_ptr<Item> item) {
  floor_ = {item->effect.key.seq, item->effect.key.ordinal + 1};
  // The queue must know every merge that this answer rests on: else the record would stand in the winner's
  // line, and pass the loser's earlier ones.
  ProfileId person = nobody;
  if (item->effect.snapshot.seq != 0) {
    const Result<std::uint64_t> line = line_for(item->effect);
    if (!line) fail(line.error());
    queue_.push(std::move(item), line ? line.value() : nobody);
    return;
  }
  do {
    follow_merges();
    person = options_.gate.line_of(item->effect.person);
  } while (options_.gate.merge_count() != merges_seen_);
  queue_.push(std::move(item), person);
}

Status Lane::load() {
  if (too_many_gaps()) return Done{};
  std::vector<std::unique_ptr<Item>> arrived;
  bool spilled = false;
  {
    const std::lock_guard lock(inbox_->mutex);
    arrived.swap(inbox_->arrived);
    inbox_->quiet_since = 0;
    spilled = inbox_->spilled;
  }
  follow_merges();
  // Whatever stands in lower frames was in memory before these, or has been read.
  if (!arrived.empty()) loaded_frame_ = std::max(loaded_frame_, arrived.back()->frame - 1);
  for (std::unique_ptr<Item>& item : arrived) push(std::move(item));
  if (!spilled || memory_ > options_.memory_bytes / 2) return Done{};
  return load_from_log();
}

Status Lane::load_from_log() {
  // What was in memory when it was written is not read back.
  const std::uint64_t from = std::max(loaded_frame_, unwritten_.frame()) + 1;
  const std::uint64_t next = SLUICE_TRY(log_->read(from, [&](const LaneLog::Stored& stored, Effect effect) {
    auto item = std::make_unique<Item>();
    item->effect = std::move(effect);
    prepare(item->effect);
    item->frame = stored.frame;
    item->bytes = stored.bytes;
    item->offered = stored.offered;
    item->unknown = stored.unknown;
    item->kept = stored.kept;
    memory_ += stored.bytes;
    push(std::move(item));
    return memory_ < options_.memory_bytes;
  }));
  loaded_frame_ = next - 1;
  const std::lock_guard lock(inbox_->mutex);
  if (next == log_->next_frame()) inbox_->spilled = false;
  return Done{};
}

DurationUs Lane::pump() {
  if (broken_) return never;
  if (const Status loaded = load(); !loaded) return fail(loaded.error()), never;
  std::vector<Landed> landed;
  {
    const std::lock_guard lock(inbox_->mutex);
    landed.swap(inbox_->landed);
  }
  for (Landed& one : landed) land(std::move(one));
  // What is known is written before anything else goes out: a crash may hold only what is on the wire.
  if (const Status written = write_outcomes(); !written) return fail(written.error()), never;
  const DurationUs now = options_.clock.monotonic_us();
  queue_.wake(now);
  DurationUs next = never;
  take_renewal();
  const bool more = !stopping() && !changing();  // else a landing wakes the lane
  while (more && !broken_ && !stopping() && send_more(next)) {
  }
  if (const Status written = write_outcomes(); !written) return fail(written.error()), never;
  next = std::min({next, queue_.next_due(), sync_when_due()});
  publish();
  const std::lock_guard lock(inbox_->mutex);
  const bool readable = inbox_->spilled && memory_ <= options_.memory_bytes / 2 && !too_many_gaps();
  return readable || !inbox_->landed.empty() ? options_.clock.monotonic_us() : next;
}

void Lane::start() {
  if (thread_.joinable()) return;
  thread_ = std::thread([this, inbox = inbox_] {
    name_thread(("lane " + options_.destination.name).c_str());
    run();
    const std::lock_guard lock(inbox->mutex);
    inbox->ended = true;
    inbox->changed.notify_all();
  });
}

void Lane::run() {
  const std::shared_ptr<Inbox> inbox = inbox_;
  std::uint64_t seen = 0;
  while (true) {
    const DurationUs next = pump();
    std::unique_lock lock(inbox->mutex);
    if (inbox->stopping) return;
    const DurationUs now = options_.clock.monotonic_us();
    const std::chrono::microseconds wait(next == never ? 1'000'000 : std::max<DurationUs>(0, next - now));
    inbox->changed.wait_for(lock, std::min<std::chrono::microseconds>(wait, wait_max), [&] {
      return inbox->stopping || !inbox->landed.empty() || inbox->offers != seen;
    });
    seen = inbox->offers;
  }
}

void Lane::ask_to_stop() {
  bool blocking = false;
  {
    const std::lock_guard lock(inbox_->mutex);
    inbox_->stopping = true;
    inbox_->changed.notify_all();
    blocking = limits_.blocking;
  }
  if (blocking) cancel();
}

// Not under the lock: what is under way lands while it is cancelled.
void Lane::cancel() {
  std::shared_ptr<Courier> courier;
  {
    const std::lock_guard lock(inbox_->mutex);
    courier = courier_;
  }
  courier->cancel();
}

void Lane::stop(DurationUs patience) {
  if (std::exchange(stopped_, true)) return;
  ask_to_stop();
  const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(patience);
  if (thread_.joinable()) {
    std::unique_lock lock(inbox_->mutex);
    // A connector may hang in its process, and has half a minute for a call.
    const bool ended = inbox_->changed.wait_until(lock, until, [this] { return inbox_->ended; });
    lock.unlock();
    if (!ended) cancel();
    thread_.join();
  }
  // What is on its way may still come back: its outcome is worth a moment, since it would else be sent twice
  // or held.
  while (in_flight_ > 0 && !broken_) {
    std::unique_lock lock(inbox_->mutex);
    const bool landed = inbox_->changed.wait_until(lock, until, [this] { return !inbox_->landed.empty(); });
    lock.unlock();
    if (!landed) break;
    pump();
  }
  if (!limits_.blocking) cancel();
  if (broken_) return;
  pump();
  if (const Status synced = sync(); !synced) fail(synced.error());
  const std::lock_guard lock(status_mutex_);
  status_.state = LaneState::stopped;
}

bool Lane::stopping() const {
  const std::lock_guard lock(inbox_->mutex);
  return inbox_->stopping;
}

LaneStatus Lane::status() const {
  const std::lock_guard lock(status_mutex_);
  LaneStatus status = status_;
  status.backlog_records = unfinished_;
  status.backlog_bytes = unfinished_bytes_;
  return status;
}

void Lane::publish() {
  const DurationUs now = options_.clock.monotonic_us();
  const std::lock_guard lock(status_mutex_);
  status_.name = name();
  const bool unready = !unready_.empty() && last_error_.empty();
  status_.state = broken_                                      ? LaneState::stopped
                  : governor_.credentials_refused() || unready ? LaneState::paused
                  : governor_.waits(now)                       ? LaneState::backoff
                                                               : LaneState::live;
  status_.breaker = governor_.breaker(now);
  status_.window = governor_.window();
  status_.oldest = queue_.oldest();
  status_.in_flight = in_flight_;
  status_.blocked_people = queue_.blocked_people();
  status_.outcomes = counts_;
  status_.sends = sends_;
  status_.retries = retries_;
  const std::string& error = unready ? unready_ : last_error_;
  if (status_.last_error != error) status_.last_error = error;
}

void Lane::fail(const Error& error) {
  broken_ = true;
  last_error_ = error.detail;
  publish();
  if (options_.on_fatal) options_.on_fatal({error.code, "lane '" + name() + "': " + error.detail});
}

}  // namespace sluice::deliver
