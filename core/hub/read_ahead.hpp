// The journal's inputs, some at once, read from disk while those before are worked on.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "sluice/result.hpp"

#include "journal/journal.hpp"

namespace sluice::hub {

// [any] Gives the inputs from `from` on, up to the last that is written, in their order; each batch borrows
// until the call returns, and false ends it. `each` is called by this thread; with `thread` another reads
// meanwhile, one batch ahead. An error is the journal's.
Status read_ahead(const Journal& journal, std::uint64_t from, bool thread,
                  const std::function<bool(std::span<const Input>)>& each);

}  // namespace sluice::hub
