// Keeps the store's queryable projection of people behind the state: at a bounded pace, so that it never
// costs the path more than a few per cent of a core. What changes often is written once, as it is when its
// turn comes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

#include "hub/step_thread.hpp"
#include "store/database.hpp"

namespace sluice::hub {

class Projector {
 public:
  Projector(const StepThread& step, store::Database& database, const Clock& clock);
  ~Projector();

  void start();
  // [main] After the step thread has stopped: writes what is left, as far as it can be done in a few seconds.
  // What is left then is written after the next start.
  void stop();
  void changed(ProfileId person);  // [any]
  void add(
      std::vector<ProfileId> people);  // [main] before start(): these too, when nothing has changed lately

 private:
  // Of one transaction: the journal waits while the disk writes their pages.
  static constexpr std::size_t rows_at_once = 8;
  static constexpr std::size_t rows_per_round = 500;  // while nothing comes
  // While inputs come, it takes one part in so many of a core; on a quiet hub, a round after each pause.
  static constexpr int share_of_core = 25;
  static constexpr std::chrono::microseconds pause{250'000}, pause_least{100'000}, pause_max{10'000'000};

  void run();
  static constexpr DurationUs stop_patience = 5 * us_per_s;

  void write(const std::vector<ProfileId>& people);
  std::vector<ProfileId> take(std::size_t most);
  bool rest();  // [its thread] something waits

  const StepThread& step_;
  store::Database& database_;
  const Clock& clock_;
  boost::unordered_flat_set<ProfileId> waiting_;  // [its thread]
  std::mutex mutex_;                              // guards what follows
  std::condition_variable wake_;
  std::vector<ProfileId> came_;  // since it last looked, some of them more than once
  std::vector<ProfileId> backlog_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice::hub
