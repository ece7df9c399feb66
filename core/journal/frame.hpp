// Frames: how an entry stands in a file of the journal, of a lane and of a checkpoint. Little-endian, 8-byte
// aligned.
//
//   offset  bytes
//        0      8  checksum: XXH3-64 of everything behind it, padding included, seeded with the file's seed
//        8      4  length of the payload
//       12      1  kind: the owner's
//       13      1  flags: FrameFlag
//       14      2  mark 0x5EA1
//       16      8  seq
//       24      8  stamp, microseconds
//       32      8  durable_seq: the last entry that was known to be synced when this one was written
//       40         payload, then zeros to a multiple of 8
//
// The seed holds the file's id, so that bytes of another file never look valid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace sluice {

inline constexpr std::size_t frame_header_bytes = 40;
inline constexpr std::size_t frame_payload_bytes_max = 64 * 1024 * 1024;

enum FrameFlag : std::uint8_t {
  frame_commit_end = 1,  // the last entry of its commit
  frame_redacted = 2,    // erased in place: the payload is zeros of the old length
};

struct Entry {
  std::uint64_t seq = 0;
  TimeUs stamp = 0;
  std::uint8_t kind = 0;
  std::uint8_t flags = 0;  // FrameFlag
  std::string_view payload;
};

struct Frame {
  Entry entry;
  std::uint64_t durable_seq = 0;
  std::size_t bytes = 0;  // in the file
};

constexpr std::size_t frame_bytes(std::size_t payload_bytes) {
  return frame_header_bytes + (payload_bytes + 7) / 8 * 8;
}

// [any] Appends the frame to `out`.
void append_frame(std::string& out, const Entry& entry, std::uint64_t durable_seq, std::uint64_t seed);

enum class FrameError : std::uint8_t {
  none,
  invalid,  // no frame starts here
  cut,      // what stands here may be the begin of a frame that is longer than `bytes`: see `needs`
};

struct FrameResult {
  FrameError error = FrameError::invalid;
  std::size_t needs = 0;  // cut: how many bytes it takes to know
  Frame frame;            // borrows
};

// [any] Reads the frame at the start of `bytes`. `check` false leaves the checksum out, for skipping over
// frames known good.
FrameResult parse_frame(std::string_view bytes, std::uint64_t seed, bool check = true);

}  // namespace sluice
