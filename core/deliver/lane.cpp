#include "deliver/lane.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/hash.hpp"

namespace sluice::deliver {

namespace {
constexpr std::chrono::milliseconds wait_max{1'000};
}  // namespace

Lane::Lane(LaneOptions options) : x_options(std::move(options)), x_backoff(x_options.seed) {}

Result<std::unique_ptr<Lane>> Lane::open(LaneOptions options, std::unique_ptr<Courier> courier) {
  std::unique_ptr<Lane> lane(new Lane(std::move(options)));
  const LaneOptions& o = lane->x_options;
  lane->x_courier = std::move(courier);
  CourierLimits& limits = lane->x_limits = lane->x_courier->limits();
  const config::Destination& destination = o.destination;
  // The operator may ask for less than the connector's own limit of a batch, never for more.
  if (destination.batch_records)
    limits.records_max = std::min(limits.records_max, *destination.batch_records);
  limits.records_max = std::max<std::uint32_t>(1, limits.records_max);
  limits.linger = destination.linger.value_or(linger_default);
  limits.parallel =
      limits.blocking ? 1 : std::max<std::uint32_t>(1, std::min(destination.parallel, limits.parallel));
  if (destination.rate) limits.rate = Rate{destination.rate->first, destination.rate->second};
  if (limits.rate) lane->x_bucket.emplace(limits.rate->count, limits.rate->per, o.clock.monotonic_us());
  lane->x_one_per_person = limits.one_per_person;
  lane->x_log = SLUICE_TRY(
      LaneLog::open({o.files, o.directory, hash64(o.journal + destination.name), o.segment_bytes}));
  lane->x_loaded_frame = lane->x_log->first_frame() - 1;
  SLUICE_TRY(lane->count_backlog());
  lane->publish();
  return lane;
}

Lane::~Lane() {
  stop(0);
  for (Batch& batch : x_batches) {
    batch.rest.push_back(std::move(batch.items));
    for (const std::vector<Item*>& group : batch.rest) {
      for (Item* item : group) const std::unique_ptr<Item> unsent(item);
    }
  }
}

Status Lane::count_backlog() {
  std::uint64_t records = 0, bytes = 0;
  SLUICE_TRY(x_log->read(x_log->first_frame(), [&](const LaneLog::Stored& stored, Effect) {
    ++records;
    bytes += stored.bytes;
    return true;
  }));
  x_unfinished = records;
  x_unfinished_bytes = bytes;
  return Done{};
}

Status Lane::offer(std::uint64_t seq, std::vector<Effect> effects) {
  const TimeUs now = x_options.clock.wall_us();
  SLUICE_TRY(x_log->append(seq, now, effects, x_frames, x_bytes));
  if (effects.empty()) return Done{};
  std::uint64_t bytes = 0;
  for (const std::uint32_t n : x_bytes) bytes += n;
  x_unfinished += effects.size();
  x_unfinished_bytes += bytes;
  const std::lock_guard lock(x_inbox->mutex);
  if (x_inbox->spilled || x_memory + bytes > x_options.memory_bytes) {
    x_inbox->spilled = true;
  } else {
    x_memory += bytes;
    for (std::size_t i = 0; i < effects.size(); ++i) {
      x_inbox->arrived.push_back({x_frames[i], x_bytes[i], now, std::move(effects[i])});
    }
  }
  ++x_inbox->offers;
  x_inbox->changed.notify_one();
  return Done{};
}

void Lane::follow_merges() {
  if (x_options.gate.merge_count() == x_merges_seen) return;
  std::vector<Gate::Merge> merges;
  x_options.gate.merges_since(x_merges_seen, merges);
  for (const Gate::Merge& merge : merges) x_queue.join(merge.loser, merge.winner);
  x_merges_seen += merges.size();
}

void Lane::push(Arrived arrived, bool unknown) {
  auto item = std::make_unique<Item>();
  item->effect = std::move(arrived.effect);
  item->frame = arrived.frame;
  item->bytes = arrived.bytes;
  item->offered = arrived.offered;
  item->unknown = unknown;
  x_floor = {item->effect.key.seq, item->effect.key.ordinal + 1};
  const ProfileId person = x_options.gate.winner_of(item->effect.person);
  x_queue.push(std::move(item), person);
}

Status Lane::load() {
  if (x_queue.blocked_people() >= blocked_people_max) return Done{};
  std::deque<Arrived> arrived;
  bool spilled = false;
  {
    const std::lock_guard lock(x_inbox->mutex);
    arrived.swap(x_inbox->arrived);
    spilled = x_inbox->spilled;
  }
  // A merge that the step made before it offered these is known here: the barrier stands before they are
  // pushed.
  follow_merges();
  for (Arrived& one : arrived) {
    if (one.frame <= x_loaded_frame) {  // read back from the log in the meantime
      x_memory -= one.bytes;
      continue;
    }
    push(std::move(one), false);
  }
  if (!arrived.empty()) x_loaded_frame = std::max(x_loaded_frame, arrived.back().frame);
  if (!spilled || x_memory > x_options.memory_bytes / 2) return Done{};
  return load_from_log();
}

Status Lane::load_from_log() {
  std::uint64_t frame = 0;
  const std::uint64_t next =
      SLUICE_TRY(x_log->read(x_loaded_frame + 1, [&](const LaneLog::Stored& stored, Effect effect) {
        frame = stored.frame;
        x_memory += stored.bytes;
        push({stored.frame, stored.bytes, stored.offered, std::move(effect)}, stored.unknown);
        return x_memory < x_options.memory_bytes;
      }));
  x_loaded_frame = next - 1;
  const std::lock_guard lock(x_inbox->mutex);
  if (next == x_log->next_frame()) x_inbox->spilled = false;
  return Done{};
}

DurationUs Lane::pump() {
  if (x_broken) return never;
  if (const Status loaded = load(); !loaded) return fail(loaded.error()), never;
  std::vector<Landed> landed;
  {
    const std::lock_guard lock(x_inbox->mutex);
    landed.swap(x_inbox->landed);
  }
  for (Landed& one : landed) land(std::move(one));
  const DurationUs now = x_options.clock.monotonic_us();
  x_queue.wake(now);
  DurationUs next = never;
  bool more = false;
  {
    const std::lock_guard lock(x_inbox->mutex);
    more = !x_inbox->stopping;
  }
  while (more && !x_broken && send_more(next)) {
  }
  if (const Status written = write_outcomes(); !written) return fail(written.error()), never;
  next = std::min({next, x_queue.next_due(), sync_when_due()});
  publish();
  const std::lock_guard lock(x_inbox->mutex);
  const bool readable = x_inbox->spilled && x_memory <= x_options.memory_bytes / 2 &&
                        x_queue.blocked_people() < blocked_people_max;
  return readable || !x_inbox->landed.empty() ? x_options.clock.monotonic_us() : next;
}

void Lane::start() {
  if (x_thread.joinable()) return;
  x_thread = std::thread([this] { run(); });
}

void Lane::run() {
  const std::shared_ptr<Inbox> inbox = x_inbox;
  std::uint64_t seen = 0;
  while (true) {
    const DurationUs next = pump();
    std::unique_lock lock(inbox->mutex);
    if (inbox->stopping) return;
    const DurationUs now = x_options.clock.monotonic_us();
    const std::chrono::microseconds wait(next == never ? 1'000'000 : std::max<DurationUs>(0, next - now));
    inbox->changed.wait_for(lock, std::min<std::chrono::microseconds>(wait, wait_max), [&] {
      return inbox->stopping || !inbox->landed.empty() || inbox->offers != seen;
    });
    seen = inbox->offers;
  }
}

void Lane::ask_to_stop() {
  {
    const std::lock_guard lock(x_inbox->mutex);
    x_inbox->stopping = true;
    x_inbox->changed.notify_all();
  }
  if (x_limits.blocking) x_courier->cancel();
}

void Lane::stop(DurationUs patience) {
  if (std::exchange(x_stopped, true)) return;
  ask_to_stop();
  if (x_thread.joinable()) x_thread.join();
  // What is on its way may still come back: its outcome is worth a moment, since it would else be sent twice
  // or held.
  const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(patience);
  while (x_in_flight > 0 && !x_broken) {
    std::unique_lock lock(x_inbox->mutex);
    const bool landed = x_inbox->changed.wait_until(lock, until, [this] { return !x_inbox->landed.empty(); });
    lock.unlock();
    if (!landed) break;
    pump();
  }
  if (!x_limits.blocking) x_courier->cancel();
  if (x_broken) return;
  pump();
  if (const Status synced = x_log->sync(); !synced) fail(synced.error());
  const std::lock_guard lock(x_status_mutex);
  x_status.state = LaneState::stopped;
}

LaneStatus Lane::status() const {
  LaneStatus status;
  {
    const std::lock_guard lock(x_status_mutex);
    status = x_status;
  }
  status.backlog_records = x_unfinished;
  status.backlog_bytes = x_unfinished_bytes;
  return status;
}

void Lane::publish() {
  const DurationUs now = x_options.clock.monotonic_us();
  const std::lock_guard lock(x_status_mutex);
  x_status.name = name();
  x_status.state = x_broken                                                 ? LaneState::stopped
                   : x_refusals > 0                                         ? LaneState::paused
                   : x_failures >= failures_in_a_row || x_pause_until > now ? LaneState::backoff
                                                                            : LaneState::live;
  x_status.oldest = x_queue.oldest();
  x_status.in_flight = x_in_flight;
  x_status.blocked_people = x_queue.blocked_people();
  x_status.outcomes = x_counts;
  x_status.sends = x_sends;
  x_status.retries = x_retries;
  if (x_status.last_error != x_last_error) x_status.last_error = x_last_error;
}

void Lane::fail(const Error& error) {
  x_broken = true;
  x_last_error = error.detail;
  publish();
  if (x_options.on_fatal) x_options.on_fatal({error.code, "lane '" + name() + "': " + error.detail});
}

}  // namespace sluice::deliver
