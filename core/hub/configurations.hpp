// The configurations that held, kept beside the data so that one can be put back:
// DIRECTORY/configurations/SEQ.json, the payload of the epoch that input SEQ was. They hold references to
// secrets, never secrets.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

#include "base/file.hpp"

namespace sluice::hub {

inline constexpr std::size_t configurations_max = 20;  // that are kept

std::string configurations_folder(const std::string& data_directory);

struct KeptConfiguration {
  std::uint64_t seq = 0;                     // of the input from which it held
  std::string main;                          // path of the file that was run, as it was then
  std::map<std::string, std::string> files;  // path and text of it and of all that it includes
};

// Keeps one more; the oldest beyond `configurations_max` go.
Status keep_configuration(FileSystem& files, const std::string& data_directory, std::uint64_t seq,
                          std::string_view epoch);

// Oldest first; empty: none is kept.
Result<std::vector<KeptConfiguration>> kept_configurations(FileSystem& files,
                                                           const std::string& data_directory);

}  // namespace sluice::hub
