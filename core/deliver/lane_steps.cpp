// What a destination works at: further requests that carry a state, in the log before they are sent.
#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "deliver/lane_parts.hpp"

namespace sluice::deliver {

namespace {

constexpr std::size_t looked_past_max = 10'000;  // records between those of one step

// A request that acts names all the records that it was made for. With some of them ended it would do again
// what has been taken back since: put somebody on a list whom a later record has taken off.
bool is_part(const Kept& kept, std::size_t records, const CourierRequest& request) {
  return !request.harmless && records < kept.of;
}

// The vendor has not said what became of it.
bool is_no_answer(const CourierResponse& response) {
  const int s = response.status;
  return !response.sent || s == 0 || s == 408 || s == 425 || s == 429 || s >= 500;
}

}  // namespace

// A further request of interpret(). What is kept of it replaces what was kept before.
Lane::Planned Lane::further(Batch& batch, CourierRequest request) {
  Planned out{std::move(request), 0, Planned::State::waiting};
  out.not_before = options_.clock.monotonic_us() + out.request.delay;
  Kept kept{{}, courier_->keep(out.request), out.request.records.size()};
  KeptStep before;
  bool same = true;
  for (const std::uint32_t r : out.request.records) {
    Item* item = batch.items[r];
    item->failed_after = 0;  // it gets on
    kept.keys.push_back(item->effect.key);
    same = same && item->kept && (!before || before == item->kept);
    before = item->kept;
  }
  if (kept.text.empty()) {
    for (const std::uint32_t r : out.request.records) {
      if (std::exchange(batch.items[r]->kept, nullptr)) retracted_.push_back(batch.items[r]->effect.key);
    }
    return out;
  }
  bool noted = false;
  for (const std::uint32_t r : out.request.records) noted |= std::exchange(batch.items[r]->intent, false);
  if (same && !noted && before && before->text == kept.text && before->keys == kept.keys) {
    out.kept = before;  // asked again, as it is
    return out;
  }
  out.kept = std::make_shared<const Kept>(std::move(kept));
  for (const std::uint32_t r : out.request.records) batch.items[r]->kept = out.kept;
  kept_.push_back(out.kept);
  return out;
}

// Durable at once: without it the records would be planned anew after a crash, and done twice over there.
Status Lane::write_kept() {
  if (kept_.empty()) return Done{};
  for (const KeptStep& kept : kept_) SLUICE_TRY(log_->append_kept(*kept));
  kept_.clear();
  return log_->sync_intents();
}

bool Lane::repeats_step(const Item& item, Fate fate, const Landing& landing) const {
  if (!item.kept || landing.response == nullptr) return false;
  if (fate == Fate::auth || fate == Fate::throttle) return true;
  const bool later = fate == Fate::retry || (fate == Fate::unknown && !unsafe(item));
  return later && is_no_answer(*landing.response);
}

// Those of a step that is taken again stay together. The log is told where it says something else. What acts
// for others, too, is planned anew.
void Lane::keep_repeats(Landing& landing) {
  if (landing.repeats.empty()) return;
  const KeptStep before = landing.repeats.front()->kept;
  if (!landing.intents_repeated && before->keys.size() == landing.repeats.size()) return;
  if (is_part(*before, landing.repeats.size(), *landing.request)) {
    for (Item* item : landing.repeats) {
      item->kept = nullptr;
      retracted_.push_back(item->effect.key);
    }
    return;
  }
  Kept kept{{}, before->text, before->of};
  for (const Item* item : landing.repeats) kept.keys.push_back(item->effect.key);
  const auto now = std::make_shared<const Kept>(std::move(kept));
  for (Item* item : landing.repeats) item->kept = now;
  kept_.push_back(now);
}

// The records of the step that `first` is in, as far as they may go now, in the step's order.
std::vector<Item*> Lane::gather(Batch& batch, Item* first) {
  const KeptStep kept = first->kept;
  std::vector<Item*> mates{first}, others;
  while (mates.size() < kept->keys.size() && others.size() < looked_past_max) {
    Item* item = queue_.next(batch.id, false);
    if (item == nullptr) break;
    (item->kept == kept ? mates : others).push_back(item);
  }
  std::for_each(others.rbegin(), others.rend(), [this](Item* item) { queue_.put_back(item); });
  // One behind an older record, which its person has got by becoming one with somebody, waits for that: its
  // step goes on for the others, and for itself later.
  std::erase_if(mates, [this](Item* item) {
    const bool waits = queue_.held_back(*item);
    if (waits) queue_.put_back(item, false);
    return waits;
  });
  const auto place = [&](const Item* item) {
    return std::find(kept->keys.begin(), kept->keys.end(), item->effect.key) - kept->keys.begin();
  };
  std::sort(mates.begin(), mates.end(), [&](const Item* a, const Item* b) { return place(a) < place(b); });
  return mates;
}

// What was begun is neither superseded nor too old: only what must not be asked ends here.
bool Lane::ends_before_resume(Item* item) {
  if (item->unknown && unsafe(*item)) {
    end(item, OutcomeKind::held, "crashed_while_sending", "the hub stopped between sending and the answer");
  } else if (!options_.gate.allows(item->effect)) {
    end(item, OutcomeKind::suppressed, "", "");
  } else {
    return false;
  }
  return true;
}

// `batch` is new and the last one. Always true: something has changed.
bool Lane::resume(Batch& batch, Item* first) {
  const KeptStep kept = first->kept;
  std::vector<Item*> items = gather(batch, first);
  std::erase_if(items, [this](Item* item) { return ends_before_resume(item); });
  std::vector<Parcel> parcels;
  for (const Item* item : items)
    parcels.push_back(
        {key_of(item->effect.key), item->attempts + 1, &item->effect, remote_id_of(item->effect)});
  if (items.empty()) return batches_.pop_back(), true;
  Result<CourierRequest> request = courier_->resume(kept->text, parcels);
  const bool part = request && is_part(*kept, items.size(), request.value());
  if (!request) {
    log_warn("delivery",
             "destination '" + name() + "': what was under way there cannot be asked for any more (" +
                 request.error().detail + "); its records are sent anew, or held where that is unsafe");
  }
  if (!request || part) {
    for (Item* item : items) {
      if (unsafe(*item)) {
        end(item, OutcomeKind::held, "cannot_go_on", "begun over there, and how it ended cannot be asked");
      } else {
        item->kept = nullptr;
        retracted_.push_back(item->effect.key);
        queue_.put_back(item);
      }
    }
    return batches_.pop_back(), true;
  }
  Planned planned{std::move(request).value(), 0, Planned::State::waiting};
  planned.not_before = options_.clock.monotonic_us() + planned.request.delay;
  planned.kept = kept;
  batch.items = std::move(items);
  batch.careful = static_cast<std::uint32_t>(std::count_if(
      batch.items.begin(), batch.items.end(), [this](const Item* item) { return unsafe(*item); }));
  batch.requests.clear();
  batch.requests.push_back(std::move(planned));
  batch.serial = false;
  batch.open = 1;
  return true;
}

}  // namespace sluice::deliver
