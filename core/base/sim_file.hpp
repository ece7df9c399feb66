// A file system in memory that stands in for the disk: it loses, tears and refuses what a disk may, by a
// seed, and the same seed with the same calls always does the same. For tests and the simulator.
//
// What it promises is what POSIX does and no more. A write is durable once sync() of the file came back; a
// name once sync_directory() did. crash() decides for each 512-byte sector written since, and for each
// creation, rename and removal since, whether it had reached the disk. A sync that fails forgets what was
// dirty without having stored it, as Linux does: reading still shows it, a later sync does not store it.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/file.hpp"

namespace sluice {

class SimFileSystem final : public FileSystem {  // [any]
 public:
  explicit SimFileSystem(std::uint64_t seed) : random_(seed) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Status make_directory(const std::string& path) override;  // durable at once
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;

  // The machine loses power and comes back: files hold what the seed left of them, open files answer no more,
  // injected failures are over.
  void crash();
  // The process ends and the machine lives: what was written is there, synced or not; open files answer no
  // more, and what was injected is over.
  void restart();
  // The power goes at the n-th changing call from now (0: the next): it and all later ones fail until
  // crash().
  void stop_after(std::uint64_t calls);
  bool stopped() const;
  // The n-th sync() from now (0: the next) fails; files only.
  void fail_sync_after(std::uint64_t calls);
  // Writes that would make all files together longer than this fail with "no space".
  void set_capacity(std::uint64_t bytes);
  // Calls that change something, so far: writes, resizes, syncs, creations, renames, removals.
  std::uint64_t changes() const;

  // The disk itself, past all rules: what stands there now, changed durably.
  std::string content(const std::string& path) const;
  void set_content(const std::string& path, std::string bytes);

 private:
  friend class SimFile;
  struct Node {
    std::string live;               // what reads show
    std::string durable;            // what a crash cannot take
    std::set<std::uint64_t> dirty;  // sectors of `live` that the next sync stores
    std::atomic<int> open = 0;      // files that have it open
  };
  struct NameChange {
    enum class What : std::uint8_t { create, rename, remove } what;
    std::string from, to;
    std::shared_ptr<Node> node;
  };
  using Names = std::map<std::string, std::shared_ptr<Node>>;

  Status change();  // counts a changing call; an error when the power is gone
  std::uint64_t used() const;
  bool coin();
  std::uint64_t draw(std::uint64_t below);
  bool stopped_locked() const { return changes_ >= stop_at_; }
  static Error power_off();
  void apply(const NameChange& c);
  void crash_node(Node& node);

  mutable std::mutex mutex_;  // guards everything below, and the nodes
  std::uint64_t random_;
  Names live_, durable_;
  std::vector<NameChange> pending_;
  std::set<std::string> directories_;
  std::uint64_t changes_ = 0;
  std::uint64_t stop_at_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t syncs_to_failure_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t capacity_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t boot_ = 0;  // files opened before the last crash answer no more
};

}  // namespace sluice
