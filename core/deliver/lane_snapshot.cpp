// Full refreshes of audiences. While one is under way nothing else of its audience goes out: what happened
// before it is in it, what happens meanwhile comes after it.
#include <algorithm>
#include <utility>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "deliver/lane_parts.hpp"

namespace sluice::deliver {

namespace {

bool is_membership(const Effect& effect) {
  return effect.op == Operation::enter || effect.op == Operation::leave;
}

std::uint64_t line_of(const EffectKey& snapshot) {
  return std::max<std::uint64_t>(1, hash64_pair(hash64_pair(snapshot.seq, snapshot.ordinal), 0x5A5A5A5A));
}

}  // namespace

// A record has been read: which line it stands in.
Result<std::uint64_t> Lane::line_for(const Effect& effect) {
  const std::uint64_t line = line_of(effect.snapshot);
  const auto [at, created] = snapshots_.try_emplace(line);
  Snapshot& snapshot = at->second;
  ++snapshot.count;
  if (effect.op == Operation::snapshot_end && effect.payload != "{}") {
    snapshot.failed = true;
    snapshot.reason = "cancelled";
    snapshot.detail = "the route of the full refresh of '" + effect.name + "' was changed meanwhile";
  }
  if (!created) return line;
  snapshot.key = effect.snapshot;
  snapshot.name = effect.name;
  if (options_.database != nullptr) {
    const auto part = SLUICE_TRY(options_.database->snapshot_part(name(), key_of(effect.snapshot)));
    snapshot.number = part.number;
    snapshot.last = part.last;
  }
  return line;
}

Snapshot* Lane::snapshot_of(const Effect& effect) {
  if (effect.snapshot.seq == 0) return nullptr;
  const auto at = snapshots_.find(line_of(effect.snapshot));
  return at == snapshots_.end() ? nullptr : &at->second;
}

// True: a full refresh of its audience comes first, and the record waits for its end.
bool Lane::hold_for_snapshot(Item* item) {
  if (snapshots_.empty()) return false;
  const Effect& effect = item->effect;
  const bool part = effect.snapshot.seq != 0;
  if (!part && !is_membership(effect)) return false;
  for (auto& [line, snapshot] : snapshots_) {
    if (snapshot.name != effect.name || (part && !(snapshot.key < effect.snapshot))) continue;
    snapshot.held.push_back(item);
    return true;
  }
  return false;
}

// What went out before the snapshot began is awaited.
bool Lane::others_fly(const Item& item) const {
  return std::any_of(batches_.begin(), batches_.end(), [&](const Batch& batch) {
    return std::any_of(batch.items.begin(), batch.items.end(), [&](const Item* other) {
      return other != nullptr && other->effect.snapshot.seq == 0 && is_membership(other->effect) &&
             other->effect.name == item.effect.name;
    });
  });
}

// The part that begins with `items`' only record. Empty: it waits for more to come.
void Lane::fill_part(Batch& batch, std::vector<Item*>& items) {
  Snapshot& snapshot = *snapshot_of(items.front()->effect);
  const std::uint64_t line = items.front()->order;
  const std::uint32_t most =
      snapshot.most > 0 ? std::min(snapshot.most, limits_.records_max) : limits_.records_max;
  const bool again = !(snapshot.last < items.front()->effect.key);
  std::uint64_t bytes = items.front()->bytes;
  bool full = items.front()->effect.op == Operation::snapshot_end;
  while (!full) {
    Item* item = queue_.next(batch.id, false);
    if (item == nullptr) break;
    const bool end = item->effect.op == Operation::snapshot_end;
    const bool too_many = !end && (items.size() >= most || bytes + item->bytes > limits_.bytes_max);
    if (item->order != line || too_many || (again && snapshot.last < item->effect.key)) {
      full = item->order == line;
      queue_.put_back(item);
      break;
    }
    if (!filter(item)) continue;
    bytes += item->bytes;
    items.push_back(item);
    full = end;
  }
  // A part is as large as it may be, unless memory is too small for that.
  if (!full && !again && memory_ < options_.memory_bytes / 2) {
    for (Item* item : std::exchange(items, {})) queue_.put_back(item, false);
    return;
  }
  batch.part = {key_of(snapshot.key), again ? snapshot.number : snapshot.number + 1};
}

// Of the part that has been planned, perhaps after its audience was looked for: what the connector left out
// begins the next, and how it was cut is kept before it leaves.
Status Lane::cut_part(Batch& batch, const Answer& answer) {
  std::vector<bool> covered(batch.items.size(), false);
  for (const CourierRequest& request : answer.requests) {
    for (const std::uint32_t r : request.records) covered[r] = true;
  }
  for (const Judged& judged : answer.verdicts) covered[judged.record] = true;
  std::size_t end = covered.size();
  while (end > 1 && !covered[end - 1]) --end;
  const auto& items = batch.items;
  Snapshot& snapshot = *snapshot_of(items[end - 1]->effect);
  for (std::size_t i = end; i < covered.size(); ++i) {
    if (items[i] != nullptr) queue_.put_back(std::exchange(batch.items[i], nullptr));
  }
  snapshot.number = batch.part.number;
  snapshot.last = batch.items[end - 1]->effect.key;
  if (options_.database == nullptr) return Done{};
  return options_.database->keep_snapshot_part(name(), batch.part.snapshot, {snapshot.number, snapshot.last});
}

// Of a snapshot that has failed nothing more is sent. False: the record has its outcome.
bool Lane::still_wanted(Item* item) {
  const Snapshot* const snapshot = snapshot_of(item->effect);
  if (snapshot == nullptr || !snapshot->failed) return true;
  item->effect.op == Operation::snapshot_end
      ? end(item, OutcomeKind::rejected, snapshot->reason, snapshot->detail)
      : end(item, OutcomeKind::superseded, "snapshot_failed", "");
  return false;
}

// True: the refusal concerned the size of the part, and a smaller one is sent.
bool Lane::shrink_part(Item* item, Fate fate, std::size_t records) {
  Snapshot* const snapshot = snapshot_of(item->effect);
  if (snapshot == nullptr || fate != Fate::too_big || records <= 1) return false;
  snapshot->most = static_cast<std::uint32_t>(records / 2);
  queue_.put_back(item);
  return true;
}

// Before a record gets its outcome: one that is refused ends the whole, whose last mark is the dead letter.
void Lane::note_snapshot_failure(const Effect& effect, OutcomeKind& kind, std::string& reason,
                                 std::string& detail) {
  Snapshot* const snapshot = snapshot_of(effect);
  if (snapshot == nullptr || kind != OutcomeKind::rejected) return;
  if (!std::exchange(snapshot->failed, true)) {
    snapshot->reason = reason;
    snapshot->detail = "the full refresh of '" + effect.name + "' failed" +
                       (detail.empty() ? "" : ": " + detail) + "; `sluice resync " + effect.route +
                       "` begins another";
    log_warn("delivery", "destination '" + name() + "': " + snapshot->detail);
  }
  if (effect.op == Operation::snapshot_end) {
    detail = snapshot->detail;
    return;
  }
  kind = OutcomeKind::superseded;
  reason = "snapshot_failed";
  detail.clear();
}

// After a record got its outcome.
void Lane::leave_snapshot(const Effect& effect) {
  Snapshot* const snapshot = snapshot_of(effect);
  if (snapshot == nullptr) return;
  --snapshot->count;
  snapshot->ended = snapshot->ended || effect.op == Operation::snapshot_end;
  if (snapshot->count > 0 || !snapshot->ended) return;
  const std::vector<Item*> held = std::move(snapshot->held);
  snapshots_.erase(line_of(effect.snapshot));
  for (Item* item : held) queue_.put_back(item);
  if (options_.database == nullptr) return;
  const Status forgotten = options_.database->keep_snapshot_part(name(), key_of(effect.snapshot), {});
  if (!forgotten) fail(forgotten.error());
}

// How long ENTER and LEAVE wait yet for a later word on the same membership: destinations work an addition
// and a removal that come together off in any order.
DurationUs Lane::settles_in(const Effect& effect, TimeUs offered) const {
  if (settle_ == 0 || effect.snapshot.seq != 0 || !is_membership(effect)) return 0;
  return std::clamp<DurationUs>(offered + settle_ - steady_wall(), 0, settle_);
}

// Of what waits for one membership the latest says all: the others need not go out.
void Lane::prepare(Effect& effect) {
  if (effect.snapshot.seq == 0 && is_membership(effect)) effect.supersede = "audience\n" + effect.name;
}

bool Lane::too_many_gaps() const {
  // With a settling time whoever enters or leaves is a gap: the memory is the limit then.
  return settle_ == 0 && queue_.blocked_people() >= blocked_people_max;
}

}  // namespace sluice::deliver
