// Inside this room: the frames of a file one after the other, of which some may be read and checked by a
// thread of its own while those before them are worked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <string>
#include <vector>

#include "sluice/result.hpp"

#include "base/file.hpp"
#include "journal/frame_reader.hpp"

namespace sluice {

class FramesAhead {  // one thread
 public:
  // As FrameReader, which it is where `ahead` is false. Nobody else uses `file` meanwhile.
  FramesAhead(File& file, std::uint64_t begin, std::uint64_t end, std::uint64_t seed, bool ahead)
      : reader_(file, begin, end, seed), ahead_(ahead) {}

  // False: there is no further whole, valid frame. `out` borrows until the next call.
  Result<bool> next(Frame& out);

 private:
  struct Piece {
    std::vector<Frame> frames;  // their payloads are in `bytes`
    std::string bytes;
    std::size_t given = 0;
    Status read = Done{};
    bool last = false;
  };
  Piece read(Piece used);

  FrameReader reader_;
  const bool ahead_;
  Piece now_;
  std::future<Piece> coming_;  // waits where this ends before it does
};

}  // namespace sluice
