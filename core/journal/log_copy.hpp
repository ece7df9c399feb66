// For a backup: files copied while their writer goes on.
#pragma once

#include <cstdint>
#include <string>

#include "sluice/result.hpp"

#include "base/file.hpp"

namespace sluice {

// Makes `to`, durably, of the first `bytes_max` bytes of `from`; of one that grows meanwhile, of those that
// it had at the call.
Status copy_file(FileSystem& files, const std::string& from, const std::string& to,
                 std::uint64_t bytes_max = UINT64_MAX);

// Copies a Log's segments up to the last whole commit that stands in them at the call: what open() of the
// copy finds is whole. `to` is made. A directory without a log gives one without. Errors: corrupt where the
// log is; any other where the writer removed a segment meanwhile: try again.
Status copy_log(FileSystem& files, const std::string& from, const std::string& to);

}  // namespace sluice
