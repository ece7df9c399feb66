// Writes checkpoints in the background. The step thread hands over rows as they come; a thread of its own
// puts them into the file, makes the lanes durable and commits. A failure is told once and ends the process:
// a state that cannot be kept must not be acknowledged for ever.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "sluice/result.hpp"

#include "state/state.hpp"
#include "store/checkpoint.hpp"

namespace sluice::hub {

class Checkpointer {
 public:
  struct Hooks {
    std::function<Status()> sync_lanes;  // before a commit: effects are durable before their cause is dropped
    std::function<void(const CheckpointInfo&)> committed;  // [checkpointer]
    std::function<void(const Error&)> failed;              // [checkpointer] once
  };
  Checkpointer(Checkpoints& checkpoints, Hooks hooks);
  ~Checkpointer();  // stop()

  void start();
  void stop();  // after everything handed over is done
  // [checkpointer] Does one piece of what was handed over; false: there was none. The thread calls it; who
  // drives the hub by a clock of his own does so instead of start().
  bool pump();

  // [step] begin, then rows through row(), then finish with how many rows the state has. One checkpoint at a
  // time: ready() says when.
  bool ready() const;
  // [any] More is handed over than the disk has taken, by 64 MiB: no more rows before it has taken some, but
  // those that must go now. Nothing here waits for the disk.
  bool full() const;
  void begin(CheckpointInfo info, CheckpointKind kind);
  void row(state::Table table, std::string_view key, std::string_view value, bool erased);
  void finish(std::uint64_t rows);
  // [any] Waits while it is full; without a thread it does what was handed over.
  void make_room();
  // [any] Waits until everything handed over is committed or has failed; without a thread it does it.
  void wait();

 private:
  struct Work {
    std::optional<std::pair<CheckpointInfo, CheckpointKind>> begin;
    std::string rows;
    std::optional<std::uint64_t> finish;  // the state's rows
  };
  void push(Work work);
  void run();
  Status handle(Work& work);

  static constexpr std::size_t chunk_bytes = 256 * 1024;
  static constexpr std::size_t queued_bytes_max = 64 * 1024 * 1024;

  Checkpoints& checkpoints_;
  Hooks hooks_;
  std::string rows_;  // the step thread's: not handed over yet
  std::unique_ptr<CheckpointWriter> writer_;
  CheckpointInfo info_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Work> queue_;
  std::size_t queued_bytes_ = 0;
  bool busy_ = false, stopping_ = false, failed_ = false;
  std::thread thread_;
};

}  // namespace sluice::hub
