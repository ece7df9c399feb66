#include "deliver/history.hpp"

#include <chrono>
#include <utility>

namespace sluice::deliver {

void History::add(const std::string& destination, const Effect& effect, const Outcome& outcome) {
  if (effect.person == nobody) return;
  const bool plain = effect.op != Operation::message && outcome.kind == OutcomeKind::delivered;
  const std::lock_guard lock(x_mutex);
  if (x_waiting.size() >= history_rows_waiting_max || (plain && x_plain >= history_rows_per_second)) {
    ++x_left_out;
    return;
  }
  if (plain) ++x_plain;
  x_waiting.push_back({.profile = effect.person,
                       .at = outcome.at,
                       .destination = destination,
                       .route = effect.route,
                       .op = std::string(name_of(effect.op)),
                       .name = effect.name,
                       .outcome = std::string(name_of(outcome.kind)),
                       .reason = outcome.reason,
                       .idempotency_key = x_journal + "." + std::to_string(effect.key.seq) + "." +
                                          std::to_string(effect.key.ordinal)});
}

std::uint64_t History::left_out() const {
  const std::lock_guard lock(x_mutex);
  return x_left_out;
}

Status History::flush() {
  std::vector<store::DeliveryRow> rows;
  {
    const std::lock_guard lock(x_mutex);
    rows.swap(x_waiting);
    x_plain = 0;
  }
  return rows.empty() ? Status(Done{}) : x_database.record_deliveries(rows);
}

void History::start() {
  if (x_thread.joinable()) return;
  x_thread = std::thread([this] {
    std::unique_lock lock(x_mutex);
    while (!x_stopping) {
      x_changed.wait_for(lock, std::chrono::seconds(1), [this] { return x_stopping; });
      lock.unlock();
      // History is a convenience: what cannot be written is counted, and delivery goes on.
      if (!flush()) {
        const std::lock_guard count(x_mutex);
        ++x_left_out;
      }
      lock.lock();
    }
  });
}

void History::stop() {
  {
    const std::lock_guard lock(x_mutex);
    x_stopping = true;
    x_changed.notify_all();
  }
  if (x_thread.joinable()) x_thread.join();
  if (!flush()) {
    const std::lock_guard lock(x_mutex);
    ++x_left_out;
  }
}

}  // namespace sluice::deliver
