// What Meta's answers mean: errors stand in the body, with whatever HTTP status; what is left of the hourly
// budget stands in headers. Source: Graph API, "Handling Errors" and "Rate Limiting"; codes as the two
// production connectors named in README.md sort them.
#pragma once

#include <cstdint>
#include <string>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

namespace sluice::meta {

struct Verdict {
  sluice_status status = SLUICE_OK;
  std::string reason, detail;
};

// `body` is what the answer's body says, where it is JSON; of SLUICE_OK it is an object without an error.
Verdict judge(const sdk::Response& response, const sdk::Json& body);

// Tells the host how long to wait: at 100 % until Meta lets us in again, above 75 % from one to ten seconds,
// the longer the less is left.
void tell_budget(const sdk::Response& response, sdk::Call& call);

}  // namespace sluice::meta
