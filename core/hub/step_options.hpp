// What `sluice run` can say of the step.
#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace sluice::hub {

struct StepOptions {
  std::uint64_t checkpoint_inputs = 100'000;     // a checkpoint at least after so many inputs
  DurationUs checkpoint_every = 5 * us_per_min;  // and after so long, if there was any
  // One also where so many wait for it and none has come for a second: what a restart then has to step again
  // costs more than the checkpoint does.
  std::uint64_t quiet_inputs = 10'000;
  bool ticks = true;  // false with --clock events: time comes with the events alone
};

}  // namespace sluice::hub
