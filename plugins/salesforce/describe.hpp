// What Salesforce says of its objects: for discover(), and for what a query may ask.
#pragma once

#include <string>
#include <string_view>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

#include "position.hpp"

namespace sluice::salesforce {

void ask_discover(const std::string& path, const sdk::Discover& what, sdk::Call& call);
// Of all objects those that `wanted` takes ("queryable" for a source, "updateable" for a destination).
void judge_discover(const sdk::Response& response, std::string_view wanted, sdk::Call& call);

// The object's description decides how it is read: by which time, with deleted rows or not, with which types.
// Fail where it cannot be read, or not these fields.
void settle(const sdk::Json& described, const sdk::Poll& poll, Position& position);

}  // namespace sluice::salesforce
