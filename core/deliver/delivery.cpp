#include "deliver/delivery.hpp"

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <utility>

#include "base/hash.hpp"
#include "deliver/history.hpp"
#include "deliver/lane.hpp"

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

  // Where a lane ends an outcome, a waiting drain() looks again.
  std::mutex mutex;
  std::condition_variable ended;
};

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
                            .destination = destination,
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
  return std::unique_ptr<Delivery>(new Delivery(std::move(impl)));
}

Status Delivery::offer(std::uint64_t seq, std::vector<Effect> effects) {
  for (Effect& effect : effects) {
    const auto lane = impl_->by_name.find(effect.destination);
    if (lane == impl_->by_name.end()) continue;
    std::vector<Effect>& sorted = impl_->sorted[lane->second];
    if (sorted.empty()) sorted.reserve(effects.size());
    sorted.push_back(std::move(effect));
  }
  for (std::size_t i = 0; i < impl_->lanes.size(); ++i) {
    if (impl_->sorted[i].empty()) continue;
    SLUICE_TRY(impl_->lanes[i]->offer(seq, std::move(impl_->sorted[i])));
    impl_->sorted[i].clear();
  }
  return Done{};
}

Status Delivery::sync() {
  for (const auto& lane : impl_->lanes) SLUICE_TRY(lane->sync());
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
  return all;
}

}  // namespace sluice::deliver
