// Inside this room: a full refresh of an audience on its way through a lane. Its records are a line of their
// own in the queue; the parts go out one after the other, and how they were cut is in the store before they
// leave.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "deliver/lane_queue.hpp"

namespace sluice::deliver {

struct Snapshot {
  EffectKey key;             // of its first mark
  std::string name;          // of the audience
  std::uint64_t count = 0;   // records in the queue
  std::uint32_t number = 0;  // of the latest part
  EffectKey last;            // and the record at its end
  std::uint32_t most = 0;    // records in a part, since more were too large; 0: the destination's limit
  bool ended = false;        // its last mark has its outcome
  bool failed = false;
  std::string reason, detail;  // why it failed
  std::vector<Item*> held;     // what else there is of this audience, until it is over
};

}  // namespace sluice::deliver
