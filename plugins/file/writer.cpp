#include "writer.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include <sys/stat.h>

#include "sluice/plugin.hpp"

namespace file {
namespace {

[[noreturn]] void failed(const char* what) {
  throw sluice::sdk::Fail(SLUICE_RETRY, std::string(what) + ": " + std::strerror(errno));
}

// The name of a new file is durable only when its directory is.
void sync_directory(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)::fsync(fd);
  ::close(fd);
}

// Each folder on the way that is not there, for our user alone.
void make_folders(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string folder = path.substr(0, slash);
    if (::mkdir(folder.c_str(), 0700) == 0) {
      sync_directory(folder);
    } else if (errno != EEXIST && ::access(folder.c_str(), F_OK) != 0) {
      failed("the file's folder cannot be made");
    }
  }
}

}  // namespace

void Writer::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Writer::open() {
  // Somebody may have moved the file away, as log rotation does: then lines belong into a new one.
  struct stat now{};
  struct stat ours{};
  const bool there = ::stat(path_.c_str(), &now) == 0;
  if (fd_ >= 0 && there && ::fstat(fd_, &ours) == 0 && now.st_ino == ours.st_ino && now.st_dev == ours.st_dev)
    return;
  close();
  if (!there) make_folders(path_);
  fd_ = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ < 0 || ::fstat(fd_, &ours) != 0) failed("the file cannot be opened");
  if (!there) sync_directory(path_);
  size_ = static_cast<std::uint64_t>(ours.st_size);
  char last = '\n';
  if (size_ > 0 && ::pread(fd_, &last, 1, ours.st_size - 1) != 1) failed("the file cannot be read");
  torn_ = last != '\n';
}

void Writer::rotate() {
  if (rotate_bytes_ == 0 || size_ < rotate_bytes_) return;
  for (int n = 1;; ++n) {
    const std::string old = path_ + '.' + std::to_string(n);
    if (::access(old.c_str(), F_OK) == 0) continue;
    if (::rename(path_.c_str(), old.c_str()) != 0) failed("the file cannot be renamed");
    break;
  }
  close();
  open();
}

void Writer::write(std::string_view lines) {
  open();
  rotate();
  std::string whole;
  if (torn_) {
    whole.append(1, '\n').append(lines);
    lines = whole;
  }
  const ssize_t n = ::write(fd_, lines.data(), lines.size());
  if (n > 0) size_ += static_cast<std::uint64_t>(n);
  if (n != static_cast<ssize_t>(lines.size())) {
    if (n >= 0) errno = ENOSPC;
    close();  // opened again, it is seen where the line was torn
    failed("the file cannot be written");
  }
  torn_ = false;
  if (::fdatasync(fd_) != 0) {
    close();
    failed("the file cannot be made durable");
  }
}

}  // namespace file
