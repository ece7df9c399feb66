// What it costs to run a connector in a process of its own: the same calls of the same library, both ways.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/result.hpp"

namespace sluice::bench {

struct CallCost {
  double wall_us = 0, wall_least_us = 0,
         wall_most_us = 0;  // of the rounds' medians: the median and the range
  double cpu_us = 0;        // the mean, of both processes
};
struct IsolationCost {
  std::string connector;
  std::size_t records = 0;  // in a batch
  CallCost in_process, apart;
};

// plan() of the connectors splice (which does next to nothing) and braze with events of 631 bytes, in batches
// of 1, 100 and 1,000. Rounds of both ways take turns, so that other load on the machine meets both. `build`:
// the folder with sluice-connector, plugins/ and this bench.
Result<std::vector<IsolationCost>> isolation_cost(const std::string& build);

}  // namespace sluice::bench
