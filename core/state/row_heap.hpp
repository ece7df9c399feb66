// Memory for rows that can be given back. Rows of all ages lie beside each other: when most of them have
// left, what is free lies in pieces between those that stay, and an allocator keeps all of it. Here rows lie
// in segments, and whoever owns them can have one emptied: its rows are taken elsewhere, one after the other,
// and the segment goes. One thread at a time.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/mapped.hpp"
#include "base/time.hpp"
#include "model/effect.hpp"

namespace sluice::state {

// A person at rest. The packed bytes stand behind it, in the same piece of memory.
struct Row {
  static constexpr std::uint32_t nowhere = UINT32_MAX;

  ProfileId id = nobody;
  TimeUs due = never;             // the earliest timer that is set
  TimeUs queued = never;          // where it stands in the queue of timers: at or before `due`
  std::uint32_t changed_in = 0;   // checkpoint generation of the last change
  std::uint32_t written_in = 0;   // checkpoint generation that has the row
  std::uint32_t place = nowhere;  // in the pool
  std::uint32_t size : 28;        // of the packed bytes
  std::uint32_t refused : 1;      // some purpose: as of when it was packed
  std::uint32_t plain : 1;        // its bytes are of the plain spelling: restored and not yet packed
  std::uint32_t away : 1;         // its bytes are among the ColdRows; their place stands here instead
  std::uint32_t wanted : 1;       // was unpacked since the hand of shed() came by

  static constexpr std::uint32_t size_max = (1U << 28U) - 1;
  void set_size(std::size_t bytes) { size = static_cast<std::uint32_t>(bytes) & size_max; }
  std::size_t held() const { return away != 0 ? sizeof(std::uint64_t) : size; }  // bytes behind it
};

class RowHeap {
 public:
  static constexpr std::size_t segment_bytes = huge_page_bytes;

  RowHeap() = default;
  ~RowHeap();
  RowHeap(const RowHeap&) = delete;
  RowHeap& operator=(const RowHeap&) = delete;

  // What a row with so many bytes takes, rounded by a sixteenth at most: rows whose bytes grow within it may
  // stay where they are.
  static constexpr std::size_t block_of(std::size_t bytes) {
    const std::size_t all = sizeof(Row) + bytes, unit = std::max(step, std::bit_floor(all) / 16);
    return (all + unit - 1) / unit * unit;
  }
  // A row of nothing but its id and size, with room for so many bytes. Throws std::bad_alloc.
  Row* take(ProfileId id, std::size_t bytes);
  void give_back(Row* row);

  std::uint64_t bytes() const { return bytes_; }          // of all segments, of each what was used
  std::uint64_t holes() const { return bytes_ - live_; }  // of them where no row lies

  // Begins with emptying the oldest segment, or the one in which the least lies. None while another is being
  // emptied, or where there is none.
  void empty_oldest();
  void empty_emptiest();
  bool emptying() const { return emptied_ != nullptr; }
  // The next row of the segment that is being emptied: to be given back after its like was taken elsewhere,
  // or left. Null: that was the last one, and the segment is gone if none was left.
  Row* next_to_move();

 private:
  static constexpr std::size_t step = 16;
  static constexpr std::size_t shared_max = segment_bytes / 4;  // larger rows have a segment of their own
  static constexpr std::size_t lists = 193;

  // Of the holes of this size. Up to 256 bytes there is one size for each step, then 16 up to each power of
  // two.
  static constexpr std::size_t list_of(std::size_t block) {
    constexpr unsigned first = 8;
    if (block < (1UL << first)) return block / step;
    const auto power = static_cast<unsigned>(std::bit_width(block)) - 1;
    return (power - first + 1) * 16 + (block >> (power - 4)) % 16;
  }

  struct alignas(step) Segment {
    std::size_t mapped = 0, used = 0, live = 0;  // bytes
  };
  static Segment* segment_of(const Row* row);
  static char* begin_of(Segment* segment) { return reinterpret_cast<char*>(segment); }
  Segment* map(std::size_t bytes);
  void open();
  void close_open();
  void begin_to_empty(std::size_t index);
  void release(Segment* segment);
  void list(Row* hole, std::size_t block);
  void unlist(Row* hole);
  Row* listed(std::size_t block);

  std::vector<Segment*> segments_;  // the oldest first; the open one, if any, is not among them
  Segment* open_ = nullptr;         // rows are put behind each other in it
  Segment* emptied_ = nullptr;
  std::size_t emptied_to_ = 0;  // offset
  std::array<Row*, lists> holes_{};
  std::uint64_t bytes_ = 0, live_ = 0;
};

}  // namespace sluice::state
