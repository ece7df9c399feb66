// One input of the journal, as the step takes it: see docs/architecture.md.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/time.hpp"

namespace sluice {

enum class InputKind : std::uint8_t {  // never renumbered: they stand in files
  genesis = 1,                         // the journal's id and hash seed
  epoch = 2,    // step version, resolved configuration, versions of what the step reads
  event = 3,    // EventInput
  record = 4,   // RecordInput
  outcome = 5,  // of a delivery that a rule reads
  tick = 6,     // a timer is due: nothing but the stamp
  command = 7,  // an operator's
  graft = 8,    // rows of a shadow step
};

struct Input {
  std::uint64_t seq = 0;  // from 1, without gaps
  TimeUs stamp = 0;       // hub time: never goes back
  InputKind kind = InputKind::tick;
  bool redacted = false;  // erased in place: its payload is no longer what was received
  std::string_view payload;
};

}  // namespace sluice
