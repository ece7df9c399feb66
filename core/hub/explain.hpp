// Why a person is in an audience, now or at a moment that has passed: `sluice explain`.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sluice/result.hpp"

#include "base/file.hpp"
#include "hub/world.hpp"

namespace sluice::hub {

// {"person","audience","condition","at","inside","entered_at","cause"?,"by_time"?,"parts":[{"depth","text","value"
// or
//  "unknown","source"?,"since"?,"events_total"?,"events":[{"time","input","value"?}]?,"changes_at"?}]}: a
//  part before
// those that it is made of; what computed traits and audiences read stands below them. Empty: there is no
// such person, or no such audience. [a reader of the world]
std::string explain_json(const World& world, ProfileId person, std::string_view audience);

// The state as it was at `at`, from the newest base checkpoint before it, else from the first input.
// rejected: the journal does not reach back so far, or `at` is behind its end. Nothing on disk changes.
Result<std::unique_ptr<World>> read_world_at(FileSystem& files, const std::string& data_directory, TimeUs at);

}  // namespace sluice::hub
