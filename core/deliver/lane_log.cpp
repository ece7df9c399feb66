#include "deliver/lane_log.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/bytes.hpp"

namespace sluice::deliver {

namespace {

constexpr std::uint8_t kind_records = 1;
constexpr std::uint8_t kind_outcomes = 1, kind_intents = 2, kind_floor = 3;
constexpr std::size_t frame_bytes_target = 256 * 1024;
constexpr std::size_t head_bytes_max = 20;  // two varints

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

Error not_ours(const std::string& directory, std::uint64_t frame) {
  return {Code::corrupt, directory + ": frame " + std::to_string(frame) +
                             " is not what this version of the lane writes; run the version that wrote it"};
}

}  // namespace

Result<std::unique_ptr<LaneLog>> LaneLog::open(const LaneLogOptions& options) {
  std::unique_ptr<LaneLog> lane(new LaneLog(options.directory));
  OpenReport report;
  lane->x_records = SLUICE_TRY(Log::open(options.files,
                                         {.directory = options.directory + "/records",
                                          .segment_bytes = options.segment_bytes,
                                          .first_seq = 1,
                                          .salt = options.salt},
                                         report));
  lane->x_outcomes = SLUICE_TRY(Log::open(options.files,
                                          {.directory = options.directory + "/outcomes",
                                           .segment_bytes = options.segment_bytes,
                                           .first_seq = 1,
                                           .salt = options.salt + 1},
                                          report));
  SLUICE_TRY(lane->load_outcomes());
  SLUICE_TRY(lane->load_applied());
  return lane;
}

Status LaneLog::load_outcomes() {
  std::uint64_t bad = 0;
  SLUICE_TRY(x_outcomes->read(x_outcomes->first_seq(), [&](const Entry& entry) {
    if (!load_frame(entry)) bad = entry.seq;
    return bad == 0;
  }));
  if (bad != 0) return not_ours(x_directory + "/outcomes", bad);
  std::erase_if(x_done, [this](const EffectKey& key) { return key < x_floor; });
  std::erase_if(x_intents, [this](const EffectKey& key) { return key < x_floor || x_done.contains(key); });
  x_floor_at_open = x_floor;
  return Done{};
}

bool LaneLog::load_frame(const Entry& entry) {
  ByteReader r(entry.payload);
  if (entry.kind == kind_floor) {
    x_floor = read_key(r);
    x_first_frame = r.varint();
    x_floor_frame = entry.seq;
    return r.ok();
  }
  while (r.ok() && !r.at_end()) {
    if (entry.kind == kind_outcomes) r.u8();
    const EffectKey key = read_key(r);
    x_highest = std::max(x_highest, key);
    (entry.kind == kind_outcomes ? x_done : x_intents).insert(key);
    if (entry.kind != kind_outcomes) continue;
    r.varint();
    r.zigzag();
    r.text();
  }
  if (x_written.empty() || x_written.back().frame + frames_per_stretch <= entry.seq) {
    x_written.push_back({entry.seq, x_highest});
  }
  x_written.back() = {x_written.back().frame, std::max(x_written.back().highest, x_highest)};
  return r.ok();
}

Status LaneLog::load_applied() {
  if (x_floor.seq > 0) x_applied = x_floor.seq - 1;
  const std::uint64_t next = x_records->next_seq();
  x_first_frame = std::clamp(x_first_frame, x_records->first_seq(), std::max(next, x_records->first_seq()));
  if (next <= x_records->first_seq()) return Done{};
  return x_records->read(next - 1, [this](const Entry& entry) {
    ByteReader r(entry.payload);
    x_applied = std::max(x_applied, r.varint());
    return true;
  });
}

Status LaneLog::append(std::uint64_t seq, TimeUs now, std::vector<Effect>& effects,
                       std::vector<std::uint64_t>& frames, std::vector<std::uint32_t>& bytes) {
  std::erase_if(effects, [this](const Effect& e) { return e.key.seq <= x_applied || done(e.key); });
  frames.clear();
  bytes.clear();
  if (effects.empty()) return Done{};
  struct Chunk {
    std::uint64_t applied = 0, count = 0;
    std::string payload;  // room for the head, which is known last, and the records
  };
  std::vector<Chunk> chunks;
  std::uint64_t frame = x_records->next_seq();
  for (std::size_t i = 0; i < effects.size(); ++i) {
    const bool new_input = i == 0 || effects[i].key.seq != effects[i - 1].key.seq;
    if (chunks.empty() || (new_input && chunks.back().payload.size() >= frame_bytes_target)) {
      chunks.emplace_back().payload.reserve(frame_bytes_target / 4);
      chunks.back().payload.resize(head_bytes_max);
    }
    Chunk& chunk = chunks.back();
    x_buffer.clear();
    effects[i].encode(x_buffer);
    ByteWriter(chunk.payload).text(x_buffer);
    chunk.applied = effects[i].key.seq;
    ++chunk.count;
    frames.push_back(frame + chunks.size() - 1);
    bytes.push_back(static_cast<std::uint32_t>(x_buffer.size()));
  }
  chunks.back().applied = seq;
  std::vector<Entry> entries(chunks.size());
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    x_buffer.clear();
    ByteWriter w(x_buffer);
    w.varint(chunks[i].applied);
    w.varint(chunks[i].count);
    const std::size_t unused = head_bytes_max - x_buffer.size();
    x_buffer.copy(chunks[i].payload.data() + unused, x_buffer.size());
    entries[i] = {.seq = frame + i,
                  .stamp = now,
                  .kind = kind_records,
                  .flags = frame_commit_end,
                  .payload = std::string_view(chunks[i].payload).substr(unused)};
  }
  const std::lock_guard lock(x_records_mutex);
  SLUICE_TRY(x_records->append(entries));
  x_applied = seq;
  return Done{};
}

Status LaneLog::sync() {
  {
    const std::lock_guard lock(x_records_mutex);
    SLUICE_TRY(x_records->sync());
  }
  const std::lock_guard lock(x_outcomes_mutex);
  return x_outcomes->sync();
}

Result<std::uint64_t> LaneLog::read(std::uint64_t from, const Each& each) {
  std::uint64_t next = from, bad = 0;
  if (from >= next_frame()) return next;
  SLUICE_TRY(x_records->read(from, [&](const Entry& entry) {
    ByteReader r(entry.payload);
    r.varint();
    const std::uint64_t count = r.varint();
    bool more = true;
    for (std::uint64_t i = 0; i < count && r.ok(); ++i) {
      const std::string_view text = r.text();
      Effect effect;
      if (!Effect::decode(text, effect)) break;
      if (done(effect.key)) continue;
      const Stored stored{entry.seq, entry.stamp, static_cast<std::uint32_t>(text.size()),
                          x_intents.contains(effect.key)};
      more = each(stored, std::move(effect));
    }
    if (!r.ok() || !r.at_end()) bad = entry.seq;
    next = entry.seq + 1;
    return more && bad == 0;
  }));
  if (bad != 0) return not_ours(x_directory + "/records", bad);
  return next;
}

Status LaneLog::append_frame(std::uint8_t kind, std::string_view payload) {
  const std::lock_guard lock(x_outcomes_mutex);
  const std::uint64_t frame = x_outcomes->next_seq();
  const Entry entry{.seq = frame, .stamp = 0, .kind = kind, .flags = frame_commit_end, .payload = payload};
  SLUICE_TRY(x_outcomes->append(std::span(&entry, 1)));
  if (kind == kind_floor) {
    x_floor_frame = frame;
  } else if (x_written.empty() || x_written.back().frame + frames_per_stretch <= frame) {
    x_written.push_back({frame, x_highest});
  } else {
    x_written.back().highest = std::max(x_written.back().highest, x_highest);
  }
  return Done{};
}

Status LaneLog::append_outcomes(const std::vector<Ended>& ended) {
  x_out.clear();
  ByteWriter w(x_out);
  for (const Ended& end : ended) {
    w.u8(static_cast<std::uint8_t>(end.outcome.kind));
    write_key(w, end.key);
    w.varint(end.outcome.attempts);
    w.zigzag(end.outcome.at);
    w.text(end.outcome.reason);
    x_highest = std::max(x_highest, end.key);
  }
  return append_frame(kind_outcomes, x_out);
}

Status LaneLog::append_intents(const std::vector<EffectKey>& keys) {
  x_out.clear();
  ByteWriter w(x_out);
  for (const EffectKey& key : keys) {
    write_key(w, key);
    x_highest = std::max(x_highest, key);
  }
  return append_frame(kind_intents, x_out);
}

Status LaneLog::sync_intents() {
  const std::lock_guard lock(x_outcomes_mutex);
  return x_outcomes->sync();
}

Status LaneLog::sync_outcomes(EffectKey floor, std::uint64_t frame) {
  const bool moved = x_floor < floor;
  if (moved) {
    x_out.clear();
    ByteWriter w(x_out);
    write_key(w, floor);
    w.varint(frame);
    SLUICE_TRY(append_frame(kind_floor, x_out));
    x_floor = floor;
  }
  SLUICE_TRY(sync_intents());
  if (!moved) return Done{};
  SLUICE_TRY(x_records->drop_before(frame));
  // A stretch of outcomes may go when all its keys lie below the floor; the floor itself stays.
  std::uint64_t keep = x_floor_frame;
  while (!x_written.empty() && x_written.front().highest < floor) x_written.pop_front();
  if (!x_written.empty()) keep = std::min(keep, x_written.front().frame);
  return x_outcomes->drop_before(keep);
}

}  // namespace sluice::deliver
