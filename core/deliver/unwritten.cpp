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
  SLUICE_TRY(log.sync_intents());  // most of it, while nobody waits
  const std::lock_guard lock(mutex_);
  return write_all(log);
}

Status Unwritten::write_to(LaneLog& log, std::uint64_t seq, std::span<const LaneLog::Record> more) {
  const std::lock_guard lock(mutex_);
  SLUICE_TRY(write_all(log));
  SLUICE_TRY(log.append(seq, more));
  seq_ = seq;
  return Done{};
}

// The frame will say that all up to seq_ was taken care of: what is not in it must not lose its outcome.
Status Unwritten::write_all(LaneLog& log) {
  if (oldest_ == nullptr) return Done{};
  SLUICE_TRY(log.sync_intents());
  records_.clear();
  for (const Item* item = oldest_; item != nullptr; item = item->newer)
    records_.push_back({&item->effect, item->offered, item->bytes});
  SLUICE_TRY(log.append(seq_, records_));
  frame_ = log.next_frame() - 1;
  while (oldest_ != nullptr) take_out(*oldest_);
  return Done{};
}

}  // namespace sluice::deliver
