// Names for threads, as `top -H` and profilers show them.
#pragma once

#include <sys/prctl.h>

namespace sluice {

// [any] Names the calling thread; 15 bytes at most count.
inline void name_thread(const char* name) {
  (void)prctl(PR_SET_NAME, name, 0, 0, 0);
}

}  // namespace sluice
