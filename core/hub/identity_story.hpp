// Why somebody is one person: their identifiers, and each event that made one person of two.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "hub/world.hpp"
#include "model/input.hpp"

namespace sluice::hub {

struct KeptInput {  // of the journal
  InputKind kind = InputKind::event;
  bool redacted = false;
  std::string payload;
};
using KeptInputs = std::map<std::uint64_t, KeptInput>;  // by number

// The inputs that made others one with this person: to be read from the journal, not while the world is held.
std::vector<std::uint64_t> merge_inputs(const World& world, ProfileId person);

// {"person","first_seen","identifiers":[{"type","value","first_seen","last_seen","server","sources":[…]}],"merges":[{"id",
//  "time","input","joined_by","value"?,"source"?,"kind"?,"name"?,"message_id"?,"identifiers":[{"type","value"}]?}]}:
// "apart":[id, …]}: merges in the order in which they came, what an event said as long as the journal has it;
// and those with whom a merge was taken back. Empty: nobody. [a reader of the world]
std::string identity_json(const World& world, ProfileId person, const KeptInputs& inputs);

}  // namespace sluice::hub
