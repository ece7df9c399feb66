#include "store/frames_ahead.hpp"

#include <utility>

namespace sluice {

namespace {
constexpr std::size_t piece_bytes = 4 * 1024 * 1024;
}

FramesAhead::Piece FramesAhead::read(Piece used) {
  Piece piece = std::move(used);
  piece.frames.clear();
  piece.bytes.clear();
  piece.given = 0;
  while (piece.bytes.size() < piece_bytes) {
    Frame frame;
    const Result<bool> read = reader_.next(frame);
    if (!read) piece.read = read.error();
    if (piece.last = !read || !read.value(); piece.last) break;
    piece.frames.push_back(frame);
    piece.bytes += frame.entry.payload;
  }
  const char* at = piece.bytes.data();  // it moves no more
  for (Frame& frame : piece.frames) {
    frame.entry.payload = {at, frame.entry.payload.size()};
    at += frame.entry.payload.size();
  }
  return piece;
}

Result<bool> FramesAhead::next(Frame& out) {
  if (!ahead_) return reader_.next(out);
  while (now_.given == now_.frames.size()) {
    if (now_.last) {
      SLUICE_TRY(now_.read);
      return false;
    }
    Piece next = coming_.valid() ? coming_.get() : read({});
    Piece used = std::exchange(now_, std::move(next));
    if (now_.last) continue;
    coming_ = std::async(std::launch::async,
                         [this, used = std::move(used)]() mutable { return read(std::move(used)); });
  }
  out = now_.frames[now_.given++];
  return true;
}

}  // namespace sluice
