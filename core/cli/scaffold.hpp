// The files of `sluice plugin new`, from sdk/scaffold: kept in the binary, so that it needs none beside it.
#pragma once

#include <span>
#include <string_view>

namespace sluice::cli {

struct ScaffoldFile {
  std::string_view
      path;  // "destination/NAME.cpp": the kind ("both": either), then the file; NAME stands for the name
  std::string_view text;  // @name@ and others stand for what plugin_new.cpp fills in
};

std::span<const ScaffoldFile> scaffold_files();

}  // namespace sluice::cli
