// For this room's tests: connectors to check against, and a folder for files.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace sluice::config::testing {

std::vector<ConnectorInfo> connectors();
// Loads `text` as connectors.yaml of an empty folder; the environment has SLUICE_TEST_KEY.
Loaded check_text(const std::string& text);
std::string shown(const Loaded& loaded);  // all diagnostics, as people see them

class Folder {  // of its own, gone with this
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string write(const std::string& name, const std::string& text) const;  // its path
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace sluice::config::testing
