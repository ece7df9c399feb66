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
  // People whom the change finds in its audience, which says `backfill: trigger`: it starts for them.
  std::uint64_t start = 0;
  std::uint64_t messages = 0;       // that go out to them at once: before the first wait, where they may
  std::string audience;             // that says so
  std::vector<ProfileId> starting;  // some of them, the smallest ids
};

// Other rules of who is one person, tried on the history: people of today who would have become one, and
// those who would not have. Applying them changes nobody who is there: they hold for what comes.
struct PlannedIdentity {
  bool tried = false;  // the rules change
  struct Joined {
    std::vector<ProfileId> people;  // of today, who would be one
    std::uint64_t input = 0;  // that would have joined them; 0: one would have got what the other is known by
    std::string by;           // the type of the identifier that did
  };
  struct Parted {
    ProfileId person = nobody;  // of today
    // What each of those would be known by: "user_id 42, email ada@shop.example".
    std::vector<std::string> into;
  };
  std::uint64_t joined = 0, parted = 0;  // how many people fewer, how many more
  std::vector<Joined> joining;           // some of them
  std::vector<Parted> parting;
  TimeUs since = no_time;  // where the history that is kept begins; no_time: with the first event
};

struct Plan {
  std::uint64_t input = 0;  // of the journal, up to which the state goes
  TimeUs at = 0;            // for which moment it is worked out
  std::uint64_t people = 0;
  std::vector<std::string> differences;  // of the configuration, in its own terms; empty: nothing changes
  std::vector<std::string> restart;      // what a running hub cannot take over, each with its mend
  std::vector<std::string> reads_past;   // what waits until the history has been read again
  TimeUs past_since = no_time;           // where what is kept of it begins; no_time: with the first event
  PlannedIdentity identity;
  std::vector<PlannedAudience> audiences;
  std::vector<PlannedTrait> computed;
  std::vector<PlannedWorkflow> workflows;  // that start, or that somebody is in and that change
  std::map<std::string, std::map<std::string, std::uint64_t>> records;  // by destination, then by operation

  std::string json() const;
};

// Gives a shadow that has read the history as far as it is kept, as read_shadow() does.
using ReadPast =
    std::function<Result<std::unique_ptr<World>>(const std::string& definitions, World::Shadow by)>;

// `other` has stepped the same history by other rules.
PlannedIdentity compare_people(const World& world, const World& other);

// What `next` (an epoch's payload) would do to the state of `world`, which is used up. `now`: the moment, at
// or after all that the state knows; what time alone does until then comes first and is no part of the plan.
// misconfigured: no hub has run with this data yet. Memory: what the records to be sent take.
// What waits for the past is counted as it will be when that has been read, by `past`.
Result<Plan> make_plan(World& world, const std::string& next, TimeUs now, const ReadPast& past);

}  // namespace sluice::hub
