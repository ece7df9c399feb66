// Which records make the next batch.
#include <algorithm>
#include <utility>

#include "base/hash.hpp"
#include "deliver/lane_parts.hpp"

namespace sluice::deliver {

std::uint64_t Lane::group_of(const Item& item) const {
  switch (limits_.group_by) {
    case GroupBy::nothing:
      return 0;
    case GroupBy::person:
      return item.order;
    case GroupBy::operation:
      return static_cast<std::uint64_t>(item.effect.op);
    case GroupBy::name:
      return hash64(item.effect.name, static_cast<std::uint64_t>(item.effect.op));
  }
  return 0;
}

// Batches under way that hold what may not be repeated: this one, that is being formed, has none yet or
// counts itself out.
std::size_t Lane::careful_batches() const {
  return static_cast<std::size_t>(std::count_if(batches_.begin(), std::prev(batches_.end()),
                                                [](const Batch& b) { return b.careful > 0; }));
}

// False: the record is not to be sent now; it has its outcome, or waits again.
bool Lane::filter(Item* item) {
  const config::Destination& d = options_.destination;
  const Effect& effect = item->effect;
  if (!still_wanted(item)) return false;
  if (item->unknown && unsafe(*item)) {
    end(item, OutcomeKind::held, "crashed_while_sending", "the hub stopped between sending and the answer",
        nullptr);
  } else if (!options_.gate.allows(effect)) {
    end(item, OutcomeKind::suppressed, "", "");
  } else if (is_unreachable(effect)) {
    end(item, OutcomeKind::suppressed, "unreachable",
        "the destination said before that nothing arrives there");
  } else if (queue_.superseded(*item)) {
    end(item, OutcomeKind::superseded, "", "");
  } else if (steady_wall() - item->offered > d.expires.value_or(expires_default)) {
    end(item, OutcomeKind::expired, "", "");
  } else if (d.shadow) {
    end(item, OutcomeKind::shadow, "", "");
  } else {
    return true;
  }
  return false;
}

// A batch that is not full waits a little, but only while something is under way, or about to be offered: the
// first record goes at once.
bool Lane::lingers(DurationUs& next) {
  const bool full =
      queue_.ready_records() >= limits_.records_max || queue_.ready_bytes() >= limits_.bytes_max;
  const DurationUs now = options_.clock.monotonic_us();
  const bool more = more_follows_.load(std::memory_order_acquire);
  if (!full && (in_flight_ > 0 || more)) {
    const DurationUs linger = more ? linger_more * limits_.linger : limits_.linger;
    if (linger_from_ == 0) linger_from_ = now;
    if (now < linger_from_ + linger) {
      next = std::min(next, linger_from_ + linger);
      return true;
    }
  }
  linger_from_ = 0;
  return false;
}

bool Lane::pass_over(Item* item, Pick& pick) {
  queue_.put_back(item, false);
  return ++pick.skipped < limits_.records_max;
}

// A snapshot's part is a batch of its own. False: the batch is complete.
bool Lane::take_part(Batch& batch, Item* item, Pick& pick) {
  const std::uint64_t line = item->order;
  if (!pick.items.empty() || line == pick.tried || others_fly(*item)) {
    queue_.put_back(item, false);
  } else {
    pick.items.push_back(item);
    fill_part(batch, pick.items);
    if (!pick.items.empty()) return false;
  }
  return std::exchange(pick.tried, line) != line && ++pick.skipped < limits_.records_max;
}

// Takes the record into the batch, or puts it back where it does not fit. False: the batch is complete.
bool Lane::take(Batch& batch, Item* item, Pick& pick) {
  if (item->kept) return queue_.put_back(item), false;
  if (!filter(item) || hold_for_snapshot(item)) return pick.ended = true;
  if (const DurationUs wait = settles_in(item->effect, item->offered); wait > 0) {
    queue_.retry(item, options_.clock.monotonic_us() + wait);
    return pick.ended = true;
  }
  if (item->effect.snapshot.seq != 0) return take_part(batch, item, pick);
  const bool careful = unsafe(*item);
  if (careful && careful_batches() >= careful_batches_max) return pass_over(item, pick);
  const bool first = pick.items.empty();
  const bool alone = item->attempts >= attempts_together;
  const bool too_many = careful && batch.careful >= (limits_.blocking ? 1 : careful_records_max);
  if (!first && (pick.bytes + item->bytes > limits_.bytes_max || alone || too_many))
    return queue_.put_back(item), false;
  if (!first && group_of(*item) != group_of(*pick.items.front())) return pass_over(item, pick);
  pick.bytes += item->bytes;
  batch.careful += careful ? 1 : 0;
  pick.items.push_back(item);
  return !alone;
}

// True: something changed.
bool Lane::form_batch(DurationUs& next) {
  if (!queue_.ready() || !admits(next)) return false;
  // What a batch asks for is known when it is planned: a few may wait for their bucket, and no more.
  if (governor_.several_buckets() && batches_.size() >= std::size_t{2} * governor_.window()) return false;
  if (lingers(next)) return false;
  Batch& batch = batches_.emplace_back();
  batch.id = ++batch_ids_;
  Pick pick;
  while (pick.items.size() < limits_.records_max) {
    Item* item = queue_.next(batch.id, one_per_person_);
    if (item == nullptr) break;
    if (item->kept && pick.items.empty()) return resume(batch, item);
    if (!take(batch, item, pick)) break;
  }
  const bool formed = !pick.items.empty();
  if (formed) {
    dispatch(batch, std::move(pick.items));
    advance(batch);
  }
  if (batch.open == 0) batches_.pop_back();
  return pick.ended || formed;
}

}  // namespace sluice::deliver
