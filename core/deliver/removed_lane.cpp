#include "deliver/removed_lane.hpp"

#include <utility>

#include "deliver/history.hpp"

namespace sluice::deliver {

Result<std::unique_ptr<RemovedLane>> RemovedLane::open(Options options) {
  std::unique_ptr<RemovedLane> lane(new RemovedLane(std::move(options)));
  const Options& o = lane->options_;
  lane->log_ = SLUICE_TRY(LaneLog::open({o.files, o.directory, o.salt, o.segment_bytes}));
  lane->from_ = lane->log_->first_frame();
  const std::lock_guard lock(lane->mutex_);
  SLUICE_TRY(lane->count());
  return lane;
}

Status RemovedLane::count() {
  records_ = bytes_ = 0;
  oldest_ = 0;
  SLUICE_TRY(log_->read(from_, [this](const LaneLog::Stored& stored, const Effect& effect) {
    if (records_++ == 0) oldest_ = effect.time;
    bytes_ += stored.bytes;
    return true;
  }));
  return Done{};
}

Status RemovedLane::offer(std::uint64_t seq, std::vector<Effect> effects) {
  const std::lock_guard lock(mutex_);
  if (!log_) return Done{};
  log_->keep_new(seq, effects);
  const TimeUs now = options_.clock.wall_us();
  std::vector<LaneLog::Record> records;
  for (const Effect& effect : effects) records.push_back({&effect, now, LaneLog::encoded_bytes(effect)});
  log_->encode(seq, records);
  SLUICE_TRY(log_->append_encoded());
  if (records_ == 0 && !effects.empty()) oldest_ = effects.front().time;
  records_ += effects.size();
  for (const LaneLog::Record& record : records) bytes_ += record.bytes;
  return Done{};
}

Status RemovedLane::sync() {
  const std::lock_guard lock(mutex_);
  return log_ ? log_->sync() : Status(Done{});
}

Status RemovedLane::expire(TimeUs before) {
  const std::lock_guard lock(mutex_);
  if (!log_) return Done{};
  const TimeUs now = options_.clock.wall_us();
  std::vector<LaneLog::Ended> ended;
  EffectKey floor;
  // Frames stand in the order of their time: the first that is young enough ends it.
  std::uint64_t next = log_->next_frame();
  SLUICE_TRY(log_->read(from_, [&](const LaneLog::Stored& stored, const Effect& effect) {
    if (stored.offered >= before) {
      if (std::exchange(next, stored.frame) != stored.frame) floor = effect.key;
      return false;
    }
    const Outcome outcome{OutcomeKind::expired, "destination_removed", {}, 0, now, {}};
    if (options_.history != nullptr) options_.history->add(options_.name, effect, outcome);
    ended.push_back({effect.key, outcome});
    floor = {effect.key.seq, effect.key.ordinal + 1};
    return true;
  }));
  if (!ended.empty()) {
    SLUICE_TRY(log_->append_outcomes(ended));
    SLUICE_TRY(log_->sync_outcomes(floor, next));
    expired_ += ended.size();
    from_ = next;
    SLUICE_TRY(count());
  }
  return records_ == 0 ? remove_files() : Status(Done{});
}

Status RemovedLane::remove_files() {
  log_.reset();
  for (const char* part : {"/records", "/outcomes"}) {
    const std::string directory = options_.directory + part;
    for (const std::string& file : SLUICE_TRY(options_.files.list(directory)))
      SLUICE_TRY(options_.files.remove(directory + '/' + file));
    SLUICE_TRY(options_.files.sync_directory(directory));
  }
  return Done{};
}

LaneStatus RemovedLane::status() const {
  const std::lock_guard lock(mutex_);
  LaneStatus status;
  status.name = options_.name;
  status.state = LaneState::removed;
  status.backlog_records = records_;
  status.backlog_bytes = bytes_;
  status.oldest = oldest_;
  status.outcomes[static_cast<std::size_t>(OutcomeKind::expired)] = expired_;
  status.last_error = "not in the configuration: its records wait for it to come back";
  return status;
}

}  // namespace sluice::deliver
