// What Salesforce says of records, as outcomes.
#pragma once

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

#include "api.hpp"
#include "destination.hpp"

namespace sluice::salesforce {

// Of one record: an element of a collection's answer.
void judge_record(std::uint32_t index, const sdk::Record& record, const sdk::Json& result, Kind kind,
                  sdk::Call& call);
// Of a deletion: somebody has done it already.
bool is_gone_already(const sdk::Json& result);
// All of the request's records share it.
void judge_all(const sdk::Response& response, sluice_status status, std::string_view reason, sdk::Call& call);
// The request as a whole was refused, or there is no answer.
void judge_refusal(const sdk::Response& response, Kind kind, sdk::Call& call);

}  // namespace sluice::salesforce
