// How people and audiences read for programs: JSON made from the state. The admin API, the command line
// without a hub and the projection all print these. [a reader of the world]
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hub/world.hpp"
#include "store/database.hpp"

namespace sluice::hub {

// A person by "p…" id or "type:value" ("email:ada@example.com"), identifiers normalised as `identity:` says;
// nobody.
ProfileId find_person(const World& world, std::string_view person);

// {"id","first_seen","last_seen","identifiers":{type:[…]},"traits":{…},"computed":{…},"audiences":[{"audience","entered_at"}],
//  "account":{"id","members","traits":{…}},"consent":{…},"history":[…],"merged":[…],"workflows":[…]}; details
//  say where each came from.
std::string profile_json(const World& world, ProfileId person);

// {"audience","size","members":[{"id","identifiers":{"user_id":["…"]},"entered_at"}]}; members by id of
// entry, then id. Empty: no audience has this name.
std::string audience_json(const World& world, std::string_view name);
// {"audiences":[{"audience","size"}]}
// `backfill`: backfill_json(), where a hub runs.
std::string audiences_json(const World& world, const std::string& backfill = {});

// {"quarantine":[{"type","value","since","people"}]}: identifiers that join no more, the oldest first.
std::string quarantine_json(const World& world);

store::ProfileRow profile_row(const World& world, ProfileId person);

}  // namespace sluice::hub
