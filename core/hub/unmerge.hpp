// A merge that is taken back: what the history gives for the people who were one by mistake, handed to the
// live step as a `graft` input. See docs/adr/0040-a-wrong-merge-is-taken-back.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/result.hpp"

#include "base/time.hpp"
#include "hub/world.hpp"
#include "state/profile.hpp"

namespace sluice::hub {

struct Half {  // one of those who were one, as they would be without the merge
  state::Profile person;
  TimeUs due = never;   // their timer
  std::string account;  // its id; empty: of none
  state::MemberOf as;
};

struct UnmergeGraft {
  std::uint64_t unmerge = 0;                           // state::Unmerge::id
  std::uint64_t upto = 0;                              // the input up to which the history was read
  std::vector<ProfileId> gone;                         // whose rows these are instead of, in order
  std::vector<Half> halves;                            // by id
  std::vector<std::pair<ProfileId, ProfileId>> leads;  // ids without a row, and who they lead to
  std::vector<std::pair<ProfileId, ProfileId>> pairs;  // who never become one again

  void encode(std::string& out) const;
  // False: no such graft, but one of a backfill, or damaged.
  static bool decode(std::string_view bytes, UnmergeGraft& out);
};

// What `shadow`, which stands at the journal's end and has kept them apart, has instead of the person of
// `what` in `live`. Whoever shares an identifier with them over there is part of it. rejected: too many
// people would be others than they are.
Result<UnmergeGraft> draft_unmerge(const World& live, World& shadow, const state::Unmerge& what);

// The merges that a shadow of this world takes back: those that are done, and `also`.
std::vector<state::Unmerge> taken_back(const World& world, const state::Unmerge* also = nullptr);

// Why input `input` cannot be taken back of this person (nobody: there is none), whose journal begins at
// `first_seq`. [a reader of the world]
Status check_unmerge(const World& world, ProfileId person, std::uint64_t input, std::uint64_t first_seq);

// Commands of the journal.
std::string unmerge_command(ProfileId person, std::uint64_t input);
std::string watch_command(std::uint64_t unmerge, const std::vector<ProfileId>& people);
std::string give_up_command(std::uint64_t unmerge);

// {"unmerges":[{"person","input","time","state":"done"|"reading the history"}]}
std::string unmerges_json(const World& world);

}  // namespace sluice::hub
