// A hub, ours or another one, with its sink, and what is asked of them, one job after the other.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sluice/result.hpp"

#include "figures.hpp"
#include "hub_process.hpp"
#include "sink.hpp"
#include "traffic.hpp"

namespace sluice::bench {

struct RunOptions {
  std::string name = "hub";
  // Its command is made once the destinations' addresses stand in the environment and the folder is there.
  std::function<Result<Command>(const std::string& folder)> command;
  bool ours = true;    // else it only filters and maps for the CRM: no profiles, no orders to the warehouse
  bool lines = false;  // takes lines (LoadOptions)
  std::string folder;  // removed with the run
  std::int64_t people = 50'000;
  int connections = 8;
  std::int64_t events = 0;                  // that will be sent in all
  std::int64_t paced_batch = batch_events;  // events of a request of a paced job
};

class Run {
 public:
  explicit Run(RunOptions options);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Status start();
  // Makes all people known, and says what memory they take.
  Result<Figures> introduce();
  // Sends the next `events` and waits until they have arrived, or nothing has come for a while. With a rate,
  // profiles are read beside it.
  Figures measure(std::string job, std::int64_t events, double rate);
  // Gives the hub `config`, whose new definitions need its history, and measures while that is read.
  Result<Figures> measure_change(std::string job, const std::string& config, std::int64_t events,
                                 double rate);
  // Kills the hub and starts it again, without its checkpoints when it is to `rebuild`. `events` of the
  // figures are the inputs that its journal holds.
  Result<Figures> restart(std::string job, bool rebuild);
  Status stop() { return hub_->stop(); }

 private:
  Status begin();
  std::int64_t all_duplicates() const;
  std::int64_t missing(std::int64_t first, std::int64_t last, Place place,
                       bool (*wanted)(std::int64_t)) const;
  void wait_for_arrivals();
  HubCost wait_for_quiet();

  const RunOptions options_;
  const Traffic traffic_;
  std::vector<std::atomic<std::int64_t>> sent_;
  std::int64_t next_ = 0, introduced_ = 0;
  Sink sink_;
  std::optional<HubProcess> hub_;
};

}  // namespace sluice::bench
