// What `plugin show` and `plugin docs` say of a connector, read from its manifest.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "plugin/registry.hpp"

namespace sluice::cli {

// The connectors of one plugin, by its name, by a connector's id, or by a file (a text with '/' or ".so" at
// its end).
Result<std::vector<plugin::Entry>> find_plugin(const Common& common, const std::string& plugin);

std::string kind_text(std::uint32_t kind);  // "source", "destination", "source and destination"

// Name and text of each line that there is something to say about, in the order in which people ask.
std::vector<std::pair<std::string, std::string>> facts_of(const plugin::ManifestInfo& info);

struct Setting {                        // one property of a JSON Schema
  std::string name, type, description;  // of a nested object's: "outer.inner"
  std::string fallback;                 // its default as JSON; empty: none
  bool required = false, secret = false;
};
std::vector<Setting> settings_of(Json schema);

struct Stream {
  std::string name, title, key;
};
std::vector<Stream> streams_of(Json manifest);

}  // namespace sluice::cli
