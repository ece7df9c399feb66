#include "state/row_heap.hpp"

#include <algorithm>
#include <bit>
#include <new>

#include "base/check.hpp"
#include "base/mapped.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

namespace sluice::state {

namespace {

// A hole is a row of nobody's: `place` tells that it is in a list, `due` and `queued` the ones before and
// behind it there, `size` what it takes.
constexpr std::uint32_t in_list = 0;

Row* pointer(TimeUs link) {
  return std::bit_cast<Row*>(link);
}
TimeUs link(Row* row) {
  return std::bit_cast<TimeUs>(row);
}

}  // namespace

RowHeap::~RowHeap() {
  if (open_ != nullptr) segments_.push_back(open_);
  for (Segment* const segment : segments_) {
    ASAN_UNPOISON_MEMORY_REGION(segment, segment->mapped);
    unmap_memory(segment, segment->mapped);
  }
}

// A row begins within the first `segment_bytes` of its segment, which lies at a multiple of them.
RowHeap::Segment* RowHeap::segment_of(const Row* row) {
  return reinterpret_cast<Segment*>(reinterpret_cast<std::uintptr_t>(row) & ~(segment_bytes - 1));
}

RowHeap::Segment* RowHeap::map(std::size_t bytes) {
  const std::size_t mapped = (sizeof(Segment) + bytes + segment_bytes - 1) / segment_bytes * segment_bytes;
  auto* const segment = new (map_memory(mapped, segment_bytes)) Segment;
  segment->mapped = mapped;
  segment->used = sizeof(Segment);
  bytes_ += segment->used;
  ASAN_POISON_MEMORY_REGION(segment + 1, mapped - sizeof(Segment));
  return segment;
}

void RowHeap::open() {
  close_open();
  open_ = map(step);
}

void RowHeap::close_open() {
  if (open_ == nullptr) return;
  segments_.push_back(open_);
  open_ = nullptr;
}

Row* RowHeap::take(ProfileId id, std::size_t bytes) {
  SLUICE_CHECK(id != nobody && bytes <= Row::size_max);
  const std::size_t block = block_of(bytes);
  Row* at = listed(block);
  if (at == nullptr) {
    Segment* in = open_;
    if (block > shared_max) {
      in = map(block);
      segments_.push_back(in);
    } else {
      if (open_ == nullptr || open_->used + block > open_->mapped) open();
      in = open_;
    }
    at = reinterpret_cast<Row*>(begin_of(in) + in->used);
    in->used += block;
    bytes_ += block;
  }
  ASAN_UNPOISON_MEMORY_REGION(at, block);
  Row* const row = new (at) Row;
  row->id = id;
  row->set_size(bytes);
  row->refused = row->plain = row->away = row->wanted = 0;
  segment_of(row)->live += block;
  live_ += block;
  return row;
}

void RowHeap::give_back(Row* row) {
  const std::size_t block = block_of(row->held());
  Segment* const segment = segment_of(row);
  segment->live -= block;
  live_ -= block;
  row->id = nobody;
  row->place = Row::nowhere;
  row->set_size(block);
  ASAN_POISON_MEMORY_REGION(row + 1, block - sizeof(Row));
  if (segment == emptied_) return;
  if (segment->live == 0 && segment != open_) {
    release(segment);
  } else if (block <= shared_max) {
    list(row, block);
  }
}

void RowHeap::list(Row* hole, std::size_t block) {
  static_assert(list_of(shared_max) + 1 == lists);
  Row*& first = holes_.at(list_of(block));
  hole->place = in_list;
  hole->due = link(nullptr);
  hole->queued = link(first);
  if (first != nullptr) first->due = link(hole);
  first = hole;
}

void RowHeap::unlist(Row* hole) {
  Row* const before = pointer(hole->due);
  Row* const behind = pointer(hole->queued);
  if (before == nullptr) {
    holes_.at(list_of(hole->size)) = behind;
  } else {
    before->queued = link(behind);
  }
  if (behind != nullptr) behind->due = link(before);
  hole->place = Row::nowhere;
}

// A hole of this size. Those of the segment that is being emptied are no longer given out.
Row* RowHeap::listed(std::size_t block) {
  if (block > shared_max) return nullptr;
  Row* const& first = holes_.at(list_of(block));
  while (first != nullptr) {
    Row* const hole = first;
    unlist(hole);
    if (segment_of(hole) != emptied_) return hole;
  }
  return nullptr;
}

void RowHeap::empty_oldest() {
  if (emptying()) return;
  if (segments_.empty()) close_open();
  if (!segments_.empty()) begin_to_empty(0);
}

void RowHeap::empty_emptiest() {
  if (emptying() || segments_.empty()) return;
  const auto share = [](const Segment* s) {
    return static_cast<double>(s->live) / static_cast<double>(s->used);
  };
  const auto at = std::min_element(segments_.begin(), segments_.end(),
                                   [&](const Segment* a, const Segment* b) { return share(a) < share(b); });
  begin_to_empty(static_cast<std::size_t>(at - segments_.begin()));
}

// From now on it is the youngest: rows that are left in it wait for their turn.
void RowHeap::begin_to_empty(std::size_t index) {
  const auto at = segments_.begin() + static_cast<std::ptrdiff_t>(index);
  std::rotate(at, at + 1, segments_.end());
  emptied_ = segments_.back();
  emptied_to_ = sizeof(Segment);
}

Row* RowHeap::next_to_move() {
  while (emptied_ != nullptr && emptied_to_ < emptied_->used) {
    Row* const row = reinterpret_cast<Row*>(begin_of(emptied_) + emptied_to_);
    const bool hole = row->id == nobody;
    emptied_to_ += hole ? row->size : block_of(row->held());
    if (!hole) return row;
  }
  Segment* const done = emptied_;
  emptied_ = nullptr;
  if (done != nullptr && done->live == 0) release(done);
  return nullptr;
}

void RowHeap::release(Segment* segment) {
  for (std::size_t at = sizeof(Segment); at < segment->used;) {
    Row* const hole = reinterpret_cast<Row*>(begin_of(segment) + at);
    at += hole->size;
    if (hole->place == in_list) unlist(hole);
  }
  bytes_ -= segment->used;
  std::erase(segments_, segment);
  ASAN_UNPOISON_MEMORY_REGION(segment, segment->mapped);
  unmap_memory(segment, segment->mapped);
}

}  // namespace sluice::state
