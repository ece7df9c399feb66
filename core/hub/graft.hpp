// What a shadow hands to the live step: `graft` inputs of the journal, some people each. See
// docs/adr/0029-a-shadow-reads-the-past.md.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "hub/world.hpp"
#include "state/profile.hpp"

namespace sluice::hub {

struct GraftRow {  // of one person, as of the switch
  ProfileId person = nobody;
  std::vector<state::Series> series;           // that waited, whole
  std::vector<state::Sequence> sequences;      // likewise
  std::vector<state::Membership> memberships;  // of the audiences that waited
};

struct Graft {
  std::uint64_t backfill = 0;        // state::Backfill::id
  ProfileId after = nobody, to = 0;  // everybody with an id in (after, to] has their past from here on
  TimeUs since = no_time;            // where the history that was read begins, if not with the first event
  std::vector<GraftRow> rows;        // by person; who is not named has none

  void encode(std::string& out) const;
  static bool decode(std::string_view bytes, Graft& out);
};

inline constexpr ProfileId graft_end = UINT64_MAX;  // of the last one
inline constexpr std::size_t graft_people = 100,
                             graft_bytes = 256 * 1024;  // of one: a few milliseconds of the step

// The next people of a shadow that stands at the switch. `after` as in the state's backfill.
Graft next_graft(const World& shadow, std::uint64_t backfill, ProfileId after,
                 const std::vector<std::uint64_t>& series, const std::vector<state::NameId>& audiences);

// Which series and audiences a backfill waits for.
struct Wanted {
  std::vector<std::uint64_t> series;  // and sequences: by their keys
  std::vector<state::NameId> audiences;
};
Wanted wanted(const World& live);

std::string switch_command(std::uint64_t backfill);

// All of it at once, in memory: `shadow` has read what `live` has. For plans. `each` gets what a step causes.
// rejected: the configuration has not come to everybody yet.
Status graft_all(World& live, World& shadow, TimeUs now, const std::function<void(const StepOutput&)>& each);

}  // namespace sluice::hub
