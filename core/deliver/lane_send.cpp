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
  std::string text = options_.journal;
  text.reserve(text.size() + 28);
  text += '.';
  text += std::to_string(key.seq);
  text += '.';
  text += std::to_string(key.ordinal);
  return text;
}

bool Lane::unsafe(const Item& item) const {
  const bool repeat_acts_twice =
      (limits_.unsafe_operations >> static_cast<unsigned>(item.effect.op) & 1U) != 0;
  if (!repeat_acts_twice) return false;
  const config::Destination& d = options_.destination;
  if (d.on_unknown_set) return d.on_unknown == config::OnUnknown::hold;
  return item.effect.op == Operation::message;
}

std::uint32_t Lane::parallel() const {
  return failures_ >= failures_in_a_row || refusals_ > 0 ? 1 : limits_.parallel;
}

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

// Whether the lane as a whole may send something now.
bool Lane::admits(DurationUs& next) {
  const DurationUs now = options_.clock.monotonic_us();
  if (pause_until_ > now) {
    at_latest(next, pause_until_);
    return false;
  }
  if (in_flight_ >= parallel()) return false;                  // a landing wakes the lane
  if (buckets_.size() == 1 && !options_.destination.shadow) {  // among several, each request asks its own
    if (const DurationUs ready = buckets_.front().tokens.ready_at(now); ready > now) {
      at_latest(next, ready);
      return false;
    }
  }
  return true;
}

// Of a bucket, and of the one that is of all requests. False: not now.
bool Lane::takes_token(std::size_t bucket, double records, DurationUs& next) {
  if (buckets_.empty()) return true;
  const DurationUs now = options_.clock.monotonic_us();
  Bucket& own = buckets_[std::min(bucket, buckets_.size() - 1)];
  Bucket& all = first_is_of_all_ ? buckets_.front() : own;
  const DurationUs ready = std::max({own.tokens.ready_at(now), own.pause_until, all.tokens.ready_at(now)});
  if (ready > now) return at_latest(next, ready), false;
  own.tokens.take(records, now);
  if (&all != &own) all.tokens.take(records, now);
  return true;
}

// Batches under way that hold what may not be repeated: this one, that is being formed, has none yet or
// counts itself out.
std::size_t Lane::careful_batches() const {
  return static_cast<std::size_t>(std::count_if(batches_.begin(), std::prev(batches_.end()),
                                                [](const Batch& b) { return b.careful > 0; }));
}

bool Lane::send_more(DurationUs& next) {
  if (send_waiting(next)) return true;
  return form_batch(next);
}

// One step of what is planned and unsent. True: something changed.
bool Lane::send_waiting(DurationUs& next) {
  for (auto batch = batches_.begin(); batch != batches_.end(); ++batch) {
    for (std::size_t i = 0; i < batch->requests.size(); ++i) {
      Planned& planned = batch->requests[i];
      if (planned.state == Planned::State::flying && batch->serial) break;
      if (planned.state != Planned::State::waiting) continue;
      if (withdraw_if_changed(*batch, planned)) {
        advance(*batch);
        if (batch->open == 0) batches_.erase(batch);
        return true;
      }
      const DurationUs now = options_.clock.monotonic_us();
      if (planned.not_before > now) {
        at_latest(next, planned.not_before);
        if (batch->serial) break;
        continue;
      }
      if (!admits(next)) return false;
      if (!takes_token(planned.request.bucket, 1, next)) {
        if (batch->serial) break;
        continue;
      }
      if (!planned.request.harmless) {
        if (const Status noted = note_intents(*batch, planned.request.records); !noted) {
          fail(noted.error());
          return false;
        }
      }
      planned.state = Planned::State::flying;
      planned.sent = now;
      ++in_flight_;
      ++sends_;
      if (!planned.kept) {
        for (const std::uint32_t r : planned.request.records) ++batch->items[r]->attempts;
      }
      courier_->send(planned.request, [inbox = inbox_, id = batch->id, i](CourierResponse response) {
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
  if (planned.request.asks) return false;  // what follows it is looked at
  const std::vector<std::uint32_t>& records = planned.request.records;
  const bool changed = std::any_of(records.begin(), records.end(), [&](std::uint32_t r) {
    const Item& item = *batch.items[r];
    return queue_.held_back(item) || !options_.gate.allows(item.effect);
  });
  if (changed) withdraw(batch, planned);
  return changed;
}

void Lane::withdraw(Batch& batch, Planned& planned) {
  for (const std::uint32_t r : planned.request.records)
    queue_.put_back(std::exchange(batch.items[r], nullptr));
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
  const config::Destination& d = options_.destination;
  const Effect& effect = item->effect;
  if (!still_wanted(item)) return false;
  if (item->unknown && unsafe(*item)) {
    end(item, OutcomeKind::held, "crashed_while_sending", "the hub stopped between sending and the answer",
        nullptr);
  } else if (!options_.gate.allows(effect)) {
    end(item, OutcomeKind::suppressed, "", "");
    decided_ = true;
  } else if (queue_.superseded(*item)) {
    end(item, OutcomeKind::superseded, "", "");
  } else if (options_.clock.wall_us() - item->offered > d.expires.value_or(expires_default)) {
    end(item, OutcomeKind::expired, "", "");
    decided_ = true;
  } else if (d.shadow) {
    end(item, OutcomeKind::shadow, "", "");
  } else {
    return true;
  }
  return false;
}

bool Lane::form_batch(DurationUs& next) {
  if (!queue_.ready() || !admits(next)) return false;
  // What a batch asks for is known when it is planned: a few may wait for their bucket, and no more.
  if (buckets_.size() > 1 && batches_.size() >= std::size_t{2} * parallel()) return false;
  // A batch that is not full waits a little, but only while something is under way: the first record goes at
  // once.
  const bool full =
      queue_.ready_records() >= limits_.records_max || queue_.ready_bytes() >= limits_.bytes_max;
  const DurationUs now = options_.clock.monotonic_us();
  if (full || in_flight_ == 0 || limits_.linger == 0) {
    linger_from_ = 0;
  } else {
    if (linger_from_ == 0) linger_from_ = now;
    if (now < linger_from_ + limits_.linger) return at_latest(next, linger_from_ + limits_.linger), false;
    linger_from_ = 0;
  }
  Batch& batch = batches_.emplace_back();
  batch.id = ++batch_ids_;
  std::vector<Item*> items;
  std::uint64_t bytes = 0;
  std::uint32_t skipped = 0;
  std::uint64_t tried = 0;  // the line of a snapshot whose next part cannot go yet
  bool ended = false;
  while (items.size() < limits_.records_max) {
    Item* item = queue_.next(batch.id, one_per_person_);
    if (item == nullptr) break;
    if (item->kept && items.empty()) return resume(batch, item);
    if (item->kept) {
      queue_.put_back(item);
      break;
    }
    if (!filter(item) || hold_for_snapshot(item)) {
      ended = true;
      continue;
    }
    if (const DurationUs wait = settles_in(item->effect, item->offered); wait > 0) {
      queue_.retry(item, now + wait);
      ended = true;
      continue;
    }
    if (item->effect.snapshot.seq != 0) {
      const std::uint64_t line = item->order;
      if (items.empty() && line != tried && !others_fly(*item)) {
        items.push_back(item);
        fill_part(batch, items);
        if (!items.empty()) break;
      } else {
        queue_.put_back(item, false);
      }
      if (std::exchange(tried, line) == line || ++skipped >= limits_.records_max) break;
      continue;
    }
    const bool careful = unsafe(*item);
    if (careful && careful_batches() >= careful_batches_max) {
      queue_.put_back(item, false);
      if (++skipped >= limits_.records_max) break;
      continue;
    }
    const bool alone = item->attempts >= attempts_together;
    const bool too_many = careful && batch.careful >= (limits_.blocking ? 1 : careful_records_max);
    if (!items.empty() && (bytes + item->bytes > limits_.bytes_max || alone || too_many)) {
      queue_.put_back(item);
      break;
    }
    if (!items.empty() && group_of(*item) != group_of(*items.front())) {
      queue_.put_back(item, false);
      if (++skipped >= limits_.records_max) break;
      continue;
    }
    bytes += item->bytes;
    batch.careful += careful ? 1 : 0;
    items.push_back(item);
    if (alone) break;
  }
  const bool formed = !items.empty();
  if (formed) {
    dispatch(batch, std::move(items));
    advance(batch);
  }
  if (batch.open == 0) batches_.pop_back();
  return ended || formed;
}

void Lane::dispatch(Batch& batch, std::vector<Item*> items) {
  batch.items = std::move(items);
  std::vector<Parcel> parcels;
  batch.requests.clear();
  batch.serial = false;
  batch.open = 0;
  for (const Item* item : batch.items) {
    const Effect& effect = item->effect;
    parcels.push_back({key_of(effect.key), item->attempts + 1, &effect, remote_id_of(effect)});
  }
  limits_.blocking ? deliver(batch, parcels) : plan(batch, parcels);
}

// What the destination called this person last.
std::string Lane::remote_id_of(const Effect& effect) {
  if (!has_remote_ids_ || effect.person == nobody) return {};
  return remote_id_at(options_.gate.winner_of(effect.person));
}

void Lane::plan(Batch& batch, const std::vector<Parcel>& parcels) {
  Result<Answer> answer = courier_->plan(parcels, batch.part);
  Landing landing;
  landing.records = batch.items.size();
  if (!answer && stopping()) {  // it may have been cancelled: that says nothing about the records
    for (Item*& item : batch.items) queue_.put_back(std::exchange(item, nullptr));
    for (const std::vector<Item*>& group : std::exchange(batch.rest, {})) {
      for (Item* item : group) queue_.put_back(item);
    }
    return;
  }
  if (!answer) {
    const Error& error = answer.error();
    landing.error = "the connector could not plan: " + error.detail;
    const Fate fate = error.code == Code::misconfigured ? Fate::auth : Fate::unclear;
    for (std::uint32_t i = 0; i < batch.items.size(); ++i) {
      // Alone and still failing: what the connector cannot bear would block its person for good.
      Item* item = batch.items[i];
      const bool whole = batch.items.size() == 1 || batch.part.number > 0;
      const bool again = fate == Fate::unclear && whole && ++item->attempts < connector_failures_max;
      judge(batch, i, {again ? Fate::retry : fate, -1, "connector_failed", landing.error, {}}, landing);
    }
    return close_landing(batch, landing);
  }
  if (batch.part.number > 0) {
    if (const Status cut = cut_part(batch, answer.value()); !cut) return fail(cut.error());
  }
  const DurationUs now = options_.clock.monotonic_us();
  std::unordered_set<std::uint64_t> people;
  const bool several = answer.value().requests.size() > 1;  // one alone is in order with itself
  for (CourierRequest& request : answer.value().requests) {
    if (several) {
      std::unordered_set<std::uint64_t> own;
      for (const std::uint32_t r : request.records) own.insert(batch.items[r]->order);
      for (const std::uint64_t order : own) batch.serial |= !people.insert(order).second;
    }
    const DurationUs at = now + request.delay;
    batch.requests.push_back({std::move(request), at, Planned::State::waiting});
  }
  batch.open = batch.requests.size();
  std::vector<std::uint32_t> all(batch.items.size());
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  for (const Judged& judged : answer.value().verdicts) {  // a try, though nothing was sent
    Item* const item = judged.record < batch.items.size() ? batch.items[judged.record] : nullptr;
    if (item != nullptr && judged.verdict.fate == Fate::retry) ++item->attempts;
  }
  judge_all(batch, all, answer.value(), landing);
  close_landing(batch, landing);
}

void Lane::deliver(Batch& batch, const std::vector<Parcel>& parcels) {
  std::vector<std::uint32_t> all(batch.items.size());
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  if (const Status noted = note_intents(batch, all); !noted) return fail(noted.error());
  if (!buckets_.empty())
    buckets_.front().tokens.take(static_cast<double>(all.size()), options_.clock.monotonic_us());
  if (batch.part.number > 0) {
    Answer whole;
    whole.requests.emplace_back().records = all;
    if (const Status cut = cut_part(batch, whole); !cut) return fail(cut.error());
  }
  ++sends_;
  for (Item* item : batch.items) ++item->attempts;
  Result<Answer> answer = courier_->deliver(parcels, batch.part);
  Landing landing;
  landing.records = batch.items.size();
  if (answer) {
    judge_all(batch, all, answer.value(), landing);
  } else {
    landing.error = answer.error().detail;
    const Code code = answer.error().code;
    // It may have sent some of them: what may not be repeated is unknown then. Alone and refused, nothing is
    // repeated; refused credentials mean, by the contract, that nothing was sent.
    const auto fate_of = [&](const Item& item) {
      if (code == Code::misconfigured) return Fate::auth;
      if (code == Code::rejected && (all.size() == 1 || !unsafe(item))) return Fate::unclear;
      return unsafe(item) ? Fate::unknown : Fate::retry;
    };
    for (const std::uint32_t r : all) {
      judge(batch, r, {fate_of(*batch.items[r]), -1, "connector_failed", landing.error, {}}, landing);
    }
  }
  close_landing(batch, landing);
  // Before the next call: a crash then holds no more than the record on the wire.
  if (const Status written = write_outcomes(); !written) fail(written.error());
}

// Before what a repeat would do twice is sent, the log says so, durably.
Status Lane::note_intents(const Batch& batch, const std::vector<std::uint32_t>& records) {
  std::vector<EffectKey> keys;
  for (const std::uint32_t r : records) {
    if (!unsafe(*batch.items[r])) continue;
    batch.items[r]->intent = true;
    keys.push_back(batch.items[r]->effect.key);
  }
  if (keys.empty() && !decided_) return Done{};
  // Whoever was left out must stay so after a crash: sent then, the record would come behind this one.
  if (std::exchange(decided_, false)) SLUICE_TRY(write_outcomes());
  if (!keys.empty()) SLUICE_TRY(log_->append_intents(keys));
  return log_->sync_intents();
}

// When all of a batch has come back: what was split off is next.
void Lane::advance(Batch& batch) {
  while (batch.open == 0 && !batch.rest.empty()) {
    std::vector<Item*> group = std::move(batch.rest.front());
    batch.rest.pop_front();
    std::vector<Item*> items;
    for (Item* item : group) {
      if (queue_.held_back(*item)) {
        queue_.put_back(item);
      } else if (filter(item)) {
        items.push_back(item);
      }
    }
    if (!items.empty()) dispatch(batch, std::move(items));
  }
}

}  // namespace sluice::deliver
