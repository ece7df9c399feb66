// One process per data directory.
#pragma once

#include <string>

#include "sluice/result.hpp"

namespace sluice {

// Holds DIRECTORY/lock (flock) while it lives; the file tells the process id of the holder. The operating
// system frees it when the process ends, however it ends.
class DirectoryLock {
 public:
  // [any] Makes the directory if it is not there. misconfigured when another holder lives: the error tells
  // its process id.
  static Result<DirectoryLock> take(const std::string& directory);
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace sluice
