#include "cli/commands.hpp"

#ifdef SLUICE_MIMALLOC
#include <mimalloc.h>
#endif

namespace sluice::cli {

void use_large_pages() {
#ifdef SLUICE_MIMALLOC
  mi_option_enable(mi_option_large_os_pages);
#endif
}

}  // namespace sluice::cli
