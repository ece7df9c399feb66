#include "deliver/delivery.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "deliver/history.hpp"
#include "deliver/lane.hpp"
#include "deliver/removed_lane.hpp"

namespace sluice::deliver {

std::string_view name_of(LaneState state) {
  switch (state) {
    case LaneState::live:
      return "live";
    case LaneState::backoff:
      return "backoff";
    case LaneState::paused:
      return "paused";
    case LaneState::stopped:
      return "stopped";
    case LaneState::removed:
      return "removed";
  }
  return "unknown";
}

namespace {

// What runs at a moment; a changed configuration publishes another one.
struct LaneSet {
  std::vector<std::shared_ptr<Lane>> lanes;  // in the order of the configuration
  std::unordered_map<std::string, std::size_t> by_name;

  void add(std::shared_ptr<Lane> lane) {
    by_name.emplace(lane->name(), lanes.size());
    lanes.push_back(std::move(lane));
  }
  bool idle() const {
    return std::all_of(lanes.begin(), lanes.end(), [](const auto& lane) { return lane->idle(); });
  }
  std::shared_ptr<Lane> find(const std::string& name) const {
    const auto at = by_name.find(name);
    return at == by_name.end() ? nullptr : lanes[at->second];
  }
};

}  // namespace

struct Delivery::Impl {
  explicit Impl(DeliveryOptions given) : options(std::move(given)) {}

  std::shared_ptr<const LaneSet> now() const {
    const std::lock_guard lock(mutex);
    return set;
  }
  Result<std::shared_ptr<Lane>> open_lane(const config::Destination& destination,
                                          std::unique_ptr<Courier> way);
  Result<std::unique_ptr<Courier>> open_courier(const config::Destination& destination) const;
  bool wait_idle(const LaneSet& lanes, DurationUs timeout);
  void let_finish(const LaneSet& lanes, DurationUs patience);

  DeliveryOptions options;
  MakeCourier courier;
  SystemClock real;
  std::unique_ptr<History> history;
  std::vector<std::vector<Effect>> sorted;  // by lane; the step's, reused
  bool started = false;
  std::optional<Span> retention;  // of events

  Status open_removed(const std::string& name);
  void tell_removed(std::string_view only);
  Status offer_removed(const std::string& name, std::uint64_t seq, std::vector<Effect> effects);
  config::Destination lasting(config::Destination destination) const;

  std::mutex removed_mutex;  // guards `removed`
  std::map<std::string, std::unique_ptr<RemovedLane>> removed;

  mutable std::mutex mutex;       // guards what follows
  std::condition_variable ended;  // where a lane ends an outcome, a waiting drain() looks again
  std::shared_ptr<const LaneSet> set = std::make_shared<const LaneSet>();
};

// What lies under the directory and no destination's name leads to.
Status Delivery::Impl::open_removed(const std::string& name) {
  const std::string directory = options.directory + '/' + name;
  const bool empty = SLUICE_TRY(options.files.list(directory + "/records")).empty() &&
                     SLUICE_TRY(options.files.list(directory + "/outcomes")).empty();
  if (empty) return Done{};
  auto lane = RemovedLane::open({.files = options.files,
                                 .clock = options.clock,
                                 .name = name,
                                 .directory = directory,
                                 .salt = hash64(options.journal + name),
                                 .segment_bytes = options.segment_bytes,
                                 .history = history.get()});
  if (!lane) return Error{lane.error().code, "lane '" + name + "': " + lane.error().detail};
  const std::lock_guard lock(removed_mutex);
  removed[name] = std::move(lane).value();
  return Done{};
}

// A recovery steps inputs from before the removal again: their records wait where those are that it had.
Status Delivery::Impl::offer_removed(const std::string& name, std::uint64_t seq,
                                     std::vector<Effect> effects) {
  const std::lock_guard lock(removed_mutex);
  std::unique_ptr<RemovedLane>& lane = removed[name];
  if (!lane) {
    const std::string directory = options.directory + '/' + name;
    SLUICE_TRY(options.files.make_directory(directory));
    lane = SLUICE_TRY(RemovedLane::open({.files = options.files,
                                         .clock = options.clock,
                                         .name = name,
                                         .directory = directory,
                                         .salt = hash64(options.journal + name),
                                         .segment_bytes = options.segment_bytes,
                                         .history = history.get()}));
  }
  return lane->offer(seq, std::move(effects));
}

// Retention is a legal maximum: it wins over a destination's patience.
config::Destination Delivery::Impl::lasting(config::Destination destination) const {
  if (retention) {
    const TimeUs now = options.clock.wall_us();
    destination.expires =
        std::min(destination.expires.value_or(expires_default), now - add_span(now, *retention, -1));
  }
  return destination;
}

Delivery::Delivery(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Delivery::~Delivery() {
  stop();
}

Result<std::unique_ptr<Courier>> Delivery::Impl::open_courier(const config::Destination& destination) const {
  auto way = courier(destination);
  if (!way) return Error{way.error().code, "destination '" + destination.name + "': " + way.error().detail};
  return std::move(way).value();
}

Result<std::shared_ptr<Lane>> Delivery::Impl::open_lane(const config::Destination& destination,
                                                        std::unique_ptr<Courier> way) {
  {
    const std::lock_guard lock(removed_mutex);
    removed.erase(destination.name);
  }
  const std::string directory = options.directory + "/" + destination.name;
  SLUICE_TRY(options.files.make_directory(directory));
  auto lane = Lane::open({.files = options.files,
                          .clock = options.clock,
                          .directory = directory,
                          .journal = options.journal,
                          .gate = options.gate,
                          .database = options.database,
                          .history = history.get(),
                          .seed = hash64(destination.name, options.seed),
                          .memory_bytes = options.memory_bytes,
                          .segment_bytes = options.segment_bytes,
                          .destination = lasting(destination),
                          .on_outcome =
                              [this, name = destination.name](const Effect& effect, const Outcome& outcome) {
                                if (options.on_outcome) options.on_outcome(name, effect, outcome);
                              },
                          .on_idle =
                              [this] {
                                const std::lock_guard lock(mutex);
                                ended.notify_all();
                              },
                          .on_fatal = options.on_fatal},
                         std::move(way));
  if (!lane) return Error{lane.error().code, "lane '" + destination.name + "': " + lane.error().detail};
  return std::shared_ptr<Lane>(std::move(lane).value());
}

Result<std::unique_ptr<Delivery>> Delivery::open(DeliveryOptions options, const config::Config& config,
                                                 const MakeCourier& courier) {
  auto impl = std::make_unique<Impl>(std::move(options));
  impl->courier = courier;
  impl->retention = config.retention.events;
  const DeliveryOptions& o = impl->options;
  if (o.database != nullptr) impl->history = std::make_unique<History>(*o.database, o.journal);
  auto set = std::make_shared<LaneSet>();
  for (const config::Destination& destination : config.destinations) {
    auto way = SLUICE_TRY(impl->open_courier(destination));
    set->add(SLUICE_TRY(impl->open_lane(destination, std::move(way))));
  }
  for (const std::string& name : SLUICE_TRY(o.files.list(o.directory))) {
    if (!set->find(name)) SLUICE_TRY(impl->open_removed(name));
  }
  impl->set = std::move(set);
  return std::unique_ptr<Delivery>(new Delivery(std::move(impl)));
}

Status Delivery::offer(std::uint64_t seq, std::vector<Effect> effects, Follows follows) {
  const std::shared_ptr<const LaneSet> set = impl_->now();
  std::vector<std::vector<Effect>>& all = impl_->sorted;
  all.resize(set->lanes.size());
  std::map<std::string, std::vector<Effect>> gone;
  for (Effect& effect : effects) {
    const auto lane = set->by_name.find(effect.destination);
    std::vector<Effect>& sorted = lane == set->by_name.end() ? gone[effect.destination] : all[lane->second];
    if (sorted.empty()) sorted.reserve(effects.size());
    sorted.push_back(std::move(effect));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].empty()) {
      if (follows == Follows::nothing) set->lanes[i]->nothing_follows();
      continue;
    }
    SLUICE_TRY(set->lanes[i]->offer(seq, std::move(all[i]), follows));
    all[i].clear();
  }
  for (auto& [name, effects_of] : gone) SLUICE_TRY(impl_->offer_removed(name, seq, std::move(effects_of)));
  return Done{};
}

Status Delivery::sync() {
  for (const auto& lane : impl_->now()->lanes) SLUICE_TRY(lane->sync());
  const std::lock_guard lock(impl_->removed_mutex);
  for (const auto& [name, lane] : impl_->removed) SLUICE_TRY(lane->sync());
  return Done{};
}

Status Delivery::expire_removed(TimeUs before) {
  const std::lock_guard lock(impl_->removed_mutex);
  for (const auto& [name, lane] : impl_->removed) SLUICE_TRY(lane->expire(before));
  return Done{};
}

std::uint64_t Delivery::applied(std::string_view destination) const {
  const auto lane = impl_->now()->find(std::string(destination));
  return lane ? lane->applied() : 0;
}

// Of one removed destination, or of all (""): once a replay has offered what belongs to it.
void Delivery::Impl::tell_removed(std::string_view only) {
  const std::lock_guard lock(removed_mutex);
  for (const auto& [name, lane] : removed) {
    const std::uint64_t left = lane->status().backlog_records;
    if (left == 0 || (!only.empty() && name != only)) continue;
    log_warn("delivery", "destination '" + name + "' is no longer in the configuration: " +
                             std::to_string(left) + " records wait for it to come back, and end expired " +
                             "when they are " + format_duration(expires_default) + " old");
  }
}

void Delivery::start() {
  if (impl_->history) impl_->history->start();
  impl_->tell_removed("");
  impl_->started = true;
  for (const auto& lane : impl_->now()->lanes) lane->start();
}

DurationUs Delivery::pump(std::string_view destination) {
  const auto lane = impl_->now()->find(std::string(destination));
  return lane ? lane->pump() : never;
}

bool Delivery::idle() const {
  return impl_->now()->idle();
}

// False: the time is over first.
bool Delivery::Impl::wait_idle(const LaneSet& lanes, DurationUs timeout) {
  std::unique_lock lock(mutex);
  return ended.wait_for(lock, std::chrono::microseconds(timeout), [&] { return lanes.idle(); });
}

Status Delivery::drain(DurationUs timeout) {
  impl_->wait_idle(*impl_->now(), timeout);
  return sync();
}

void Delivery::stop() {
  stop_within(impl_->options.stop_patience);
}

void Delivery::stop_within(DurationUs patience) {
  const auto set = impl_->now();
  for (const auto& lane : set->lanes) lane->ask_to_stop();
  const DurationUs until = impl_->real.monotonic_us() + patience;
  for (const auto& lane : set->lanes) lane->stop(std::max<DurationUs>(0, until - impl_->real.monotonic_us()));
  if (impl_->history) impl_->history->stop();
}

// Lanes that get on may send on for `patience`. One that backs off or is paused gets nothing out for now: it
// is not waited for.
void Delivery::Impl::let_finish(const LaneSet& lanes, DurationUs patience) {
  const DurationUs until = real.monotonic_us() + patience;
  const auto gets_on = [](const auto& lane) {
    return !lane->idle() && lane->status().state == LaneState::live;
  };
  constexpr DurationUs look_again = 50 * us_per_ms;  // a lane tells when it is done, not when it gives up
  while (std::any_of(lanes.lanes.begin(), lanes.lanes.end(), gets_on)) {
    const DurationUs left = until - real.monotonic_us();
    if (left <= 0 || wait_idle(lanes, std::min(left, look_again))) break;
  }
}

bool Delivery::drain_and_stop() {
  const DurationUs half = impl_->options.stop_patience / 2;
  impl_->let_finish(*impl_->now(), half);
  stop_within(half);
  return idle();
}

Result<Delivery::Change> Delivery::prepare(const config::Config& next, const std::set<std::string>& changed) {
  const auto set = impl_->now();
  Change change;
  change.destinations = next.destinations;
  change.retention = next.retention.events;
  for (const config::Destination& destination : next.destinations) {
    if (set->find(destination.name) && !changed.contains(destination.name)) continue;
    change.couriers[destination.name] = SLUICE_TRY(impl_->open_courier(destination));
  }
  return change;
}

Status Delivery::begin(Change& change) {
  impl_->retention = change.retention;
  auto set = std::make_shared<LaneSet>(*impl_->now());
  for (const config::Destination& destination : change.destinations) {
    if (set->find(destination.name)) continue;
    auto lane = SLUICE_TRY(impl_->open_lane(destination, std::move(change.couriers[destination.name])));
    change.couriers.erase(destination.name);
    if (impl_->started) lane->start();
    set->add(std::move(lane));
  }
  const std::lock_guard lock(impl_->mutex);
  impl_->set = std::move(set);
  return Done{};
}

void Delivery::finish(Change change) {
  auto before = impl_->now();
  auto set = std::make_shared<LaneSet>();
  for (const config::Destination& destination : change.destinations) {
    std::shared_ptr<Lane> lane = before->find(destination.name);
    if (auto& courier = change.couriers[destination.name])
      lane->change(impl_->lasting(destination), std::move(courier));
    set->add(std::move(lane));
  }
  LaneSet ending;
  for (const auto& lane : before->lanes) {
    if (set->find(lane->name())) continue;
    // The next checkpoint no longer asks it, and takes what was offered to it for durable.
    if (const Status synced = lane->sync(); !synced && impl_->options.on_fatal)
      impl_->options.on_fatal(synced.error());
    ending.add(lane);
  }
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->set = set;
  }
  const DurationUs half = impl_->options.stop_patience / 2;
  impl_->let_finish(ending, half);
  for (const auto& lane : ending.lanes) lane->ask_to_stop();
  const DurationUs until = impl_->real.monotonic_us() + half;
  std::vector<std::pair<std::string, std::weak_ptr<Lane>>> gone;
  for (const auto& lane : ending.lanes) {
    lane->stop(std::max<DurationUs>(0, until - impl_->real.monotonic_us()));
    gone.emplace_back(lane->name(), lane);
  }
  before.reset();
  ending = {};
  // Its files have one owner: whoever looks at the lane just now lets go of it first.
  for (const auto& [name, lane] : gone) {
    while (!lane.expired()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const Status kept = impl_->open_removed(name);
    impl_->tell_removed(name);
    if (!kept && impl_->options.on_fatal) impl_->options.on_fatal(kept.error());
  }
}

void Delivery::renew(std::string_view destination) {
  if (const auto lane = impl_->now()->find(std::string(destination))) lane->renew();
}

std::vector<LaneStatus> Delivery::status() const {
  std::vector<LaneStatus> all;
  for (const auto& lane : impl_->now()->lanes) all.push_back(lane->status());
  const std::lock_guard lock(impl_->removed_mutex);
  for (const auto& [name, lane] : impl_->removed) {
    if (LaneStatus status = lane->status(); status.backlog_records > 0) all.push_back(std::move(status));
  }
  return all;
}

}  // namespace sluice::deliver
