// The disk of the simulated machine: base/sim_file.hpp, watched. It sees whether the product goes on after a
// sync that failed, and lies where a planted bug wants it to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/sim_file.hpp"
#include "sim/plant.hpp"

namespace sluice::sim {

class Disk final : public FileSystem {
 public:
  Disk(std::uint64_t seed, Plant plant) : files_(seed), plant_(plant) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<std::vector<std::string>> list(const std::string& directory) override {
    return files_.list(directory);
  }
  Status make_directory(const std::string& path) override { return files_.make_directory(path); }
  Status rename(const std::string& from, const std::string& to) override { return files_.rename(from, to); }
  Status remove(const std::string& path) override { return files_.remove(path); }
  Status sync_directory(const std::string& path) override { return files_.sync_directory(path); }
  Result<bool> exists(const std::string& path) override { return files_.exists(path); }
  Result<std::uint64_t> free_bytes(const std::string& path) override { return files_.free_bytes(path); }

  SimFileSystem& files() { return files_; }
  // The file whose sync failed since the last call, while there was power; empty: none did.
  std::string take_failed_sync() { return std::exchange(failed_sync_, {}); }

 private:
  friend class WatchedFile;
  bool lies_about(const std::string& path) const;

  SimFileSystem files_;
  Plant plant_;
  std::string failed_sync_;
};

}  // namespace sluice::sim
