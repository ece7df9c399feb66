// Reads the frames of a file one after the other, a megabyte at a time.
#pragma once

#include <cstdint>
#include <string>

#include "sluice/result.hpp"

#include "base/file.hpp"
#include "journal/frame.hpp"

namespace sluice {

class FrameReader {  // one thread
 public:
  static constexpr std::size_t chunk_bytes = 1024 * 1024;

  // Of `file`, which it borrows, the bytes from `begin` up to `end`.
  FrameReader(File& file, std::uint64_t begin, std::uint64_t end, std::uint64_t seed)
      : file_(file), offset_(begin), end_(end), seed_(seed) {}

  // Reads the frame at offset() and steps over it. false: the bytes there are no whole, valid frame; offset()
  // stays. `out` borrows until the next call. An error is one of the disk.
  Result<bool> next(Frame& out, bool check = true);
  std::uint64_t offset() const { return offset_; }
  // Goes to a frame's start, and reads the file again from there.
  void seek(std::uint64_t offset);

 private:
  Status fill(std::size_t bytes_min);

  File& file_;
  std::uint64_t offset_, end_, seed_;
  std::string buffer_;
  std::size_t at_ = 0;  // of offset_ in buffer_
};

}  // namespace sluice
