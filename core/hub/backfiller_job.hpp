// Inside this room: what a backfiller is at.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hub/backfiller.hpp"

namespace sluice::hub {

inline constexpr DurationUs ask_again = 10 * us_per_s;

struct Backfiller::Job {
  state::Backfill wants;                // of the live state, as last looked at
  state::Unmerge unmerge;               // what it is for instead; id 0: for a backfill
  std::vector<state::Unmerge> apart;    // the merges that are taken back in the shadow
  std::vector<state::Watched> watched;  // of the live state, as last looked at
  std::uint64_t submitted = 0;          // the journal's end when the last command or graft of an unmerge was
  Wanted wanted;
  std::vector<std::string> names;
  std::string definitions;  // payload of the epoch
  std::unique_ptr<World> shadow;
  std::uint64_t first = 0, saved = 0;  // the first input that was read; the one up to which it is saved
  TimeUs since = no_time;
  std::string switch_command;
  bool switch_seen = false;      // the shadow stands behind it
  DurationUs asked = 0;          // monotonic: when a switch was
  ProfileId handed = graft_end;  // the state's `after` for which a graft was submitted
  DurationUs handed_at = 0;
};

inline std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out.append(out.empty() ? "'" : ", '").append(name).append("'");
  return out;
}

}  // namespace sluice::hub
