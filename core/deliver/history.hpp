// The history of deliveries that people read: a sample with a ceiling, so that a flood of events costs the
// lanes nothing. What is rare and what matters (messages, rejections, what was held) always gets in;
// deliveries of events and profiles do as long as the second's share lasts.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "deliver/outcome.hpp"
#include "model/effect.hpp"
#include "store/database.hpp"

namespace sluice::deliver {

inline constexpr std::size_t history_rows_per_second = 500;      // of what is plain
inline constexpr std::size_t history_rows_waiting_max = 20'000;  // of all
inline constexpr std::chrono::milliseconds history_pause{100};   // from flush to flush: a few pages each
inline constexpr auto history_flushes_per_second = std::chrono::seconds(1) / history_pause;

class History {
 public:
  History(store::Database& database, std::string journal)
      : database_(database), journal_(std::move(journal)) {}
  ~History() { stop(); }

  void add(const std::string& destination, const Effect& effect, const Outcome& outcome);  // [any]
  std::uint64_t left_out() const { return left_out_; }                                     // [any]
  Status flush();  // [any] writes what waits; the thread calls it after each history_pause
  void start();    // [main]
  void stop();     // [main] flushes

 private:
  store::Database& database_;
  std::string journal_;
  mutable std::mutex mutex_;  // guards everything below but the thread
  std::condition_variable changed_;
  std::vector<store::DeliveryRow> waiting_;
  std::size_t plain_ = 0;                 // of this second
  std::int64_t flushes_ = 0;              // likewise
  std::atomic<bool> plain_full_ = false;  // for this second: then nobody waits for the mutex to be told so
  std::atomic<std::uint64_t> left_out_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice::deliver
