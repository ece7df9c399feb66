// Which files there are, which of them were read how far, and the cursor that remembers it.
//
// A file is known by device, inode and a hash of its first bytes, so that it stays itself when it is renamed
// and is another one when it was replaced. One that has become shorter than what was read of it starts over,
// as a new generation.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace csv {

inline constexpr std::size_t files_max = 10'000;
inline constexpr std::size_t head_bytes_max = 4096;

struct Progress {                // of one file
  std::uint64_t head_bytes = 0;  // how many bytes the hash is of
  std::uint64_t head_hash = 0;
  std::uint32_t generation = 0;
  std::uint64_t offset = 0;  // of the first byte that was not read
  std::uint64_t line = 1;    // of that byte
};

class Cursor {
 public:
  // Throws sdk::Fail when it is none of ours. Empty: nothing was read.
  static Cursor parse(std::string_view text);
  std::string text() const;
  std::map<std::string, Progress> files;  // by "device:inode"
};

class OpenFile {
 public:
  // Throws sdk::Fail (SLUICE_RETRY) when it cannot be read.
  explicit OpenFile(const std::string& path);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  std::uint64_t size() const { return size_; }
  const std::string& inode() const { return inode_; }  // "device:inode"
  // Appends up to `bytes` from `offset`; how many came.
  std::size_t read(std::uint64_t offset, std::size_t bytes, std::string& out) const;
  // The file's entry of `cursor`, made or begun again where the file is not what the entry knows.
  Progress& progress_in(Cursor& cursor) const;

 private:
  int fd_ = -1;
  std::uint64_t size_ = 0;
  std::string inode_;
};

// Paths that match, sorted. A path without wildcards that is not there is no match.
std::vector<std::string> find_files(const std::string& glob);
bool has_wildcards(std::string_view path);

// Part of a record's key: the same for the same bytes, whatever the file's name.
std::string identity(const std::string& inode, const Progress& progress);

}  // namespace csv
