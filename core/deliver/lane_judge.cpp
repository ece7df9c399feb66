// What comes back: fates, retries, splitting, outcomes.
#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "deliver/history.hpp"
#include "deliver/lane_parts.hpp"

namespace sluice::deliver {

namespace {

// No answer, or one of a gateway that gave up on the server behind it: what the server did is not known.
bool no_answer(const CourierResponse& response) {
  return response.status == 0 || response.status == 502 || response.status == 504;
}

}  // namespace

void Lane::land(Landed landed) {
  --in_flight_;
  const auto batch =
      std::find_if(batches_.begin(), batches_.end(), [&](const Batch& b) { return b.id == landed.batch; });
  if (batch == batches_.end()) return;
  Planned& planned = batch->requests[landed.request];
  planned.state = Planned::State::done;
  --batch->open;
  Landing landing;
  landing.response = &landed.response;
  landing.records = planned.request.records.size();
  landing.retry_after = landed.response.retry_after;
  landing.sent = planned.sent;
  landing.error = landed.response.error;
  landing.follows = planned.follows;
  const CourierRequest request = std::move(planned.request);
  landing.request = &request;
  Result<Answer> answer = courier_->interpret(request, landed.response);
  if (answer) {
    if (batch->part.number > 0 && !answer.value().requests.empty()) {
      if (const Status cut = cut_part(*batch, answer.value()); !cut) return fail(cut.error());
    }
    for (CourierRequest& one : answer.value().requests) {
      batch->requests.push_back(further(*batch, std::move(one)));
      batch->requests.back().follows = landing.follows || (landed.response.sent && !request.harmless);
      ++batch->open;
    }
    judge_all(*batch, request.records, answer.value(), landing);
  } else {
    landing.error = "the connector could not read the answer: " + answer.error().detail;
    for (const std::uint32_t r : request.records) {
      judge(*batch, r, {Fate::unknown, -1, "connector_failed", landing.error, {}, {}, true}, landing);
    }
  }
  close_landing(*batch, landing);
  advance(*batch);
  if (batch->open == 0) batches_.erase(batch);
}

void Lane::judge_all(Batch& batch, const std::vector<std::uint32_t>& records, const Answer& answer,
                     Landing& landing) {
  std::vector<bool> covered(batch.items.size(), false);
  for (const CourierRequest& request : answer.requests) {
    for (const std::uint32_t r : request.records) covered[r] = true;
  }
  for (const Planned& planned : batch.requests) {
    if (planned.state != Planned::State::waiting) continue;
    for (const std::uint32_t r : planned.request.records) covered[r] = true;
  }
  for (const Judged& judged : answer.verdicts) {
    if (judged.record >= covered.size() || covered[judged.record]) continue;
    covered[judged.record] = true;
    if (batch.items[judged.record] != nullptr) judge(batch, judged.record, judged.verdict, landing);
  }
  for (const std::uint32_t r : records) {
    if (covered[r] || batch.items[r] == nullptr) continue;
    judge(batch, r,
          {Fate::retry, -1, "connector_left_out", "the connector said nothing about this record", {}},
          landing);
  }
  const DurationUs now = options_.clock.monotonic_us();
  if (answer.pause > 0) governor_.pause(now + answer.pause, now);
  for (const Answer::BucketPause& one : answer.bucket_pauses)
    governor_.pause_bucket(one.bucket, one.pause, now);
}

// What only asks has done nothing, and is asked again; but what is asked after a request that may have done
// something is no safer than that one, unless it is a step that is kept: that one is taken again as it is.
Fate Lane::doubted(const Item& item, Fate fate, const Landing& landing) {
  if (landing.response == nullptr) return fate;
  const CourierResponse& response = *landing.response;
  const bool asks = landing.request != nullptr && landing.request->harmless;
  const bool begun = landing.follows && !item.kept;
  const bool in_doubt = no_answer(response) && (begun || (response.sent && !asks));
  if (fate == Fate::retry && in_doubt) return Fate::unknown;
  const bool may_be_done = begun || (response.sent && (!asks || item.kept));
  return fate == Fate::unknown && !may_be_done ? Fate::retry : fate;
}

void Lane::judge(Batch& batch, std::uint32_t record, const Verdict& verdict, Landing& landing) {
  Item* item = std::exchange(batch.items[record], nullptr);
  const Fate fate = doubted(*item, verdict.fate, landing);
  // Known not to be done: a crash before the next try must not leave it in doubt.
  const bool ends = fate == Fate::delivered || fate == Fate::skipped || fate == Fate::rejected;
  if (repeats_step(*item, fate, landing)) {
    landing.repeats.push_back(item);
    landing.intents_repeated |= std::exchange(item->intent, false);
  } else if (!ends && (fate != Fate::unknown || !unsafe(*item))) {
    const bool kept = std::exchange(item->kept, nullptr) != nullptr;
    if (std::exchange(item->intent, false) || kept) retracted_.push_back(item->effect.key);
  }
  if (landing.broke && landing.records > 1 && item->effect.snapshot.seq == 0 &&
      (fate == Fate::retry || (fate == Fate::unknown && !unsafe(*item)))) {
    if (landing.error.empty()) landing.error = verdict.detail;
    note_first_failure(item);
    return landing.split.push_back(item);
  }
  const OutcomeKind refused =
      verdict.receiver == Receiver::opted_out ? OutcomeKind::suppressed : OutcomeKind::rejected;
  switch (fate) {
    case Fate::delivered:
      landing.success = landing.delivered = true;
      return end(item, OutcomeKind::delivered, verdict.reason, verdict.detail, &landing, &verdict);
    case Fate::skipped:
      landing.success = true;
      return end(item, OutcomeKind::no_address, verdict.reason, verdict.detail);
    case Fate::rejected:
      landing.success = true;  // of the destination: it works, and does not want this one
      return end(item, refused, verdict.reason, verdict.detail, &landing, &verdict);
    case Fate::unknown:
      return judge_unknown(item, verdict, landing);
    case Fate::retry:
      return judge_retry(item, verdict, landing);
    case Fate::throttle:
    case Fate::auth:
      (fate == Fate::auth ? landing.refused : landing.throttled) = true;
      landing.retry_after = std::max(landing.retry_after, verdict.retry_after);
      if (landing.error.empty())
        landing.error = verdict.reason + (verdict.detail.empty() ? "" : ": " + verdict.detail);
      ++retries_;
      landing.again = true;
      return queue_.put_back(item);
    case Fate::too_big:
    case Fate::unclear:
      if (landing.error.empty()) landing.error = verdict.reason;
      if (shrink_part(item, fate, landing.records)) return void(landing.success = true);
      if (landing.records > 1 && item->effect.snapshot.seq == 0) return landing.split.push_back(item);
      landing.success = true;
      return end(item, refused, verdict.reason, verdict.detail, &landing, &verdict);
  }
}

void Lane::note_first_failure(Item* item) const {
  if (item->failed_after == 0) item->failed_after = governor_.successes() + 1;
}

// The destination has taken others since this one first failed: it may be the record's own fault.
bool Lane::suspected(const Item& item) const {
  return item.failed_after > 0 && governor_.successes() >= item.failed_after;
}

void Lane::judge_unknown(Item* item, const Verdict& verdict, Landing& landing) {
  if (!unsafe(*item)) return judge_retry(item, verdict, landing);
  landing.failure = true;
  if (landing.error.empty()) landing.error = verdict.detail;
  end(item, OutcomeKind::held, verdict.reason.empty() ? "no_answer" : verdict.reason,
      "sent, and whether it arrived is not known", &landing);
}

void Lane::judge_retry(Item* item, const Verdict& verdict, Landing& landing) {
  landing.failure = true;
  if (landing.error.empty())
    landing.error = verdict.reason + (verdict.detail.empty() ? "" : ": " + verdict.detail);
  const DurationUs now = options_.clock.monotonic_us();
  if (item->kept) ++item->attempts;  // steps that get through are none
  note_first_failure(item);
  const bool others_are_taken = suspected(*item);
  // An outage is nobody's fault: a try counts where others were taken since the last one.
  const bool only_this = item->failed_again_after > 0 && governor_.successes() >= item->failed_again_after;
  item->failed_again_after = governor_.successes() + 1;
  if (only_this) ++item->tries;
  landing.suspect |= landing.records == 1 && (only_this || (verdict.bug && others_are_taken));
  // By then it has stood alone. Of what was sent the answer may be to blame, while nothing is taken.
  const bool own_fault = others_are_taken || (landing.response == nullptr && !limits_.blocking);
  if (verdict.bug && item->attempts >= connector_failures_max && own_fault) {
    return end(item, OutcomeKind::rejected, verdict.reason, verdict.detail, &landing);
  }
  if (item->tries >= attempts_max) {
    return end(item, OutcomeKind::rejected, "retries_exhausted",
               "failed " + std::to_string(item->tries) +
                   " times while other records were taken; last: " + landing.error,
               &landing);
  }
  DurationUs due = landing.due;
  if (verdict.retry_after >= 0) {
    due = now + std::min(verdict.retry_after, pause_max);
  } else if (due < 0) {
    due = landing.due = now + governor_.draw(std::max<std::uint32_t>(1, item->attempts));
  }
  ++retries_;
  landing.again = true;
  queue_.retry(item, due);
}

// What a response says about the destination, after what it said about each record.
void Lane::close_landing(Batch& batch, Landing& landing) {
  const DurationUs now = options_.clock.monotonic_us();
  keep_repeats(landing);
  if (!landing.split.empty()) {
    landing.success = !landing.broke;
    const auto middle = landing.split.begin() + static_cast<std::ptrdiff_t>((landing.split.size() + 1) / 2);
    if (middle != landing.split.end()) batch.rest.emplace_front(middle, landing.split.end());
    batch.rest.emplace_front(landing.split.begin(), middle);
    // The halves go out when the batch has come back: what is behind them must not be sent before.
    if (batch.serial) withdraw_waiting(batch);
  }
  if (landing.delivered && landing.again && !std::exchange(one_per_person_, true)) {
    log_warn("delivery",
             "destination '" + name() +
                 "': the connector accepted some records of a request and asked to repeat others, "
                 "though its manifest says all_or_nothing; from now on a request takes one record "
                 "of a person. Mend the manifest");
  }
  if (landing.refused) {
    governor_.refused(now);
  } else if (landing.throttled) {
    governor_.throttled(landing.sent, landing.retry_after, now);
  } else if (landing.success) {
    governor_.succeeded(landing.sent, now);
    unready_.clear();
  } else if (landing.suspect) {
    if (landing.retry_after >= 0) governor_.pause(now + landing.retry_after, now);
  } else if (landing.failure) {
    governor_.failed(landing.sent, landing.retry_after, now);
  } else {
    return;  // nothing was decided yet
  }
  last_error_ = landing.success && !landing.refused && !landing.throttled ? "" : landing.error;
}

void Lane::end(Item* item, OutcomeKind kind, std::string reason, std::string detail, const Landing* landing,
               const Verdict* said) {
  const TimeUs at = options_.clock.wall_us();
  const EffectKey key = item->effect.key;
  note_snapshot_failure(item->effect, kind, reason, detail);
  decided_ |= landing == nullptr && (kind == OutcomeKind::suppressed || kind == OutcomeKind::expired ||
                                     kind == OutcomeKind::superseded);
  Outcome outcome{kind, std::move(reason), std::move(detail), item->attempts, at, {}};
  if (said != nullptr) {
    outcome.remote_id = said->remote_id;
    outcome.receiver = said->receiver;
  }
  std::unique_ptr<Item> owned = queue_.finish(item);
  leave_snapshot(owned->effect);
  if ((kind == OutcomeKind::rejected || kind == OutcomeKind::held) && options_.database != nullptr) {
    store::DeadLetter letter;
    letter.effect = owned->effect;
    letter.effect.destination = name();
    letter.idempotency_key = key_of(key);
    letter.kind = name_of(kind);
    letter.reason = outcome.reason;
    letter.detail = outcome.detail;
    if (landing != nullptr && landing->request != nullptr) {
      Courier::Exchange exchange = courier_->describe(*landing->request, *landing->response);
      letter.request = std::move(exchange.request);
      letter.response = std::move(exchange.response);
    }
    letter.attempts = outcome.attempts;
    letter.at = at;
    letters_.push_back(std::move(letter));
  }
  if (options_.database != nullptr) remember(owned->effect, outcome);
  ended_.push_back({key, std::move(outcome)});
  ended_items_.push_back(std::move(owned));
}

// What the destination calls the person, or which message was whose. A receipt of an erasure, and what comes
// back after one, is nobody's.
void Lane::remember(const Effect& effect, const Outcome& outcome) {
  const ProfileId person = effect.person;
  const bool said = !outcome.remote_id.empty() || outcome.receiver != Receiver::unsaid;
  if (effect.op != Operation::message && !said) return;
  if (person == nobody || effect.op == Operation::erase || effect.op == Operation::remove ||
      !options_.gate.allows(person, effect.purpose))
    return;
  if (outcome.receiver == Receiver::unreachable && !effect.address.empty())
    unreachable_.push_back(unreachable_key(effect.address));
  if (effect.op == Operation::message) {
    const bool out = outcome.kind == OutcomeKind::delivered || outcome.kind == OutcomeKind::held;
    if (!limits_.called_back || !out) return;
    messages_.push_back({.remote_id = outcome.remote_id,
                         .key = key_of(effect.key),
                         .profile = options_.gate.winner_of(person),
                         .name = effect.name,
                         .route = effect.route,
                         .at = outcome.at});
  } else if (outcome.kind == OutcomeKind::delivered && !outcome.remote_id.empty()) {
    remote_ids_.push_back({person, outcome.remote_id});
    has_remote_ids_ = true;
    // Whom the person has become while this was under way had no name to inherit yet.
    const ProfileId winner = options_.gate.winner_of(person);
    const bool named = std::any_of(remote_ids_.begin(), remote_ids_.end(),
                                   [&](const auto& one) { return one.profile == winner; });
    if (!named && remote_id_at(winner).empty()) remote_ids_.push_back({winner, outcome.remote_id});
  }
}

// Dead letters first, durably: once the log says that a record has ended, nothing else remembers it.
Status Lane::write_outcomes() {
  if (!retracted_.empty()) {
    SLUICE_TRY(log_->append_retractions(retracted_));
    retracted_.clear();
    if (!std::exchange(unsynced_, true)) unsynced_since_ = options_.clock.monotonic_us();
  }
  SLUICE_TRY(write_kept());
  if (ended_.empty()) return Done{};
  if (!letters_.empty()) {
    SLUICE_TRY(options_.database->add_dead_letters(letters_));
    letters_.clear();
  }
  SLUICE_TRY(write_unreachable());
  if (!remote_ids_.empty()) {
    SLUICE_TRY(options_.database->keep_remote_ids(name(), remote_ids_));
    remote_ids_.clear();
  }
  if (!messages_.empty()) {
    SLUICE_TRY(options_.database->keep_messages(name(), messages_));
    messages_.clear();
  }
  SLUICE_TRY(log_->append_outcomes(ended_));
  unwritten_.forget(ended_items_);
  if (!std::exchange(unsynced_, true)) unsynced_since_ = options_.clock.monotonic_us();
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < ended_.size(); ++i) {
    const Item& item = *ended_items_[i];
    const Outcome& outcome = ended_[i].outcome;
    ++counts_[static_cast<std::size_t>(outcome.kind)];
    bytes += item.bytes;
    if (options_.history != nullptr) options_.history->add(name(), item.effect, outcome);
    if (options_.on_outcome) options_.on_outcome(item.effect, outcome);
  }
  memory_ -= bytes;
  unfinished_bytes_ -= bytes;
  std::uint64_t before = 0;
  {  // whoever reads that nothing waits reads what became of it, too
    const std::lock_guard lock(status_mutex_);
    status_.outcomes = counts_;
    before = unfinished_.fetch_sub(ended_.size(), std::memory_order_acq_rel);
  }
  if (before == ended_.size() && options_.on_idle) options_.on_idle();
  ended_.clear();
  ended_items_.clear();
  return Done{};
}

// Returns when it has to be called again, or `never`.
DurationUs Lane::sync_when_due() {
  if (!unsynced_) return never;
  const DurationUs due = unsynced_since_ + outcome_sync_every;
  if (options_.clock.monotonic_us() < due) return due;
  EffectKey floor = floor_;
  std::uint64_t frame = loaded_frame_ + 1;
  queue_.lowest(frame, floor);
  if (const Status synced = log_->sync_outcomes(floor, frame); !synced) {
    fail(synced.error());
    return never;
  }
  unsynced_ = false;
  return never;
}

}  // namespace sluice::deliver
