// The thread that owns the state. It takes durable batches from the journal, steps them, hands their effects
// to the lanes, begins checkpoints and asks for a tick when a timer is due. Others read the state between its
// bites.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <thread>

#include "base/clock.hpp"
#include "deliver/follows.hpp"
#include "hub/checkpointer.hpp"
#include "hub/step_options.hpp"
#include "hub/world.hpp"
#include "journal/journal.hpp"

namespace sluice::hub {

class StepThread {
 public:
  struct Hooks {
    // [step] to the lanes
    std::function<Status(std::uint64_t seq, std::vector<Effect>, deliver::Follows)> offer;
    std::function<void(const std::vector<GateChange>&)> gate;  // [step] before the effects of the same inputs
    std::function<bool(TimeUs due)> tick;  // [step] a timer is due: journal a tick. False: not now, ask again
    std::function<void(const Error&)> failed;  // [step] once: the process must stop
    std::function<void(ProfileId)> changed;    // [step] a row went into a checkpoint: project it
    // [step] before a checkpoint holds the command that handed them back
    std::function<Status(const std::vector<std::int64_t>&)> letters = {};
    std::function<void()> applied = {};  // [step] an epoch was stepped, and its effects are with the lanes
  };
  StepThread(World& world, Checkpoints& checkpoints, Checkpointer& checkpointer, const Clock& clock,
             StepOptions options, Hooks hooks);
  ~StepThread();

  void start();
  void stop();  // [main] after all that was pushed is stepped; then takes a last checkpoint and waits for it
  // [step] Steps one batch, or with none does what a quiet hub has to; false: there was none. The thread
  // calls it; who drives the hub by a clock of his own does so instead of start(), and finish() instead of
  // stop().
  bool pump();
  void finish();  // [step]

  // [journal's writer] Waits while more than queue_bytes_max of batches are unstepped.
  void push(std::shared_ptr<const Batch> batch);
  // [any] Calls `look` with the state as of some input, never in the middle of one; several may look at once.
  void read(const std::function<void(const World&)>& look) const;
  // [any] The same if it can be looked at without waiting; else false, and `look` is not called.
  bool try_read(const std::function<void(const World&)>& look) const;
  // [main] Takes a base checkpoint and waits until it is durable; nothing may be pushed meanwhile.
  void checkpoint_now();

  // [any] False: not within `timeout`.
  bool wait_until_stepped(std::uint64_t seq, DurationUs timeout);
  bool caught_up() const { return queued_.load() == 0; }         // [any] everything pushed is stepped
  std::uint64_t stepped_seq() const { return stepped_.load(); }  // [any]
  TimeUs next_due() const { return next_due_.load(); }           // [any]
  bool clock_alarm() const { return clock_alarm_.load(); }  // [any] the wall clock jumped: ticks are held

 private:
  static constexpr std::size_t queue_bytes_max = 384 * 1024;
  static constexpr std::size_t bite = 128;          // inputs stepped before their effects go on
  static constexpr std::size_t rows_per_input = 2;  // of a checkpoint under way, so that it is soon done
  static constexpr std::size_t rows_at_once = 64;   // of them, before readers get their turn

  void run();
  bool step_batch(const Batch& batch);
  std::size_t step_bite(std::span<const Input> inputs, StepOutput& out);
  void pace_checkpoint(std::size_t inputs);
  bool quiet() const;  // no input for a second
  void begin_checkpoint_when_due();
  void begin_checkpoint(bool base);
  void finish_checkpoint();
  void ask_for_tick();
  void let_readers_in();

  World& world_;
  Checkpoints& checkpoints_;
  Checkpointer& checkpointer_;
  const Clock& clock_;
  StepOptions options_;
  Hooks hooks_;

  mutable std::shared_mutex world_mutex_;  // guards world_
  mutable std::atomic<int> readers_waiting_{0};

  std::mutex mutex_;  // guards queue_, stopping_
  std::condition_variable changed_;
  std::deque<std::shared_ptr<const Batch>> queue_;
  std::size_t queue_bytes_ = 0;
  bool stopping_ = false;

  std::atomic<std::size_t> queued_{0};
  std::atomic<std::uint64_t> stepped_{0};
  std::atomic<TimeUs> next_due_{never};
  std::atomic<bool> clock_alarm_{false};
  std::uint64_t since_checkpoint_ = 0;
  DurationUs last_checkpoint_ = 0;
  DurationUs last_batch_ = 0;
  DurationUs clock_offset_ = 0;  // wall less monotonic, when it was last believed
  bool tick_asked_ = false;
  bool failed_ = false;
  std::thread thread_;
};

}  // namespace sluice::hub
