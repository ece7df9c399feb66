// Which connectors there are: the plugins found in folders, read at rest. Nothing is loaded until a connector
// is opened.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

#include "plugin/manifest.hpp"

namespace sluice::plugin {

inline constexpr std::size_t plugin_bytes_max = std::size_t{1} << 28;

struct Entry {
  std::string plugin;  // its name, from the manifest: `plugin:` in connectors.yaml
  std::string version;
  std::string path;    // of the .so
  std::string sha256;  // of the file, for logs and the epoch
  bool own = false;    // installed with the hub; see installation.hpp
  ManifestInfo info;
};

struct Refused {
  std::string path, reason;
};

// The bytes of a library that belongs to root or the hub's user and that nobody else may write.
Result<std::string> read_library(const std::string& path);

// What to look at to see that connectors come, change or go: the folders and each *.so in them.
std::vector<std::string> places_of_libraries(const std::vector<std::string>& folders);

class Registry {  // [one thread to scan; then any, read only]
 public:
  // Reads every *.so in the folders, by name. A file that is refused harms no other; a name that is there
  // already loses.
  static Registry scan(const std::vector<std::string>& folders);

  // One file, wherever it lies, by the same rules.
  static Result<Registry> of_file(const std::string& path);

  const std::vector<Entry>& entries() const { return entries_; }
  const std::vector<Refused>& refused() const { return refused_; }
  // The connectors of this plugin become those that `other` has of it, or none.
  void take(std::string_view plugin, const Registry& other);
  // By the plugin's name or the connector's id; kind is SLUICE_SOURCE or SLUICE_DESTINATION. Null: there is
  // none.
  const Entry* find(std::string_view name, std::uint32_t kind) const;

 private:
  Status add(const std::string& path);
  std::vector<Entry> entries_;
  std::vector<Refused> refused_;
};

}  // namespace sluice::plugin
