// Limits that a vendor announces in its answers' headers, as the manifest's "rate_headers" names them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/result.hpp"

#include "base/json.hpp"
#include "base/time.hpp"
#include "plugin/types.hpp"

namespace sluice::plugin {

enum class ResetUnit : std::uint8_t {  // what stands in the reset header
  seconds,                             // from now on
  milliseconds,                        // from now on
  epoch_seconds,                       // a time
  epoch_milliseconds,                  // a time
};

struct RateHeaders {
  std::string bucket = {};                 // of "rate"; empty: the one that the request took from
  std::string remaining = {}, reset = {};  // names in lower case
  ResetUnit unit = ResetUnit::seconds;
};

Result<std::vector<RateHeaders>> parse_rate_headers(Json list);  // rejected, with what is wrong [any]

// What the answer's headers say; nothing where one of them is missing or no number. Lists of several policies
// ("10, 500;w=60") count by their first number.
std::optional<RateLimit> announced_limit(const RateHeaders& names, const std::vector<Header>& headers,
                                         TimeUs now);

}  // namespace sluice::plugin
