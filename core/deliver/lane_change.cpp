// Other settings for a lane that runs: its records, their order and their attempts stay; the way to the
// destination is another.
#include <utility>

#include "deliver/lane_parts.hpp"

namespace sluice::deliver {

void Lane::change(config::Destination destination, std::unique_ptr<Courier> courier) {
  auto next = std::make_unique<Settings>(Settings{std::move(destination), std::move(courier)});
  const std::lock_guard lock(inbox_->mutex);
  next_ = std::move(next);
  ++inbox_->offers;
  inbox_->changed.notify_one();
}

// True: the old settings still have requests in flight, and nothing is sent until they have come back.
bool Lane::changing() {
  {
    const std::lock_guard lock(inbox_->mutex);
    if (!next_) return false;
  }
  // What is planned was planned by the old connector: it goes back to its people, in its place.
  for (auto batch = batches_.begin(); batch != batches_.end();) {
    withdraw_waiting(*batch);
    for (const std::vector<Item*>& group : std::exchange(batch->rest, {})) {
      for (Item* item : group) queue_.put_back(item);
    }
    batch = batch->open == 0 ? batches_.erase(batch) : std::next(batch);
  }
  if (in_flight_ > 0) return true;
  std::unique_ptr<Settings> next;
  {
    const std::lock_guard lock(inbox_->mutex);
    next = std::move(next_);
    options_.destination = std::move(next->destination);
    std::swap(courier_, next->courier);  // the old one ends with `next`, outside the lock
    go_by_limits();
  }
  linger_from_ = 0;
  last_error_.clear();
  unready_ = courier_->unready();
  queue_.wake(never);
  return false;
}

void Lane::renew() {
  const std::lock_guard lock(inbox_->mutex);
  courier_->renew();
  inbox_->renewed = true;
  ++inbox_->offers;
  inbox_->changed.notify_one();
}

void Lane::take_renewal() {
  {
    const std::lock_guard lock(inbox_->mutex);
    if (!std::exchange(inbox_->renewed, false)) return;
  }
  unready_ = courier_->unready();
  if (governor_.renew()) last_error_.clear();
}

}  // namespace sluice::deliver
