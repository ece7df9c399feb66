// Asking for memory before it is needed: of what another thread has written, or nobody has looked at for
// long, a line of 64 bytes is waited for as long as a few hundred instructions take.
#pragma once

#include <cstddef>

namespace sluice {

inline void bring_near(const void* from, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += 64) __builtin_prefetch(static_cast<const char*>(from) + at);
}

}  // namespace sluice
