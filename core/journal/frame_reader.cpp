#include "journal/frame_reader.hpp"

#include <algorithm>

namespace sluice {

Result<bool> FrameReader::next(Frame& out, bool check) {
  for (;;) {
    const FrameResult result = parse_frame(std::string_view(buffer_).substr(at_), seed_, check);
    if (result.error == FrameError::invalid) return false;
    if (result.error == FrameError::none) {
      out = result.frame;
      at_ += result.frame.bytes;
      offset_ += result.frame.bytes;
      return true;
    }
    if (result.needs > end_ - std::min(offset_, end_)) return false;
    const std::size_t before = buffer_.size() - at_;
    SLUICE_TRY(fill(result.needs));
    if (buffer_.size() - at_ <= before) return false;  // the file is shorter than it was said to be
  }
}

void FrameReader::seek(std::uint64_t offset) {
  offset_ = offset;
  buffer_.clear();
  at_ = 0;
}

Status FrameReader::fill(std::size_t bytes_min) {
  buffer_.erase(0, at_);
  at_ = 0;
  const std::size_t have = buffer_.size();
  const std::uint64_t want = std::min<std::uint64_t>(std::max(bytes_min, chunk_bytes), end_ - offset_);
  if (want <= have) return Done{};
  buffer_.resize(want);
  const std::size_t read = SLUICE_TRY(file_.read_at(offset_ + have, std::span(buffer_).subspan(have)));
  buffer_.resize(have + read);
  return Done{};
}

}  // namespace sluice
