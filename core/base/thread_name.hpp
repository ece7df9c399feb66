// Names for threads, as `top -H` and profilers show them, and who stands back.
#pragma once

#include <sys/prctl.h>
#include <sys/resource.h>

namespace sluice {

// [any] Names the calling thread; 15 bytes at most count.
inline void name_thread(const char* name) {
  (void)prctl(PR_SET_NAME, name, 0, 0, 0);
}

// [any] Likewise for a thread that nobody waits for: where all cores are busy, one that is waited for and has
// just got its answer from the disk goes first, and not after a slice of this one's.
inline void name_background_thread(const char* name) {
  name_thread(name);
  constexpr int behind_others = 10;                     // of nice(2): a tenth of another's share
  (void)::setpriority(PRIO_PROCESS, 0, behind_others);  // of this thread alone
}

}  // namespace sluice
