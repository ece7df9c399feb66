// Rows that could not be taken, one JSON object a line: {"place": "orders.csv:12", "reason": "column_count",
// "row": "..."}. They hold what the rows held: the files are 0600.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "sluice/result.hpp"

namespace sluice::ingest {

inline constexpr std::size_t rejected_row_bytes_max = 64 << 10;  // the rest of a longer row is cut

std::string reject_line(std::string_view place, std::string_view reason, std::string_view row);

class RejectsFile {
 public:
  RejectsFile(std::string folder, const std::string& source);
  // Appends whole lines with one write; makes folder and file where they are missing. [any]
  Status append(std::string_view lines);

 private:
  std::string folder_, path_;
  std::mutex mutex_;  // one write at a time
};

}  // namespace sluice::ingest
