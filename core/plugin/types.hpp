// What passes between the hub and a connector, in C++ with texts of its own. sluice/plugin.h says what each
// field means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/plugin.h"
#include "sluice/result.hpp"

#include "base/time.hpp"

namespace sluice::plugin {

// A copy that connectors read in place: they may read SLUICE_PADDING bytes past its end.
inline std::string with_padding(std::string_view text) {
  std::string out;
  if (!text.empty()) out.reserve(text.size() + SLUICE_PADDING);
  return out.append(text);
}
inline bool has_padding(const std::string& text) {
  return text.capacity() - text.size() >= SLUICE_PADDING;
}

struct Record {  // given to plan() and deliver(); payload and identifiers best as with_padding() makes them
  std::uint32_t op = SLUICE_EVENT;
  std::uint32_t attempt = 1;
  TimeUs time = no_time;
  std::string id = {};           // idempotency key
  std::string key = {};          // permanent profile id; empty: nobody's
  std::string name = {};         // event, audience or template
  std::string payload = {};      // one JSON object
  std::string identifiers = {};  // JSON object; see ManifestInfo::identifiers
  std::string address = {}, remote_id = {};
  std::string audience_id = {};  // what provision() said of the audience `name`
};

struct SnapshotPart {  // which part of which snapshot a batch is; see sluice_plan
  std::string snapshot = {};
  std::uint32_t part = 0;  // from 1; 0: of none
};

struct Header {
  std::string name = {}, value = {};
};

struct Request {  // asked for by a connector; http_request.hpp makes it one that can be sent
  std::string method = {}, url = {};
  std::vector<Header> headers = {};
  std::string body = {}, state = {}, bucket = {};
  std::vector<std::uint32_t> records = {};  // indexes of the batch whose fate it decides
  std::uint32_t purpose = 0;                // SLUICE_FOR_PLAN, ...
  std::uint32_t timeout_ms = 0;             // 0: the manifest's
  std::uint32_t delay_ms = 0;
  bool gzip = false, no_auth = false;
};

struct Response {
  std::int32_t status = 0;  // 0: no answer, `error` says why
  std::string body = {}, error = {};
  std::vector<Header> headers = {};  // names in lower case
  std::int64_t retry_after_ms = -1;
  TimeUs received = no_time;
  // Of the request that it answers:
  std::string state = {};
  std::vector<std::uint32_t> records = {};
  std::uint32_t purpose = SLUICE_FOR_PLAN;
};

struct Outcome {
  sluice_status status = SLUICE_OK;
  std::string reason = {}, detail = {}, remote_id = {};
  std::int64_t retry_after_ms = -1;
  std::uint32_t receiver = 0;  // SLUICE_OPTED_OUT, SLUICE_UNREACHABLE
};

struct Fate {
  std::uint32_t record = 0;  // index in the batch
  Outcome outcome;
};

struct Emitted {  // by a source, or by receive(). Borrowed: valid while the sink's function runs
  std::uint32_t op = SLUICE_EVENT;
  TimeUs time = no_time;
  std::string_view key = {}, entity = {}, name = {}, payload = {}, place = {};
  std::string_view identifiers = {}, remote_id = {}, id = {};  // of what a destination received
};

struct Rejected {  // by a source: a row that cannot be read. Borrowed likewise
  std::string_view key = {}, place = {}, reason = {}, text = {};
};

struct RateLimit {  // as the vendor's headers tell it
  std::string bucket = {};
  std::int64_t remaining = 0;
  TimeUs reset = no_time;
};

struct Reply {
  std::int32_t status = 204;
  std::string content_type = {}, body = {};
  std::vector<Header> headers = {};
};

// What plan() and interpret() emitted, checked: each record of the call has exactly one fate, in `requests`
// or `outcomes`.
struct Output {
  std::vector<Request> requests = {};
  std::vector<Fate> outcomes = {};  // by record
  std::vector<RateLimit> limits = {};
  std::vector<std::string> faults = {};  // what the connector did against the contract; logged already
};
using PlanOutput = Output;
using InterpretOutput = Output;

struct Poll {  // fetch(), read()
  std::string stream = {}, cursor = {};
  bool full = false, until_idle = false;
  TimeUs since = no_time;
  std::vector<std::string> fields = {};
};

struct Provision {  // an audience or list to be found or created over there
  std::uint32_t kind = SLUICE_PROVISION_AUDIENCE;
  std::string name = {};
  std::string remote_id = {};  // kept from an earlier time: to be verified
};

struct Subscription {  // a webhook to be registered over there, or taken back
  std::string route = {}, url = {};
  std::string remote_id = {};  // unsubscribe(): what subscribe()'s outcome said
};

// What discover(), provision(), subscribe(), unsubscribe() and the judgement of their answers emitted: more
// to ask, or what was found.
struct Inquiry {
  std::vector<Request> requests = {};
  std::vector<std::string> streams = {};  // of discover(): JSON objects, each with a "name"
  std::optional<Outcome> outcome = {};    // of the others: the first that was said; with its remote_id
  std::vector<RateLimit> limits = {};
};

struct Incoming {  // a request on one of the manifest's routes, its signature verified
  std::string route = {}, method = {}, path = {}, query = {}, body = {}, peer = {};
  std::vector<Header> headers = {};  // names in lower case
  TimeUs received = 0;
};

// Takes what a source emits. [the calling thread] A failure makes the connector stop; the call then fails
// with it.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual Status record(const Emitted& record) = 0;  // may wait while downstream is full
  virtual Status reject(const Rejected& row) = 0;
  virtual Status checkpoint(std::string_view cursor) = 0;  // atomic with everything since the last one
  virtual void ended() = 0;                                // nothing more will come
};

}  // namespace sluice::plugin
