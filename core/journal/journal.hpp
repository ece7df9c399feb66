// The journal: every input of the hub, durable before it is acknowledged, in the order in which the step
// takes them.
//
// Threads: submit() from any; one thread of its own writes all that waits as one group, syncs once, hands the
// group to the sink and then answers the submitters. It never waits while something is queued. Durability:
// when `done` is called with success, and when the sink gets an input, it survives a loss of power. After a
// failed write or sync the `fatal` callback is called once, everything waiting is answered with the error,
// and submit() answers `closed`: the process has to stop; a sync is never tried again.
//
// Files, under the data directory: journal/*.log (log.hpp) and journal/identity. Who opens holds the
// DirectoryLock.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sluice/result.hpp"

#include "base/clock.hpp"
#include "base/file.hpp"
#include "journal/log.hpp"
#include "model/input.hpp"

namespace sluice {

// Who a journal is: the payload of its first input, `genesis`, and its file journal/identity. A restore or a
// repair raises the generation (in the file; genesis keeps what it was), so that keys of effects are never
// given twice.
struct JournalIdentity {
  std::string id;  // 26 letters of Crockford's base 32, lower case; random
  std::uint32_t generation = 1;
  std::uint64_t hash_seed = 0;  // of fingerprints and profile ids; random

  void encode(std::string& out) const;
  static bool decode(std::string_view bytes, JournalIdentity& out);
  // "<id>.<generation>.<seq>.<ordinal>": the idempotency key of an effect.
  std::string key_of(std::uint64_t seq, std::uint32_t ordinal) const;
};

enum class StampMode : std::uint8_t {
  wall,    // the clock's time at the write
  events,  // the newest event time seen: `--clock events`
};

struct JournalOptions {
  std::string directory;  // of data
  StampMode stamps = StampMode::wall;
  std::uint64_t segment_bytes = 64ULL * 1024 * 1024;
  std::size_t queue_bytes_max = 64ULL * 1024 * 1024;  // submitted and not yet durable
  std::uint64_t reserve_bytes =
      64ULL * 1024 * 1024;                  // of free disk, below which events and records are refused
  std::uint64_t known_durable = 0;          // inputs up to this one are in a checkpoint: see LogOptions
  std::array<std::uint64_t, 2> seed{};      // random; used when the journal is made
  std::function<void(const Error&)> fatal;  // [writer]
};

// One input to be. `event_time` is read with StampMode::events; a tick's is its due time, and its stamp in
// both modes.
struct Draft {
  InputKind kind = InputKind::tick;
  TimeUs event_time = no_time;
  std::string payload;
};

enum class Submit : std::uint8_t {
  ok,
  full,       // the queue is over its bound (over twice that for what comes from inside): answer 429
  disk_full,  // events and records only: answer 503 with Retry-After
  closed,     // stopped, or failed
};

struct Batch {
  std::vector<Input> inputs;  // their payloads lie in `owned`
  std::vector<std::vector<Draft>> owned;
};

// [any] An entry of the journal's log as the input that it is; borrows its payload.
Input input_of(const Entry& entry);

class Journal {
 public:
  using Answer = std::function<void(const Status&, std::uint64_t first_seq)>;
  using Sink = std::function<void(std::shared_ptr<const Batch>)>;
  static constexpr std::size_t group_bytes_max =
      8ULL * 1024 * 1024;  // of one write, unless a single submit is larger

  // [main] Recovers, or makes, the journal; a new one has its genesis durable when this returns. `files` and
  // `clock` outlive it.
  static Result<std::unique_ptr<Journal>> open(FileSystem& files, const Clock& clock, JournalOptions options,
                                               OpenReport& report);
  ~Journal();  // stop()

  const JournalIdentity& identity() const { return identity_; }

  // [main] Starts the writer. `sink` gets every durable group, in order, on the writer's thread, before its
  // submitters are answered.
  Status start(Sink sink);
  // [writer] Writes what waits as one group, hands it on and answers. False: nothing waited, or it failed.
  // The writer's thread calls it; who drives the journal by a clock of his own does so instead of start().
  bool pump();
  void set_sink(Sink sink) { sink_ = std::move(sink); }  // [main] likewise; before the first pump()
  // [main] Writes all that waits, then ends the writer. submit() answers `closed` from here on.
  void stop();

  // [any] Queues the drafts (at least one) as one commit. `done` is called on the writer's thread, unless the
  // answer is not `ok`.
  Submit submit(std::vector<Draft> drafts, Answer done);
  std::size_t queued_bytes() const { return queued_bytes_.load(std::memory_order_relaxed); }  // [any]
  unsigned percent_used() const;  // [any] of the queue's bound; may pass 100

  // [any] Inputs from `from` on, up to the last that is written; the payload borrows until `each` returns.
  // false ends it.
  Status replay(std::uint64_t from, const std::function<bool(const Input&)>& each) const;
  // [any] Retention: see Log::drop_before for what the caller guarantees.
  Status drop_before(std::uint64_t seq) { return log_->drop_before(seq); }
  // [any] Erasure: see Log::redact.
  Status redact(std::span<const std::uint64_t> seqs) { return log_->redact(seqs); }
  const Log& log() const { return *log_; }

 private:
  struct Request {
    std::vector<Draft> drafts;
    Answer done;
    std::size_t bytes = 0;
  };

  Journal(FileSystem& files, const Clock& clock, JournalOptions options);
  Status open_log(OpenReport& report);
  Status check_genesis(bool identity_known);
  Status write_genesis();
  void run();
  std::vector<Request> take_group();
  Status write_group(std::vector<Request>& group, Batch& batch);
  TimeUs stamp_of(const Draft& draft, TimeUs wall) const;
  void fail(const Error& error, std::vector<Request> group);
  bool disk_low();

  FileSystem& files_;
  const Clock& clock_;
  JournalOptions options_;
  std::string directory_;
  JournalIdentity identity_;
  std::unique_ptr<Log> log_;
  Sink sink_;
  std::vector<Entry> entries_;  // the writer's; reused
  TimeUs last_stamp_ = 0;       // the writer's
  std::atomic<std::size_t> queued_bytes_{0};
  std::atomic<bool> disk_low_{false};
  std::mutex mutex_;  // guards queue_, closed_
  std::condition_variable wake_;
  std::deque<Request> queue_;
  bool closed_ = false;
  std::thread writer_;
};

// `sluice journal verify`: reads all of it, with or without a hub, and changes nothing.
struct JournalReport {
  JournalIdentity identity;
  std::uint64_t first_seq = 0, next_seq = 0, entries = 0, redacted = 0, bytes = 0;
  TimeUs first_stamp = no_time, last_stamp = no_time;  // the first: of an input that has a time
  std::array<std::uint64_t, 9> by_kind{};              // by InputKind
  std::vector<std::string> problems;                   // empty: the journal is whole
};
Result<JournalReport> verify_journal(FileSystem& files, const std::string& data_directory,
                                     std::uint64_t known_durable = 0);

// `sluice journal dump`: inputs from `from` on, with or without a hub, until `each` returns false.
Status read_journal(FileSystem& files, const std::string& data_directory, std::uint64_t from,
                    const std::function<bool(const Input&)>& each, std::uint64_t known_durable = 0);
// One JSON object: seq, time, kind, bytes, and the payload's envelope; what people sent stands in it only
// when `unmasked`.
std::string dump_line(const Input& input, bool unmasked);
std::string_view name_of(InputKind kind);

// `sluice journal repair`: for a journal that open() calls corrupt. Raises the generation and mends as
// Log::repair does; returns what is lost. The copies that it keeps hold what people sent: an operator removes
// them when they are no longer needed. Who calls it holds the DirectoryLock.
Result<std::vector<LogDamage>> repair_journal(FileSystem& files, const std::string& data_directory,
                                              std::uint64_t known_durable = 0);

}  // namespace sluice
