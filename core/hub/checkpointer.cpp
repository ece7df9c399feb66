#include "hub/checkpointer.hpp"

#include "base/bytes.hpp"
#include "base/thread_name.hpp"

namespace sluice::hub {

Checkpointer::Checkpointer(Checkpoints& checkpoints, Hooks hooks)
    : checkpoints_(checkpoints), hooks_(std::move(hooks)) {}

Checkpointer::~Checkpointer() {
  stop();
}

void Checkpointer::start() {
  thread_ = std::thread([this] {
    name_background_thread("checkpoint");
    run();
  });
}

void Checkpointer::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool Checkpointer::ready() const {
  const std::lock_guard lock(mutex_);
  return !busy_ && !failed_;
}

bool Checkpointer::full() const {
  const std::lock_guard lock(mutex_);
  return queued_bytes_ >= queued_bytes_max && !failed_;
}

void Checkpointer::begin(CheckpointInfo info, CheckpointKind kind) {
  {
    const std::lock_guard lock(mutex_);
    busy_ = true;
  }
  Work work;
  work.begin.emplace(std::move(info), kind);
  push(std::move(work));
}

void Checkpointer::row(state::Table table, std::string_view key, std::string_view value, bool erased) {
  ByteWriter w(rows_);
  w.u8(static_cast<std::uint8_t>(table));
  w.u8(erased ? 1 : 0);
  w.text(key);
  w.text(value);
  if (rows_.size() < chunk_bytes) return;
  Work work;
  work.rows = std::exchange(rows_, {});
  rows_.reserve(chunk_bytes + chunk_bytes / 8);
  push(std::move(work));
}

void Checkpointer::finish(std::uint64_t rows) {
  Work work;
  work.rows = std::exchange(rows_, {});
  work.finish = rows;
  push(std::move(work));
}

void Checkpointer::push(Work work) {
  {
    const std::lock_guard lock(mutex_);
    queued_bytes_ += work.rows.size();
    queue_.push_back(std::move(work));
  }
  changed_.notify_all();
}

void Checkpointer::make_room() {
  while (!thread_.joinable() && full()) (void)pump();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return queued_bytes_ < queued_bytes_max || failed_; });
}

void Checkpointer::wait() {
  while (!thread_.joinable() && pump()) {
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !busy_ || failed_; });
}

Status Checkpointer::handle(Work& work) {
  if (work.begin) {
    info_ = work.begin->first;
    writer_ = SLUICE_TRY(checkpoints_.begin(work.begin->first, work.begin->second));
  }
  for (ByteReader r(work.rows); !r.at_end();) {
    const std::uint8_t table = r.u8();
    const bool erased = r.u8() != 0;
    const std::string_view key = r.text();
    const std::string_view value = r.text();
    SLUICE_TRY(erased ? writer_->erase(table, key) : writer_->add(table, key, value));
  }
  if (!work.finish) return Done{};
  SLUICE_TRY(hooks_.sync_lanes());
  info_.rows = *work.finish;
  SLUICE_TRY(writer_->commit(info_.rows));
  writer_.reset();
  hooks_.committed(info_);
  return Done{};
}

void Checkpointer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    lock.unlock();
    pump();
    lock.lock();
  }
}

bool Checkpointer::pump() {
  std::unique_lock lock(mutex_);
  if (queue_.empty()) return false;
  Work work = std::move(queue_.front());
  queue_.pop_front();
  const bool failed = failed_;
  lock.unlock();
  const std::size_t bytes = work.rows.size();
  const bool last = work.finish.has_value();
  const Status done = failed ? Status(Done{}) : handle(work);
  if (!done) hooks_.failed(done.error());
  lock.lock();
  queued_bytes_ -= bytes;
  if (last) busy_ = false;
  if (!done) {
    failed_ = true;
    busy_ = false;
  }
  changed_.notify_all();
  return true;
}

}  // namespace sluice::hub
