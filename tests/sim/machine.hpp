// Inside this folder: the machine that a simulation runs on, and the hub's life there.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "hub/engine.hpp"
#include "sim/disk.hpp"
#include "sim/network.hpp"
#include "sim/random.hpp"
#include "sim/simulation.hpp"
#include "sim/traffic.hpp"

namespace sluice::sim {

inline constexpr const char* data_directory = "/data";
inline constexpr std::uint64_t reserve_bytes = 192 * 1024;

class Machine {
 public:
  explicit Machine(const Options& options);
  ~Machine();
  Report run();
  Hour run_hour(bool trouble);

 private:
  // machine.cpp: lives of the hub
  void live();
  bool boot();
  bool recover();
  hub::EngineOptions engine_options();
  deliver::Delivery::MakeCourier couriers();
  bool begin_epoch();
  void pass_on(const std::shared_ptr<const Batch>& batch);
  void power_failure();
  void kill();
  void stop();
  void end_life();
  void finale();

  // actions.cpp: what happens in one
  void act();
  void call();
  void read_rows();
  void pump_journal();
  void pump_step();
  bool pump_lane(const std::string& name);
  void wait();
  bool settle();
  void rest();
  void jump(DurationUs at_most);
  void trouble();
  void fill_disk();
  void configure();
  bool take_over(const std::shared_ptr<const config::Config>& config);
  bool write_epoch(const hub::EpochNews& news);  // and steps it; false: the life ends
  bool wait_for_epoch(std::uint64_t seq);
  void apply_mistake();
  void drop_old();
  void unmerge();
  void look_at_lake();
  void note(const std::string& what);

  const Options options_;
  Random random_;
  ManualClock clock_{1'700'000'000 * us_per_s};
  Disk disk_;
  Judge judge_;
  Network network_;
  Clients clients_;
  Counts counts_;
  std::function<void(const std::string& destination, const EffectKey&)> delivered_ = {};
  std::uint64_t trace_ = 0;

  std::shared_ptr<const config::Config> config_;  // as the file says
  std::uint64_t rounds_ = 0;
  std::uint64_t checkpoint_inputs_ = 0;
  bool calm_ = false;  // nothing goes wrong any more

  // of a life
  std::unique_ptr<hub::Engine> engine_;
  std::string failure_;
  bool dead_ = true;  // nothing that the hub still does counts
  std::uint64_t next_row_ = 0;
  bool reading_ = false;
  std::map<std::string, DurationUs> due_;  // of lanes
  bool lake_waits_ = false;                // it had something to do at the last look ...
  DurationUs lake_moved_ = 0;              // ... since then, or since it last ended a record
  bool nearly_full_ = false, noticed_full_ = false;
};

}  // namespace sluice::sim
