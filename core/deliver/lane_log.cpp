#include "deliver/lane_log.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/bytes.hpp"
#include "base/check.hpp"

namespace sluice::deliver {

namespace {

constexpr std::uint8_t kind_records = 1;
constexpr std::uint8_t kind_outcomes = 1, kind_intents = 2, kind_floor = 3, kind_retractions = 4,
                       kind_kept = 5;
constexpr std::size_t frame_bytes_target = 256 * 1024, append_bytes_target = 4 * 1024 * 1024;
// Room for the next call.
constexpr std::size_t encoded_bytes_kept = 4 * frame_bytes_target, chunks_kept = 4'096;
constexpr std::size_t head_bytes_max = 20;  // two varints
constexpr std::size_t record_head_bytes =
    head_bytes_max + 2;  // about: a length, and a head where a chunk begins

void write_key(ByteWriter& w, const EffectKey& key) {
  w.varint(key.seq);
  w.varint(key.ordinal);
}

EffectKey read_key(ByteReader& r) {
  EffectKey key;
  key.seq = r.varint();
  key.ordinal = static_cast<std::uint32_t>(r.varint());
  return key;
}

std::size_t varint_bytes(std::uint64_t n) {
  std::size_t bytes = 1;
  for (; n >= 0x80; n >>= 7) ++bytes;
  return bytes;
}

Error not_ours(const std::string& directory, std::uint64_t frame) {
  return {Code::corrupt, directory + ": frame " + std::to_string(frame) +
                             " is not what this version of the lane writes; run the version that wrote it"};
}

}  // namespace

Result<std::unique_ptr<LaneLog>> LaneLog::open(const LaneLogOptions& options) {
  std::unique_ptr<LaneLog> lane(new LaneLog(options.directory));
  OpenReport report;
  lane->records_ = SLUICE_TRY(Log::open(options.files,
                                        {.directory = options.directory + "/records",
                                         .segment_bytes = options.segment_bytes,
                                         .first_seq = 1,
                                         .salt = options.salt},
                                        report));
  lane->outcomes_ = SLUICE_TRY(Log::open(options.files,
                                         {.directory = options.directory + "/outcomes",
                                          .segment_bytes = options.segment_bytes,
                                          .first_seq = 1,
                                          .salt = options.salt + 1},
                                         report));
  SLUICE_TRY(lane->load_outcomes());
  SLUICE_TRY(lane->load_applied());
  return lane;
}

Result<std::unique_ptr<LaneLog>> LaneLog::open_read_only(FileSystem& files, const std::string& directory) {
  std::unique_ptr<LaneLog> lane(new LaneLog(directory));
  lane->records_ = SLUICE_TRY(Log::open_read_only(files, directory + "/records"));
  lane->outcomes_ = SLUICE_TRY(Log::open_read_only(files, directory + "/outcomes"));
  SLUICE_TRY(lane->load_outcomes());
  SLUICE_TRY(lane->load_applied());
  return lane;
}

Status LaneLog::load_outcomes() {
  std::uint64_t bad = 0;
  SLUICE_TRY(outcomes_->read(outcomes_->first_seq(), [&](const Entry& entry) {
    if (!load_frame(entry)) bad = entry.seq;
    return bad == 0;
  }));
  if (bad != 0) return not_ours(directory_ + "/outcomes", bad);
  erase_if(done_, [this](const EffectKey& key) { return key < floor_; });
  erase_if(intents_, [this](const EffectKey& key) { return key < floor_ || done_.contains(key); });
  settle_kept();
  floor_at_open_ = floor_;
  return Done{};
}

// Each step with the records that are left of it, in its order.
void LaneLog::settle_kept() {
  std::erase_if(kept_, [this](const auto& one) { return one.first < floor_ || done_.contains(one.first); });
  std::unordered_map<const Kept*, std::shared_ptr<Kept>> left;
  for (const auto& entry : kept_) {
    const std::shared_ptr<const Kept>& kept = entry.second;
    std::shared_ptr<Kept>& own = left[kept.get()];
    if (own) continue;
    own = std::make_shared<Kept>(Kept{{}, kept->text, kept->of});
    std::copy_if(kept->keys.begin(), kept->keys.end(), std::back_inserter(own->keys),
                 [&](const EffectKey& k) {
                   const auto found = kept_.find(k);
                   return found != kept_.end() && found->second == kept;
                 });
  }
  for (auto& [key, kept] : kept_) kept = left[kept.get()];
}

bool LaneLog::load_kept(ByteReader& r) {
  auto kept = std::make_shared<Kept>();
  for (std::uint64_t count = r.varint(); count > 0 && r.ok(); --count) kept->keys.push_back(read_key(r));
  kept->text = r.text();
  kept->of = kept->keys.size();
  for (const EffectKey& key : kept->keys) {
    highest_ = std::max(highest_, key);
    intents_.erase(key);  // the request before it was answered
    kept_[key] = kept;
  }
  return r.ok() && r.at_end();
}

bool LaneLog::load_frame(const Entry& entry) {
  ByteReader r(entry.payload);
  if (entry.kind == kind_floor) {
    floor_ = read_key(r);
    first_frame_ = r.varint();
    floor_frame_ = entry.seq;
    return r.ok();
  }
  if (entry.kind == kind_kept && !load_kept(r)) return false;
  while (r.ok() && !r.at_end()) {
    if (entry.kind == kind_outcomes) {
      const std::size_t outcome = r.u8();
      if (outcome < outcome_counts_.size()) ++outcome_counts_.at(outcome);
    }
    const EffectKey key = read_key(r);
    highest_ = std::max(highest_, key);
    if (entry.kind == kind_retractions) {
      intents_.erase(key);
      kept_.erase(key);
    }
    if (entry.kind == kind_intents) intents_.insert(key);
    if (entry.kind != kind_outcomes) continue;
    done_.insert(key);
    r.varint();
    r.zigzag();
    r.text();
  }
  if (written_.empty() || written_.back().frame + frames_per_stretch <= entry.seq) {
    written_.push_back({entry.seq, highest_});
  }
  written_.back() = {written_.back().frame, std::max(written_.back().highest, highest_)};
  return r.ok();
}

Status LaneLog::load_applied() {
  if (floor_.seq > 0) applied_ = floor_.seq - 1;
  const std::uint64_t next = records_->next_seq();
  first_frame_ = std::clamp(first_frame_, records_->first_seq(), std::max(next, records_->first_seq()));
  if (next <= records_->first_seq()) return Done{};
  return records_->read(next - 1, [this](const Entry& entry) {
    ByteReader r(entry.payload);
    applied_ = std::max(applied_, r.varint());
    return true;
  });
}

void LaneLog::keep_new(std::uint64_t seq, std::vector<Effect>& effects) {
  std::erase_if(effects, [this](const Effect& e) { return e.key.seq <= applied_ || done(e.key); });
  if (!effects.empty()) applied_ = seq;
}

// That encode() adds: the length stands before the record.
std::uint32_t LaneLog::encoded_bytes(const Effect& e) {
  const std::uint64_t time =
      (static_cast<std::uint64_t>(e.time) << 1) ^ static_cast<std::uint64_t>(e.time >> 63);
  std::size_t bytes =
      varint_bytes(e.key.seq) + varint_bytes(e.key.ordinal) + 1 + sizeof e.person + varint_bytes(time);
  for (const std::string* text :
       {&e.purpose, &e.name, &e.route, &e.address, &e.identifiers, &e.payload, &e.supersede})
    bytes += varint_bytes(text->size()) + text->size();
  if (e.snapshot.seq != 0) bytes += varint_bytes(e.snapshot.seq) + varint_bytes(e.snapshot.ordinal);
  return static_cast<std::uint32_t>(bytes);
}

void LaneLog::encode(std::uint64_t seq, std::span<const Record> records) {
  chunks_.clear();
  encoded_.clear();
  std::size_t bytes = 0;
  for (const Record& record : records) bytes += record.bytes + record_head_bytes;
  encoded_.reserve(bytes);
  ByteWriter w(encoded_);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Effect& effect = *records[i].effect;
    const bool new_input = i == 0 || effect.key.seq != records[i - 1].effect->key.seq;
    const bool full = !chunks_.empty() && (encoded_.size() - chunks_.back().begin >= frame_bytes_target ||
                                           chunks_.back().offered != records[i].offered);
    if (chunks_.empty() || (new_input && full)) {
      chunks_.push_back({.offered = records[i].offered, .begin = encoded_.size()});
      encoded_.append(head_bytes_max, '\0');
    }
    Chunk& chunk = chunks_.back();
    w.varint(records[i].bytes);
    const std::size_t end = encoded_.size() + records[i].bytes;
    effect.encode(encoded_);
    SLUICE_CHECK(encoded_.size() == end);
    chunk.end = end;
    chunk.applied = effect.key.seq;
    ++chunk.count;
  }
  if (!chunks_.empty()) chunks_.back().applied = seq;
}

Status LaneLog::append_encoded() {
  if (chunks_.empty()) return Done{};
  const std::lock_guard lock(records_mutex_);
  std::vector<Entry> entries;
  std::size_t bytes = 0;
  for (const Chunk& chunk : chunks_) {
    head_.clear();
    ByteWriter w(head_);
    w.varint(chunk.applied);
    w.varint(chunk.count);
    const std::size_t begin = chunk.begin + head_bytes_max - head_.size();
    head_.copy(encoded_.data() + begin, head_.size());
    entries.push_back({.seq = records_->next_seq() + entries.size(),
                       .stamp = chunk.offered,
                       .kind = kind_records,
                       .flags = frame_commit_end,
                       .payload = std::string_view(encoded_).substr(begin, chunk.end - begin)});
    bytes += entries.back().payload.size();
    if (bytes < append_bytes_target && &chunk != &chunks_.back()) continue;
    SLUICE_TRY(records_->append(entries));  // each frame is a commit of its own
    entries.clear();
    bytes = 0;
  }
  chunks_.clear();
  if (encoded_.capacity() > encoded_bytes_kept) encoded_ = {};
  if (chunks_.capacity() > chunks_kept) chunks_ = {};
  return Done{};
}

Status LaneLog::sync() {
  {
    const std::lock_guard lock(records_mutex_);
    SLUICE_TRY(records_->sync());
  }
  const std::lock_guard lock(outcomes_mutex_);
  return outcomes_->sync();
}

Result<std::uint64_t> LaneLog::read(std::uint64_t from, const Each& each) {
  std::uint64_t next = from, bad = 0;
  if (from >= next_frame()) return next;
  SLUICE_TRY(records_->read(from, [&](const Entry& entry) {
    ByteReader r(entry.payload);
    r.varint();
    const std::uint64_t count = r.varint();
    bool more = true;
    for (std::uint64_t i = 0; i < count && r.ok(); ++i) {
      const std::string_view text = r.text();
      Effect effect;
      if (!Effect::decode(text, effect)) break;
      if (done(effect.key)) continue;
      const auto kept = kept_.find(effect.key);
      const Stored stored{entry.seq, entry.stamp, static_cast<std::uint32_t>(text.size()),
                          intents_.contains(effect.key), kept == kept_.end() ? nullptr : kept->second};
      more = each(stored, std::move(effect));
    }
    if (!r.ok() || !r.at_end()) bad = entry.seq;
    next = entry.seq + 1;
    return more && bad == 0;
  }));
  if (bad != 0) return not_ours(directory_ + "/records", bad);
  return next;
}

Status LaneLog::append_frame(std::uint8_t kind, std::string_view payload) {
  const std::lock_guard lock(outcomes_mutex_);
  const std::uint64_t frame = outcomes_->next_seq();
  const Entry entry{.seq = frame, .stamp = 0, .kind = kind, .flags = frame_commit_end, .payload = payload};
  SLUICE_TRY(outcomes_->append(std::span(&entry, 1)));
  if (kind == kind_floor) {
    floor_frame_ = frame;
  } else if (written_.empty() || written_.back().frame + frames_per_stretch <= frame) {
    written_.push_back({frame, highest_});
  } else {
    written_.back().highest = std::max(written_.back().highest, highest_);
  }
  return Done{};
}

Status LaneLog::append_outcomes(const std::vector<Ended>& ended) {
  out_.clear();
  ByteWriter w(out_);
  for (const Ended& end : ended) {
    w.u8(static_cast<std::uint8_t>(end.outcome.kind));
    write_key(w, end.key);
    w.varint(end.outcome.attempts);
    w.zigzag(end.outcome.at);
    w.text(end.outcome.reason);
    highest_ = std::max(highest_, end.key);
  }
  return append_frame(kind_outcomes, out_);
}

Status LaneLog::append_intents(const std::vector<EffectKey>& keys) {
  return append_keys(kind_intents, keys);
}

Status LaneLog::append_retractions(const std::vector<EffectKey>& keys) {
  return append_keys(kind_retractions, keys);
}

Status LaneLog::append_keys(std::uint8_t kind, const std::vector<EffectKey>& keys) {
  out_.clear();
  ByteWriter w(out_);
  for (const EffectKey& key : keys) {
    write_key(w, key);
    highest_ = std::max(highest_, key);
  }
  return append_frame(kind, out_);
}

Status LaneLog::append_kept(const Kept& kept) {
  out_.clear();
  ByteWriter w(out_);
  w.varint(kept.keys.size());
  for (const EffectKey& key : kept.keys) {
    write_key(w, key);
    highest_ = std::max(highest_, key);
  }
  w.text(kept.text);
  return append_frame(kind_kept, out_);
}

Status LaneLog::sync_intents() {
  const std::lock_guard lock(outcomes_mutex_);
  return outcomes_->sync();
}

Status LaneLog::sync_outcomes(EffectKey floor, std::uint64_t frame) {
  const bool moved = floor_ < floor;
  if (moved) {
    out_.clear();
    ByteWriter w(out_);
    write_key(w, floor);
    // Never above what a crash leaves: another record would have the number of a lost one, and count as done.
    w.varint(std::min(frame, records_->durable_seq() + 1));
    SLUICE_TRY(append_frame(kind_floor, out_));
    floor_ = floor;
  }
  SLUICE_TRY(sync_intents());
  if (!moved) return Done{};
  SLUICE_TRY(records_->drop_before(frame));
  // A stretch of outcomes may go when all its keys lie below the floor; the floor itself stays.
  std::uint64_t keep = floor_frame_;
  while (!written_.empty() && written_.front().highest < floor) written_.pop_front();
  if (!written_.empty()) keep = std::min(keep, written_.front().frame);
  return outcomes_->drop_before(keep);
}

}  // namespace sluice::deliver
