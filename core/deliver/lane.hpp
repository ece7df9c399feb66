// One destination's lane: its queue, log, pacing, retries and outcomes. One thread of its own runs pump();
// nothing that happens here costs another lane anything but CPU.
//
// What a lane does with a record:
//   order        A person's records go out one after the other; see lane_queue.hpp. One batch takes one of a
//                person, unless the connector promises that a request is accepted whole or not at all.
//   failures     are sent again after a back-off with full jitter that blocks their people alone. How the
//                lane paces itself, backs off and probes is the governor's: governor.hpp.
//   collapse     Of a person's ENTER and LEAVE for one audience that wait, only the latest goes out; the
//                others end superseded. Events and messages all go out.
//   splitting    413 and a 400 that names no record halve the batch, until the bad record stands alone and is
//                rejected. So does a connector that fails as a whole, or dies.
//   poison       A record that failed attempts_max times while the destination took others ends rejected.
//   steps        A further request that carries a state (an asynchronous job is asked for) is in the log
//                before it is sent: after a restart it, or its repeat, is sent as it is.
//   unknown      Where a repeat would act twice and the policy says hold, an intent is durable before the
//                request; a time-out or a crash after it ends the record `held`.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sluice/result.hpp"

#include "base/clock.hpp"
#include "deliver/courier.hpp"
#include "deliver/delivery.hpp"
#include "deliver/gate.hpp"
#include "deliver/governor.hpp"
#include "deliver/lane_log.hpp"
#include "deliver/lane_queue.hpp"
#include "deliver/lane_snapshot.hpp"
#include "deliver/outcome.hpp"
#include "deliver/unwritten.hpp"
#include "store/database.hpp"

namespace sluice::deliver {

class History;

inline constexpr std::uint32_t attempts_max = 24;           // for a record whose destination takes others
inline constexpr std::uint32_t attempts_together = 4;       // after as many a record goes alone
inline constexpr std::uint32_t connector_failures_max = 5;  // for one record: it is dead-lettered then

struct LaneOptions {
  FileSystem& files;
  const Clock& clock;
  std::string directory;
  std::string journal;
  Gate& gate;
  store::Database* database;
  History* history;  // may be null
  std::uint64_t seed;
  std::uint64_t memory_bytes;
  std::uint64_t segment_bytes;
  config::Destination destination;
  std::function<void(const Effect&, const Outcome&)> on_outcome;
  std::function<void()> on_idle;  // [lane] the last record has its outcome
  std::function<void(const Error&)> on_fatal;
};

class Lane {
 public:
  static Result<std::unique_ptr<Lane>> open(LaneOptions options, std::unique_ptr<Courier> courier);
  ~Lane();

  const std::string& name() const { return name_; }
  // [step] See Delivery::offer().
  Status offer(std::uint64_t seq, std::vector<Effect> effects, Follows follows = Follows::nothing);
  void nothing_follows();  // [step]
  Status sync();           // [any] what has no outcome is in the log then, and all of it durable
  std::uint64_t applied() const { return log_->applied(); }                       // [step]
  bool idle() const { return unfinished_.load(std::memory_order_acquire) == 0; }  // [any]
  LaneStatus status() const;                                                      // [any]

  // [any] The destination's settings have changed: from the next request on the lane goes by these, through
  // this courier. What is in flight comes back to the old one first; the rest keeps its place and its order.
  void change(config::Destination destination, std::unique_ptr<Courier> courier);

  void renew();  // [any] the destination's credentials are there: a lane that was refused goes on at once

  void start();        // [main] the thread
  void ask_to_stop();  // [main] nothing new goes out; returns at once
  // [main] Ends the thread. Requests in flight may come back for `patience` (real time); then they are
  // cancelled. Idempotent.
  void stop(DurationUs patience);
  // [lane] One round of everything; returns when it has to be called again, or `never`. The lane's own
  // thread calls it; tests with a clock of their own do so without a thread.
  DurationUs pump();

 private:
  struct Planned;  // these are in lane_parts.hpp
  struct Batch;
  struct Pick;
  struct Landed;
  struct Inbox;
  struct Landing;
  explicit Lane(LaneOptions options);
  Status count_backlog();
  void go_by_limits();  // of courier_ and destination

  struct Settings {  // lane_change.cpp: others
    config::Destination destination;
    std::shared_ptr<Courier> courier;
  };
  bool changing();
  void take_renewal();
  bool stopping() const;
  void cancel();
  void run();

  // lane.cpp: what comes in
  TimeUs steady_wall() const;
  void follow_merges();
  void inherit_remote_id(const Gate::Merge& merge);
  std::string remote_id_at(ProfileId person) const;  // empty: the destination has said none
  Status load();
  Status load_from_log();
  Status spill(std::uint64_t seq, std::span<const LaneLog::Record> records);
  Status hand_over(std::uint64_t seq, std::vector<Effect> effects, std::span<const LaneLog::Record> records);
  void push(std::unique_ptr<Item> item);

  bool send_more(DurationUs& next);   // lane_send.cpp: what goes out
  bool form_batch(DurationUs& next);  // lane_form.cpp: which records make a batch
  bool lingers(DurationUs& next);
  bool take(Batch& batch, Item* item, Pick& pick);
  bool take_part(Batch& batch, Item* item, Pick& pick);
  bool pass_over(Item* item, Pick& pick);
  bool filter(Item* item);  // false: it has ended, or waits again
  std::uint64_t group_of(const Item& item) const;
  std::size_t careful_batches() const;

  // lane_steps.cpp: what is under way over there (asynchronous jobs), and goes on after a restart
  Planned further(Batch& batch, CourierRequest request);
  std::vector<Item*> gather(Batch& batch, Item* first);
  bool resume(Batch& batch, Item* first);
  bool ends_before_resume(Item* item);
  bool repeats_step(const Item& item, Fate fate, const Landing& landing) const;
  void keep_repeats(Landing& landing);
  Status write_kept();

  bool admits(DurationUs& next);
  std::string remote_id_of(const Effect& effect);
  void dispatch(Batch& batch, std::vector<Item*> items);
  void plan(Batch& batch, const std::vector<Parcel>& parcels);
  void deliver(Batch& batch, const std::vector<Parcel>& parcels);
  bool send_waiting(DurationUs& next);
  bool withdraw_if_changed(Batch& batch, Planned& planned);
  void withdraw(Batch& batch, Planned& planned);
  void withdraw_waiting(Batch& batch);
  Status note_intents(const Batch& batch, const std::vector<std::uint32_t>& records);
  void advance(Batch& batch);
  bool unsafe(const Item& item) const;
  std::string key_of(const EffectKey& key) const;

  // lane_snapshot.cpp: full refreshes, and what waits for a later word
  Result<std::uint64_t> line_for(const Effect& effect);
  Snapshot* snapshot_of(const Effect& effect);
  bool hold_for_snapshot(Item* item);
  bool others_fly(const Item& item) const;
  void fill_part(Batch& batch, std::vector<Item*>& items);
  Status cut_part(Batch& batch, const Answer& answer);
  bool still_wanted(Item* item);
  bool shrink_part(Item* item, Fate fate, std::size_t records);
  void note_snapshot_failure(const Effect& effect, OutcomeKind& kind, std::string& reason,
                             std::string& detail);
  void leave_snapshot(const Effect& effect);
  DurationUs settles_in(const Effect& effect, TimeUs offered) const;
  static void prepare(Effect& effect);
  bool too_many_gaps() const;

  // lane_judge.cpp: what comes back
  void land(Landed landed);
  void judge_all(Batch& batch, const std::vector<std::uint32_t>& records, const Answer& answer,
                 Landing& landing);
  static Fate doubted(const Item& item, Fate fate, const Landing& landing);
  void judge(Batch& batch, std::uint32_t record, const Verdict& verdict, Landing& landing);
  void judge_retry(Item* item, const Verdict& verdict, Landing& landing);
  void judge_unknown(Item* item, const Verdict& verdict, Landing& landing);
  void close_landing(Batch& batch, Landing& landing);
  void note_first_failure(Item* item) const;
  bool suspected(const Item& item) const;
  void end(Item* item, OutcomeKind kind, std::string reason, std::string detail,
           const Landing* landing = nullptr, const Verdict* said = nullptr);
  void remember(const Effect& effect, const Outcome& outcome);
  // lane_receivers.cpp: addresses at which nothing arrives
  std::string unreachable_key(const std::string& address) const;
  bool is_unreachable(const Effect& effect) const;
  Status write_unreachable();
  Status write_outcomes();
  DurationUs sync_when_due();
  void fail(const Error& error);
  void publish();

  LaneOptions options_;
  const std::string name_;
  std::shared_ptr<Courier> courier_;  // changed under the inbox's mutex, as limits_
  CourierLimits limits_;
  std::unique_ptr<Settings> next_;  // guarded by the inbox's mutex
  std::unique_ptr<LaneLog> log_;
  std::shared_ptr<Inbox> inbox_;
  std::thread thread_;
  Unwritten unwritten_;
  std::uint64_t offers_ = 0;                                        // the step's
  std::atomic<std::uint64_t> unfinished_{0}, unfinished_bytes_{0};  // offered and without an outcome
  std::atomic<std::uint64_t> memory_{0};                            // bytes of records in inbox and queue
  std::atomic<bool> more_follows_{false};                           // the step's
  std::atomic<std::uint32_t> full_at_{1};                           // records that fill a batch

  // The lane's thread alone:
  LaneQueue queue_;
  std::map<std::uint64_t, Snapshot> snapshots_;  // by line of the queue
  DurationUs settle_ = 0;
  std::list<Batch> batches_;
  std::uint64_t batch_ids_ = 0, merges_seen_ = 0, loaded_frame_ = 0;
  EffectKey floor_;  // above every record loaded so far
  Governor governor_;
  const TimeUs opened_wall_;
  const DurationUs opened_;
  std::uint64_t in_flight_ = 0;
  DurationUs linger_from_ = 0, unsynced_since_ = 0;
  std::vector<LaneLog::Ended> ended_;
  std::vector<std::unique_ptr<Item>> ended_items_;  // beside ended_
  std::vector<EffectKey> retracted_;                // intents of what is to be sent again
  std::vector<KeptStep> kept_;                      // to be written
  bool unsynced_ = false;
  bool decided_ = false;  // records have ended unsent, and a crash may decide otherwise
  std::vector<store::Database::RemoteId> remote_ids_;  // that outcomes brought
  bool has_remote_ids_ = false;                        // this destination gives any
  std::vector<store::MessageRow> messages_;            // that vendors will speak of again
  std::vector<store::DeadLetter> letters_;             // of those among them that are dead letters
  std::vector<std::string> unreachable_;               // unreachable_key() of addresses
  bool one_per_person_ = false, broken_ = false;
  bool stopped_ = true;  // from stop() on, and until open() is through

  mutable std::mutex status_mutex_;  // guards status_
  LaneStatus status_;
  std::string last_error_, unready_;  // unready_: of the courier, until something was taken
  OutcomeCounts counts_{};
  std::uint64_t sends_ = 0, retries_ = 0;
};

}  // namespace sluice::deliver
