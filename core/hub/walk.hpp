// How a new configuration comes to everybody: by `evaluate` commands, each of which takes the next people
// (state/walk.hpp). See docs/adr/0048-a-configuration-walks-through-the-people.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "hub/world.hpp"

namespace sluice::hub {

inline constexpr std::size_t slice_people_max = 2'048;  // half of those who may be unpacked at once

struct Slice {              // the next that is to be done
  std::uint64_t epoch = 0;  // 0: nothing walks
  ProfileId after = nobody;
  std::size_t people = 0;  // by what a person costs with this configuration: about a millisecond of the step
};
Slice next_slice(const World& live);

std::string evaluate_command(const Slice& slice);

// All of it at once, in memory: for plans. `each` gets what a slice causes.
Status evaluate_all(World& world, TimeUs now, const std::function<void(const StepOutput&)>& each);

}  // namespace sluice::hub
