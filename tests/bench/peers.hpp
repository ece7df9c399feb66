// Other hubs on the same work: what they are started with. Each takes the load's events, keeps those that are
// tracked, maps them to the CRM's form and sends at most 75 of them in a request.
#pragma once

#include <string>
#include <vector>

#include "run.hpp"

namespace sluice::bench {

// Those named in `names` ("node-red", "syslog-ng"); `configs` is tests/bench/peers, `installed` where its
// packages of npm are. Node-RED keeps what it holds in memory alone; syslog-ng has its reliable disk buffer.
Result<std::vector<RunOptions>> peers(const std::vector<std::string>& names, const std::string& configs,
                                      const std::string& installed);

}  // namespace sluice::bench
