// A lane's way to its connector: what a lane must know and can ask. The real one (connector_courier.hpp)
// talks to a plugin and the HTTP client; tests script their own, so that lanes run in virtual time without
// plugins or sockets.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/result.hpp"

#include "base/time.hpp"
#include "deliver/outcome.hpp"
#include "model/effect.hpp"

namespace sluice::deliver {

struct Rate {
  double count = 0;  // requests (records, where the connector does its own I/O)
  DurationUs per = us_per_s;
};

// What the records of one batch must have in common.
enum class GroupBy : std::uint8_t { nothing, person, operation, name };

struct CourierLimits {
  std::uint32_t records_max = 100;
  std::uint64_t bytes_max = 1 << 20;  // of the records' payloads and identifiers
  std::uint32_t parallel = 8;         // requests in flight
  DurationUs linger = 0;    // how long a batch that is not full may wait while something is in flight
  std::vector<Rate> rates;  // by bucket; requests that name none take from the first
  GroupBy group_by = GroupBy::nothing;
  bool blocking = false;                // deliver() instead of plan(), interpret() and send()
  std::uint32_t unsafe_operations = 0;  // bit 1 << op: a repeat would act twice
  // A retry of one record of a batch, while a later one of the same person is accepted, would break that
  // person's order: so a batch takes one record of a person, unless the connector promises that the records
  // of one request are accepted together or not at all.
  bool all_or_nothing = false;
  bool called_back = false;  // the vendor tells later what became of messages: who got which is kept
  // ENTER and LEAVE wait for so long, and of a person's records for one audience only the latest goes out.
  DurationUs settle = 0;
};

struct Part {  // which part of which snapshot a batch is; see sluice_plan in sluice/plugin.h
  std::string snapshot = {};
  std::uint32_t number = 0;  // from 1; 0: of none
};

struct Parcel {    // one record on its way
  std::string id;  // the idempotency key, the same on every attempt
  std::uint32_t attempt = 1;
  const Effect* effect = nullptr;
  std::string remote_id = {};  // what an earlier outcome of this person said; empty: nothing
};

enum class Fate : std::uint8_t {
  delivered,
  retry,     // later
  throttle,  // later, and the whole lane waits
  rejected,  // never
  auth,      // credentials or configuration: the lane pauses, the record stays
  skipped,   // no address
  unknown,   // sent; whether it arrived nobody can tell
  too_big,   // the request was too large: try with half of its records (413)
  unclear,  // the request was refused without naming a record (400): try its halves, until the bad one stands
            // alone
};

struct Verdict {
  Fate fate = Fate::delivered;
  DurationUs retry_after = -1;  // -1: the lane's back-off
  std::string reason, detail, remote_id;
  Receiver receiver = Receiver::unsaid;
  bool bug = false;  // of the connector, which the same record may meet again: repeated a few times only
};

struct CourierRequest {
  std::vector<std::uint32_t> records;  // whose fate it decides: indexes of the parcels given to plan()
  DurationUs delay = 0;                // not before now + delay
  std::size_t bucket = 0;              // of CourierLimits::rates
  bool harmless = false;               // a repeat of it acts on nothing (GET)
  bool asks = false;           // about an audience, before its records are planned: nobody's data is in it
  std::shared_ptr<void> what;  // the courier's own
};

struct CourierResponse {
  bool sent = true;             // false: nothing has reached the destination (no connection)
  int status = 0;               // 0: no answer
  DurationUs retry_after = -1;  // Retry-After or a rate-limit reset, from now; -1: none
  std::string error;            // without secrets
  std::shared_ptr<void> what;   // the courier's own
};

struct Judged {
  std::uint32_t record = 0;  // index of the parcels
  Verdict verdict;
};

// What plan(), interpret() and deliver() said. Each record stands in one request or one verdict; one that
// stands in neither is a fault of the connector, and the lane tries it again.
struct Answer {
  std::vector<CourierRequest> requests;
  std::vector<Judged> verdicts;
  DurationUs pause = 0;  // the vendor's limit is used up: nothing more for this long
  struct BucketPause {
    std::size_t bucket = 0;
    DurationUs pause = 0;
  };
  std::vector<BucketPause> bucket_pauses;  // likewise of one bucket among several
};

class Courier {  // [lane] one call at a time; send()'s callback comes from any thread
 public:
  virtual ~Courier() = default;
  virtual const CourierLimits& limits() const = 0;
  // One API call's worth of records -> requests. An Error: the connector failed as a whole.
  // Of a snapshot's part the last records may be left out: the next part begins with them.
  virtual Result<Answer> plan(std::span<const Parcel> parcels, const Part& part = {}) = 0;
  // Further requests may carry records on; their indexes are those of the same plan().
  virtual Result<Answer> interpret(const CourierRequest& request, const CourierResponse& response) = 0;
  // A further request of interpret() as a text, with which a lane goes on after a restart; empty: what it is
  // about is planned anew then.
  virtual std::string keep(const CourierRequest&) const { return {}; }
  // What keep() made, again, of these parcels: those whose fate it decides, in their order, or what is left
  // of them.
  virtual Result<CourierRequest> resume(std::string_view /*kept*/, std::span<const Parcel>) {
    return Error{Code::rejected, "nothing is kept here"};
  }
  virtual Result<Answer> deliver(std::span<const Parcel> parcels, const Part& part = {}) = 0;
  // Calls `done` once, also after cancel(). Never blocks.
  virtual void send(const CourierRequest& request, std::function<void(CourierResponse)> done) = 0;
  // What was sent and what came back, as text for a dead letter: secrets cut out, each at most 16 KiB and a
  // little.
  struct Exchange {
    std::string request, response;
  };
  virtual Exchange describe(const CourierRequest& request, const CourierResponse& response) const = 0;
  // Why nothing can be sent before somebody has done something, known without asking the destination; else
  // empty.
  virtual std::string unready() const { return {}; }
  virtual void renew() {}     // that was done: what was refused is asked for anew. [any]
  virtual void cancel() = 0;  // ends what is under way: the lane stops. [any]
};

}  // namespace sluice::deliver
