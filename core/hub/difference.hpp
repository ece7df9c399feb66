// What makes one configuration another, in its own terms.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace sluice::hub {

// "audience 'vip' added", "destination 'crm' changed", "identity changed": by section, in the order of the
// files. Empty: both say the same. Secrets are compared as the references that they are.
std::vector<std::string> differences(const config::Config& before, const config::Config& after);

// The canonical text of one item ("sources", "crm"); empty: there is none. Two are the same if their texts
// are.
std::string text_of_item(const config::Config& config, std::string_view section, std::string_view name);

// What a running hub cannot take over, each with its mend: the data directory and the doors that are open.
std::vector<std::string> needs_restart(const config::Hub& before, const config::Hub& after, bool listening);

}  // namespace sluice::hub
