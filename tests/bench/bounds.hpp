// What the hub cannot beat: the same requests only parsed, and the same inputs only journaled.
#pragma once

#include <cstdint>
#include <string>

#include "sluice/result.hpp"

namespace sluice::bench {

struct Bound {
  double seconds = 0, cpu_s = 0;  // cpu_s: all threads
};

Result<Bound> parse_only(std::int64_t events);
// Group commit with fdatasync, from as many submitters as the load has connections. `folder` is made and
// removed.
Result<Bound> journal_only(std::int64_t events, int submitters, const std::string& folder);

}  // namespace sluice::bench
