#include "files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <glob.h>
#include <unistd.h>

#include <sys/stat.h>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

namespace csv {
namespace {

using sluice::sdk::Fail;
using sluice::sdk::Json;

// FNV-1a, 64 bits (Fowler, Noll, Vo).
constexpr std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return hash;
}
static_assert(fnv1a("a") == 0xaf63dc4c8601ec8c);

std::uint64_t number(const Json& value) {
  const std::optional<std::int64_t> n = value.integer_value();
  if (!n || *n < 0) throw Fail(SLUICE_INVALID, "the cursor is none of this connector's");
  return static_cast<std::uint64_t>(*n);
}

std::string hex(std::uint64_t n) {
  std::string out(16, '0');
  for (std::size_t i = 16; i-- > 0; n >>= 4) out[i] = "0123456789abcdef"[n & 15];
  return out;
}

}  // namespace

Cursor Cursor::parse(std::string_view text) {
  Cursor out;
  if (text.empty()) return out;
  const std::optional<Json> root = Json::parse(text);
  if (!root || !(*root)["files"].is_object())
    throw Fail(SLUICE_INVALID, "the cursor is none of this connector's");
  const Json& list = (*root)["files"];
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Json& file = list.elements()[i];
    Progress& p = out.files[list.keys()[i]];
    p.head_bytes = number(file.at(0));
    p.head_hash = std::stoull("0" + std::string(file.at(1).text_or("")), nullptr, 16);
    p.generation = static_cast<std::uint32_t>(number(file.at(2)));
    p.offset = number(file.at(3));
    p.line = number(file.at(4));
  }
  return out;
}

std::string Cursor::text() const {
  std::string out = R"({"files":{)";
  for (const auto& [inode, p] : files) {
    if (out.back() != '{') out += ',';
    out += '"' + inode + "\":[" + std::to_string(p.head_bytes) + ",\"" + hex(p.head_hash) + "\"," +
           std::to_string(p.generation) + ',' + std::to_string(p.offset) + ',' + std::to_string(p.line) + ']';
  }
  return out + "}}";
}

OpenFile::OpenFile(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  struct stat info{};
  if (fd_ < 0 || ::fstat(fd_, &info) != 0) {
    const int error = errno;
    if (fd_ >= 0) ::close(fd_);
    throw Fail(SLUICE_RETRY, "a file cannot be opened: " + std::string(std::strerror(error)));
  }
  size_ = static_cast<std::uint64_t>(info.st_size);
  inode_ = std::to_string(info.st_dev) + ':' + std::to_string(info.st_ino);
}

OpenFile::~OpenFile() {
  ::close(fd_);
}

std::size_t OpenFile::read(std::uint64_t offset, std::size_t bytes, std::string& out) const {
  const std::size_t before = out.size();
  out.resize(before + bytes);
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t n =
        ::pread(fd_, out.data() + before + done, bytes - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Fail(SLUICE_RETRY, "a file cannot be read: " + std::string(std::strerror(errno)));
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  out.resize(before + done);
  return done;
}

Progress& OpenFile::progress_in(Cursor& cursor) const {
  const bool known = cursor.files.contains(inode_);
  if (!known && cursor.files.size() >= files_max)
    throw Fail(SLUICE_INVALID, "more than 10,000 files match 'path'");
  Progress& p = cursor.files[inode_];
  std::string head;
  read(0, known ? p.head_bytes : std::min<std::uint64_t>(size_, head_bytes_max), head);
  const bool same = known && head.size() == p.head_bytes && fnv1a(head) == p.head_hash;
  if (same && size_ >= p.offset) return p;
  // Its beginning may be the same as before it was cut short; then the keys must not be.
  const std::uint32_t generation = known ? p.generation + 1 : 0;
  if (known) {
    head.clear();
    read(0, std::min<std::uint64_t>(size_, head_bytes_max), head);
  }
  p = {.head_bytes = head.size(), .head_hash = fnv1a(head), .generation = generation, .offset = 0, .line = 1};
  return p;
}

std::vector<std::string> find_files(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> out;
  if (::glob(pattern.c_str(), GLOB_MARK, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i) {
      const std::string_view path = found.gl_pathv[i];
      if (!path.ends_with('/')) out.emplace_back(path);
    }
  }
  ::globfree(&found);
  return out;
}

bool has_wildcards(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\') {
      ++i;
    } else if (path[i] == '*' || path[i] == '?' || path[i] == '[') {
      return true;
    }
  }
  return false;
}

std::string identity(const std::string& inode, const Progress& progress) {
  std::string out = inode + ':' + hex(progress.head_hash);
  if (progress.generation > 0) out += '.' + std::to_string(progress.generation);
  return out;
}

}  // namespace csv
