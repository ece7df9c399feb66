#include "hub/receipts.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "sluice/plugin.h"

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/thread_name.hpp"
#include "model/callback_input.hpp"

namespace sluice::hub {

namespace {

constexpr auto look_again = std::chrono::milliseconds(100);

// How far a receipt says that its message has come. 0: people may do it as often as they like.
int progress_of(std::string_view receipt) {
  if (receipt == "sent") return 1;
  if (receipt == "delivered" || receipt == "failed" || receipt == "bounced") return 2;
  return 0;
}

// Whoever opens, clicks, answers or complains has it.
constexpr int arrived = 3;

}  // namespace

Status CallbackSink::record(const plugin::Emitted& r) {
  Callback& made = callbacks.emplace_back();
  made.consent = r.op == SLUICE_CONSENT;
  if (made.consent) {
    JsonParser parser;
    const std::string payload(r.payload);
    made.granted = parser.parse(payload)["granted"].boolean().value_or(false);
  }
  made.time = r.time == no_time ? received_ : r.time;
  made.key = r.key;
  made.name = r.name;
  made.facts = r.payload;
  made.identifiers = r.identifiers;
  made.remote_id = r.remote_id;
  made.id = r.id;
  return Done{};
}

struct Receipts::Order {
  std::string destination;
  std::vector<Callback> callbacks;
  Done done;
  DurationUs until = 0;  // monotonic
  std::size_t next = 0;  // of callbacks
  std::vector<Draft> drafts = {};
  struct Move {
    store::MessageRow message;
    std::string receipt, error;
    int progress;
  };
  std::vector<Move> moves = {};
  Status stored = sluice::Done{};
};

Receipts::Receipts(const Clock& clock, store::Database& database, std::string journal, SubmitFn submit)
    : clock_(clock), database_(database), journal_(std::move(journal)), submit_(std::move(submit)) {
  thread_ = std::thread([this] {
    name_thread("receipts");
    run();
  });
}

Receipts::~Receipts() {
  stop();
}

void Receipts::take(std::string destination, std::vector<Callback> callbacks, Done done) {
  if (callbacks.empty()) return done(sluice::Done{});
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && orders_.size() < receipts_waiting_max) {
      orders_.push_back({.destination = std::move(destination),
                         .callbacks = std::move(callbacks),
                         .done = std::move(done),
                         .until = clock_.monotonic_us() + receipt_patience});
      changed_.notify_one();
      return;
    }
  }
  done(Error{Code::transient, "too many callbacks are waiting, or the hub is stopping"});
}

void Receipts::take_outcome(const std::string& destination, const Effect& effect,
                            const deliver::Outcome& outcome) {
  if (outcome.receiver == deliver::Receiver::unsaid || effect.person == nobody) return;
  const bool refused = outcome.receiver == deliver::Receiver::opted_out;
  const std::string key =
      journal_ + '.' + std::to_string(effect.key.seq) + '.' + std::to_string(effect.key.ordinal);
  const std::string said = key + (refused ? ":refused" : ":failed");
  std::string facts;
  JsonWriter json(facts);
  json.begin_object().member(refused ? "proof" : "error", outcome.reason).end_object();
  CallbackInput input;
  input.destination = destination;
  input.key = said;
  input.name = refused ? "refused" : "failed";
  input.time = outcome.at;
  input.person = effect.person;
  input.message = effect.name;
  input.route = effect.route;
  input.facts = facts;
  std::vector<Draft> drafts(1);
  drafts[0].kind = InputKind::outcome;
  input.encode(drafts[0].payload);
  // Should it be lost, the vendor says the same to the next message.
  if (submit_(std::move(drafts), [](const Status&, std::uint64_t) {}) == Submit::ok) ++counters_.taken;
}

Receipts::Found Receipts::resolve(Order& order, const Callback& callback, bool last_chance) {
  CallbackInput input;
  Order::Move move{{}, callback.name, {}, 0};
  if (!callback.remote_id.empty() || !callback.id.empty()) {
    auto found = database_.message(order.destination, callback.remote_id, callback.id);
    if (!found) {
      order.stored = found.error();
      return Found::dropped;
    }
    if (!found.value() && callback.identifiers.empty()) {
      if (last_chance) ++counters_.unknown;
      return last_chance ? Found::dropped : Found::not_yet;
    }
    if (found.value()) {
      move.message = std::move(*found.value());
      input.person = move.message.profile;
      input.message = move.message.name;
      input.route = move.message.route;
    }
  }
  const std::string known_by = order.destination + ' ' + move.message.key;
  if (!callback.consent && !move.message.key.empty()) {
    const auto moving = moving_.find(known_by);
    const int now = std::max(move.message.progress, moving == moving_.end() ? 0 : moving->second);
    const int progress = progress_of(callback.name);
    if (progress != 0 && progress <= now) {
      ++counters_.late;
      return Found::dropped;
    }
    move.progress = progress == 0 ? arrived : progress;
    moving_[known_by] = std::max(now, move.progress);
  }
  input.destination = order.destination;
  input.key = callback.key;
  input.name =
      callback.consent ? (callback.granted ? "granted" : "refused") : std::string_view(callback.name);
  input.time = callback.time;
  input.identifiers = callback.identifiers;
  input.facts = callback.facts;
  Draft& draft = order.drafts.emplace_back();
  draft.kind = InputKind::outcome;
  draft.event_time = callback.time;
  input.encode(draft.payload);
  if (!move.message.key.empty()) {
    JsonParser parser;
    const std::string facts = callback.facts.empty() ? "{}" : callback.facts;
    move.error = parser.parse(facts)["error"].string_or("");
    order.moves.push_back(std::move(move));
  }
  return Found::resolved;
}

bool Receipts::work(Order& order) {
  const bool last_chance = clock_.monotonic_us() >= order.until;
  while (order.next < order.callbacks.size()) {
    if (resolve(order, order.callbacks[order.next], last_chance) == Found::not_yet) return false;
    ++order.next;
  }
  return true;
}

void Receipts::submit(Order order) {
  if (order.drafts.empty() || !order.stored) return settle(order);
  std::vector<Draft> drafts = std::exchange(order.drafts, {});
  const std::size_t count = drafts.size();
  auto kept = std::make_shared<Order>(std::move(order));
  const Submit submitted =
      submit_(std::move(drafts), [this, kept, count](const Status& status, std::uint64_t) {
        if (status) counters_.taken += count;
        kept->stored = status ? Status(sluice::Done{}) : Status(status.error());
        const std::lock_guard lock(mutex_);
        durable_.push_back(std::move(*kept));
        changed_.notify_one();
      });
  if (submitted == Submit::ok) return;
  kept->stored = Error{Code::transient, "the journal takes nothing now"};
  settle(*kept);
}

// It is durable, or lost: what is known of its messages moves on, and the vendor gets its answer.
void Receipts::settle(Order& order) {
  std::vector<store::DeliveryRow> rows;
  for (Order::Move& move : order.moves) {
    const store::MessageRow& m = move.message;
    moving_.erase(order.destination + ' ' + m.key);
    if (!order.stored) continue;
    if (move.progress != 0) {
      const Status moved = database_.advance_message(order.destination, m.key, move.progress);
      if (!moved) log_warn("delivery", "destination '" + order.destination + "': " + moved.error().detail);
    }
    rows.push_back({.profile = m.profile,
                    .at = clock_.wall_us(),
                    .destination = order.destination,
                    .route = m.route,
                    .op = "message",
                    .name = m.name,
                    .outcome = move.receipt,
                    .reason = move.error,
                    .idempotency_key = m.key});
  }
  if (!rows.empty())
    (void)database_.record_deliveries(rows);  // for people: what cannot be written is left out
  order.done(order.stored);
}

void Receipts::run() {
  std::unique_lock lock(mutex_);
  std::deque<Order> waiting;
  for (;;) {
    const auto ready = [this] { return stopping_ || !orders_.empty() || !durable_.empty(); };
    waiting.empty() ? changed_.wait(lock, ready) : void(changed_.wait_for(lock, look_again, ready));
    const bool stop = stopping_;
    std::deque<Order> durable = std::exchange(durable_, {}), fresh = std::exchange(orders_, {});
    lock.unlock();
    for (Order& order : durable) settle(order);
    for (Order& order : fresh) waiting.push_back(std::move(order));
    for (std::size_t left = waiting.size(); left > 0; --left) {
      Order order = std::move(waiting.front());
      waiting.pop_front();
      if (stop) {
        order.done(Error{Code::cancelled, "the hub is stopping"});
      } else if (work(order)) {
        submit(std::move(order));
      } else {
        waiting.push_back(std::move(order));
      }
    }
    lock.lock();
    if (stop && durable_.empty() && orders_.empty()) return;
  }
}

void Receipts::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace sluice::hub
