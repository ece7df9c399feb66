#include "journal/journal.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "base/thread_name.hpp"
#include "journal/identity_file.hpp"

namespace sluice {
namespace {

constexpr std::size_t draft_overhead_bytes = 96;  // of memory, beside its payload: small inputs count too

// What a source brings may wait or be refused; what the hub needs to finish its work may not.
bool from_outside(InputKind kind) {
  return kind == InputKind::event || kind == InputKind::record;
}

}  // namespace

Journal::Journal(FileSystem& files, const Clock& clock, JournalOptions options)
    : files_(files),
      clock_(clock),
      options_(std::move(options)),
      directory_(options_.directory + "/journal") {}

Journal::~Journal() {
  stop();
}

Input input_of(const Entry& e) {
  return {e.seq, e.stamp, static_cast<InputKind>(e.kind), (e.flags & frame_redacted) != 0, e.payload};
}

Result<std::unique_ptr<Journal>> Journal::open(FileSystem& files, const Clock& clock, JournalOptions options,
                                               OpenReport& report) {
  std::unique_ptr<Journal> journal(new Journal(files, clock, std::move(options)));
  SLUICE_TRY(journal->open_log(report));
  journal->last_stamp_ = journal->log_->last_stamp();
  if (journal->log_->next_seq() == 1) SLUICE_TRY(journal->write_genesis());
  journal->disk_low_ = journal->disk_low();
  return journal;
}

Status Journal::open_log(OpenReport& report) {
  SLUICE_TRY(files_.make_directory(directory_));
  std::optional<JournalIdentity> known = SLUICE_TRY(read_identity(files_, directory_));
  identity_ = known.value_or(new_identity(options_.seed));
  LogOptions log;
  log.directory = directory_;
  log.segment_bytes = options_.segment_bytes;
  log.known_durable = options_.known_durable;
  log.direct = true;
  log.salt = hash64_pair(identity_.hash_seed, 1);
  log_ = SLUICE_TRY(Log::open(files_, std::move(log), report));
  if (log_->next_seq() > 1) return check_genesis(known.has_value());
  // The identity first: a genesis without it could be a journal whose beginning is lost.
  if (!known) SLUICE_TRY(write_identity(files_, directory_, identity_));
  return Done{};
}

Status Journal::check_genesis(bool identity_known) {
  if (log_->first_seq() > 1) {
    if (identity_known) return Done{};
    return Error{Code::corrupt, directory_ + "/identity is missing: put it back from a backup"};
  }
  JournalIdentity genesis;
  bool good = false;
  SLUICE_TRY(log_->read(1, [&](const Entry& e) {
    good = e.kind == static_cast<std::uint8_t>(InputKind::genesis) &&
           JournalIdentity::decode(e.payload, genesis);
    return false;
  }));
  if (!good)
    return Error{Code::corrupt, directory_ + ": the first input is not a genesis: put it back from a backup"};
  if (!identity_known) {
    identity_ = genesis;
    return write_identity(files_, directory_, identity_);
  }
  if (genesis.id == identity_.id) return Done{};
  return Error{Code::misconfigured, directory_ + " holds files of two journals: restore it from one backup"};
}

Status Journal::write_genesis() {
  Draft genesis{InputKind::genesis, no_time, {}};
  identity_.encode(genesis.payload);
  const Entry entry{1, stamp_of(genesis, clock_.wall_us()), static_cast<std::uint8_t>(genesis.kind), 0,
                    genesis.payload};
  SLUICE_TRY(log_->append(std::span(&entry, 1)));
  last_stamp_ = entry.stamp;
  return log_->sync();
}

Status Journal::start(Sink sink) {
  SLUICE_CHECK(!writer_.joinable());
  sink_ = std::move(sink);
  writer_ = std::thread([this] {
    name_thread("journal");
    run();
  });
  return Done{};
}

void Journal::stop() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake_.notify_all();
  if (writer_.joinable()) writer_.join();
}

Submit Journal::submit(std::vector<Draft> drafts, Answer done) {
  SLUICE_CHECK(!drafts.empty());
  Request request{std::move(drafts), std::move(done), 0};
  bool outside = false;
  for (const Draft& d : request.drafts) {
    request.bytes += d.payload.size() + draft_overhead_bytes;
    outside = outside || from_outside(d.kind);
  }
  if (outside && disk_low_.load(std::memory_order_relaxed)) {
    if (disk_low()) return Submit::disk_full;
    disk_low_ = false;
  }
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return Submit::closed;
    if (queued_bytes() >= (outside ? 1 : 2) * options_.queue_bytes_max) return Submit::full;
    queued_bytes_ += request.bytes;
    queue_.push_back(std::move(request));
  }
  wake_.notify_one();
  return Submit::ok;
}

unsigned Journal::percent_used() const {
  return static_cast<unsigned>(queued_bytes() * 100 / std::max<std::size_t>(options_.queue_bytes_max, 1));
}

bool Journal::disk_low() {
  const Result<std::uint64_t> free = files_.free_bytes(directory_);
  return free && free.value() < options_.reserve_bytes;
}

void Journal::run() {
  do {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return closed_ || !queue_.empty(); });
  } while (pump());
}

bool Journal::pump() {
  std::vector<Request> group = take_group();
  if (group.empty()) return false;
  const auto batch = std::make_shared<Batch>();
  if (const Status written = write_group(group, *batch); !written) {
    fail(written.error(), std::move(group));
    return false;
  }
  std::size_t bytes = 0;
  for (Request& r : group) {
    bytes += r.bytes;
    batch->owned.push_back(std::move(r.drafts));
  }
  queued_bytes_ -= bytes;
  disk_low_ = disk_low();
  std::uint64_t first_seq = batch->inputs.front().seq;
  if (sink_) sink_(batch);
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (group[i].done) group[i].done(Done{}, first_seq);
    first_seq += batch->owned[i].size();
  }
  return true;
}

std::vector<Journal::Request> Journal::take_group() {
  std::vector<Request> group;
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  while (!queue_.empty() && (group.empty() || bytes + queue_.front().bytes <= group_bytes_max)) {
    bytes += queue_.front().bytes;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

// One write, one sync. The batch's payloads stay in the drafts, whose place in memory does not change when
// they move.
Status Journal::write_group(std::vector<Request>& group, Batch& batch) {
  entries_.clear();
  const TimeUs wall = clock_.wall_us();
  std::uint64_t seq = log_->next_seq();
  for (const Request& r : group) {
    for (const Draft& d : r.drafts) {
      last_stamp_ = stamp_of(d, wall);
      entries_.push_back({seq++, last_stamp_, static_cast<std::uint8_t>(d.kind), 0, d.payload});
      batch.inputs.push_back(input_of(entries_.back()));
    }
    entries_.back().flags = frame_commit_end;
  }
  SLUICE_TRY(log_->append(entries_));
  return log_->sync();
}

TimeUs Journal::stamp_of(const Draft& draft, TimeUs wall) const {
  const bool own = options_.stamps == StampMode::events || draft.kind == InputKind::tick;
  return std::max(last_stamp_, own ? draft.event_time : wall);
}

void Journal::fail(const Error& error, std::vector<Request> group) {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (Request& r : queue_) group.push_back(std::move(r));
    queue_.clear();
    queued_bytes_ = 0;
  }
  if (options_.fatal) options_.fatal(error);
  for (const Request& r : group) {
    if (r.done) r.done(error, 0);
  }
}

Status Journal::replay(std::uint64_t from, const std::function<bool(const Input&)>& each) const {
  return log_->read(from, [&](const Entry& e) { return each(input_of(e)); });
}

}  // namespace sluice
