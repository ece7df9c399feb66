#include "hub/step_thread.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/log.hpp"
#include "base/thread_name.hpp"
#include "hub/foresight.hpp"

namespace sluice::hub {

namespace {

std::size_t bytes_of(const Batch& batch) {
  std::size_t bytes = 0;
  for (const Input& input : batch.inputs) bytes += input.payload.size() + sizeof(Input);
  return bytes;
}

constexpr DurationUs clock_jump_max = us_per_h;

}  // namespace

StepThread::StepThread(World& world, Checkpoints& checkpoints, Checkpointer& checkpointer, const Clock& clock,
                       StepOptions options, Hooks hooks)
    : world_(world),
      checkpoints_(checkpoints),
      checkpointer_(checkpointer),
      clock_(clock),
      options_(options),
      hooks_(std::move(hooks)) {
  stepped_ = world.state.seq;
  const auto latest = checkpoints.latest();  // what was replayed since counts towards the next one
  since_checkpoint_ = world.state.seq - (latest ? latest->seq : 0);
  last_checkpoint_ = clock.monotonic_us();
  clock_offset_ = clock.wall_us() - clock.monotonic_us();
  next_due_ = world.pipeline.next_due();
}

StepThread::~StepThread() {
  stop();
}

void StepThread::start() {
  thread_ = std::thread([this] {
    name_thread("step");
    run();
  });
}

void StepThread::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  finish();
}

void StepThread::finish() {
  if (failed_) return;
  const std::unique_lock lock(world_mutex_);  // others read on until they are stopped
  finish_checkpoint();
  if (since_checkpoint_ == 0) return;
  begin_checkpoint(false);
  finish_checkpoint();
}

void StepThread::checkpoint_now() {
  const std::unique_lock lock(world_mutex_);
  finish_checkpoint();
  begin_checkpoint(true);
  finish_checkpoint();
}

void StepThread::finish_checkpoint() {
  if (world_.state.checkpointing()) {
    while (!world_.state.continue_checkpoint(rows_at_once)) checkpointer_.make_room();
    checkpointer_.finish(world_.state.profiles());
  }
  checkpointer_.wait();
}

void StepThread::push(std::shared_ptr<const Batch> batch) {
  const std::size_t bytes = bytes_of(*batch);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return queue_bytes_ < queue_bytes_max || stopping_; });
  queue_bytes_ += bytes;
  ++queued_;
  queue_.push_back(std::move(batch));
  lock.unlock();
  changed_.notify_all();
}

void StepThread::read(const std::function<void(const World&)>& look) const {
  ++readers_waiting_;
  const std::shared_lock lock(world_mutex_);
  --readers_waiting_;
  look(world_);
}

bool StepThread::try_read(const std::function<void(const World&)>& look) const {
  const std::shared_lock lock(world_mutex_, std::try_to_lock);
  if (!lock) return false;
  look(world_);
  return true;
}

bool StepThread::wait_until_stepped(std::uint64_t seq, DurationUs timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::microseconds(timeout), [&] { return stepped_ >= seq; });
}

void StepThread::let_readers_in() {
  while (readers_waiting_ > 0) std::this_thread::yield();
}

void StepThread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto something = [&] { return stopping_ || !queue_.empty(); };
    if (world_.state.checkpointing() && !checkpointer_.full()) {
      // A quiet hub finishes its checkpoint at once. Beside inputs, however few, it takes its time: each of
      // its writes to the disk is one that the journal waits for.
      constexpr auto between_bites = std::chrono::milliseconds(1);
      if (!quiet()) changed_.wait_for(lock, between_bites, something);
    } else if (world_.state.checkpointing()) {
      constexpr auto until_the_disk_has_some = std::chrono::milliseconds(10);
      changed_.wait_for(lock, until_the_disk_has_some, something);
    } else if (!options_.ticks || next_due_ == never) {
      changed_.wait_for(lock, std::chrono::seconds(1), something);
    } else {
      const DurationUs wait = std::clamp<DurationUs>(next_due_ - clock_.wall_us(), 0, us_per_s);
      changed_.wait_for(lock, std::chrono::microseconds(tick_asked_ ? us_per_s : wait), something);
    }
    if (queue_.empty() && stopping_) return;
    lock.unlock();
    pump();
    lock.lock();
  }
}

bool StepThread::pump() {
  std::shared_ptr<const Batch> batch;
  {
    const std::lock_guard lock(mutex_);
    if (!queue_.empty()) {
      batch = std::move(queue_.front());
      queue_.pop_front();
    }
  }
  if (!batch) {
    ask_for_tick();
    pace_checkpoint(rows_at_once / rows_per_input);  // little at once: an input that comes waits for it
    let_readers_in();
    return false;
  }
  last_batch_ = clock_.monotonic_us();
  if (!failed_ && !step_batch(*batch)) failed_ = true;
  ask_for_tick();
  {
    const std::lock_guard lock(mutex_);
    queue_bytes_ -= bytes_of(*batch);
    --queued_;
  }
  changed_.notify_all();
  return true;
}

bool StepThread::step_batch(const Batch& batch) {
  StepOutput out;
  const std::span<const Input> inputs(batch.inputs);
  for (std::size_t first = 0; first < inputs.size();) {
    const std::size_t count = step_bite(inputs.subspan(first), out);
    if (count == 0) return false;
    first += count;
    const std::span<const Input> stepped = inputs.subspan(first - count, count);
    hooks_.gate(out.gate);
    const bool more = first < inputs.size() || queued_ > 1;  // this batch is counted until it is done
    const Status offered = hooks_.offer(stepped.back().seq, std::exchange(out.effects, {}),
                                        more ? deliver::Follows::more : deliver::Follows::nothing);
    out.gate.clear();
    if (!offered) {
      hooks_.failed(offered.error());
      return false;
    }
    stepped_ = stepped.back().seq;
    const auto is_epoch = [](const Input& input) { return input.kind == InputKind::epoch; };
    if (hooks_.applied && std::any_of(stepped.begin(), stepped.end(), is_epoch)) hooks_.applied();
    let_readers_in();
    since_checkpoint_ += count;
    pace_checkpoint(count);
  }
  return true;
}

// How many it has stepped: fewer than a bite where readers wait; 0: it cannot go on.
std::size_t StepThread::step_bite(std::span<const Input> inputs, StepOutput& out) {
  const std::unique_lock world(world_mutex_);
  inputs = inputs.first(std::min(bite, inputs.size()));
  out.effects.reserve(inputs.size());
  std::size_t count = 0;
  while (count < inputs.size() && (count == 0 || readers_waiting_ == 0)) {
    const auto near = inputs.subspan(count, std::min(Foresight::most, inputs.size() - count));
    world_.pipeline.bring_near(near);
    for (const Input& input : near) {
      if (const Status stepped = world_.step(input, out); !stepped) {
        hooks_.failed(stepped.error());
        return 0;
      }
      if (input.kind == InputKind::tick) tick_asked_ = false;
    }
    count += near.size();
  }
  for (const std::string& notice : std::exchange(out.notices, {})) log_warn("identity", notice);
  if (hooks_.letters && !out.letters.empty()) {
    if (const Status taken = hooks_.letters(std::exchange(out.letters, {})); !taken) {
      hooks_.failed(taken.error());
      return 0;
    }
  }
  next_due_ = world_.pipeline.next_due();
  return count;
}

// A few rows for each input, so that a checkpoint costs no pause; it keeps pace with the changes that the
// next will hold. Readers get their turn between them, too. Where the disk does not keep up, the rows wait
// and not the inputs.
void StepThread::pace_checkpoint(std::size_t inputs) {
  for (std::size_t rows = inputs * rows_per_input; rows > 0;) {
    const std::size_t some = std::min(rows, rows_at_once);
    rows -= some;
    if (checkpointer_.full()) return;
    {
      const std::unique_lock world(world_mutex_);
      if (!world_.state.checkpointing()) return begin_checkpoint_when_due();
      if (world_.state.continue_checkpoint(some)) {
        return checkpointer_.finish(world_.state.profiles());
      }
    }
    let_readers_in();
  }
}

bool StepThread::quiet() const {
  return clock_.monotonic_us() - last_batch_ >= us_per_s;
}

void StepThread::begin_checkpoint_when_due() {
  const bool many = since_checkpoint_ >= options_.checkpoint_inputs;
  const bool late =
      since_checkpoint_ > 0 && clock_.monotonic_us() - last_checkpoint_ >= options_.checkpoint_every;
  const bool worth_it = since_checkpoint_ >= options_.quiet_inputs && quiet();
  if ((many || late || worth_it) && checkpointer_.ready()) begin_checkpoint(false);
}

void StepThread::begin_checkpoint(bool base) {
  CheckpointInfo info;
  info.seq = world_.state.seq;
  info.stamp = world_.state.now;
  info.extra = world_.epoch;
  // Later bases are made out of files (merger.hpp).
  const bool all = base || !checkpoints_.latest() || checkpoints_.wants_base();
  checkpointer_.begin(info, all ? CheckpointKind::base : CheckpointKind::delta);
  world_.state.begin_checkpoint(
      all,
      [this, base](state::Table table, std::string_view key, std::string_view value, bool erased) {
        // Before another configuration: by it everybody may read differently.
        if (base && table == state::Table::profile) hooks_.changed(ByteReader(key).u64());
        checkpointer_.row(table, key, value, erased);
      },
      [this](ProfileId person) { hooks_.changed(person); });
  since_checkpoint_ = 0;
  last_checkpoint_ = clock_.monotonic_us();
}

void StepThread::ask_for_tick() {
  if (!options_.ticks || tick_asked_) return;
  const TimeUs wall = clock_.wall_us();
  if (next_due_ > wall) return;
  // A wall clock that jumps against the machine's own would close every window: hold the ticks until it is
  // back or a new hub start says that this is the time.
  const DurationUs jump = wall - clock_.monotonic_us() - clock_offset_;
  clock_alarm_ = jump > clock_jump_max || jump < -clock_jump_max;
  if (clock_alarm_) return;
  tick_asked_ = hooks_.tick(wall);
}

}  // namespace sluice::hub
