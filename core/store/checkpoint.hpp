// Checkpoints: the state's rows as of one sequence number, in delta files with a base now and then.
//
// A row is (table, key, value). A base holds all rows; a delta the rows that changed since the checkpoint
// before it. A base may be made out of the base before it and its deltas: it is then as of the last of these,
// and stands beside it. Recovery is the newest base, its deltas in order, and then the journal's tail. Files,
// in DIRECTORY:
//   00000000000000001234.base, 00000000000000005678.delta   named by the seq that they are as of; *.tmp:
//   being written
// Each begins with 16 bytes: magic "SLUICECP" | u32 version = 1 | u32 id of the encryption key = 0 (none);
// then frames (journal/frame.hpp): one with the CheckpointInfo, any number with rows, one that ends the file
// and counts the rows. A file without its end frame is damaged.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

#include "base/file.hpp"
#include "base/time.hpp"

namespace sluice {

struct CheckpointInfo {
  std::uint64_t seq = 0;   // the last input that it contains
  TimeUs stamp = 0;        // of that input
  std::uint64_t rows = 0;  // of the state, as the hub counts them; given to commit()
  std::string extra;       // the hub's own: whatever it needs beside the rows
};

enum class CheckpointKind : std::uint8_t { base = 1, delta = 2 };

class Checkpoints;
class NewestRows;

// Writes one checkpoint. One thread at a time, which need not be the one that began it: meant for the
// background. Durability: nothing counts before commit() came back; a crash before leaves the checkpoint
// before it as it was.
class CheckpointWriter {
 public:
  // Of one write, which is synced before the next: the journal's sync waits while the disk writes these.
  static constexpr std::size_t chunk_bytes = 512 * 1024;
  ~CheckpointWriter();  // without commit(): removes what it wrote

  Status add(std::uint8_t table, std::string_view key, std::string_view value);
  Status erase(std::uint8_t table, std::string_view key);
  // Syncs, gives the file its name, and, after a base, removes what nobody needs any more.
  // `state_rows` are the state's as of the checkpoint's seq.
  Status commit(std::uint64_t state_rows);
  std::uint64_t bytes() const { return offset_ + buffer_.size(); }

 private:
  friend class Checkpoints;
  enum class Of : std::uint8_t { state, files };  // files: merge(), beside a writer of the state's
  CheckpointWriter(Checkpoints& owner, CheckpointInfo info, CheckpointKind kind, Of of = Of::state);
  Status start(std::uint64_t previous);
  Status row(std::uint8_t table, bool erased, std::string_view key, std::string_view value);
  Status flush_rows();
  Status frame(std::uint8_t kind, std::string_view payload);
  Status write_out();

  Checkpoints& owner_;
  CheckpointInfo info_;
  CheckpointKind kind_;
  Of of_;
  std::unique_ptr<File> file_;
  std::string path_;
  std::string rows_, buffer_;
  std::uint64_t offset_ = 0, count_ = 0, frames_ = 0, seed_ = 0;
  bool committed_ = false;
};

struct LoadReport {
  std::vector<std::string> problems;  // files that were passed over, each with the reason
};

class Checkpoints {
 public:
  // `value` is meaningless where `erased`.
  using EachRow =
      std::function<void(std::uint8_t table, std::string_view key, std::string_view value, bool erased)>;
  enum class Access : std::uint8_t { read_only, read_write };  // read_only: changes nothing, for commands

  // [main] Makes the directory unless read-only. Files of another journal, or of a later generation, make it
  // fail: misconfigured.
  static Result<std::unique_ptr<Checkpoints>> open(FileSystem& files, std::string directory,
                                                   std::string journal_id, std::uint32_t generation,
                                                   Access access = Access::read_write);

  // [main] The newest whole checkpoint: calls `each` for the base's rows, then each delta's, oldest first;
  // rows that a later file of these replaces are left out. A damaged file, and what builds on it, is passed
  // over and reported; the files stay, as *.damaged. nullopt when there is none. Each file is checked whole
  // before its first row is given; `expect` hears before it of how many CheckpointInfo::rows the state will
  // have. `threads`: it may read on others.
  Result<std::optional<CheckpointInfo>> load(const EachRow& each, LoadReport& report,
                                             const std::function<void(std::uint64_t)>& expect = {},
                                             bool threads = false);

  // [any] Bases that are there, oldest first, and the rows of one: `store verify` is a base plus the tail,
  // compared with the newest.
  Result<std::vector<CheckpointInfo>> bases() const;
  Result<CheckpointInfo> load_base(std::uint64_t seq, const EachRow& each) const;

  // [any] One writer at a time. A delta needs a checkpoint to build on: the one loaded, or the last
  // committed.
  Result<std::unique_ptr<CheckpointWriter>> begin(CheckpointInfo info, CheckpointKind kind);

  // [any, one at a time, also while a writer writes] Makes a base out of the newest one and its deltas, and
  // removes what nobody needs then. Asks `go_on` after each CheckpointWriter::chunk_bytes; false ends it
  // (cancelled), and nothing has changed. corrupt: a file is damaged; the next checkpoint must be a base.
  Status merge(const std::function<bool()>& go_on);
  bool wants_base() const;  // [any] merge() has found a damaged file
  // [any] Of the newest base and of the deltas since: the hub merges them when these have grown past it.
  std::uint64_t base_bytes() const;
  std::uint64_t delta_bytes() const;
  std::optional<CheckpointInfo> latest() const;  // loaded or committed

  // [any] When a base is committed, older files go, but the oldest base at or after `seq` stays: the
  // journal's tail from there on is still kept. The journal may drop only what lies at or before
  // oldest_base().
  void keep_base_at_or_after(std::uint64_t seq);
  std::optional<std::uint64_t> oldest_base() const;

 private:
  friend class CheckpointWriter;
  struct FileInfo {
    CheckpointKind kind;
    std::uint64_t seq;
    std::uint64_t bytes;
  };
  struct Header {
    std::string journal_id;
    std::uint32_t generation = 0;
    CheckpointInfo info;
    std::uint64_t previous = 0;  // delta: the seq of the checkpoint that it builds on
  };

  Checkpoints(FileSystem& files, std::string directory, std::string journal_id, std::uint32_t generation,
              Access access);
  Status scan();
  void sort_known();
  static bool decode_info(std::string_view payload, Header& out);
  static bool read_rows(std::string_view payload, const EachRow* each, std::uint64_t& count);
  struct Good {
    std::size_t files = 0;
    std::uint64_t rows = 0;  // CheckpointInfo::rows of the last of them
  };
  Result<Good> check_chain(const std::vector<FileInfo>& chain, NewestRows& newest, LoadReport& report,
                           bool threads) const;
  std::string path_of(CheckpointKind kind, std::uint64_t seq) const;
  // ahead: frames are read by a thread of its own, while rows of those before them are given.
  Result<Header> read_checkpoint(CheckpointKind kind, std::uint64_t seq, const EachRow* each,
                                 bool ahead = false) const;
  Status set_aside(const std::vector<FileInfo>& damaged);
  Status committed(const CheckpointWriter& writer);
  Status remove_old();
  Status merge(const std::vector<FileInfo>& chain, const std::function<bool()>& go_on);

  FileSystem& files_;
  std::string directory_, journal_id_;
  std::uint32_t generation_;
  Access access_;
  mutable std::mutex mutex_;     // guards what follows
  std::vector<FileInfo> known_;  // in the order of sort_known()
  std::optional<CheckpointInfo> latest_;
  std::uint64_t keep_ = UINT64_MAX;
  bool writing_ = false, wants_base_ = false;
};

}  // namespace sluice
