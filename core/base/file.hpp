// The one door to files: journal, lanes and checkpoints go through it, so that a faulty disk can stand in
// (base/sim_file.hpp). Paths are relative to nothing: callers pass whole ones. New files are 0600, new
// directories 0700.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

namespace sluice {

class File {  // one thread at a time
 public:
  // Of a file that is opened `direct`: offsets, sizes and addresses of what is read and written are multiples
  // of it.
  static constexpr std::size_t block_bytes = 4096;
  virtual ~File() = default;
  // Reads up to out.size() bytes at `offset`; fewer only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) = 0;
  // Writes everything, or fails. After a failure any part of the range may hold anything.
  virtual Status write_at(std::uint64_t offset, std::string_view bytes) = 0;
  virtual Status
  sync() = 0;  // fdatasync. After a failure the caller stops the process: it is never tried again
  virtual Status resize(std::uint64_t bytes) = 0;
  virtual Status preallocate(std::uint64_t bytes) = 0;  // makes room, sets the size, reads as zeros
  virtual Result<std::uint64_t> size() = 0;
  // Of a file that is open for writing: whether nobody else has it open now, in this process or another.
  // Where the file system cannot tell, somebody may have.
  virtual bool alone() = 0;
};

enum class OpenMode : std::uint8_t {
  read,
  create,  // makes it, or fails where it exists
  read_write,
  direct,  // read_write past the page cache, in whole blocks; through it where the file system knows no other
           // way
};

class FileSystem {  // [any]
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual Result<std::vector<std::string>> list(
      const std::string& directory) = 0;                       // names, sorted; empty if absent
  virtual Status make_directory(const std::string& path) = 0;  // and its parents; fine if it exists
  virtual Status rename(const std::string& from, const std::string& to) = 0;  // replaces `to`, atomic
  virtual Status remove(const std::string& path) = 0;                         // fine if absent
  virtual Status sync_directory(
      const std::string& path) = 0;  // makes creations, renames and removals durable
  virtual Result<bool> exists(const std::string& path) = 0;
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
};

// The operating system's files.
std::unique_ptr<FileSystem> make_file_system();

// Whole files, through any FileSystem.
Result<std::string> read_file(FileSystem& files, const std::string& path);
// Writes beside it, syncs, renames, syncs the directory: afterwards the file is whole, old or new.
Status replace_file(FileSystem& files, const std::string& path, std::string_view bytes);
// Removes a large file, under its name with ".tmp" behind and piece by piece: a disk that is told what is
// free (mounted with discard) lets everybody's syncs wait while hundreds of megabytes go at once. Where
// somebody has it open, a backup say, it goes at once, and stays whole for them. Fine if absent.
Status remove_in_pieces(FileSystem& files, const std::string& path);

}  // namespace sluice
