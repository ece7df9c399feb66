// Asks a connector and its vendor until a matter is settled: each request is sent, each answer judged,
// whatever is asked next is sent too. Blocks for as long as `limits` says; [serial], as the connector's
// calls. Failures: those of the connector's calls and of resolve(); what the outcome says (transient: again
// later; misconfigured: the credentials are refused; rejected: never); transient when it asks on and on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

#include "plugin/connector.hpp"

namespace sluice::plugin {

inline constexpr std::size_t inquiry_requests_max = 1'000;  // of one inquiry
inline constexpr std::size_t streams_max = 10'000;

// "Test connection". Well where it is not offered.
Status check(Connector& connector, HostServices& host, const CallLimits& limits = {});

// The streams over there as JSON objects, in the connector's order: {"name", "title", "key", "fields":
// [...]}. With a name, this one with its fields.
Result<std::vector<std::string>> discover(Connector& connector, HostServices& host,
                                          std::string_view stream = {}, const CallLimits& limits = {});

// What an inquiry that asks nothing more says: the outcome's remote_id, or why there is none.
Result<std::string> id_of(const Connector& connector, Result<Inquiry> settled);

// The id of the audience or list over there, found or created.
Result<std::string> provision(Connector& connector, HostServices& host, const Provision& what,
                              const CallLimits& limits = {});

// The id of the subscription over there; may be empty where the vendor has none.
Result<std::string> subscribe(Connector& connector, HostServices& host, const Subscription& what,
                              const CallLimits& limits = {});
Status unsubscribe(Connector& connector, HostServices& host, const Subscription& what,
                   const CallLimits& limits = {});

}  // namespace sluice::plugin
