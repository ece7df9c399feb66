// What it costs to run a connector in a process of its own: the same calls of the same library, both ways.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/result.hpp"

namespace sluice::bench {

struct IsolationCost {
  std::size_t records = 0;                 // in a batch
  double in_process_us = 0, apart_us = 0;  // a batch: the median of its calls
};

// plan() of the braze connector with events of 631 bytes, in batches of 1, 100 and 1,000. `build`: the folder
// with sluice-connector and plugins/.
Result<std::vector<IsolationCost>> isolation_cost(const std::string& build);

}  // namespace sluice::bench
