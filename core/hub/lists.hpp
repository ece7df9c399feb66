// What operators list: lanes, dead letters, a person's deliveries. JSON for the admin API and the command
// line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

#include "deliver/delivery.hpp"
#include "model/effect.hpp"
#include "store/database.hpp"

namespace sluice::hub {

// {"lanes":[{"destination","state","backlog","backlog_bytes","in_flight","retries","outcomes":{…},"last_error"}]}
std::string outbox_json(const std::vector<deliver::LaneStatus>& lanes);

// {"groups":[{"destination","kind","reason","count","first","last"}],"letters":[{"id","destination","op","name","profile",
//  "reason","detail","at","attempts"}]}: the newest `limit`
Result<std::string> dead_letters_json(store::Database& database, const store::DeadFilter& filter,
                                      std::size_t limit);
// Everything about one, the request and response with secrets cut out; empty: there is none.
Result<std::string> dead_letter_json(store::Database& database, std::int64_t id);

// `profile` (a JSON object) with "deliveries":[…] added.
std::string with_deliveries(std::string profile, store::Database& database, ProfileId person);

}  // namespace sluice::hub
