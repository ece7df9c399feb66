// Loading a plugin's library: the only place that runs a dynamic loader.
#pragma once

#include <string>

#include "sluice/plugin.h"
#include "sluice/result.hpp"

namespace sluice::plugin {

// The plugin's table, checked: major, sizes, needs_minor. A library is loaded once and stays until the
// process ends, since unloading one that has started threads or kept thread-local state kills the process
// later. [any]
Result<const sluice_plugin*> load_library(const std::string& path);

// The connector of this id in it, its table checked against kind and the slots that every connector has.
Result<const sluice_connector*> find_connector(const sluice_plugin& plugin, const std::string& id,
                                               std::uint32_t kind);

}  // namespace sluice::plugin
