// One file of a Log: what is known of it in memory, and its header. Internal to the room.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/result.hpp"

#include "base/time.hpp"
#include "journal/log.hpp"

namespace sluice {

// What stands in the place of an entry that is lost: as a tick that has nothing to fire.
inline constexpr std::uint8_t lost_entry_kind = 6;

struct SegmentHeader {
  std::uint64_t id = 0, first_seq = 0, salt = 0;
  TimeUs stamp_before = 0;

  std::string encode() const;
  // Errors: corrupt when these are not 64 bytes of encode(), misconfigured when a later version wrote them.
  static Result<SegmentHeader> decode(std::string_view bytes, const std::string& path);
};

struct Log::Segment {
  static constexpr std::uint64_t index_step = 64 * 1024;

  std::string path;
  SegmentHeader header;
  std::uint64_t seed = 0;
  std::uint64_t end = Log::header_bytes;  // behind the last frame that counts
  std::vector<std::pair<std::uint64_t, std::uint64_t>>
      index;  // (seq, offset of its frame), about every 64 KiB

  // Where to start looking for `seq`.
  std::pair<std::uint64_t, std::uint64_t> near(std::uint64_t seq) const;
  void note(std::uint64_t seq, std::uint64_t offset);
};

// A part of a segment to be read: its frames from (seq, offset) on, until the one numbered `until`.
struct Log::Piece {
  std::shared_ptr<Segment> segment;
  std::uint64_t seq = 0, offset = 0;
  std::uint64_t until = 0, end = 0;
};

// "FILE is damaged at byte N …" and what to do about it.
std::string damage_text(const std::string& path, std::uint64_t offset, std::uint64_t seq);

// What a scan of the last segment found.
struct Log::Tail {
  std::uint64_t end = 0;         // behind the last whole commit
  std::uint64_t next_seq = 0;    // of the log
  std::uint64_t proven_end = 0;  // frames before this offset are known to have been synced
  std::uint64_t data_end = 0;    // behind the last byte that is not zero; `end` when nothing follows
  std::uint64_t dropped = 0;     // whole entries of an unfinished commit
  TimeUs last_stamp = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> index;
};

}  // namespace sluice
