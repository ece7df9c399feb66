#include "plugin/emissions.hpp"

namespace sluice::plugin {

using wire::Emission;
using wire::Reader;

namespace {

constexpr std::uint32_t log_lines_max = 100;  // of one call

sluice_str text(Reader& r) {
  sluice_str out{};
  r(out);
  return out;
}

void count(HandedOn& handed, sluice_status status) {
  if (handed.refused == SLUICE_OK) handed.refused = status;
}

// What it says of itself.
bool take_said(Emission what, Reader& r, HandedOn& handed, const sluice_host& host) {
  if (what == Emission::log) {
    const auto level = static_cast<std::int32_t>(r.number());
    const sluice_str line = text(r);
    if (r.ok() && ++handed.log_lines <= log_lines_max) host.log(&host, level, line);
    return true;
  }
  if (what != Emission::metric) return false;
  const auto kind = static_cast<std::int32_t>(r.number());
  const sluice_str name = text(r);
  double value = 0;
  r(value);
  if (r.ok()) host.metric(&host, kind, name, value);
  return true;
}

// What becomes of records, of the call, and what it asks for.
bool take_judged(Emission what, Reader& r, HandedOn& handed, sluice_call* call) {
  switch (what) {
    case Emission::fail: {
      const auto status = static_cast<sluice_status>(r.number());
      const sluice_str why = text(r);
      if (r.ok()) (void)call->fail(call, status, why);
      return true;
    }
    case Emission::request: {
      const auto request = wire::read<sluice_request>(r);
      if (r.ok()) count(handed, call->request(call, &request));
      return true;
    }
    case Emission::outcome: {
      const auto index = static_cast<std::uint32_t>(r.number());
      const auto outcome = wire::read<sluice_outcome>(r);
      if (r.ok()) count(handed, call->outcome(call, index, &outcome));
      return true;
    }
    case Emission::limit: {
      const sluice_str bucket = text(r);
      std::int64_t remaining = 0, reset = 0;
      r(remaining), r(reset);
      if (r.ok()) count(handed, call->limit(call, bucket, remaining, reset));
      return true;
    }
    case Emission::describe: {
      const sluice_str stream = text(r);
      if (r.ok()) count(handed, call->describe(call, stream));
      return true;
    }
    case Emission::reply: {
      const auto reply = wire::read<sluice_reply>(r);
      if (r.ok()) count(handed, call->reply(call, &reply));
      return true;
    }
    default:
      return false;
  }
}

// What a source brings: nothing any more once the hub has refused something.
bool take_sourced(Emission what, Reader& r, HandedOn& handed, sluice_call* call) {
  const auto wanted = [&] { return r.ok() && handed.refused == SLUICE_OK; };
  switch (what) {
    case Emission::record: {
      const auto record = wire::read<sluice_record>(r);
      if (wanted()) count(handed, call->record(call, &record));
      return true;
    }
    case Emission::reject: {
      const sluice_str key = text(r), place = text(r), reason = text(r), row = text(r);
      if (wanted()) count(handed, call->reject(call, key, place, reason, row));
      return true;
    }
    case Emission::checkpoint: {
      const sluice_str cursor = text(r);
      if (wanted()) count(handed, call->checkpoint(call, cursor));
      return true;
    }
    case Emission::ended:
      if (wanted()) count(handed, call->ended(call));
      return true;
    default:
      return false;
  }
}

}  // namespace

bool hand_on(Reader& r, HandedOn& handed, const sluice_host& host, sluice_call* call) {
  while (!r.at_end()) {
    const auto what = static_cast<Emission>(r.number());
    if (what == Emission{}) return r.ok();  // a question follows
    const bool known = take_said(what, r, handed, host) || take_judged(what, r, handed, call) ||
                       take_sourced(what, r, handed, call);
    if (!known) return false;
  }
  return r.ok();
}

}  // namespace sluice::plugin
