#include "hub/merger.hpp"

#include <utility>

#include "base/log.hpp"
#include "base/thread_name.hpp"

namespace sluice::hub {

Merger::Merger(Checkpoints& checkpoints, std::function<void(const Error&)> failed)
    : checkpoints_(checkpoints), failed_(std::move(failed)) {}

Merger::~Merger() {
  stop();
}

void Merger::start() {
  threaded_ = true;
  thread_ = std::thread([this] {
    name_background_thread("merge");
    run();
  });
}

void Merger::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Merger::due() const {
  return checkpoints_.delta_bytes() > checkpoints_.base_bytes();
}

void Merger::look() {
  if (!due()) return;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    wanted_ = true;
  }
  changed_.notify_all();
  if (!threaded_) merge([] { return true; });
}

void Merger::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || wanted_; });
    if (stopping_) return;
    wanted_ = false;
    lock.unlock();
    rested_ = std::chrono::steady_clock::now();
    if (due()) merge([this] { return rest(); });  // not what was wanted while it merged
    lock.lock();
  }
}

// As long as it has worked: each of its writes is one that the journal's sync waits for.
bool Merger::rest() {
  const auto worked = std::chrono::steady_clock::now() - rested_;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, worked, [&] { return stopping_; });
  rested_ = std::chrono::steady_clock::now();
  return !stopping_;
}

void Merger::merge(const std::function<bool()>& go_on) {
  const Status merged = checkpoints_.merge(go_on);
  if (merged || merged.error().code == Code::cancelled) return;
  if (merged.error().code == Code::corrupt)
    return log_warn("checkpoints", merged.error().detail + ": the next checkpoint holds everybody");
  failed_(merged.error());
}

}  // namespace sluice::hub
