// What destinations say of messages after they have taken them: finds whose message it was, lets only what is
// news through, and journals it, as an input that carries its person, so that the step stays pure.
//
// A receipt may overtake the answer to the send that it is about: one whose message is not known yet waits a
// little. docs/adr has why.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "deliver/outcome.hpp"
#include "journal/journal.hpp"
#include "model/effect.hpp"
#include "plugin/types.hpp"
#include "store/database.hpp"

namespace sluice::hub {

inline constexpr DurationUs receipt_patience = 10 * us_per_s;  // for the answer to the send
inline constexpr std::size_t receipts_waiting_max = 2'000;     // requests
inline constexpr DurationUs message_memory = 90 * us_per_d;    // how long a message is known by its remote id

struct Callback {  // emitted by receive() of a destination; owns its texts
  bool consent = false;
  bool granted = false;
  TimeUs time = no_time;
  std::string key, name, facts, identifiers, remote_id, id;
};

// Takes what one call of receive() emits. Time that the connector does not know is `received`.
class CallbackSink final : public plugin::Sink {
 public:
  explicit CallbackSink(TimeUs received) : received_(received) {}
  Status record(const plugin::Emitted& record) override;
  Status reject(const plugin::Rejected&) override { return Done{}; }  // no emitter of such a call
  Status checkpoint(std::string_view) override { return Done{}; }     // likewise
  void ended() override {}
  std::vector<Callback> callbacks;

 private:
  TimeUs received_;
};

struct ReceiptCounters {                  // all only grow [any]
  std::atomic<std::uint64_t> taken{0};    // journaled
  std::atomic<std::uint64_t> unknown{0};  // dropped: of no message that the hub knows
  std::atomic<std::uint64_t> late{0};     // dropped: more is known of the message already
};

class Receipts {
 public:
  using SubmitFn = std::function<Submit(std::vector<Draft>, Journal::Answer)>;
  using Done = std::function<void(const Status&)>;  // must not wait

  Receipts(const Clock& clock, store::Database& database, std::string journal, SubmitFn submit);
  ~Receipts();  // stop()

  // [any] Calls `done` once, when all of it is durable or dropped; an error: nothing of it may be, ask again
  // later.
  void take(std::string destination, std::vector<Callback> callbacks, Done done);
  // [lane] What the answer to a send says of its receiver: a refusal, or that nothing arrives there.
  void take_outcome(const std::string& destination, const Effect& effect, const deliver::Outcome& outcome);
  void stop();  // [main] what waits is answered with an error
  const ReceiptCounters& counters() const { return counters_; }

 private:
  struct Order;  // one request
  struct Waiting;
  enum class Found : std::uint8_t { resolved, dropped, not_yet };
  void run();
  bool work(Order& order);  // false: it has to wait
  Found resolve(Order& order, const Callback& callback, bool last_chance);
  void submit(Order order);
  void settle(Order& order);

  const Clock& clock_;
  store::Database& database_;
  const std::string journal_;  // the first half of each idempotency key
  const SubmitFn submit_;
  ReceiptCounters counters_;
  std::map<std::string, int>
      moving_;        // the thread's: how far messages have come that are on their way to the journal
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Order> orders_, durable_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice::hub
