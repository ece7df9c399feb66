// Identifiers that join people: whom each has joined, or would have if no limit had forbidden it, and which
// have joined so many that they join no more (Table::joins). A kiosk's anonymous id, a shop's telephone
// number and a test's address would make one person of a hundred.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "state/profile.hpp"

namespace sluice::state {

struct Join {
  std::uint64_t with = 0;  // print of the strongest other identifier of the event
  TimeUs time = 0;         // hub time, the newest
};

struct Joins {
  NameId type = 0;
  std::string value;
  TimeUs newest = 0;
  TimeUs quarantined = 0;   // since when it joins no more; 0: it does
  std::vector<Join> joins;  // within the rule's time; at most its number and one more

  void encode(std::string& out) const;
  static bool decode(std::string_view bytes, Joins& out);
};

}  // namespace sluice::state
