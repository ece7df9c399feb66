// Text to tree. What YAML would let pass and people would not mean is refused here: duplicate keys, tags,
// anchors, merge keys, several documents, quotes that end only with the file, bytes that are no text.
#pragma once

#include <optional>

#include "config/node.hpp"
#include "config/report.hpp"

namespace sluice::config {

inline constexpr std::size_t config_bytes_max = 16U << 20;
inline constexpr int syntax_errors_max = 20;  // of one file, in one run

// The tree as far as it can be trusted; nothing when the file's structure is lost (every such case is
// reported). The nodes borrow `file`.
std::optional<Node> read_yaml(const SourceText& file, Report& report);

}  // namespace sluice::config
