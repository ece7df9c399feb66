#include "plugin/inquiry.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>

#include "plugin/call.hpp"

namespace sluice::plugin {
namespace {

Error stopped() {
  return {Code::cancelled, "stopped while the connector was asking"};
}

// Until `delay_ms` are over; false: the stop came first.
bool wait(std::uint32_t delay_ms, const std::stop_token& stop) {
  std::mutex mutex;  // guards nothing: the stop alone wakes
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  (void)changed.wait_for(lock, stop, std::chrono::milliseconds(delay_ms), [] { return false; });
  return !stop.stop_requested();
}

// With the connection's credentials.
Result<Response> send(const Connector& connector, HostServices& host, const Request& request) {
  Response response = SLUICE_TRY(connector.send(request));
  response.received = host.now_us();
  response.state = request.state;
  response.purpose = request.purpose;
  return response;
}

// The first call's Inquiry, with all that its requests led to. `delays_ms` are waited for against the
// deadline.
Result<Inquiry> settle(Connector& connector, HostServices& host, Result<Inquiry> first,
                       const CallLimits& limits) {
  Inquiry found = SLUICE_TRY(std::move(first));
  std::deque<Request> open(std::make_move_iterator(found.requests.begin()),
                           std::make_move_iterator(found.requests.end()));
  found.requests.clear();
  const TimeUs deadline = limits.timeout == never ? never : host.now_us() + limits.timeout;
  for (std::size_t sent = 0; !open.empty() && !found.outcome; ++sent) {
    if (sent == inquiry_requests_max || found.streams.size() > streams_max) {
      return Error{Code::transient, "the connector '" + connector.info().id + "' asks on and on"};
    }
    const Request request = std::move(open.front());
    open.pop_front();
    if (deadline != never && host.now_us() + std::int64_t{request.delay_ms} * us_per_ms > deadline) {
      return Error{Code::transient, "the connector '" + connector.info().id + "' was not answered in time"};
    }
    if (!wait(request.delay_ms, limits.stop)) return stopped();
    const Response response = SLUICE_TRY(send(connector, host, request));
    Inquiry next = SLUICE_TRY(connector.interpret_inquiry(response, limits));
    std::move(next.requests.begin(), next.requests.end(), std::back_inserter(open));
    std::move(next.streams.begin(), next.streams.end(), std::back_inserter(found.streams));
    found.outcome = std::move(next.outcome);
  }
  return found;
}

}  // namespace

Result<std::string> id_of(const Connector& connector, Result<Inquiry> settled) {
  const Inquiry found = SLUICE_TRY(std::move(settled));
  const std::string who = "the connector '" + connector.info().id + "'";
  if (!found.outcome) return Error{Code::transient, who + " neither asked nor decided"};
  const Outcome& outcome = *found.outcome;
  if (outcome.status == SLUICE_OK) return outcome.remote_id;
  return Error{code_of(outcome.status),
               outcome.detail.empty()
                   ? who + " says " + outcome.reason
                   : (outcome.reason.empty() ? "" : outcome.reason + ": ") + outcome.detail};
}

Status check(Connector& connector, HostServices& host, const CallLimits& limits) {
  Result<std::vector<Request>> asked = connector.check(limits);
  if (!asked) return std::move(asked).error();
  if (asked.value().empty()) return Done{};
  Inquiry first;
  first.requests = std::move(asked).value();
  SLUICE_TRY(id_of(connector, settle(connector, host, std::move(first), limits)));
  return Done{};
}

Result<std::vector<std::string>> discover(Connector& connector, HostServices& host, std::string_view stream,
                                          const CallLimits& limits) {
  Inquiry found = SLUICE_TRY(settle(connector, host, connector.discover(stream, limits), limits));
  return std::move(found.streams);
}

Result<std::string> provision(Connector& connector, HostServices& host, const Provision& what,
                              const CallLimits& limits) {
  std::string id =
      SLUICE_TRY(id_of(connector, settle(connector, host, connector.provision(what, limits), limits)));
  if (id.empty()) {
    return Error{Code::transient,
                 "the connector '" + connector.info().id + "' named no id for '" + what.name + "'"};
  }
  return id;
}

Result<std::string> subscribe(Connector& connector, HostServices& host, const Subscription& what,
                              const CallLimits& limits) {
  return id_of(connector, settle(connector, host, connector.subscribe(what, limits), limits));
}

Status unsubscribe(Connector& connector, HostServices& host, const Subscription& what,
                   const CallLimits& limits) {
  SLUICE_TRY(id_of(connector, settle(connector, host, connector.unsubscribe(what, limits), limits)));
  return Done{};
}

}  // namespace sluice::plugin
