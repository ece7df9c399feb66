#include "deliver/delivery.hpp"

#include <algorithm>
#include <chrono>
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

struct Delivery::Impl {
  explicit Impl(DeliveryOptions given) : options(std::move(given)) {}

  DeliveryOptions options;
  SystemClock real;
  std::unique_ptr<History> history;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::unordered_map<std::string, std::size_t> by_name;
  std::vector<std::vector<Effect>> sorted;  // by lane; the step's, reused
  std::vector<std::unique_ptr<RemovedLane>> removed;

  Status open_removed();
  Status offer_removed(std::uint64_t seq, std::vector<Effect> effects);

  // Where a lane ends an outcome, a waiting drain() looks again.
  std::mutex mutex;
  std::condition_variable ended;
};

// What lies under the directory and no destination's name leads to.
Status Delivery::Impl::open_removed() {
  for (const std::string& name : SLUICE_TRY(options.files.list(options.directory))) {
    if (by_name.contains(name)) continue;
    const std::string directory = options.directory + '/' + name;
    const bool empty = SLUICE_TRY(options.files.list(directory + "/records")).empty() &&
                       SLUICE_TRY(options.files.list(directory + "/outcomes")).empty();
    if (empty) continue;
    auto lane = RemovedLane::open({.files = options.files,
                                   .clock = options.clock,
                                   .name = name,
                                   .directory = directory,
                                   .salt = hash64(options.journal + name),
                                   .segment_bytes = options.segment_bytes,
                                   .history = history.get()});
    if (!lane) return Error{lane.error().code, "lane '" + name + "': " + lane.error().detail};
    if (const LaneStatus left = lane.value()->status(); left.backlog_records > 0) {
      log_warn("delivery", "destination '" + name + "' is no longer in the configuration: " +
                               std::to_string(left.backlog_records) +
                               " records wait for it to come back, and end expired when they are " +
                               format_duration(expires_default) + " old");
    }
    removed.push_back(std::move(lane).value());
  }
  return Done{};
}

// A recovery steps inputs from before the removal again.
Status Delivery::Impl::offer_removed(std::uint64_t seq, std::vector<Effect> effects) {
  for (const auto& lane : removed) {
    std::vector<Effect> own;
    for (Effect& effect : effects) {
      if (effect.destination == lane->name()) own.push_back(std::move(effect));
    }
    if (!own.empty()) SLUICE_TRY(lane->offer(seq, std::move(own)));
  }
  return Done{};
}

Delivery::Delivery(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Delivery::~Delivery() {
  stop();
}

Result<std::unique_ptr<Delivery>> Delivery::open(DeliveryOptions options, const config::Config& config,
                                                 const MakeCourier& courier) {
  auto impl = std::make_unique<Impl>(std::move(options));
  DeliveryOptions& o = impl->options;
  if (o.database != nullptr) impl->history = std::make_unique<History>(*o.database, o.journal);
  Impl* shared = impl.get();
  for (const config::Destination& destination : config.destinations) {
    auto way = courier(destination);
    if (!way) return Error{way.error().code, "destination '" + destination.name + "': " + way.error().detail};
    // Retention is a legal maximum: it wins over a destination's patience.
    config::Destination lasting = destination;
    if (config.retention.events) {
      const TimeUs now = o.clock.wall_us();
      lasting.expires = std::min(destination.expires.value_or(expires_default),
                                 now - add_span(now, *config.retention.events, -1));
    }
    const std::string directory = o.directory + "/" + destination.name;
    SLUICE_TRY(o.files.make_directory(directory));
    auto lane = Lane::open({.files = o.files,
                            .clock = o.clock,
                            .directory = directory,
                            .journal = o.journal,
                            .gate = o.gate,
                            .database = o.database,
                            .history = impl->history.get(),
                            .seed = hash64(destination.name, o.seed),
                            .memory_bytes = o.memory_bytes,
                            .segment_bytes = o.segment_bytes,
                            .destination = std::move(lasting),
                            .on_outcome = o.on_outcome,
                            .on_idle =
                                [shared] {
                                  const std::lock_guard lock(shared->mutex);
                                  shared->ended.notify_all();
                                },
                            .on_fatal = o.on_fatal},
                           std::move(way).value());
    if (!lane) return Error{lane.error().code, "lane '" + destination.name + "': " + lane.error().detail};
    impl->by_name.emplace(destination.name, impl->lanes.size());
    impl->lanes.push_back(std::move(lane).value());
  }
  impl->sorted.resize(impl->lanes.size());
  SLUICE_TRY(impl->open_removed());
  return std::unique_ptr<Delivery>(new Delivery(std::move(impl)));
}

Status Delivery::offer(std::uint64_t seq, std::vector<Effect> effects) {
  std::vector<Effect> gone;
  for (Effect& effect : effects) {
    const auto lane = impl_->by_name.find(effect.destination);
    if (lane == impl_->by_name.end()) {
      gone.push_back(std::move(effect));
      continue;
    }
    std::vector<Effect>& sorted = impl_->sorted[lane->second];
    if (sorted.empty()) sorted.reserve(effects.size());
    sorted.push_back(std::move(effect));
  }
  for (std::size_t i = 0; i < impl_->lanes.size(); ++i) {
    if (impl_->sorted[i].empty()) continue;
    SLUICE_TRY(impl_->lanes[i]->offer(seq, std::move(impl_->sorted[i])));
    impl_->sorted[i].clear();
  }
  return gone.empty() ? Status(Done{}) : impl_->offer_removed(seq, std::move(gone));
}

Status Delivery::sync() {
  for (const auto& lane : impl_->lanes) SLUICE_TRY(lane->sync());
  for (const auto& lane : impl_->removed) SLUICE_TRY(lane->sync());
  return Done{};
}

Status Delivery::expire_removed(TimeUs before) {
  for (const auto& lane : impl_->removed) SLUICE_TRY(lane->expire(before));
  return Done{};
}

std::uint64_t Delivery::applied(std::string_view destination) const {
  const auto lane = impl_->by_name.find(std::string(destination));
  return lane == impl_->by_name.end() ? 0 : impl_->lanes[lane->second]->applied();
}

void Delivery::start() {
  if (impl_->history) impl_->history->start();
  for (const auto& lane : impl_->lanes) lane->start();
}

bool Delivery::idle() const {
  for (const auto& lane : impl_->lanes) {
    if (!lane->idle()) return false;
  }
  return true;
}

Status Delivery::drain(DurationUs timeout) {
  {
    std::unique_lock lock(impl_->mutex);
    impl_->ended.wait_for(lock, std::chrono::microseconds(timeout), [this] { return idle(); });
  }
  return sync();
}

void Delivery::stop() {
  for (const auto& lane : impl_->lanes) lane->ask_to_stop();
  const DurationUs until = impl_->real.monotonic_us() + impl_->options.stop_patience;
  for (const auto& lane : impl_->lanes)
    lane->stop(std::max<DurationUs>(0, until - impl_->real.monotonic_us()));
  if (impl_->history) impl_->history->stop();
}

std::vector<LaneStatus> Delivery::status() const {
  std::vector<LaneStatus> all;
  for (const auto& lane : impl_->lanes) all.push_back(lane->status());
  for (const auto& lane : impl_->removed) {
    if (LaneStatus status = lane->status(); status.backlog_records > 0) all.push_back(std::move(status));
  }
  return all;
}

}  // namespace sluice::deliver
