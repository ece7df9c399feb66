#include "ingest/source_runner.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/log.hpp"
#include "ingest/commit.hpp"
#include "ingest/feed_sink.hpp"
#include "ingest/rejects.hpp"
#include "ingest/time_merge.hpp"
#include "plugin/http_request.hpp"

namespace sluice::ingest {
namespace {

constexpr auto full_pause = std::chrono::milliseconds(20);  // the journal tells nobody when it has room again
constexpr auto disk_full_pause = std::chrono::milliseconds(500);
constexpr DurationUs retry_first = us_per_s;
constexpr DurationUs retry_most = us_per_min;
constexpr int tries_until_idle = 4;              // of a source that fails for now
constexpr std::size_t merge_queued_max = 4'096;  // items of a feed that wait to be merged

// What threads and the journal's answers share; it outlives the runner when answers come late.
struct Shared {
  std::mutex mutex;  // guards what follows
  std::condition_variable_any changed;
  std::size_t in_flight = 0;
  std::string journal_error;  // not empty: nothing will be taken any more
  TimeMerge merge;
  std::size_t running = 0;  // feeds that have not ended
  std::uint64_t renewals = 0;
  bool merging = false;  // the merge has not given everything on

  explicit Shared(DurationUs far_ahead) : merge(far_ahead) {}
};

}  // namespace

struct SourceRunner::Impl {
  struct Running {  // a feed
    Feed feed;
    RejectsFile* rejects = nullptr;
    std::size_t index = 0;
    Commit ready;                 // [its thread] up to a checkpoint, not yet submitted
    FeedStatus status;            // guarded by Shared::mutex
    TimeUs limited_until = 0;     // [its thread] what the vendor allows is used up until then
    DurationUs retry_after = -1;  // [its thread] what the answer that failed said
    std::jthread thread;
  };

  Impl(RunnerOptions o, SubmitFn s)
      : options(std::move(o)), submit(std::move(s)), shared(std::make_shared<Shared>(options.far_ahead)) {}

  RunnerOptions options;
  SubmitFn submit;
  std::shared_ptr<Shared> shared;
  std::map<std::string, std::unique_ptr<RejectsFile>> rejects;  // by source
  std::deque<Running> feeds;
  std::jthread merger;
  std::stop_source stop;

  Status submit_commit(Commit commit);
  Status commit_direct(Running& running, std::vector<MergeItem> items);
  Status commit_merged(Running& running, std::vector<MergeItem> items);
  void take_limits(Running& running, const std::vector<plugin::RateLimit>& limits) const;
  bool busy() const;
  Status flush(Running& running) { return submit_commit(std::exchange(running.ready, {})); }
  void run(Running& running);
  Status read_once(Running& running, FeedSink& sink) const;
  Status fetch_once(Running& running, FeedSink& sink) const;
  bool after(Running& running, const Status& done, const FeedSink& sink, DurationUs& pause, int& tries);
  static void tell(const Running& running, const std::string& before);
  void wait(DurationUs at_most, std::uint64_t renewals);
  std::uint64_t renewals() const {
    const std::lock_guard lock(shared->mutex);
    return shared->renewals;
  }
  void run_merge();
  std::optional<TimeMerge::Released> next_merged(bool may_wait);
  void take_merged(TimeMerge::Released released, Commit& commit);
};

Status SourceRunner::Impl::submit_commit(Commit commit) {
  if (commit.drafts.empty()) return Done{};
  std::unique_lock lock(shared->mutex);
  while (true) {
    shared->changed.wait(lock, stop.get_token(), [&] {
      return shared->in_flight < commits_in_flight_max || !shared->journal_error.empty();
    });
    if (stop.stop_requested()) return Error{Code::cancelled, "the source was stopped"};
    if (!shared->journal_error.empty()) return Error{Code::cancelled, shared->journal_error};
    ++shared->in_flight;
    lock.unlock();
    const Submit answer = submit(commit.drafts, [s = shared](const Status& done, std::uint64_t) {
      const std::lock_guard guard(s->mutex);
      --s->in_flight;
      if (!done) s->journal_error = done.error().detail;
      s->changed.notify_all();
    });
    lock.lock();
    if (answer == Submit::ok) return Done{};
    --shared->in_flight;
    if (answer == Submit::closed) shared->journal_error = "the journal takes nothing any more";
    shared->changed.notify_all();
    const auto pause = answer == Submit::full ? full_pause : disk_full_pause;
    shared->changed.wait_for(lock, stop.get_token(), pause, [] { return false; });
  }
}

Status SourceRunner::Impl::commit_direct(Running& running, std::vector<MergeItem> items) {
  std::size_t bytes = 0;
  for (const MergeItem& item : items) bytes += bytes_of(item.draft);
  if (!running.ready.has_room(items.size(), bytes)) SLUICE_TRY(flush(running));
  for (MergeItem& item : items) running.ready.add(std::move(item.draft));
  return running.ready.has_room(1, 1) && busy() ? Status(Done{}) : flush(running);
}

// Commits are on their way: further records wait for each other, and go on with one of the next checkpoints.
// Else they go at once, since a read() may wait for its next record for hours.
bool SourceRunner::Impl::busy() const {
  const std::lock_guard lock(shared->mutex);
  return shared->in_flight >= commits_in_flight_max / 2;
}

Status SourceRunner::Impl::commit_merged(Running& running, std::vector<MergeItem> items) {
  std::unique_lock lock(shared->mutex);
  shared->changed.wait(lock, stop.get_token(), [&] {
    return shared->merge.queued(running.index) < merge_queued_max || !shared->journal_error.empty();
  });
  if (stop.stop_requested()) return Error{Code::cancelled, "the source was stopped"};
  if (!shared->journal_error.empty()) return Error{Code::cancelled, shared->journal_error};
  for (MergeItem& item : items) shared->merge.push(running.index, std::move(item));
  shared->changed.notify_all();
  return Done{};
}

// `renewals`: those of before the pass that was refused; a later one ends the pause.
void SourceRunner::Impl::wait(DurationUs at_most, std::uint64_t renewals) {
  std::unique_lock lock(shared->mutex);
  shared->changed.wait_for(lock, stop.get_token(), std::chrono::microseconds(at_most),
                           [&] { return shared->renewals != renewals; });
}

Status SourceRunner::Impl::read_once(Running& running, FeedSink& sink) const {
  const plugin::Poll poll{.stream = running.feed.stream,
                          .cursor = sink.cursor(),
                          .until_idle = options.until_idle,
                          .fields = running.feed.fields};
  return running.feed.connector->read(poll, sink, {.stop = stop.get_token()});
}

void SourceRunner::Impl::take_limits(Running& running, const std::vector<plugin::RateLimit>& limits) const {
  for (const plugin::RateLimit& limit : limits) {
    if (limit.remaining > 0 || limit.reset == no_time) continue;
    running.limited_until = std::max(running.limited_until, limit.reset);
  }
}

Status SourceRunner::Impl::fetch_once(Running& running, FeedSink& sink) const {
  plugin::Connector& connector = *running.feed.connector;
  const plugin::Poll poll{.stream = running.feed.stream,
                          .cursor = sink.cursor(),
                          .until_idle = options.until_idle,
                          .fields = running.feed.fields};
  running.retry_after = -1;
  const plugin::CallLimits limits{.timeout = std::min(connector.info().timeout, plugin::compute_max),
                                  .stop = stop.get_token()};
  plugin::FetchOutput first = SLUICE_TRY(connector.fetch(poll, sink, limits));
  take_limits(running, first.limits);
  SLUICE_TRY(sink.finish());
  std::deque<plugin::Request> todo(std::make_move_iterator(first.requests.begin()),
                                   std::make_move_iterator(first.requests.end()));
  while (!todo.empty()) {
    const plugin::Request request = std::move(todo.front());
    todo.pop_front();
    if (request.delay_ms > 0) {
      std::unique_lock lock(shared->mutex);
      shared->changed.wait_for(lock, stop.get_token(), std::chrono::milliseconds(request.delay_ms),
                               [] { return false; });
    }
    if (stop.stop_requested()) return Error{Code::cancelled, "the source was stopped"};
    plugin::Response response = SLUICE_TRY(connector.send(request));
    response.state = request.state;
    response.purpose = request.purpose;
    running.retry_after = response.retry_after_ms >= 0 ? response.retry_after_ms * us_per_ms : -1;
    plugin::FetchOutput more = SLUICE_TRY(connector.interpret_fetched(poll, response, sink, limits));
    running.retry_after = -1;
    SLUICE_TRY(sink.finish());
    take_limits(running, more.limits);
    if (running.limited_until > running.feed.host->now_us()) {
      if (todo.empty() && more.requests.empty()) break;
      return Error{Code::transient, "what the vendor allows is used up"};  // on from the last checkpoint
    }
    std::move(more.requests.begin(), more.requests.end(), std::back_inserter(todo));
  }
  return Done{};
}

// Once, not at each try.
void SourceRunner::Impl::tell(const Running& running, const std::string& before) {
  const std::string& now = running.status.error;
  if (now.empty() == before.empty() && (now.empty() || now == before)) return;
  const std::string who =
      running.feed.source + (running.feed.stream.empty() ? "" : '/' + running.feed.stream);
  now.empty() ? log_info("sources", who + ": it is read again") : log_warn("sources", who + ": " + now);
}

// What a pass says about the next: false, the feed has ended. Sets how long to pause before it.
bool SourceRunner::Impl::after(Running& running, const Status& done, const FeedSink& sink, DurationUs& pause,
                               int& tries) {
  const TimeUs now = running.feed.host == nullptr ? 0 : running.feed.host->now_us();
  const DurationUs limited = std::max<DurationUs>(0, running.limited_until - now);
  const std::lock_guard lock(shared->mutex);
  const bool stopped = stop.stop_requested() && !done && done.error().code == Code::cancelled;
  const std::string before = std::exchange(running.status.error, done || stopped ? "" : done.error().detail);
  if (stop.stop_requested() || !shared->journal_error.empty()) return false;
  if (limited > 0) {
    running.status.error =
        "what the vendor allows is used up; it is asked again at " + format_time(running.limited_until);
    tell(running, before);
    pause = std::max(limited, done ? running.feed.every : 0);
    return !options.until_idle;
  }
  tell(running, before);
  if (done) {
    pause = running.feed.every;
    tries = 0;
    return !sink.has_ended() && !(options.until_idle && running.feed.connector->offers_fetch());
  }
  const bool later = done.error().code == Code::transient;
  if (options.until_idle && (!later || ++tries >= tries_until_idle)) return false;
  pause = std::min(std::max(retry_first, tries > 1 ? pause * 2 : retry_first), retry_most);
  pause = std::max(pause, running.retry_after);
  if (!options.until_idle) ++tries;
  return true;
}

void SourceRunner::Impl::run(Running& running) {
  FeedSink sink(running.feed, *running.rejects,
                [&](std::vector<MergeItem> items, FeedSink::Counts counts) -> Status {
                  {
                    const std::lock_guard lock(shared->mutex);
                    running.status.records += counts.records;
                    running.status.rejected += counts.rejected;
                  }
                  return options.merge_by_time ? commit_merged(running, std::move(items))
                                               : commit_direct(running, std::move(items));
                });
  const plugin::Connector& connector = *running.feed.connector;
  bool more = connector.offers_read() || connector.offers_fetch();
  DurationUs pause = 0;
  int tries = 0;
  while (more) {
    const std::uint64_t renewals = this->renewals();
    Status done = connector.offers_read() ? read_once(running, sink) : fetch_once(running, sink);
    if (done) done = sink.finish();
    sink.drop();
    if (Status flushed = flush(running); !flushed && done) done = std::move(flushed);
    more = after(running, done, sink, pause, tries);
    if (!more) break;
    {
      const std::lock_guard lock(shared->mutex);
      shared->merge.set_waiting(running.index, true);
      shared->changed.notify_all();
    }
    wait(pause, renewals);
    const std::lock_guard lock(shared->mutex);
    shared->merge.set_waiting(running.index, false);
  }
  const std::lock_guard lock(shared->mutex);
  shared->merge.set_waiting(running.index, true);
  running.status.ended = true;
  --shared->running;
  shared->changed.notify_all();
}

// Nothing: it would have to wait, or everything was given on.
std::optional<TimeMerge::Released> SourceRunner::Impl::next_merged(bool may_wait) {
  std::unique_lock lock(shared->mutex);
  std::optional<TimeMerge::Released> out;
  const auto ready = [&] {
    out = shared->merge.next();
    return out.has_value() || !may_wait || (shared->running == 0 && shared->merge.empty());
  };
  shared->changed.wait(lock, stop.get_token(), ready);
  if (out) shared->changed.notify_all();
  return out;
}

void SourceRunner::Impl::take_merged(TimeMerge::Released released, Commit& commit) {
  if (!released.far_ahead) return commit.add(std::move(released.item.draft));
  Running& running = feeds[released.feed];
  RecordInput input;
  if (!RecordInput::decode(released.item.draft.payload, input)) return;
  const Status written =
      running.rejects->append(reject_line(released.item.place, "time_far_ahead", input.payload));
  {
    const std::lock_guard lock(shared->mutex);
    --running.status.records;
    ++running.status.rejected;
    if (!written) running.status.error = written.error().detail;
  }
  if (!released.item.has_cursor) return;
  RecordInput only_cursor;
  only_cursor.source = input.source;
  only_cursor.stream = input.stream;
  only_cursor.cursor = input.cursor;
  Draft draft{.kind = InputKind::record, .event_time = no_time, .payload = {}};
  only_cursor.encode(draft.payload);
  commit.add(std::move(draft));
}

void SourceRunner::Impl::run_merge() {
  Commit commit;
  while (!stop.stop_requested()) {
    std::optional<TimeMerge::Released> next = next_merged(commit.drafts.empty());
    if (next) take_merged(std::move(*next), commit);
    if (!next && commit.drafts.empty()) break;
    if (next && commit.has_room(1, 1)) continue;
    if (!submit_commit(std::exchange(commit, {}))) break;  // the feeds' next commits fail alike and end them
  }
  const std::lock_guard lock(shared->mutex);
  shared->merging = false;
  shared->changed.notify_all();
}

SourceRunner::SourceRunner(RunnerOptions options, SubmitFn submit)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(submit))) {}

SourceRunner::~SourceRunner() {
  stop();
}

void SourceRunner::add(Feed feed) {
  Impl& me = *impl_;
  std::unique_ptr<RejectsFile>& file = me.rejects[feed.source];
  if (!file) file = std::make_unique<RejectsFile>(me.options.rejects_folder, feed.source);
  Impl::Running& running = me.feeds.emplace_back();
  running.status.source = feed.source;
  running.status.stream = feed.stream;
  running.feed = std::move(feed);
  running.rejects = file.get();
  running.index = me.shared->merge.add_feed();
}

void SourceRunner::start() {
  Impl& me = *impl_;
  me.shared->running = me.feeds.size();
  me.shared->merging = me.options.merge_by_time;
  for (Impl::Running& running : me.feeds) running.thread = std::jthread([&me, &running] { me.run(running); });
  if (me.options.merge_by_time) me.merger = std::jthread([&me] { me.run_merge(); });
}

void SourceRunner::stop() {
  impl_->stop.request_stop();
  for (Impl::Running& running : impl_->feeds) {
    if (running.thread.joinable()) running.thread.join();
  }
  if (impl_->merger.joinable()) impl_->merger.join();
}

void SourceRunner::renew(const std::string& source) {
  for (const Impl::Running& running : impl_->feeds) {
    if (running.feed.source == source) running.feed.connector->credentials()->renew();
  }
  const std::lock_guard lock(impl_->shared->mutex);
  ++impl_->shared->renewals;
  impl_->shared->changed.notify_all();
}

bool SourceRunner::ended() const {
  return wait_ended(0);
}

bool SourceRunner::wait_ended(DurationUs at_most) const {
  Shared& shared = *impl_->shared;
  std::unique_lock lock(shared.mutex);
  return shared.changed.wait_for(lock, std::chrono::microseconds(at_most), [&] {
    return shared.running == 0 && !shared.merging && (shared.in_flight == 0 || !shared.journal_error.empty());
  });
}

std::vector<FeedStatus> SourceRunner::status() const {
  const std::lock_guard lock(impl_->shared->mutex);
  std::vector<FeedStatus> out;
  for (const Impl::Running& running : impl_->feeds) {
    out.push_back(running.status);
    if (!impl_->shared->journal_error.empty()) out.back().error = impl_->shared->journal_error;
  }
  return out;
}

}  // namespace sluice::ingest
