// Inside this room: what a connector's process wrote is taken as if its library had called here. Nothing of
// it is believed: an area of any bytes ends, is never left, and emits what a call allows or nothing.
#pragma once

#include <cstdint>

#include "sluice/plugin.h"

#include "plugin/wire.hpp"

namespace sluice::plugin {

// What a call has emitted so far, and how the hub took it.
struct HandedOn {
  sluice_status refused = SLUICE_OK;  // by the hub: what comes after it does not count
  std::uint32_t log_lines = 0;        // beyond a hundred they are dropped
};

// Hands on what was emitted, up to the end or to a question, which `r` then stands at. False: it cannot be
// read.
bool hand_on(wire::Reader& r, HandedOn& handed, const sluice_host& host, sluice_call* call);

}  // namespace sluice::plugin
