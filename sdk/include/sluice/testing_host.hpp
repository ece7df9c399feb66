// sluice/testing_host.hpp - what a connector is given in its tests: emitters that fill an Output, and a host
// with state in memory, a clock that stands still and no network; part of sluice/testing.hpp.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/plugin.h"
#include "sluice/values.hpp"

namespace sluice::sdk::testing {

struct Answer {               // what the vendor says
  std::int32_t status = 200;  // 0: no answer
  std::string body = {};
  std::vector<Header> headers = {};  // names in lower case
  std::int64_t retry_after_ms = -1;
  std::int64_t received_us = 1'763'825'600'000'000;
};

struct Fate {  // an outcome of the record `record` of the batch
  std::uint32_t record = 0;
  sluice_status status = SLUICE_OK;
  std::string reason = {}, detail = {}, remote_id = {};
  std::int64_t retry_after_ms = -1;
  std::uint32_t receiver = 0;
};

struct Row {  // a record that a source, or receive(), emitted
  std::uint32_t op = SLUICE_EVENT;
  std::int64_t time_us = SLUICE_NO_TIME;
  std::string key = {}, entity = {}, name = {}, payload = {}, place = {};
  std::string identifiers = {}, remote_id = {}, id = {};
};

// What one call emitted. Nothing but `status` and `why` after another status than SLUICE_OK, as in the hub.
struct Output {
  sluice_status status = SLUICE_OK;
  std::string why = {};
  std::vector<Request> requests = {};
  std::vector<Fate> outcomes = {};
  std::vector<Row> rows = {};
  std::vector<std::string> rejected = {};  // the reasons
  std::vector<std::string> cursors = {};   // of the checkpoints
  std::int32_t reply = 204;                // of receive(): its status
  std::string reply_body = {};
  bool ended = false;
  std::vector<std::string> faults = {};  // what was against the contract
};

namespace detail {

// The emitters of one call: they fill an Output.
struct Emitters : sluice_call {
  explicit Emitters(Output& into) : sluice_call{}, out(&into) {
    size = sizeof(sluice_call);
    deadline_us = INT64_MAX;
    cancelled = [](sluice_call*) { return std::int32_t{0}; };
    fail = [](sluice_call* c, sluice_status status, sluice_str why) {
      of(c).why = view(why);
      return status;
    };
    request = [](sluice_call* c, const sluice_request* r) {
      Request one{.method = std::string(view(r->method)),
                  .url = std::string(view(r->url)),
                  .headers = {},
                  .body = std::string(view(r->body)),
                  .records = {},
                  .state = std::string(view(r->state)),
                  .bucket = std::string(view(r->bucket)),
                  .timeout_ms = r->timeout_ms,
                  .delay_ms = r->delay_ms,
                  .flags = r->flags,
                  .purpose = r->purpose};
      for (const sluice_header& h : std::span(r->headers, r->header_count))
        one.headers.push_back({std::string(view(h.name)), std::string(view(h.value))});
      for (const std::uint32_t i : std::span(r->records, r->record_count)) one.records.push_back(i);
      of(c).requests.push_back(std::move(one));
      return sluice_status{SLUICE_OK};
    };
    outcome = [](sluice_call* c, std::uint32_t index, const sluice_outcome* o) {
      of(c).outcomes.push_back({index, o->status, std::string(view(o->reason)), std::string(view(o->detail)),
                                std::string(view(o->remote_id)), o->retry_after_ms, o->receiver});
      return sluice_status{SLUICE_OK};
    };
    record = [](sluice_call* c, const sluice_record* r) {
      of(c).rows.push_back({r->op, r->time_us, std::string(view(r->key)), std::string(view(r->entity)),
                            std::string(view(r->name)), std::string(view(r->payload)),
                            std::string(view(r->place)), std::string(view(r->identifiers)),
                            std::string(view(r->remote_id)), std::string(view(r->id))});
      return sluice_status{SLUICE_OK};
    };
    reject = [](sluice_call* c, sluice_str, sluice_str, sluice_str reason, sluice_str) {
      of(c).rejected.emplace_back(view(reason));
      return sluice_status{SLUICE_OK};
    };
    checkpoint = [](sluice_call* c, sluice_str cursor) {
      of(c).cursors.emplace_back(view(cursor));
      return sluice_status{SLUICE_OK};
    };
    ended = [](sluice_call* c) {
      of(c).ended = true;
      return sluice_status{SLUICE_OK};
    };
    reply = [](sluice_call* c, const sluice_reply* r) {
      of(c).reply = r->status;
      of(c).reply_body = view(r->body);
      return sluice_status{SLUICE_OK};
    };
    limit = [](sluice_call*, sluice_str, std::int64_t, std::int64_t) { return sluice_status{SLUICE_OK}; };
    describe = [](sluice_call*, sluice_str) { return sluice_status{SLUICE_OK}; };
  }
  static Output& of(sluice_call* call) { return *static_cast<Emitters*>(call)->out; }
  Output* out;
};

// Texts for one call, each with the readable bytes behind it that the contract promises.
class Texts {
 public:
  sluice_str keep(std::string_view text) {
    if (text.empty()) return {nullptr, 0};
    kept_.emplace_back(text).append(SLUICE_PADDING, '\0');
    return {kept_.back().data(), text.size()};
  }

 private:
  std::deque<std::string> kept_;
};

}  // namespace detail

// The services of a host: state in memory, a clock that stands still, no requests of its own.
class TestHost : public sluice_host {
 public:
  TestHost() : sluice_host{} {
    size = sizeof(sluice_host);
    abi_minor = SLUICE_ABI_MINOR;
    ctx = this;
    log = [](const sluice_host* h, std::int32_t level, sluice_str text) {
      if (level >= SLUICE_WARN) self(h).complaints.emplace_back(view(text));
    };
    now_us = [](const sluice_host* h) { return self(h).now; };
    metric = [](const sluice_host*, std::int32_t, sluice_str, double) {};
    get = [](const sluice_host* h, sluice_str key, sluice_sink sink, void* arg) {
      return give(self(h).state, key, sink, arg, SLUICE_OK);
    };
    put = [](const sluice_host* h, sluice_str key, sluice_str value) {
      if (value.ptr == nullptr) self(h).state.erase(std::string(view(key)));
      if (value.ptr != nullptr) self(h).state[std::string(view(key))] = view(value);
      return sluice_status{SLUICE_OK};
    };
    secret = [](const sluice_host* h, sluice_str name, sluice_sink sink, void* arg) {
      return give(self(h).secrets, name, sink, arg, SLUICE_INVALID);
    };
    http = [](const sluice_host*, const sluice_request*, sluice_http_sink, void*) {
      return sluice_status{SLUICE_UNSUPPORTED};
    };
    extension = [](const sluice_host*, const char*) -> const void* { return nullptr; };
  }
  TestHost(const TestHost&) = delete;
  TestHost& operator=(const TestHost&) = delete;

  std::int64_t now = 0;
  std::vector<std::string> complaints;  // warnings and errors
  std::map<std::string, std::string> state, secrets;

 private:
  static TestHost& self(const sluice_host* h) { return *static_cast<TestHost*>(h->ctx); }
  static sluice_status give(const std::map<std::string, std::string>& from, sluice_str key, sluice_sink sink,
                            void* arg, sluice_status none) {
    const auto found = from.find(std::string(view(key)));
    if (found == from.end()) return none;
    sink(arg, str(found->second));
    return SLUICE_OK;
  }
};

}  // namespace sluice::sdk::testing
