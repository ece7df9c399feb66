#include "deliver/history.hpp"

#include <chrono>
#include <utility>

#include "base/thread_name.hpp"

namespace sluice::deliver {

void History::add(const std::string& destination, const Effect& effect, const Outcome& outcome) {
  if (effect.person == nobody) return;
  const bool plain = effect.op != Operation::message && outcome.kind == OutcomeKind::delivered;
  if (plain && plain_full_) return void(++left_out_);
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= history_rows_waiting_max || (plain && plain_ >= history_rows_per_second)) {
    ++left_out_;
    return;
  }
  if (plain) plain_full_ = ++plain_ >= history_rows_per_second;
  waiting_.push_back({.profile = effect.person,
                      .at = outcome.at,
                      .destination = destination,
                      .route = effect.route,
                      .op = std::string(name_of(effect.op)),
                      .name = effect.name,
                      .outcome = std::string(name_of(outcome.kind)),
                      .reason = outcome.reason,
                      .idempotency_key = journal_ + "." + std::to_string(effect.key.seq) + "." +
                                         std::to_string(effect.key.ordinal)});
}

Status History::flush() {
  std::vector<store::DeliveryRow> rows;
  {
    const std::lock_guard lock(mutex_);
    rows.swap(waiting_);
    if (++flushes_ == history_flushes_per_second) {
      flushes_ = 0;
      plain_ = 0;
      plain_full_ = false;
    }
  }
  return rows.empty() ? Status(Done{}) : database_.record_deliveries(rows);
}

void History::start() {
  if (thread_.joinable()) return;
  thread_ = std::thread([this] {
    name_background_thread("history");
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      changed_.wait_for(lock, history_pause, [this] { return stopping_; });
      lock.unlock();
      // History is a convenience: what cannot be written is counted, and delivery goes on.
      if (!flush()) ++left_out_;
      lock.lock();
    }
  });
}

void History::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  if (!flush()) ++left_out_;
}

}  // namespace sluice::deliver
