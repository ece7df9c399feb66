// Inside this room: what a command shows, from the running hub or from the files of one that does not run.
#pragma once

#include <functional>
#include <string>

#include "sluice/result.hpp"

#include "cli/commands.hpp"
#include "config/config.hpp"

namespace sluice::cli {

struct Shown {
  int code = 0;
  std::string json;
};

// Makes the JSON from checkpoint, journal and store; an empty text means that it is not there.
using FromFiles = std::function<Result<std::string>(const config::Config&)>;

// Asks the hub for `path`, or the files when none runs. `missing` says what is not there.
Shown show(const Common& common, const std::string& path, const std::string& missing,
           const FromFiles& from_files);
Shown show_files(const Common& common, const std::string& missing, const FromFiles& from_files);

// What the hub says in place of an answer.
std::string error_text(const std::string& body);

int print_json(const Shown& shown);

}  // namespace sluice::cli
