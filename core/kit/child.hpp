// Inside this room: one piece of work in a forked process, and what became of it when it crashes, hangs or
// does what it may not.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>

#include "base/time.hpp"
#include "kit/kit.hpp"

namespace sluice::kit {

struct Ruling {
  Verdict verdict = Verdict::ok;
  std::string text = {};  // why, or what the work made
};

// Runs `body` in a fork, which can connect to nobody, and whose standard output and error are kept apart (see
// said_on_console). Not back in time: killed, and failed.
Ruling run_child(const std::function<Ruling()>& body, DurationUs patience);

// In the child: what is being called, for the report of a crash. A text that stays.
void now_calling(const char* function);

// In the child: what was written to standard output and error so far.
std::string said_on_console();

// In the child: from now on these system calls end the process with a failure that names them. Computing and
// memory are always allowed.
enum class Allow : std::uint8_t { computing, files, network, files_and_network };
Status confine(Allow allow);

}  // namespace sluice::kit
