// What most commands need first: the installed connectors and the checked configuration.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "config/config.hpp"
#include "plugin/registry.hpp"

namespace sluice::cli {

// `first` (--plugins), then $SLUICE_PLUGINS (folders with ':' between), else `plugins` beside the binary and
// the installed folder. Of two connectors of one name the first counts.
std::vector<std::string> plugin_folders(const std::vector<std::string>& first);

struct Setup {
  plugin::Registry registry;
  std::vector<config::ConnectorInfo> connectors;
  std::shared_ptr<const config::Config> config;  // null: there are errors
  std::vector<config::Diagnostic> diagnostics;
  std::vector<std::string> watch;  // of config::Loaded
};
Setup load(const Common& common, bool check_secrets);
Setup load(const Common& common, config::LoadOptions options);  // the connectors are filled in

// Makes each source's and destination's connector once, without a network, and reports at its place what one
// of them refuses of its settings.
void try_connectors(Setup& setup);

// Asks each vendor whether the connection works and whether the streams and fields that the file names are
// there, and reports at its place what is not.
void check_online(Setup& setup);

// Prints what is wrong to standard error; warnings only where `warnings`. True: the configuration can be
// used.
bool report(const Setup& setup, bool warnings);

// Asks the running hub over its admin door; nothing when none answers. `body`: POST. The hub's refusal is
// printed, and the answer then empty.
struct Answer {
  bool reached = false;
  int status = 0;
  std::string body;
};
Answer ask(const config::Config& config, const std::string& path, const std::string* body = nullptr);

// Percent-encodes what cannot stand in a path segment.
std::string path_segment(const std::string& text);

int fail(const std::string& text);  // prints "sluice: text", returns 1

// Asks at the terminal, "[y/N]"; where nobody can be asked it says so, and the answer is no.
bool agreed(const std::string& question);

}  // namespace sluice::cli
