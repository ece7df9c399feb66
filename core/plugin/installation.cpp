#include "plugin/installation.hpp"

#include <algorithm>
#include <filesystem>
#include <unistd.h>

namespace sluice::plugin {
namespace {

namespace fs = std::filesystem;

fs::path folder_of_binary() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path();
}

}  // namespace

std::vector<std::string> own_folders() {
  std::vector<std::string> out;
  const fs::path here = folder_of_binary();
  for (const fs::path& folder : {here / "plugins", here / ".." / "lib" / "sluice" / "plugins"}) {
    std::error_code missing;
    const fs::path real = fs::canonical(folder, missing);
    if (!missing && fs::is_directory(real, missing)) out.push_back(real.string());
  }
  return out;
}

bool is_own(const std::string& library) {
  std::error_code missing;
  const fs::path real = fs::canonical(library, missing);
  if (missing) return false;
  const std::vector<std::string> own = own_folders();
  return std::find(own.begin(), own.end(), real.parent_path().string()) != own.end();
}

Result<std::string> connector_program() {
  const std::string path = (folder_of_binary() / "sluice-connector").string();
  if (::access(path.c_str(), X_OK) == 0) return path;
  return Error{Code::misconfigured, "it runs in a process of its own, and the program for that is missing: " +
                                        path + " belongs to Sluice; install it there"};
}

}  // namespace sluice::plugin
