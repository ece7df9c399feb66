// Writes at the end of a log's last segment.
//
// Past the page cache where it is asked to (OpenMode::direct): a log is written once and read again after a
// crash at the earliest, so each page of it would be memory taken, filled and thrown away, and each new page
// may cost more than the write (docs/adr/0054). Such writes are of whole blocks. The last one, which later
// bytes share, is kept here and written again with them; its sectors then hold what they held or more, so
// that a write that the power interrupts takes nothing that was synced.
//
// Preallocated room is not written ground: the file system marks what is written for the first time, and the
// next sync has to write that mark, too. So a write that comes to new ground brings zeros for some 256 KiB
// behind it, and the syncs of the next ones are of data alone.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

#include "base/file.hpp"

namespace sluice {

class Appender {  // one thread at a time
 public:
  // Of the file at `path`, whose bytes up to `end` are there and stay. `room`: how long it was preallocated;
  // zeros are written no further.
  static Result<std::unique_ptr<Appender>> open(FileSystem& files, const std::string& path, bool direct,
                                                std::uint64_t end, std::uint64_t room);

  // At the end. After a failure any part of it may be there, and no more may be written.
  Status append(std::string_view bytes);
  Status sync() { return file_->sync(); }
  // Gives back what was preallocated behind the end; nothing can be appended any more.
  Status close() { return file_->resize(end_); }
  // Somebody else has changed, and synced, bytes before the end.
  Status look_again();

 private:
  struct alignas(File::block_bytes) Block {
    std::array<char, File::block_bytes> bytes;
  };
  Appender(std::unique_ptr<File> file, std::string path, bool direct, std::uint64_t end, std::uint64_t room);
  Status append_blocks(std::string_view bytes);
  char* memory() { return reinterpret_cast<char*>(blocks_.data()); }

  std::unique_ptr<File> file_;
  std::string path_;
  bool direct_;
  std::uint64_t end_;
  std::uint64_t room_;
  std::uint64_t ground_;       // up to here the file has been written, if with zeros
  std::vector<Block> blocks_;  // begins with the bytes of the last block, up to end_
};

}  // namespace sluice
