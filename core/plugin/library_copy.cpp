#include "plugin/library_copy.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <mutex>
#include <unistd.h>

#include <linux/memfd.h>
#include <sys/mman.h>

#include "base/hash.hpp"

namespace sluice::plugin {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif
constexpr int first_own_fd = 10;  // clear of the numbers that a connector's process is given

struct Copies {
  std::mutex mutex;  // guards what follows
  std::map<std::string, std::weak_ptr<const LibraryCopy>> by_sha256;
  std::map<std::string, std::shared_ptr<const LibraryCopy>> loaded_here;  // likewise
};

// Never destroyed: what is loaded stays loaded.
Copies& copies() {
  static auto* const all = new Copies;  // NOLINT(cppcoreguidelines-owning-memory)
  return *all;
}

Error failed(const std::string& path) {
  return {Code::transient, path + " cannot be copied to memory: " + std::strerror(errno)};
}

int make_memory(const std::string& name) {
#ifdef MFD_NOEXEC_SEAL  // it is mapped, and never run as a program
  const int fd = ::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
  if (fd >= 0 || errno != EINVAL) return fd;
#endif
  return ::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

// Nobody has mapped it to write, so what forbids new ways to write forbids all. F_SEAL_WRITE is not asked
// for: the kernel refuses it (EBUSY) while anything else of it, such as its own page migration, holds a page.
constexpr int unwritable = F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

Result<int> copy_to_memory(const std::string& path, std::string_view bytes) {
  const int made = make_memory(std::filesystem::path(path).filename().string());
  if (made < 0) return failed(path);
  const int fd = ::fcntl(made, F_DUPFD_CLOEXEC, first_own_fd);
  ::close(made);
  if (fd < 0) return failed(path);
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (!bytes.empty() || ::fcntl(fd, F_ADD_SEALS, unwritable) != 0) {
    const Error error = failed(path);
    ::close(fd);
    return error;
  }
  return fd;
}

}  // namespace

std::string path_of_descriptor(int descriptor) {
  return "/proc/self/fd/" + std::to_string(descriptor);
}

LibraryCopy::~LibraryCopy() {
  ::close(descriptor_);
}

Result<std::shared_ptr<const LibraryCopy>> LibraryCopy::of(const Entry& entry) {
  Copies& all = copies();
  const std::lock_guard lock(all.mutex);
  std::weak_ptr<const LibraryCopy>& place = all.by_sha256[entry.sha256];
  if (std::shared_ptr<const LibraryCopy> there = place.lock()) return there;
  const std::string bytes = SLUICE_TRY(read_library(entry.path));
  if (sha256_hex(bytes) != entry.sha256)
    return Error{Code::transient, entry.path + " has changed since it was looked at"};
  std::shared_ptr<const LibraryCopy> made(new LibraryCopy(SLUICE_TRY(copy_to_memory(entry.path, bytes))));
  place = made;
  return made;
}

Result<std::string> LibraryCopy::to_load_here(const Entry& entry) {
  if (sanitized) return entry.path;
  std::shared_ptr<const LibraryCopy> copy = SLUICE_TRY(of(entry));
  Copies& all = copies();
  const std::lock_guard lock(all.mutex);
  all.loaded_here[entry.sha256] = copy;
  return path_of_descriptor(copy->descriptor());
}

}  // namespace sluice::plugin
