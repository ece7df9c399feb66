// Delivery: every destination's lane, and the way of an effect from the step to its outcome.
//
// Promises. A record given to offer() reaches exactly one outcome, whatever crashes; a record whose outcome
// was synced is never sent again; one whose outcome was not is sent again under the same key. A person's
// records reach a destination in the order in which they were caused. A lane that is down, slow or
// misconfigured costs the others nothing: each has its own thread, memory budget, log and pacing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

#include "base/clock.hpp"
#include "base/file.hpp"
#include "config/config.hpp"
#include "deliver/courier.hpp"
#include "deliver/follows.hpp"
#include "deliver/gate.hpp"
#include "deliver/governor.hpp"
#include "deliver/outcome.hpp"
#include "model/effect.hpp"

namespace sluice::store {
class Database;
}

namespace sluice::deliver {

enum class LaneState : std::uint8_t { live, backoff, paused, stopped, removed };
std::string_view name_of(LaneState state);

struct LaneStatus {
  std::string name;
  LaneState state = LaneState::live;
  std::uint64_t backlog_records = 0;  // offered and without an outcome
  std::uint64_t backlog_bytes = 0;    // of those, their encoded size
  TimeUs oldest = 0;                  // the `time` of the oldest of them that is in memory; 0: none
  std::uint64_t in_flight = 0;        // requests
  std::uint32_t window = 0;           // so many may be
  Breaker breaker = Breaker::closed;
  std::uint64_t blocked_people = 0;  // who wait for a retry
  OutcomeCounts outcomes{};          // since start, by OutcomeKind
  std::uint64_t sends = 0;           // requests, or deliver() calls, since start
  std::uint64_t retries = 0;         // records that were put back to be sent again, since start
  std::string last_error;  // of the last failed send: no personal data, no secret; empty after a success
};

struct DeliveryOptions {
  FileSystem& files;
  const Clock& clock;
  std::string directory;  // lanes live under directory/NAME
  std::string journal;    // "<journal id>.<generation>": the first half of each idempotency key
  Gate& gate;
  store::Database* database = nullptr;       // dead letters and history; null: neither is kept (tests)
  std::uint64_t seed = 0;                    // of the jitter
  std::uint64_t memory_bytes = 32ULL << 20;  // a lane's records in memory; the rest is read back from its log
  std::uint64_t segment_bytes = 16ULL << 20;  // of a lane's two logs
  DurationUs stop_patience = 5 * us_per_s;    // real time that drain_and_stop() may take
  std::function<void(const std::string& destination, const Effect&, const Outcome&)> on_outcome =
      {};  // [lane threads] must be quick; may be empty
  std::function<void(const Error&)> on_fatal =
      {};  // [lane threads] a lane's files failed: the process must stop
};

// The lanes as their files say, without a hub and without changing them: state `stopped`, what waits, and the
// outcomes that the logs still hold. In the order of the configuration.
Result<std::vector<LaneStatus>> read_lanes(FileSystem& files, const std::string& directory,
                                           const config::Config& config);

class Delivery {
 public:
  // Opens a lane for each destination of the configuration and reads back what has no outcome yet. So too for
  // destinations that were removed from it: their records wait, and the log says so.
  // `courier(destination)` makes the lane's way to its connector (see connector_courier.hpp); it is called
  // once for each.
  using MakeCourier = std::function<Result<std::unique_ptr<Courier>>(const config::Destination&)>;
  static Result<std::unique_ptr<Delivery>> open(DeliveryOptions options, const config::Config& config,
                                                const MakeCourier& courier);
  ~Delivery();  // as stop()

  // [step] The effects of all inputs up to and including `seq`, durable in the journal, in order. They go to
  // the lanes' memory, or where that is full to their logs, and never wait for a destination. Effects at or
  // below applied() of their lane are dropped: a replay may offer everything again. Those for a destination
  // that is no longer configured are kept in its log until it comes back. Behind Follows::more another offer
  // has to come soon, be it empty. An error means that a file failed: stop the process.
  Status offer(std::uint64_t seq, std::vector<Effect> effects, Follows follows = Follows::nothing);
  // [any, one at a time] What was offered and has no outcome is in the lanes' logs then, durable with all
  // outcomes. To be called before a checkpoint commits: from there on a replay offers the rest again.
  Status sync();
  // [step] How far the journal has been turned into records of this lane; 0 for a name without a lane.
  std::uint64_t applied(std::string_view destination) const;

  void start();  // [main] starts the lanes' threads
  // [lane] Lane::pump() of this destination's: for who drives the lanes by a clock of his own instead of
  // start(). never: there is no such lane, too.
  DurationUs pump(std::string_view destination);
  bool idle() const;  // [any] every record has its outcome
  // [main] Waits for idle(), in real time; then, or after the time-out, syncs.
  Status drain(DurationUs timeout);
  void stop();  // [main] ends the threads; what has no outcome stays in the logs. Idempotent
  // [main] Both, within stop_patience: lanes that get on may send for half of it, and what is in flight by
  // then may come back in the other. Nothing is waited for where no lane gets on. True: all had its outcome.
  bool drain_and_stop();

  // A changed configuration while all this runs, in three moves so that no record is ever without its lane.
  struct Change {
    std::vector<config::Destination> destinations;             // all, in their order
    std::optional<Span> retention;                             // of events
    std::map<std::string, std::unique_ptr<Courier>> couriers;  // of those that are new or changed
  };
  // [one at a time] Opens connectors for the destinations of `next` that are new or named in `changed`; an
  // error says which could not be opened, and nothing has changed.
  Result<Change> prepare(const config::Config& next, const std::set<std::string>& changed);
  // Before the step knows the new configuration: the lanes of new destinations are there and run.
  Status begin(Change& change);
  // After it: changed lanes go on with the new settings; those without a destination deliver what they can
  // within stop_patience and end, with all that they still hold kept in their logs. All other lanes are as
  // they were.
  void finish(Change change);
  void renew(std::string_view destination);  // [any] its credentials are there: Lane::renew()
  // [any] In the order of the configuration; behind them, those removed from it that have records left.
  std::vector<LaneStatus> status() const;
  // [any] Lanes of removed destinations: what was offered before this time ends expired, and a lane without
  // records goes. Only once a checkpoint holds all that was stepped with the old configuration.
  Status expire_removed(TimeUs before);

 private:
  struct Impl;
  explicit Delivery(std::unique_ptr<Impl> impl);
  void stop_within(DurationUs patience);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::deliver
