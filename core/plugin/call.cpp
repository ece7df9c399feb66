#include "plugin/call.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "plugin/receipts.hpp"

namespace sluice::plugin {
namespace {

constexpr std::size_t faults_max = 20;
constexpr std::size_t reason_bytes_max = 64;

// A key for metrics: whatever else a connector says becomes one word.
std::string reason_of(sluice_str text) {
  const std::string_view reason = view(text);
  const bool good =
      reason.size() <= reason_bytes_max && std::all_of(reason.begin(), reason.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
      });
  return good ? std::string(reason) : "other";
}

sluice_status outcome_status(sluice_status status) {
  if (status == SLUICE_CANCELLED) return SLUICE_RETRY;
  if (status == SLUICE_UNSUPPORTED) return SLUICE_INVALID;
  return status >= SLUICE_OK && status <= SLUICE_GONE ? status : SLUICE_INTERNAL;
}

}  // namespace

Code code_of(sluice_status status) {
  switch (status) {
    case SLUICE_INVALID:
    case SLUICE_UNSUPPORTED:
    case SLUICE_SKIPPED:
      return Code::rejected;
    case SLUICE_AUTH:
      return Code::misconfigured;
    case SLUICE_CANCELLED:
      return Code::cancelled;
    default:
      return Code::transient;
  }
}

std::string tidy(std::string_view text) {
  if (text.empty()) return {};
  std::string out(text.substr(0, text_bytes_max));
  while (!out.empty() && !valid_utf8(out)) out.pop_back();
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f') c = ' ';
  }
  return out;
}

Request request_of(const sluice_request& r, std::uint32_t purpose) {
  Request out{.method = std::string(view(r.method)),
              .url = std::string(view(r.url)),
              .headers = {},
              .body = std::string(view(r.body)),
              .state = std::string(view(r.state)),
              .bucket = std::string(view(r.bucket)),
              .records = {},
              .purpose = r.purpose != 0 ? r.purpose : purpose,
              .timeout_ms = r.timeout_ms,
              .delay_ms = r.delay_ms,
              .gzip = (r.flags & SLUICE_GZIP) != 0,
              .no_auth = (r.flags & SLUICE_NO_AUTH) != 0};
  for (const sluice_header& h : std::span(r.headers, r.header_count)) {
    out.headers.push_back({std::string(view(h.name)), std::string(view(h.value))});
  }
  return out;
}

template <typename F>
sluice_status Call::emit(sluice_call* call, std::uint32_t emits, F&& body) noexcept {
  Call& me = self(call);
  try {
    if ((me.context_.emits & emits) == 0) {
      me.fault("it used an emitter that this call does not have");
      return SLUICE_UNSUPPORTED;
    }
    return body(me);
  } catch (...) {  // out of memory: nothing of this call can count
    me.sink_status_ = Error{Code::transient, "out of memory while taking what a connector emitted"};
    return SLUICE_INTERNAL;
  }
}

template <typename T, typename F>
sluice_status Call::emit_sized(sluice_call* call, std::uint32_t emits, const T* emitted, F&& body) noexcept {
  return emit(call, emits, [&](Call& me) -> sluice_status {
    if (!is_sized(emitted)) {
      me.fault("it emitted a struct that does not carry its size");
      return SLUICE_INTERNAL;
    }
    return body(me, whole(*emitted));
  });
}

Call::Call(const CallContext& context)
    : sluice_call{}, context_(context), covered_(context.records, Covered::foreign) {
  if (context.all_asked) std::fill(covered_.begin(), covered_.end(), Covered::open);
  for (const std::uint32_t index : context.asked) {
    if (index < covered_.size()) covered_[index] = Covered::open;
  }
  context_.emits |= emits_always;
  size = sizeof(sluice_call);
  deadline_us = context.deadline;
  cancelled = [](sluice_call* c) -> std::int32_t {
    const CallContext& k = self(c).context_;
    return k.stop.stop_requested() || (k.deadline != never && k.host.now_us() > k.deadline) ? 1 : 0;
  };
  fail = [](sluice_call* c, sluice_status status, sluice_str why) {
    return emit(c, emits_always, [&](Call& me) { return me.why_ = tidy(view(why)), status; });
  };
  request = [](sluice_call* c, const sluice_request* r) {
    return emit_sized(c, emits_requests, r,
                      [](Call& me, const sluice_request& given) { return me.add_request(given); });
  };
  outcome = [](sluice_call* c, std::uint32_t index, const sluice_outcome* o) {
    return emit_sized(c, emits_outcomes, o, [index](Call& me, const sluice_outcome& given) {
      return me.add_outcome(index, given);
    });
  };
  reply = [](sluice_call* c, const sluice_reply* r) {
    return emit_sized(c, emits_reply, r,
                      [](Call& me, const sluice_reply& given) { return me.add_reply(given); });
  };
  limit = [](sluice_call* c, sluice_str bucket, std::int64_t remaining, std::int64_t reset) {
    return emit(c, emits_requests, [&](Call& me) {
      me.output_.limits.push_back({std::string(view(bucket)), remaining, reset});
      return SLUICE_OK;
    });
  };
  describe = [](sluice_call* c, sluice_str stream) {
    return emit(c, emits_streams, [&](Call& me) { return me.add_stream(view(stream)); });
  };
  fill_source();
}

void Call::fill_source() {
  record = [](sluice_call* c, const sluice_record* r) {
    return emit_sized(c, emits_records | emits_callbacks, r, [](Call& me, const sluice_record& given) {
      return (me.context_.emits & emits_callbacks) != 0 ? me.add_callback(given) : me.add_record(given);
    });
  };
  reject = [](sluice_call* c, sluice_str key, sluice_str place, sluice_str reason, sluice_str text) {
    return emit(c, emits_records, [&](Call& me) {
      if (me.context_.sink == nullptr) {
        return me.keep({.what = Kept::What::reject,
                        .a = std::string(view(key)),
                        .b = tidy(view(place)),
                        .c = reason_of(reason),
                        .d = std::string(view(text)),
                        .e = {}});
      }
      return me.pass(me.context_.sink->reject({view(key), view(place), reason_of(reason), view(text)}));
    });
  };
  checkpoint = [](sluice_call* c, sluice_str cursor) {
    return emit(c, emits_records, [&](Call& me) {
      if (me.context_.sink != nullptr) return me.pass(me.context_.sink->checkpoint(view(cursor)));
      return me.keep({.what = Kept::What::checkpoint,
                      .a = std::string(view(cursor)),
                      .b = {},
                      .c = {},
                      .d = {},
                      .e = {}});
    });
  };
  ended = [](sluice_call* c) {
    return emit(c, emits_records, [&](Call& me) {
      if (me.context_.sink == nullptr) {
        return me.keep({.what = Kept::What::ended});
      }
      me.context_.sink->ended();
      return SLUICE_OK;
    });
  };
}

void Call::fault(std::string what) {
  if (output_.faults.size() < faults_max) output_.faults.push_back(std::move(what));
}

bool Call::cover(std::uint32_t index) {
  if (index >= covered_.size() || covered_[index] == Covered::foreign) {
    fault("it named record " + std::to_string(index) + ", which this call does not decide");
    return false;
  }
  if (covered_[index] == Covered::done) {
    fault("it decided record " + std::to_string(index) + " twice; the first time counts");
    return false;
  }
  covered_[index] = Covered::done;
  return true;
}

sluice_status Call::add_request(const sluice_request& r) {
  Request made = request_of(r, context_.purpose);
  bytes_ += made.body.size() + made.state.size();
  if (bytes_ > emitted_bytes_max || made.state.size() > state_bytes_max) {
    fault("it asked for more than a request's state or a call's bytes may be");
    return SLUICE_INVALID;
  }
  if (made.purpose == SLUICE_FOR_PLAN) {
    for (const std::uint32_t index : std::span(r.records, r.record_count)) {
      if (cover(index)) made.records.push_back(index);
    }
    if (made.records.empty()) {
      fault("it made a request that decides no record; it is not sent");
      return SLUICE_OK;
    }
  }
  output_.requests.push_back(std::move(made));
  return SLUICE_OK;
}

sluice_status Call::add_outcome(std::uint32_t index, const sluice_outcome& o) {
  if (!cover(index)) return SLUICE_OK;
  if (output_.outcomes.empty())
    output_.outcomes.reserve(context_.asked.empty() ? covered_.size() : context_.asked.size());
  output_.outcomes.push_back({index,
                              {.status = outcome_status(o.status),
                               .reason = reason_of(o.reason),
                               .detail = tidy(view(o.detail)),
                               .remote_id = std::string(view(o.remote_id).substr(0, text_bytes_max)),
                               .retry_after_ms = o.retry_after_ms < 0 ? -1 : o.retry_after_ms,
                               .receiver = o.receiver <= SLUICE_UNREACHABLE ? o.receiver : 0}});
  return SLUICE_OK;
}

sluice_status Call::add_record(const sluice_record& r) {
  const bool mark = r.op == SLUICE_SNAPSHOT_BEGIN || r.op == SLUICE_SNAPSHOT_END;
  if (!mark && r.op != SLUICE_EVENT && r.op != SLUICE_DELETE) {
    fault("it emitted an operation that sources do not have");
    return SLUICE_INVALID;
  }
  const Emitted made{.op = r.op,
                     .time = r.time_us,
                     .key = view(r.key),
                     .entity = view(r.entity),
                     .name = view(r.name),
                     .payload = view(r.payload),
                     .place = view(r.place)};
  const bool bad_payload = r.op == SLUICE_EVENT && !parser_.parse(made.payload).is_object();
  if (bad_payload || !valid_utf8(made.key) || !valid_utf8(made.entity) || (made.key.empty() && !mark)) {
    fault("it emitted a record without a key or whose payload is no JSON object");
    return reject(this, r.key, r.place, str("no_json_object"), r.payload);
  }
  if (context_.sink != nullptr) return pass(context_.sink->record(made));
  return keep({.what = Kept::What::record,
               .op = made.op,
               .time = made.time,
               .a = std::string(made.key),
               .b = std::string(made.entity),
               .c = std::string(made.name),
               .d = std::string(made.payload),
               .e = std::string(made.place)});
}

// A receipt of a message, or what its receiver wants.
sluice_status Call::add_callback(const sluice_record& r) {
  const bool consent = r.op == SLUICE_CONSENT;
  if (!consent && (r.op != SLUICE_EVENT || !is_receipt(view(r.name)))) {
    fault("it emitted what receive() of a destination does not emit; it is left out");
    return SLUICE_INVALID;
  }
  const std::string_view key = view(r.key), who = view(r.identifiers), remote_id = view(r.remote_id),
                         id = view(r.id);
  const std::string payload(view(r.payload)), identifiers(who);  // whoever parses reads past the end
  const bool facts = consent ? parser_.parse(payload)["granted"].boolean().has_value()
                             : payload.empty() || parser_.parse(payload).is_object();
  const bool whom = who.empty() ? !remote_id.empty() || !id.empty() : parser_.parse(identifiers).is_object();
  if (!facts || !whom || key.empty() || !valid_utf8(key) || !valid_utf8(remote_id) || !valid_utf8(id)) {
    fault("it emitted a callback without key, person or facts; it is left out");
    return SLUICE_INVALID;
  }
  return keep({.what = Kept::What::record,
               .op = r.op,
               .time = r.time_us,
               .a = std::string(key),
               .b = {},
               .c = std::string(view(r.name)),
               .d = payload,
               .e = {},
               .f = identifiers,
               .g = std::string(remote_id),
               .h = std::string(id)});
}

sluice_status Call::add_reply(const sluice_reply& r) {
  reply_ = {.status = r.status,
            .content_type = std::string(view(r.content_type)),
            .body = std::string(view(r.body)),
            .headers = {}};
  for (const sluice_header& h : std::span(r.headers, r.header_count)) {
    reply_.headers.push_back({std::string(view(h.name)), std::string(view(h.value))});
  }
  return SLUICE_OK;
}

sluice_status Call::add_stream(std::string_view json) {
  bytes_ += json.size();
  if (bytes_ > emitted_bytes_max) {
    fault("it described more in one call than 64 MiB");
    return SLUICE_INVALID;
  }
  std::string text(json);  // whoever parses reads a little past the end
  if (parser_.parse(text)["name"].string_or("").empty()) {
    fault("it described a stream by something that is no JSON object with a \"name\"; it is left out");
    return SLUICE_OK;
  }
  streams_.push_back(std::move(text));
  return SLUICE_OK;
}

sluice_status Call::keep(Kept kept) {
  bytes_ += sizeof kept;
  for (const std::string* const text :
       {&kept.a, &kept.b, &kept.c, &kept.d, &kept.e, &kept.f, &kept.g, &kept.h})
    bytes_ += text->size();
  if (bytes_ > emitted_bytes_max) {
    fault("it emitted more in one call than 64 MiB");
    return SLUICE_INVALID;
  }
  kept_.push_back(std::move(kept));
  return SLUICE_OK;
}

sluice_status Call::pass(Status status) {
  if (status) return SLUICE_OK;
  sink_status_ = std::move(status);
  return SLUICE_CANCELLED;
}

Status Call::finish(sluice_status returned) {
  Status judged = judge(returned);
  for (const std::string& fault : output_.faults)
    context_.host.log(SLUICE_WARN, "against the plugin contract: " + fault);
  return judged;
}

Status Call::judge(sluice_status returned) {
  if (!sink_status_) return std::move(sink_status_);
  if (returned != SLUICE_OK) {
    const bool known = returned > SLUICE_OK && returned <= SLUICE_GONE;
    return Error{code_of(known ? returned : SLUICE_INTERNAL),
                 why_.empty() ? "the connector failed with status " + std::to_string(returned) : why_};
  }
  std::size_t end = context_.may_ask ? 0 : covered_.size();
  if (context_.may_leave_tail) {
    while (end > 1 && covered_[end - 1] == Covered::open) --end;
  }
  for (std::uint32_t i = 0; i < end; ++i) {
    if (covered_[i] != Covered::open) continue;
    fault("it gave record " + std::to_string(i) + " no outcome");
    output_.outcomes.push_back({i,
                                {.status = SLUICE_INTERNAL,
                                 .reason = "no_outcome",
                                 .detail = "the connector gave this record no outcome",
                                 .remote_id = {}}});
  }
  const auto by_record = [](const Fate& a, const Fate& b) { return a.record < b.record; };
  std::vector<Fate>& outcomes = output_.outcomes;
  if (!std::is_sorted(outcomes.begin(), outcomes.end(), by_record))
    std::sort(outcomes.begin(), outcomes.end(), by_record);
  return Done{};
}

Status Call::deliver_to(Sink& sink) {
  for (const Kept& k : kept_) {
    switch (k.what) {
      case Kept::What::record:
        SLUICE_TRY(sink.record({k.op, k.time, k.a, k.b, k.c, k.d, k.e, k.f, k.g, k.h}));
        break;
      case Kept::What::reject:
        SLUICE_TRY(sink.reject({k.a, k.b, k.c, k.d}));
        break;
      case Kept::What::checkpoint:
        SLUICE_TRY(sink.checkpoint(k.a));
        break;
      case Kept::What::ended:
        sink.ended();
        break;
    }
  }
  return Done{};
}

}  // namespace sluice::plugin
