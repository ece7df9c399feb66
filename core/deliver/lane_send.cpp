// What goes out: batches, pacing, intents.
#include <algorithm>
#include <charconv>
#include <unordered_set>
#include <utility>

#include "base/hash.hpp"
#include "deliver/lane_parts.hpp"

namespace sluice::deliver {

std::string Lane::key_of(const EffectKey& key) const {
  char number[24];
  std::string text;
  text.reserve(options_.journal.size() + 2 + 2 * sizeof number);
  text += options_.journal;
  for (const std::uint64_t part : {key.seq, std::uint64_t{key.ordinal}}) {
    text += '.';
    text.append(number, std::to_chars(number, number + sizeof number, part).ptr);
  }
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

// Whether the lane as a whole may send something now.
bool Lane::admits(DurationUs& next) {
  const bool paced = !options_.destination.shadow;
  return governor_.admits(in_flight_, paced, options_.clock.monotonic_us(), next);
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
        next = std::min(next, planned.not_before);
        if (batch->serial) break;
        continue;
      }
      if (!admits(next)) return false;
      if (!governor_.takes(planned.request.bucket, 1, now, next)) {
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

void Lane::dispatch(Batch& batch, std::vector<Item*> items) {
  batch.items = std::move(items);
  std::vector<Parcel> parcels;
  batch.requests.clear();
  batch.serial = false;
  batch.open = 0;
  parcels.reserve(batch.items.size());
  for (const Item* item : batch.items) {
    const Effect& effect = item->effect;
    parcels.push_back({key_of(effect.key), item->attempts + 1, &effect, remote_id_of(effect)});
  }
  limits_.blocking ? deliver(batch, parcels) : plan(batch, parcels);
}

// What the destination called this person last. A record of somebody who has become one with another since is
// about who they were: by the other's name it would delete the other over there.
std::string Lane::remote_id_of(const Effect& effect) {
  if (!has_remote_ids_ || effect.person == nobody) return {};
  return remote_id_at(effect.person);
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
  governor_.took(static_cast<double>(all.size()), options_.clock.monotonic_us());
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
    const std::vector<Judged>& said = answer.value().verdicts;
    landing.broke = said.size() == all.size() && !stopping() &&
                    std::all_of(said.begin(), said.end(), [](const Judged& one) { return one.verdict.bug; });
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
