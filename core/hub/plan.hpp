// What a configuration would do before it does it: `sluice plan`. The change is made to a copy of the state
// by the step itself, exactly as the hub would make it; what differs afterwards is the answer.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

#include "hub/world.hpp"
#include "model/effect.hpp"

namespace sluice::hub {

inline constexpr std::size_t plan_samples_max = 5;

struct PlannedAudience {
  std::string name;
  std::uint64_t before = 0, after = 0, enter = 0, leave = 0;  // people
  std::vector<ProfileId> entering, leaving;                   // some of them, the smallest ids
};

struct PlannedTrait {
  std::string name;           // computed
  std::uint64_t changed = 0;  // people for whom it has another value, or has one now, or no more
  std::vector<ProfileId> people;
};

struct PlannedWorkflow {
  std::string name;
  std::uint64_t waiting = 0;  // people inside it
  std::uint64_t end = 0;      // of them: whose step is gone, so that their run ends there
};

struct Plan {
  std::uint64_t input = 0;  // of the journal, up to which the state goes
  TimeUs at = 0;            // for which moment it is worked out
  std::uint64_t people = 0;
  std::vector<std::string> differences;  // of the configuration, in its own terms; empty: nothing changes
  std::vector<std::string> restart;      // what a running hub cannot take over, each with its mend
  std::vector<std::string> reads_past;   // what waits until the history has been read again
  TimeUs past_since = no_time;           // where what is kept of it begins; no_time: with the first event
  std::vector<PlannedAudience> audiences;
  std::vector<PlannedTrait> computed;
  std::vector<PlannedWorkflow> workflows;  // that somebody is in, and that change
  std::map<std::string, std::map<std::string, std::uint64_t>> records;  // by destination, then by operation

  std::string json() const;
};

// Gives a shadow that has read the history as far as it is kept, as read_shadow() does.
using ReadPast = std::function<Result<std::unique_ptr<World>>(const std::string& definitions)>;

// What `next` (an epoch's payload) would do to the state of `world`, which is used up. `now`: the moment, at
// or after all that the state knows; what time alone does until then comes first and is no part of the plan.
// misconfigured: no hub has run with this data yet. Memory: what the records to be sent take.
// What waits for the past is counted as it will be when that has been read, by `past`.
Result<Plan> make_plan(World& world, const std::string& next, TimeUs now, const ReadPast& past);

}  // namespace sluice::hub
