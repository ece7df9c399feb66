// Whether the step is about to offer more records: then a batch that is not full waits for them a little.
#pragma once

#include <cstdint>

namespace sluice::deliver {

enum class Follows : std::uint8_t { nothing, more };

}  // namespace sluice::deliver
