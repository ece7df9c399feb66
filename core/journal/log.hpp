// A durable log of entries, numbered without gaps, in segment files: the journal is one, and so is each lane
// of delivery.
//
// Files: DIRECTORY/00000001.log and on, preallocated with zeros. Each begins with 64 bytes:
//   0 magic "SLUICELG" | 8 u32 version = 1 | 12 u32 id of the encryption key = 0 (none) | 16 u64 segment id |
//   24 u64 first seq 32 u64 salt | 40 i64 stamp of the entry before the first | 48 u64 0 | 56 u64 XXH3-64 of
//   the bytes before
// Frames (frame.hpp) follow, with the seed hash64_pair(salt, segment id). An append never spans segments. A
// segment is synced before the next one is made, so that only the last one can have a torn tail.
//
// Recovery: in the last segment, reading ends at the first bytes that are no frame with the next seq. When a
// valid frame behind them says, by its durable_seq, that they had been synced, the disk has damaged what was
// promised: open() fails with Code::corrupt, and the operator decides (`sluice journal repair`). Otherwise
// the rest, and an unfinished commit before it, was never synced: it is cut, zeroed and the zeros are synced
// before anything else happens.
//
// After a failed append() or sync() nothing is known about the file's end: the Log is poisoned, and every
// later change fails.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/result.hpp"

#include "base/file.hpp"
#include "journal/appender.hpp"
#include "journal/frame.hpp"

namespace sluice {

struct LogOptions {
  std::string directory;  // made if it is not there
  std::uint64_t segment_bytes = 64ULL * 1024 * 1024;
  std::uint64_t first_seq = 1;  // of a log that does not exist yet
  std::uint64_t salt = 0;  // of a log that does not exist yet: makes its frames unlike those of all others
  // Entries up to this one were synced: a checkpoint holds them. What is not whole there is damage, not the
  // end of an interrupted write, also where no later frame proves it.
  std::uint64_t known_durable = 0;
  bool direct = false;  // written past the page cache (appender.hpp): for one that is synced all the time
};

// What open() found. `cut_bytes` is 0 when the log was whole.
struct OpenReport {
  bool created = false;
  std::uint64_t cut_bytes = 0;    // from the first byte given up to the last that was not zero
  std::uint64_t cut_entries = 0;  // whole ones among them: of commits that had not arrived whole
  std::string cut_place;          // "journal/00000003.log at byte 8192"
};

// What repair() found, and did.
struct LogDamage {
  std::string file;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;      // of the file that are lost
  std::uint64_t first_seq = 0;  // of the entries that are lost
  std::uint64_t entries = 0;
  std::string copy;  // the file as it was
};

class Log {
 public:
  static constexpr std::uint64_t header_bytes = 64;
  static constexpr std::size_t append_bytes_max = 256ULL * 1024 * 1024;

  // Opens, or makes, the log for its one writer: who calls it holds the lock of the data directory. Scans the
  // last segment only.
  static Result<std::unique_ptr<Log>> open(FileSystem& files, LogOptions options, OpenReport& report);
  // For commands beside a running hub or without one: changes nothing and takes a torn tail as the end.
  // append(), sync(), drop_before() and redact() fail. refresh() takes in what has been appended since.
  // Code::misconfigured when there is no log.
  static Result<std::unique_ptr<Log>> open_read_only(FileSystem& files, std::string directory,
                                                     std::uint64_t known_durable = 0);
  // For a log that open() calls corrupt: puts entries without content, flagged as redacted, in the place of
  // those that are lost, so that the numbers stay. Copies each file first. Nobody else may have it open.
  static Result<std::vector<LogDamage>> repair(FileSystem& files, const std::string& directory,
                                               std::uint64_t known_durable = 0);
  ~Log();

  // [writer] Writes the entries with one write; their seqs go on from next_seq(). Each commit comes back
  // whole or not at all: it ends where an entry has frame_commit_end; the last entry always has. Promises
  // nothing before sync(). May sync and start a new segment first. Errors: rejected (over
  // frame_payload_bytes_max or append_bytes_max; not poisoned), else poisoned.
  Status append(std::span<const Entry> entries);
  // [writer] Afterwards everything appended before survives a loss of power.
  Status sync();
  // [read-only owner] Takes in entries and segments that the writer has added.
  Status refresh();

  // [any]
  std::uint64_t first_seq() const;  // the oldest entry kept; next_seq() when there is none
  std::uint64_t next_seq() const { return next_seq_.load(std::memory_order_acquire); }
  std::uint64_t durable_seq() const { return durable_seq_.load(std::memory_order_acquire); }
  TimeUs last_stamp() const { return last_stamp_.load(std::memory_order_acquire); }
  std::uint64_t bytes() const;  // of entries kept, with their headers; preallocated room not counted

  // [any] Calls `each` for the entries from `from` up to next_seq() as it was at the call, in order, until it
  // returns false. The entry borrows until `each` returns. Reads ahead by 1 MiB; about 0.2 us an entry.
  // Errors: rejected when `from` is older than first_seq(); corrupt with the place.
  Status read(std::uint64_t from, const std::function<bool(const Entry&)>& each) const;

  // [any] Removes the segments that hold only entries before `seq`; never the one that is written to. What is
  // removed must be needed by nobody: no checkpoint's tail, no lane's cursor.
  Status drop_before(std::uint64_t seq);
  // [any] Overwrites the payloads with zeros of equal length and flags the entries, durably; nothing moves.
  // Survives a crash in its middle. The entries must be durable. append() waits while it is at the last
  // segment.
  Status redact(std::span<const std::uint64_t> seqs);
  Status redact(std::uint64_t seq) { return redact(std::span(&seq, 1)); }

 private:
  friend struct SegmentHeader;
  struct Segment;
  struct Tail;
  struct Piece;
  Log(FileSystem& files, LogOptions options);
  std::string segment_path(std::uint64_t id) const;
  std::shared_ptr<Segment> last_segment() const;
  Status healthy() const;
  Status poison(Error error);
  // Writing.
  Status make_segment(std::uint64_t first_seq, std::uint64_t bytes_min);
  Status roll(std::uint64_t bytes_min);
  // Opening.
  Result<std::vector<std::uint64_t>> list_segments() const;
  Result<std::shared_ptr<Segment>> load_segment(std::uint64_t id, bool last) const;
  Status load_segments();
  Result<Tail> scan_tail(const Segment& segment, File& file) const;
  Status check_lost(const Segment& segment, File& file, std::uint64_t offset, std::uint64_t seq,
                    Tail& tail) const;
  Status recover_tail(OpenReport& report);
  static Status write_again(const Segment& segment, File& file, std::uint64_t begin, std::uint64_t end);
  Status take_tail();
  void set_tail(Segment& segment, Tail& tail);
  // Reading.
  Piece piece_of(std::uint64_t seq, std::uint64_t until) const;
  Result<bool> read_piece(const Piece& piece, std::uint64_t from,
                          const std::function<bool(const Entry&)>& each) const;
  // Erasing.
  Result<std::string> plan_redaction(std::span<const std::uint64_t> seqs) const;
  Status apply_redaction(std::string_view plan);
  Status finish_redaction();

  FileSystem& files_;
  LogOptions options_;
  bool read_only_ = false;
  std::unique_ptr<Appender> file_;  // the last segment's; guarded by writing_ but for sync()
  std::string buffer_;              // the writer's; reused
  std::atomic<std::uint64_t> next_seq_{1};
  std::atomic<std::uint64_t> durable_seq_{0};
  std::atomic<TimeUs> last_stamp_{0};
  mutable std::mutex mutex_;  // guards segments_, what they point to, and failure_
  std::vector<std::shared_ptr<Segment>> segments_;
  std::optional<Error> failure_;
  // Held while segments are removed or frames overwritten; taken before the others.
  mutable std::mutex maintenance_;
  std::mutex writing_;  // held while the last segment is written to; taken before mutex_
};

}  // namespace sluice
