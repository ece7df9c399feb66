// What Braze's answers mean for the records of a request; README.md has the table.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/plugin.hpp"

namespace sluice::braze {

// Gives each record of a /users/track its outcome: `slots` tells the array of each, so that Braze's
// `input_array` and `index` lead back to it.
void judge_track(const sdk::Response& response, std::string_view slots, sdk::Call& call);

// Gives all records of any other call the outcome that the answer as a whole has.
void judge_whole(const sdk::Response& response, sdk::Call& call);

// When the rate limit's window ends, as Unix seconds from X-RateLimit-Reset; 0: not said.
std::int64_t window_end_s(const sdk::Response& response);

// Braze's own words without what may be personal in them: words with an @ or a long number, cut at 200 bytes.
std::string masked(std::string_view text);

}  // namespace sluice::braze
