#include "deliver/unwritten.hpp"

#include <utility>

namespace sluice::deliver {

void Unwritten::add(std::uint64_t seq, std::span<const std::unique_ptr<Item>> items) {
  const std::lock_guard lock(mutex_);
  seq_ = seq;
  for (const std::unique_ptr<Item>& item : items) {
    item->unwritten = true;
    item->older = newest_;
    (newest_ != nullptr ? newest_->newer : oldest_) = item.get();
    newest_ = item.get();
  }
}

void Unwritten::take_out(Item& item) {
  if (!std::exchange(item.unwritten, false)) return;
  (item.older != nullptr ? item.older->newer : oldest_) = item.newer;
  (item.newer != nullptr ? item.newer->older : newest_) = item.older;
  item.older = item.newer = nullptr;
}

void Unwritten::forget(std::span<const std::unique_ptr<Item>> items) {
  const std::lock_guard lock(mutex_);
  for (const std::unique_ptr<Item>& item : items) take_out(*item);
}

std::uint64_t Unwritten::frame() const {
  const std::lock_guard lock(mutex_);
  return frame_;
}

Status Unwritten::write_to(LaneLog& log) {
  const std::lock_guard writing(writing_);
  return write_all(log);
}

Status Unwritten::write_to(LaneLog& log, std::uint64_t seq, std::span<const LaneLog::Record> more) {
  const std::lock_guard writing(writing_);
  SLUICE_TRY(write_all(log));
  log.encode(seq, more);
  SLUICE_TRY(log.append_encoded());
  const std::lock_guard lock(mutex_);
  seq_ = seq;
  return Done{};
}

// The frame will say that all up to seq_ was taken care of: whatever had its outcome before the others were
// encoded must keep it. Nobody but another writer waits for the disk.
Status Unwritten::write_all(LaneLog& log) {
  {
    const std::lock_guard lock(mutex_);
    if (oldest_ == nullptr) return Done{};
    records_.clear();
    for (const Item* item = oldest_; item != nullptr; item = item->newer)
      records_.push_back({&item->effect, item->offered, item->bytes});
    log.encode(seq_, records_);
    while (oldest_ != nullptr) take_out(*oldest_);
  }
  SLUICE_TRY(log.sync_intents());
  SLUICE_TRY(log.append_encoded());
  const std::lock_guard lock(mutex_);
  frame_ = log.next_frame() - 1;
  return Done{};
}

}  // namespace sluice::deliver
