// Where this Sluice is installed: what lies beside its binary came with it. [any]
#pragma once

#include <string>
#include <vector>

#include "sluice/result.hpp"

namespace sluice::plugin {

// The folders of the connectors that were installed with the hub, as far as they are there: `plugins` beside
// the binary and ../lib/sluice/plugins. Absolute, without links.
std::vector<std::string> own_folders();
// Whether a library lies in one of them, whatever option, variable or link led to it.
bool is_own(const std::string& library);
// The path of sluice-connector, the program that a connector's process runs. misconfigured: it is not there.
Result<std::string> connector_program();

}  // namespace sluice::plugin
