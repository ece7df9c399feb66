#include "base/file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <system_error>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/check.hpp"

namespace sluice {
namespace {

constexpr mode_t file_mode = 0600;
constexpr mode_t directory_mode = 0700;

Error failure(const char* what, const std::string& path, int error) {
  Code code = Code::transient;
  const char* mend = "";
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EEXIST:
      code = Code::misconfigured;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = Code::misconfigured;
      mend = "; give the user that runs this process the right to it";
      break;
    case ENOSPC:
    case EDQUOT:
      mend = "; free some space on that disk";
      break;
    default:
      break;
  }
  return {code,
          std::string("cannot ") + what + " " + path + ": " + std::generic_category().message(error) + mend};
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path, bool direct) : fd_(fd), path_(std::move(path)), direct_(direct) {}
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;
  ~PosixFile() override { ::close(fd_); }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && (errno == EINTR || through_cache(errno))) continue;
      if (n < 0) return failure("read", path_, errno);
      done += static_cast<std::size_t>(n);
      if (n == 0 || (direct_ && done % block_bytes != 0)) break;  // the file ends here
    }
    return done;
  }

  Status write_at(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && (errno == EINTR || through_cache(errno))) continue;
      if (n < 0) return failure("write", path_, errno);
      bytes.remove_prefix(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    }
    return Done{};
  }

  Status sync() override {
    if (::fdatasync(fd_) != 0) return failure("sync", path_, errno);
    return Done{};
  }

  Status resize(std::uint64_t bytes) override {
    if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) return failure("resize", path_, errno);
    return Done{};
  }

  Status preallocate(std::uint64_t bytes) override {
    const std::uint64_t old = SLUICE_TRY(size());
    int error = 0;
    do {
      error = ::posix_fallocate(fd_, 0, static_cast<off_t>(bytes));
    } while (error == EINTR);
    if (error == 0) return Done{};
    (void)!::ftruncate(fd_, static_cast<off_t>(old));  // gives back what was reserved before it failed
    return failure("make room in", path_, error);
  }

  Result<std::uint64_t> size() override {
    struct stat status{};
    if (::fstat(fd_, &status) != 0) return failure("read the size of", path_, errno);
    return static_cast<std::uint64_t>(status.st_size);
  }

  // A write lease is given to whoever is alone with a file (fcntl(2)). Somebody who opens it in the moment in
  // which it is held waits for its end and is announced by a signal: by one that is ignored unless asked for.
  bool alone() override {
    if (::fcntl(fd_, F_SETSIG, SIGURG) != 0 || ::fcntl(fd_, F_SETLEASE, F_WRLCK) != 0) return false;
    return ::fcntl(fd_, F_SETLEASE, F_UNLCK) == 0;
  }

 private:
  // True: a direct file whose blocks are not those of its disk, or that was read or written in part, goes on
  // through the page cache.
  bool through_cache(int error) {
    if (!direct_ || error != EINVAL) return false;
    direct_ = false;
    return ::fcntl(fd_, F_SETFL, 0) == 0;
  }

  int fd_;
  std::string path_;
  bool direct_;
};

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC | O_RDONLY;
    if (mode == OpenMode::create) flags = O_CLOEXEC | O_RDWR | O_CREAT | O_EXCL;
    if (mode == OpenMode::read_write || mode == OpenMode::direct) flags = O_CLOEXEC | O_RDWR;
    bool direct = mode == OpenMode::direct;
    int fd = ::open(path.c_str(), direct ? flags | O_DIRECT : flags, file_mode);
    if (fd < 0 && direct && errno == EINVAL) {
      direct = false;
      fd = ::open(path.c_str(), flags, file_mode);
    }
    if (fd < 0) return failure(mode == OpenMode::create ? "create" : "open", path, errno);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path, direct));
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    std::error_code error;
    std::vector<std::string> names;
    std::filesystem::directory_iterator it(directory, error);
    if (error == std::errc::no_such_file_or_directory) return names;
    for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
      names.push_back(it->path().filename().string());
    }
    if (error) return failure("list", directory, error.value());
    std::sort(names.begin(), names.end());
    return names;
  }

  Status make_directory(const std::string& path) override {
    for (std::size_t end = 0; end != std::string::npos;) {
      end = path.find('/', end + 1);
      const std::string part = path.substr(0, end);
      if (::mkdir(part.c_str(), directory_mode) == 0 || errno == EEXIST) continue;
      // A parent that may not be written is no obstacle where it is there.
      const int error = errno;
      if (::access(part.c_str(), F_OK) != 0) return failure("make directory", part, error);
    }
    if (!std::filesystem::is_directory(path)) return failure("make directory", path, ENOTDIR);
    return Done{};
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return failure("rename", from, errno);
    return Done{};
  }

  Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failure("remove", path, errno);
    return Done{};
  }

  Status sync_directory(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_CLOEXEC | O_RDONLY | O_DIRECTORY);
    if (fd < 0) return failure("open", path, errno);
    const int error = ::fsync(fd) == 0 ? 0 : errno;
    ::close(fd);
    if (error != 0) return failure("sync", path, error);
    return Done{};
  }

  Result<bool> exists(const std::string& path) override {
    if (::access(path.c_str(), F_OK) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return failure("look for", path, errno);
  }

  Result<std::uint64_t> free_bytes(const std::string& path) override {
    struct statvfs status{};
    if (::statvfs(path.c_str(), &status) != 0) return failure("read the free space of", path, errno);
    return static_cast<std::uint64_t>(status.f_bavail) * static_cast<std::uint64_t>(status.f_frsize);
  }
};

}  // namespace

std::unique_ptr<FileSystem> make_file_system() {
  return std::make_unique<PosixFileSystem>();
}

Result<std::string> read_file(FileSystem& files, const std::string& path) {
  const std::unique_ptr<File> file = SLUICE_TRY(files.open(path, OpenMode::read));
  std::string bytes(SLUICE_TRY(file->size()), '\0');
  const std::size_t read = SLUICE_TRY(file->read_at(0, bytes));
  bytes.resize(read);
  return bytes;
}

namespace {

Status rename_durably(FileSystem& files, const std::string& from, const std::string& to) {
  const std::size_t slash = to.rfind('/');
  SLUICE_CHECK(slash != std::string::npos);
  SLUICE_TRY(files.rename(from, to));
  return files.sync_directory(slash == 0 ? "/" : to.substr(0, slash));
}

}  // namespace

Status replace_file(FileSystem& files, const std::string& path, std::string_view bytes) {
  const std::string beside = path + ".tmp";
  SLUICE_TRY(files.remove(beside));  // of a write that was interrupted
  const std::unique_ptr<File> file = SLUICE_TRY(files.open(beside, OpenMode::create));
  SLUICE_TRY(file->write_at(0, bytes));
  SLUICE_TRY(file->sync());
  return rename_durably(files, beside, path);
}

Status remove_in_pieces(FileSystem& files, const std::string& path) {
  constexpr std::uint64_t piece = 4 * 1024 * 1024;
  if (!SLUICE_TRY(files.exists(path))) return Done{};
  const std::string going = path + ".tmp";
  SLUICE_TRY(rename_durably(files, path, going));  // what a crash leaves of it is no file of its name
  {
    const std::unique_ptr<File> file = SLUICE_TRY(files.open(going, OpenMode::read_write));
    // Whoever had opened it by its name has it open now.
    std::uint64_t size = file->alone() ? SLUICE_TRY(file->size()) : 0;
    for (; size > piece; size -= piece) SLUICE_TRY(file->resize(size - piece));
  }
  return files.remove(going);
}

}  // namespace sluice
