#include "kit/emission.hpp"

#include <algorithm>

#include "sluice/values.hpp"

#include "base/json.hpp"
#include "plugin/receipts.hpp"

namespace sluice::kit {
namespace {

using sdk::view;

std::string text_of(sluice_str text) {
  return std::string(view(text));
}

Error failed(const Emission& emission, const std::string& what) {
  return {Code::rejected, emission.function + ": " + what};
}

bool is_object(std::string_view text) {
  JsonParser parser;
  return parser.parse(text).is_object();
}

}  // namespace

std::string Emission::text() const {
  std::string out = std::to_string(returned) + '|' + why + '\n';
  for (const plugin::Request& r : requests) {
    out += "request " + r.method + ' ' + r.url + '\n' + r.body + '\n' + r.state + '\n' + r.bucket + '\n';
    for (const plugin::Header& h : r.headers) out += h.name + ':' + h.value + '\n';
    for (const std::uint32_t i : r.records) out += std::to_string(i) + ',';
    for (const std::uint64_t n : {r.purpose, r.timeout_ms, r.delay_ms}) out += std::to_string(n) + ' ';
    out += r.gzip ? 'z' : '-';
    out += r.no_auth ? 'n' : '-';
  }
  for (const plugin::Fate& f : outcomes) {
    const plugin::Outcome& o = f.outcome;
    out += "outcome " + std::to_string(f.record) + ' ' + std::to_string(o.status) + ' ' + o.reason + ' ' +
           o.detail + ' ' + o.remote_id + ' ' + std::to_string(o.retry_after_ms) + ' ' +
           std::to_string(o.receiver) + '\n';
  }
  for (const Row& r : rows) {
    out += "row " + std::to_string(r.op) + ' ' + std::to_string(r.time) + ' ' + r.key + ' ' + r.entity + ' ' +
           r.name + ' ' + r.payload + ' ' + r.place + ' ' + r.identifiers + ' ' + r.remote_id + ' ' + r.id +
           '\n';
  }
  for (const std::string& one : rejects) out += "reject " + one + '\n';
  for (const std::string& one : cursors) out += "cursor " + one + '\n';
  return out + (ended ? "ended" : "");
}

Status well_behaved(const Emission& e) {
  if (e.threw) return failed(e, "an exception crossed the C boundary");
  if (!e.faults.empty()) return failed(e, e.faults.front());
  if (e.returned < SLUICE_OK || e.returned > SLUICE_GONE)
    return failed(e, "it returned " + std::to_string(e.returned) + ", which is no status");
  if (e.returned != SLUICE_OK && e.returned != SLUICE_CANCELLED && e.why.empty())
    return failed(e,
                  "it failed with status " + std::to_string(e.returned) + " and no text: use call->fail()");
  return Done{};
}

Status succeeded(const Emission& e) {
  SLUICE_TRY(well_behaved(e));
  if (e.returned != SLUICE_OK)
    return failed(e, "it failed with status " + std::to_string(e.returned) + ": " + e.why);
  return Done{};
}

Status covered(const Emission& e, std::span<const std::uint32_t> asked, std::size_t records) {
  std::vector<std::uint32_t> fates(records);
  std::vector<bool> wanted(records);
  for (const std::uint32_t i : asked) wanted[i] = true;
  const auto count = [&](std::uint32_t i) -> Status {
    if (i >= records || !wanted[i])
      return failed(e, "it gave a fate to record " + std::to_string(i) + ", which this call does not decide");
    if (++fates[i] > 1) return failed(e, "it gave record " + std::to_string(i) + " two fates");
    return Done{};
  };
  for (const plugin::Fate& fate : e.outcomes) SLUICE_TRY(count(fate.record));
  for (const plugin::Request& request : e.requests) {
    if (request.records.empty()) return failed(e, "it made a request that names no record");
    for (const std::uint32_t i : request.records) SLUICE_TRY(count(i));
  }
  for (std::uint32_t i = 0; i < records; ++i) {
    if (wanted[i] && fates[i] == 0)
      return failed(e, "it gave record " + std::to_string(i) + " of " + std::to_string(records) + " no fate");
  }
  return Done{};
}

Status covered(const Emission& e, std::size_t records) {
  std::vector<std::uint32_t> all(records);
  for (std::uint32_t i = 0; i < records; ++i) all[i] = i;
  return covered(e, all, records);
}

Recorder::Recorder(Emission& out, std::uint32_t emits, const Knobs& knobs, std::int64_t deadline)
    : sluice_call{}, out_(out), emits_(emits), knobs_(knobs) {
  size = sizeof(sluice_call);
  deadline_us = deadline;
  cancelled = [](sluice_call* c) -> std::int32_t { return self(c).knobs_.cancelled ? 1 : 0; };
  fail = [](sluice_call* c, sluice_status status, sluice_str why) {
    return self(c).out_.why = text_of(why), status;
  };
  request = [](sluice_call* c, const sluice_request* r) {
    const sluice_status go = self(c).begin(emits_requests, "request");
    if (go == SLUICE_OK) self(c).take_request(*r);
    return go;
  };
  outcome = [](sluice_call* c, std::uint32_t index, const sluice_outcome* o) {
    const sluice_status go = self(c).begin(emits_outcomes, "outcome");
    if (go == SLUICE_OK) {
      self(c).out_.outcomes.push_back({index,
                                       {o->status, text_of(o->reason), text_of(o->detail),
                                        text_of(o->remote_id), o->retry_after_ms, o->receiver}});
      if (o->receiver > SLUICE_UNREACHABLE)
        self(c).out_.faults.emplace_back("it said something of a receiver that this header does not know");
    }
    return go;
  };
  record = [](sluice_call* c, const sluice_record* r) {
    const sluice_status go = self(c).begin(emits_records | emits_callbacks, "record");
    const bool callback = (self(c).emits_ & emits_callbacks) != 0;
    if (go == SLUICE_OK) callback ? self(c).take_callback(*r) : self(c).take_record(*r);
    return go;
  };
  reject = [](sluice_call* c, sluice_str, sluice_str, sluice_str reason, sluice_str) {
    const sluice_status go = self(c).begin(emits_records, "reject");
    if (go == SLUICE_OK) self(c).out_.rejects.push_back(text_of(reason));
    return go;
  };
  checkpoint = [](sluice_call* c, sluice_str cursor) {
    const sluice_status go = self(c).begin(emits_records, "checkpoint");
    if (go == SLUICE_OK) self(c).out_.cursors.push_back(text_of(cursor));
    return go;
  };
  ended = [](sluice_call* c) {
    const sluice_status go = self(c).begin(emits_records, "ended");
    if (go == SLUICE_OK) self(c).out_.ended = true;
    return go;
  };
  reply = [](sluice_call* c, const sluice_reply*) { return self(c).begin(emits_reply, "reply"); };
  limit = [](sluice_call* c, sluice_str, std::int64_t, std::int64_t) {
    return self(c).begin(emits_requests, "limit");
  };
  describe = [](sluice_call* c, sluice_str) { return self(c).begin(emits_streams, "describe"); };
}

sluice_status Recorder::begin(std::uint32_t emits, const char* emitter) {
  if ((emits_ & emits) == 0) {
    out_.faults.push_back(std::string("it used the emitter ") + emitter + ", which this call does not have");
    return SLUICE_UNSUPPORTED;
  }
  if (emitted_ > knobs_.stop_at) ++out_.after_stop;
  return emitted_++ >= knobs_.stop_at ? SLUICE_CANCELLED : SLUICE_OK;
}

void Recorder::take_request(const sluice_request& r) {
  plugin::Request made{.method = text_of(r.method),
                       .url = text_of(r.url),
                       .headers = {},
                       .body = text_of(r.body),
                       .state = text_of(r.state),
                       .bucket = text_of(r.bucket),
                       .records = {},
                       .purpose = r.purpose,
                       .timeout_ms = r.timeout_ms,
                       .delay_ms = r.delay_ms,
                       .gzip = (r.flags & SLUICE_GZIP) != 0,
                       .no_auth = (r.flags & SLUICE_NO_AUTH) != 0};
  for (const sluice_header& h : std::span(r.headers, r.header_count))
    made.headers.push_back({text_of(h.name), text_of(h.value)});
  for (const std::uint32_t i : std::span(r.records, r.record_count)) made.records.push_back(i);
  if (made.state.size() > std::size_t{64} << 10) out_.faults.emplace_back("it made a state over 64 KiB");
  if (made.method.empty()) out_.faults.emplace_back("it made a request without a method");
  out_.requests.push_back(std::move(made));
}

void Recorder::take_record(const sluice_record& r) {
  const bool mark = r.op == SLUICE_SNAPSHOT_BEGIN || r.op == SLUICE_SNAPSHOT_END;
  if (!mark && r.op != SLUICE_EVENT && r.op != SLUICE_DELETE)
    out_.faults.push_back("it emitted the operation " + std::to_string(r.op) + ", which sources do not have");
  if (!mark && view(r.key).empty()) out_.faults.emplace_back("it emitted a record without a key");
  if (r.op == SLUICE_DELETE && view(r.entity).empty())
    out_.faults.emplace_back("it emitted a delete that names no entity");
  if (r.op == SLUICE_EVENT && !is_object(view(r.payload)))
    out_.faults.emplace_back("it emitted a record whose payload is no JSON object");
  out_.rows.push_back({r.op, r.time_us, text_of(r.key), text_of(r.entity), text_of(r.name),
                       text_of(r.payload), text_of(r.place)});
}

void Recorder::take_callback(const sluice_record& r) {
  const auto fault = [&](bool good, const char* what) {
    if (!good) out_.faults.emplace_back(what);
  };
  const std::string payload = text_of(r.payload), who = text_of(r.identifiers);
  if (r.op == SLUICE_CONSENT) {
    JsonParser parser;
    fault(parser.parse(payload)["granted"].boolean().has_value(),
          "it emitted a consent whose payload has no \"granted\": true or false");
  } else {
    fault(r.op == SLUICE_EVENT, "receive() of a destination emits EVENT and CONSENT alone");
    fault(plugin::is_receipt(view(r.name)), "it emitted a receipt by a name that the header does not have");
    fault(payload.empty() || is_object(payload), "it emitted a receipt whose payload is no JSON object");
  }
  fault(!view(r.key).empty(), "it emitted a callback without a key");
  fault(!who.empty() || !view(r.remote_id).empty() || !view(r.id).empty(),
        "it emitted a callback about nobody");
  fault(who.empty() || is_object(who), "it emitted a callback whose identifiers are no JSON object");
  out_.rows.push_back({.op = r.op,
                       .time = r.time_us,
                       .key = text_of(r.key),
                       .name = text_of(r.name),
                       .payload = payload,
                       .identifiers = who,
                       .remote_id = text_of(r.remote_id),
                       .id = text_of(r.id)});
}

}  // namespace sluice::kit
