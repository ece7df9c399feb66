// How far a new configuration has come. It concerns everybody, and everybody at once would stop the step: it
// walks through the people in the order of their ids, a slice with each `evaluate` command, and comes early
// to whoever an input is about. Until it has come to somebody they are what the configuration before made of
// them. Kept in one row of the meta table, where one is under way; the step alone writes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "state/profile.hpp"

namespace sluice::state {

struct Walk {
  std::uint64_t epoch = 0;         // the input that brought the configuration
  ProfileId after = nobody;        // it has come to whoever has an id up to this one
  std::vector<NameId> new_routes;  // that came with it; in order

  // `evaluated` is Profile::evaluated.
  bool is_behind(ProfileId person, std::uint64_t evaluated) const {
    return person > after && evaluated < epoch;
  }
  bool is_new_route(NameId route) const;
};

// Those that have not come to everybody, the oldest first. The newest is under way; of the others, which
// never come further, what is new to those whom they did not reach is still to be known.
using Walks = std::vector<Walk>;

std::string encode_walks(const Walks& walks);
Walks decode_walks(std::string_view bytes);  // empty bytes: none

}  // namespace sluice::state
