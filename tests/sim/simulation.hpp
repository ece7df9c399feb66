// One seed: a hub's hours with everything that can go wrong, in virtual time and on one thread, so that the
// same seed always does the same. The product's own engine runs (hub/engine.hpp), its recovery included; the
// disk, the network, the vendors, the sources and the order in which the parts get their turn come from here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/judge.hpp"
#include "sim/plant.hpp"

namespace sluice::sim {

struct Options {
  std::uint64_t seed = 1;
  Plant plant = Plant::none;
  std::function<void(const std::string&)> trace = {};  // each thing that happens, one line
};

struct Counts {
  std::uint64_t actions = 0, inputs = 0, records = 0, arrivals = 0, merges = 0, unmerges = 0, grafts = 0;
  std::uint64_t lives = 0, power_failures = 0, kills = 0, stops = 0, failed_syncs = 0, full_disks = 0;
  std::uint64_t configurations = 0, refused = 0, dropped = 0;
  DurationUs virtual_time = 0;
  std::map<std::string, std::uint64_t> outcomes;
  void operator+=(const Counts& other);
};

struct Report {
  std::optional<Violation> violation;
  Counts counts;
  std::uint64_t trace = 0;  // a hash of all that happened: the same seed gives the same
};

Report simulate(const Options& options);

// An hour in which nothing dies, a request comes every second, and `lake` and `mail` are always well.
struct Hour {
  std::optional<Violation> violation;
  std::map<std::string, std::vector<DurationUs>>
      took;  // by destination: from each record's input to its delivery
};
// With trouble: `vendor` is dead, `letters` slow, and `archive` lies.
Hour simulate_hour(const Options& options, bool trouble);

}  // namespace sluice::sim
