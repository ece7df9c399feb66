// Merges that an operator has taken back: inputs that join nobody, and people who never become one again.
// Kept in one row of the meta table; the step alone writes it. See
// docs/adr/0040-a-wrong-merge-is-taken-back.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "model/effect.hpp"

namespace sluice::state {

struct Unmerge {
  std::uint64_t id = 0;       // the command's input
  std::uint64_t input = 0;    // whose merge is taken back
  ProfileId person = nobody;  // who was several
  TimeUs time = 0;            // of the command
  bool done = false;          // until then their history is read again
};

struct Watched {
  ProfileId person = nobody;
  std::uint64_t touched = 0;  // the input that last changed the row
};

struct Apart {
  std::vector<Unmerge> unmerges;
  std::vector<std::pair<ProfileId, ProfileId>> pairs;
  // Whose rows the unmerge under way takes the place of: what the history gives counts if they have not
  // changed since it was read.
  std::vector<Watched> watched;

  bool empty() const { return unmerges.empty() && pairs.empty(); }
  const Unmerge* under_way() const;  // the oldest that is not done; null: none
  Unmerge* find(std::uint64_t id);
  bool joins_nobody(std::uint64_t input) const;
  void add_pair(ProfileId one, ProfileId other);
  const Watched* watches(ProfileId person) const;

  std::string encode() const;
  static Apart decode(std::string_view bytes);  // empty bytes: nothing was taken back
};

}  // namespace sluice::state
