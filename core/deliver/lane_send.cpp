// What goes out: batches, pacing, intents.
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/hash.hpp"
#include "deliver/lane.hpp"

namespace sluice::deliver {

namespace {

// Asks the clock's monotonic time only once a call; `next` is when there may be more to do.
void at_latest(DurationUs& next, DurationUs at) {
  next = std::min(next, at);
}

}  // namespace

std::string Lane::key_of(const EffectKey& key) const {
  std::string text = x_options.journal;
  text.reserve(text.size() + 28);
  text += '.';
  text += std::to_string(key.seq);
  text += '.';
  text += std::to_string(key.ordinal);
  return text;
}

bool Lane::unsafe(const Item& item) const {
  const bool repeat_acts_twice =
      (x_limits.unsafe_operations >> static_cast<unsigned>(item.effect.op) & 1U) != 0;
  if (!repeat_acts_twice) return false;
  const config::Destination& d = x_options.destination;
  if (d.on_unknown_set) return d.on_unknown == config::OnUnknown::hold;
  return item.effect.op == Operation::message;
}

std::uint32_t Lane::parallel() const {
  return x_failures >= failures_in_a_row || x_refusals > 0 ? 1 : x_limits.parallel;
}

std::uint64_t Lane::group_of(const Item& item) const {
  switch (x_limits.group_by) {
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

// Whether the lane as a whole may send something now.
bool Lane::admits(DurationUs& next) {
  const DurationUs now = x_options.clock.monotonic_us();
  if (x_pause_until > now) {
    at_latest(next, x_pause_until);
    return false;
  }
  if (x_in_flight >= parallel()) return false;  // a landing wakes the lane
  if (x_bucket && !x_options.destination.shadow) {
    if (const DurationUs ready = x_bucket->ready_at(now); ready > now) {
      at_latest(next, ready);
      return false;
    }
  }
  return true;
}

bool Lane::send_more(DurationUs& next) {
  if (send_waiting(next)) return true;
  return form_batch(next);
}

// One step of what is planned and unsent. True: something changed.
bool Lane::send_waiting(DurationUs& next) {
  for (auto batch = x_batches.begin(); batch != x_batches.end(); ++batch) {
    for (std::size_t i = 0; i < batch->requests.size(); ++i) {
      Planned& planned = batch->requests[i];
      if (planned.state == Planned::State::flying && batch->serial) break;
      if (planned.state != Planned::State::waiting) continue;
      if (withdraw_if_changed(*batch, planned)) {
        advance(*batch);
        if (batch->open == 0) x_batches.erase(batch);
        return true;
      }
      const DurationUs now = x_options.clock.monotonic_us();
      if (planned.not_before > now) {
        at_latest(next, planned.not_before);
        if (batch->serial) break;
        continue;
      }
      if (!admits(next)) return false;
      if (const Status noted = note_intents(*batch, planned.request.records); !noted) {
        fail(noted.error());
        return false;
      }
      if (x_bucket) x_bucket->take(1, now);
      planned.state = Planned::State::flying;
      planned.sent = now;
      ++x_in_flight;
      ++x_sends;
      for (const std::uint32_t r : planned.request.records) ++batch->items[r]->attempts;
      x_courier->send(planned.request, [inbox = x_inbox, id = batch->id, i](CourierResponse response) {
        const std::lock_guard lock(inbox->mutex);
        inbox->landed.push_back({id, i, std::move(response)});
        inbox->changed.notify_one();
      });
      return true;
    }
  }
  return false;
}

// Between planning and sending something may have happened to the people of a request: it is taken apart
// again then.
bool Lane::withdraw_if_changed(Batch& batch, Planned& planned) {
  const std::vector<std::uint32_t>& records = planned.request.records;
  const bool changed = std::any_of(records.begin(), records.end(), [&](std::uint32_t r) {
    const Item& item = *batch.items[r];
    return x_queue.held_back(item) || !x_options.gate.allows(item.effect);
  });
  if (changed) withdraw(batch, planned);
  return changed;
}

void Lane::withdraw(Batch& batch, Planned& planned) {
  for (const std::uint32_t r : planned.request.records)
    x_queue.put_back(std::exchange(batch.items[r], nullptr));
  planned.state = Planned::State::done;
  --batch.open;
}

void Lane::withdraw_waiting(Batch& batch) {
  for (Planned& planned : batch.requests) {
    if (planned.state == Planned::State::waiting) withdraw(batch, planned);
  }
}

// False: the record is not to be sent now; it has its outcome, or waits again.
bool Lane::filter(Item* item) {
  const config::Destination& d = x_options.destination;
  const Effect& effect = item->effect;
  if (item->unknown && unsafe(*item)) {
    end(item, OutcomeKind::held, "crashed_while_sending", "the hub stopped between sending and the answer",
        nullptr);
  } else if (!x_options.gate.allows(effect)) {
    end(item, OutcomeKind::suppressed, "", "");
  } else if (x_queue.superseded(*item)) {
    end(item, OutcomeKind::superseded, "", "");
  } else if (x_options.clock.wall_us() - item->offered > d.expires.value_or(7 * us_per_d)) {
    end(item, OutcomeKind::expired, "", "");
  } else if (d.shadow) {
    end(item, OutcomeKind::shadow, "", "");
  } else {
    return true;
  }
  return false;
}

bool Lane::form_batch(DurationUs& next) {
  if (!x_queue.ready() || !admits(next)) return false;
  // A batch that is not full waits a little, but only while something is under way: the first record goes at
  // once.
  const bool full =
      x_queue.ready_records() >= x_limits.records_max || x_queue.ready_bytes() >= x_limits.bytes_max;
  const DurationUs now = x_options.clock.monotonic_us();
  if (full || x_in_flight == 0 || x_limits.linger == 0) {
    x_linger_from = 0;
  } else {
    if (x_linger_from == 0) x_linger_from = now;
    if (now < x_linger_from + x_limits.linger) return at_latest(next, x_linger_from + x_limits.linger), false;
    x_linger_from = 0;
  }
  Batch& batch = x_batches.emplace_back();
  batch.id = ++x_batch_ids;
  std::vector<Item*> items;
  std::uint64_t bytes = 0;
  std::uint32_t skipped = 0;
  bool ended = false;
  while (items.size() < x_limits.records_max) {
    Item* item = x_queue.next(batch.id, x_one_per_person);
    if (item == nullptr) break;
    if (!filter(item)) {
      ended = true;
      continue;
    }
    const bool alone = item->attempts >= attempts_together;
    if (!items.empty() && (bytes + item->bytes > x_limits.bytes_max || alone)) {
      x_queue.put_back(item);
      break;
    }
    if (!items.empty() && group_of(*item) != group_of(*items.front())) {
      x_queue.put_back(item, false);
      if (++skipped >= x_limits.records_max) break;
      continue;
    }
    bytes += item->bytes;
    items.push_back(item);
    if (alone) break;
  }
  const bool formed = !items.empty();
  if (formed) {
    dispatch(batch, std::move(items));
    advance(batch);
  }
  if (batch.open == 0) x_batches.pop_back();
  return ended || formed;
}

void Lane::dispatch(Batch& batch, std::vector<Item*> items) {
  batch.items = std::move(items);
  std::vector<Parcel> parcels;
  batch.requests.clear();
  batch.serial = false;
  batch.open = 0;
  for (const Item* item : batch.items) {
    parcels.push_back({key_of(item->effect.key), item->attempts + 1, &item->effect});
  }
  x_limits.blocking ? deliver(batch, parcels) : plan(batch, parcels);
}

void Lane::plan(Batch& batch, const std::vector<Parcel>& parcels) {
  Result<Answer> answer = x_courier->plan(parcels);
  Landing landing;
  landing.records = batch.items.size();
  if (!answer) {
    const Error& error = answer.error();
    landing.error = "the connector could not plan: " + error.detail;
    const Fate fate = error.code == Code::misconfigured ? Fate::auth : Fate::unclear;
    for (std::uint32_t i = 0; i < batch.items.size(); ++i) {
      // Alone and still failing: what the connector cannot bear would block its person for good.
      Item* item = batch.items[i];
      const bool again =
          fate == Fate::unclear && batch.items.size() == 1 && ++item->attempts < connector_failures_max;
      judge(batch, i, {again ? Fate::retry : fate, -1, "connector_failed", landing.error, {}}, landing);
    }
    return close_landing(batch, landing);
  }
  const DurationUs now = x_options.clock.monotonic_us();
  std::unordered_set<std::uint64_t> people;
  const bool several = answer.value().requests.size() > 1;  // one alone is in order with itself
  for (CourierRequest& request : answer.value().requests) {
    if (several) {
      std::unordered_set<std::uint64_t> own;
      for (const std::uint32_t r : request.records) own.insert(batch.items[r]->order);
      for (const std::uint64_t order : own) batch.serial |= !people.insert(order).second;
    }
    batch.requests.push_back({std::move(request), now + request.delay, Planned::State::waiting});
  }
  batch.open = batch.requests.size();
  std::vector<std::uint32_t> all(batch.items.size());
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  judge_all(batch, all, answer.value(), landing);
  close_landing(batch, landing);
}

void Lane::deliver(Batch& batch, const std::vector<Parcel>& parcels) {
  std::vector<std::uint32_t> all(batch.items.size());
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  if (const Status noted = note_intents(batch, all); !noted) return fail(noted.error());
  if (x_bucket) x_bucket->take(static_cast<double>(all.size()), x_options.clock.monotonic_us());
  ++x_sends;
  for (Item* item : batch.items) ++item->attempts;
  Result<Answer> answer = x_courier->deliver(parcels);
  Landing landing;
  landing.records = batch.items.size();
  if (answer) {
    judge_all(batch, all, answer.value(), landing);
  } else {
    landing.error = answer.error().detail;
    const Code code = answer.error().code;
    const Fate fate = code == Code::misconfigured ? Fate::auth
                      : code == Code::rejected    ? Fate::unclear
                                                  : Fate::retry;
    for (const std::uint32_t r : all)
      judge(batch, r, {fate, -1, "connector_failed", landing.error, {}}, landing);
  }
  close_landing(batch, landing);
}

// Before what a repeat would do twice is sent, the log says so, durably.
Status Lane::note_intents(const Batch& batch, const std::vector<std::uint32_t>& records) {
  std::vector<EffectKey> keys;
  for (const std::uint32_t r : records) {
    if (unsafe(*batch.items[r])) keys.push_back(batch.items[r]->effect.key);
  }
  if (keys.empty()) return Done{};
  SLUICE_TRY(x_log->append_intents(keys));
  return x_log->sync_intents();
}

// When all of a batch has come back: what was split off is next.
void Lane::advance(Batch& batch) {
  while (batch.open == 0 && !batch.rest.empty()) {
    std::vector<Item*> group = std::move(batch.rest.front());
    batch.rest.pop_front();
    std::vector<Item*> items;
    for (Item* item : group) {
      if (x_queue.held_back(*item)) {
        x_queue.put_back(item);
      } else if (filter(item)) {
        items.push_back(item);
      }
    }
    if (!items.empty()) dispatch(batch, std::move(items));
  }
}

}  // namespace sluice::deliver
