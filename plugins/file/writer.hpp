// A file of lines that only grows: appended to in whole batches, durable before write() returns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace file {

class Writer {
 public:
  // rotate_bytes: a file that has reached it is renamed to NAME.1, NAME.2, ... and a new one begun; 0: never.
  Writer(std::string path, std::uint64_t rotate_bytes)
      : path_(std::move(path)), rotate_bytes_(rotate_bytes) {}
  ~Writer() { close(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Appends whole lines with one write, and syncs. Throws sdk::Fail (SLUICE_RETRY) on a full disk and the
  // like; then any part of the lines may stand in the file, the last of them torn: the next write() ends it
  // with a newline first.
  void write(std::string_view lines);

 private:
  void open();
  void close();
  void rotate();
  std::string path_;
  std::uint64_t rotate_bytes_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  bool torn_ = false;  // the last byte is no newline
};

}  // namespace file
