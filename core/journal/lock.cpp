#include "journal/lock.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <sys/file.h>

#include "base/file.hpp"

namespace sluice {

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
  SLUICE_TRY(make_file_system()->make_directory(directory));
  const std::string path = directory + "/lock";
  const int fd = ::open(path.c_str(), O_CLOEXEC | O_RDWR | O_CREAT, 0600);
  if (fd < 0) {
    return Error{Code::misconfigured, "cannot open " + path + ": " + std::generic_category().message(errno)};
  }
  DirectoryLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 24> holder{};
    const ssize_t n = ::pread(fd, holder.data(), holder.size(), 0);
    std::string pid(holder.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    pid = pid.substr(0, pid.find_first_not_of("0123456789"));
    return Error{Code::misconfigured, directory + " is in use by process " +
                                          (pid.empty() ? "(unknown)" : pid) +
                                          ": stop it, or use another data directory"};
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    return Error{Code::transient, "cannot write " + path + ": " + std::generic_category().message(errno)};
  }
  return lock;
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace sluice
