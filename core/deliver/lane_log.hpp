// What a lane keeps on disk: what became of each record that it was given, and those that had no outcome when
// a checkpoint was committed or memory was full (see unwritten.hpp).
//
// DIRECTORY/records   one frame (kind 1) holds whole inputs: varint seq of the last of them | varint count |
// count texts, each an
//                     encoded Effect. Its stamp is the wall clock of the offer.
// DIRECTORY/outcomes  kind 1, outcomes: (u8 OutcomeKind | varint seq | varint ordinal | varint attempts |
// zigzag at | text reason)*
//                     kind 2, intents: (varint seq | varint ordinal)*: about to be sent, and a repeat would
//                     act twice
//                     kind 4, retractions: as intents: they were not accepted, and are to be sent again
//                     kind 5, steps: varint count | (varint seq | varint ordinal)* | text: what the
//                     destination works at for these records, and the courier's request that comes next
//                     (Kept). A retraction ends it: planned anew kind 3, floor: varint seq | varint ordinal |
//                     varint frame: every record with a lower key has its outcome, and so has every record in
//                     a lower frame of `records`
//
// An outcome says which record is done by its key, not by its place: so outcomes that reached the disk before
// the record's own frame still count when a replay offers the record again. Segments of both logs go once a
// durable floor lies above them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

#include "sluice/result.hpp"

#include "base/file.hpp"
#include "deliver/outcome.hpp"
#include "journal/log.hpp"
#include "model/effect.hpp"

namespace sluice {
class ByteReader;
}

namespace sluice::deliver {

struct KeyHash {
  std::size_t operator()(const EffectKey& key) const {
    return static_cast<std::size_t>((key.seq * 0x9E3779B97F4A7C15ULL) ^
                                    (key.ordinal * 0xC2B2AE3D27D4EB4FULL));
  }
};
using KeySet = boost::unordered_flat_set<EffectKey, KeyHash>;

struct Kept {                   // a further request about something that is under way over there
  std::vector<EffectKey> keys;  // the records whose fate it decides, in its order
  std::string text;             // Courier::keep()
  std::size_t of = 0;           // records that the request names: more than `keys` where some have ended
};
using KeptStep = std::shared_ptr<const Kept>;

struct LaneLogOptions {
  FileSystem& files;
  std::string directory;
  std::uint64_t salt = 0;
  std::uint64_t segment_bytes = 32ULL << 20;
};

class LaneLog {
 public:
  static Result<std::unique_ptr<LaneLog>> open(const LaneLogOptions& options);
  // For commands without a hub: read() and outcomes() alone, and nothing is changed. misconfigured: no such
  // log.
  static Result<std::unique_ptr<LaneLog>> open_read_only(FileSystem& files, const std::string& directory);

  // [step] Of the effects of whole inputs up to `seq` those that are new: none at or below applied(), which
  // is `seq` then, and none that has its outcome already.
  void keep_new(std::uint64_t seq, std::vector<Effect>& effects);
  std::uint64_t applied() const { return applied_; }  // [step] of all that was offered
  // [step] What was under way when the log was opened: only read() knows how it goes on.
  bool under_way(const EffectKey& key) const { return intents_.contains(key) || kept_.contains(key); }
  // [any, one at a time] Records of whole inputs, in the order of their keys: made ready, then appended with
  // one write. All that was offered up to `seq` must be in the log then, or have an outcome that is durable:
  // after a crash what is offered again at or below `seq` is taken for known.
  struct Record {
    const Effect* effect;
    TimeUs offered;
    std::uint32_t bytes;  // encoded_bytes()
  };
  void encode(std::uint64_t seq, std::span<const Record> records);
  Status append_encoded();
  static std::uint32_t encoded_bytes(const Effect& effect);
  Status sync();  // [any] both logs

  // [lane] Records without an outcome from frame `from` on, in order, until `each` returns false after a
  // frame's last one. Returns the next frame to read.
  struct Stored {
    std::uint64_t frame;
    TimeUs offered;
    std::uint32_t bytes;
    bool unknown;             // an intent stands without an outcome
    KeptStep kept = nullptr;  // what goes on
  };
  using Each = std::function<bool(const Stored&, Effect)>;
  Result<std::uint64_t> read(std::uint64_t from, const Each& each);
  const OutcomeCounts& outcomes() const { return outcome_counts_; }  // that the log still had at open()
  std::uint64_t first_frame() const {
    return first_frame_;
  }  // [lane] the first that may hold unfinished records
  std::uint64_t next_frame() const { return records_->next_seq(); }  // [any]

  // [lane] Nothing of this is durable before sync_outcomes().
  struct Ended {
    EffectKey key;
    Outcome outcome;
  };
  Status append_outcomes(const std::vector<Ended>& ended);
  Status append_intents(const std::vector<EffectKey>& keys);
  Status append_retractions(const std::vector<EffectKey>& keys);
  Status append_kept(const Kept& kept);
  Status sync_intents();  // and what was kept
  // [lane] Makes outcomes durable and with them the floor: the lowest key without an outcome and the lowest
  // frame that holds one. Then drops the segments that only hold what is done.
  Status sync_outcomes(EffectKey floor, std::uint64_t frame);

 private:
  explicit LaneLog(std::string directory) : directory_(std::move(directory)) {}
  Status load_outcomes();
  Status load_applied();
  bool load_frame(const Entry& entry);
  bool load_kept(ByteReader& r);
  void settle_kept();
  Status append_keys(std::uint8_t kind, const std::vector<EffectKey>& keys);
  Status append_frame(std::uint8_t kind, std::string_view payload);
  bool done(const EffectKey& key) const { return key < floor_at_open_ || done_.contains(key); }

  struct Written {  // a stretch of outcomes: it begins at `frame`, and its keys go up to `highest`
    std::uint64_t frame;
    EffectKey highest;
  };
  // A stretch is as long as this at most: the grain in which segments of outcomes are given up.
  static constexpr std::uint64_t frames_per_stretch = 256;

  std::string directory_;
  std::mutex records_mutex_;   // guards changes of records_
  std::mutex outcomes_mutex_;  // guards changes of outcomes_
  std::unique_ptr<Log> records_, outcomes_;
  std::uint64_t applied_ = 0;
  EffectKey floor_at_open_;  // exclusive; not changed afterwards: the step reads it
  EffectKey floor_;          // the lane's
  std::uint64_t first_frame_ = 1;
  std::uint64_t floor_frame_ = 0;  // of outcomes_: where the latest floor stands
  // Outcomes above the floor that were read back, for records that have not been offered or read back yet.
  // Written by open() alone, then shared by the step (append) and the lane (read).
  KeySet done_, intents_;
  std::unordered_map<EffectKey, KeptStep, KeyHash> kept_;  // likewise
  std::deque<Written> written_;
  OutcomeCounts outcome_counts_{};  // as open() found them
  EffectKey highest_;               // of all outcomes and intents so far
  struct Chunk {                    // what becomes a frame
    std::uint64_t applied = 0, count = 0;
    TimeUs offered = 0;
    std::size_t begin = 0, end = 0;  // in encoded_: room for the head, which is known last, and the records
  };
  std::vector<Chunk> chunks_;   // of encode()
  std::string encoded_, head_;  // likewise; their room is used again
  std::string out_;             // the lane's
};

}  // namespace sluice::deliver
