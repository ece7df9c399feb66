// load() without the file system for the first file: tests and the fuzzer give its text.
#pragma once

#include <string>

#include "config/config.hpp"

namespace sluice::config {

// `file` is its name in messages; what it refers to is looked for beside it.
Loaded load_text(std::string text, const std::string& file, const LoadOptions& options);

}  // namespace sluice::config
