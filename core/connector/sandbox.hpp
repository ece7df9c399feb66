// What a connector's process may do: its memory, its files, the network. Two steps, since loading a library
// reads and maps files, and its constructors run meanwhile.
#pragma once

#include <string>

#include "sluice/result.hpp"

#include "plugin/wire.hpp"

namespace sluice::connector {

// Before the library is loaded: limits of memory and descriptors, no new privileges, no other process, no
// network unless granted; files can only be read, and only those that loading needs (Landlock, where the
// kernel has it; with `files` also what stands in `folder`, to write too).
Status confine_before_load(const plugin::wire::Confinement& granted, const std::string& library,
                           const std::string& folder);
// Before any of its functions is called: no more code can be mapped, and no file opened unless granted.
Status confine_after_load(const plugin::wire::Confinement& granted);

}  // namespace sluice::connector
