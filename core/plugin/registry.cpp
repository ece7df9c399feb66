#include "plugin/registry.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <sys/stat.h>

#include "sluice/plugin.h"

#include "base/hash.hpp"
#include "plugin/installation.hpp"

namespace sluice::plugin {
namespace {

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Error no(std::string why) {
  return {Code::rejected, std::move(why)};
}

// Code runs with the hub's rights, so nobody else may be able to change it.
Status check_owner(const struct stat& file) {
  if (!S_ISREG(file.st_mode)) return no("it is no regular file");
  if (file.st_uid != 0 && file.st_uid != ::geteuid()) {
    return no("it belongs to another user than root and the hub's: chown it");
  }
  if ((file.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return no("its group or everybody may write it: chmod go-w");
  }
  if (static_cast<std::uint64_t>(file.st_size) > plugin_bytes_max) return no("it is over 256 MiB");
  return Done{};
}

}  // namespace

Result<std::string> read_library(const std::string& path) {
  const Descriptor file(path);
  struct stat info{};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) {
    return no(std::string("it cannot be read: ") + std::strerror(errno));
  }
  SLUICE_TRY(check_owner(info));
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return no("it cannot be read whole");
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

namespace {

std::vector<std::string> libraries_in(const std::string& folder) {
  std::vector<std::string> out;
  DIR* const dir = ::opendir(folder.c_str());
  if (dir == nullptr) return out;
  while (const dirent* const entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name.size() > 3 && name.ends_with(".so") && !name.starts_with('.')) {
      out.push_back(folder + '/' + std::string(name));
    }
  }
  ::closedir(dir);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

std::vector<std::string> places_of_libraries(const std::vector<std::string>& folders) {
  std::vector<std::string> out;
  for (const std::string& folder : folders) {
    out.push_back(folder);
    for (std::string& path : libraries_in(folder)) out.push_back(std::move(path));
  }
  return out;
}

Registry Registry::scan(const std::vector<std::string>& folders) {
  Registry out;
  for (const std::string& folder : folders) {
    for (const std::string& path : libraries_in(folder)) {
      if (Status added = out.add(path); !added) out.refused_.push_back({path, added.error().detail});
    }
  }
  return out;
}

Result<Registry> Registry::of_file(const std::string& path) {
  Registry out;
  SLUICE_TRY(out.add(path));
  return out;
}

Status Registry::add(const std::string& path) {
  const std::string bytes = SLUICE_TRY(read_library(path));
  const std::string text = SLUICE_TRY(manifest_section(bytes));
  Manifest manifest = SLUICE_TRY(parse_manifest(text));
  for (const Entry& there : entries_) {
    if (there.plugin == manifest.plugin) {
      return no("the plugin '" + manifest.plugin + "' is there already: " + there.path);
    }
    for (const ManifestInfo& info : manifest.connectors) {
      if (there.info.id == info.id) {
        return no("the connector '" + info.id + "' is there already: " + there.path);
      }
    }
  }
  const std::string sha256 = sha256_hex(bytes);
  const bool own = is_own(path);
  for (ManifestInfo& info : manifest.connectors) {
    entries_.push_back({manifest.plugin, manifest.version, path, sha256, own, std::move(info)});
  }
  return Done{};
}

void Registry::take(std::string_view plugin, const Registry& other) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.plugin == plugin; });
  for (const Entry& entry : other.entries_) {
    if (entry.plugin == plugin) entries_.push_back(entry);
  }
}

const Entry* Registry::find(std::string_view name, std::uint32_t kind) const {
  for (const Entry& entry : entries_) {
    if ((entry.plugin == name || entry.info.id == name) && (entry.info.kind & kind) != 0) return &entry;
  }
  return nullptr;
}

}  // namespace sluice::plugin
