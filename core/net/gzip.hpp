// gzip (RFC 1952), bounded: one call, whole texts in memory. [any]
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/result.hpp"

namespace sluice::net {

struct GunzipLimits {
  std::size_t bytes_max = std::size_t{4} << 20;
  // Output over input. Real event batches stay below 50, thousands of equal events reach 500; deflate itself
  // ends at 1,032. Not asked of the first 1 MiB: less memory than that is nothing to attack with.
  std::size_t ratio_max = 300;
};

// True when the text begins as gzip does (RFC 1952, 2.3.1).
bool is_gzip(std::string_view text);

// Decompresses all members, one behind the other. The result has at least 64 spare bytes of capacity.
// Errors: corrupt - not gzip, cut off, a wrong checksum, bytes behind the last member; rejected - over a
// limit.
Result<std::string> gunzip(std::string_view compressed, const GunzipLimits& limits = {});

std::string gzip(std::string_view text, int level = 6);  // levels 1 to 12

}  // namespace sluice::net
