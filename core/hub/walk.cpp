#include "hub/walk.hpp"

#include <algorithm>

#include "base/json.hpp"

namespace sluice::hub {

// Measured: unpacking, hashing and packing somebody costs about as much as two dozen conditions, and mapping
// a profile route as much as five.
Slice next_slice(const World& live) {
  const view::Compiled* const compiled = live.pipeline.compiled();
  if (compiled == nullptr || live.state.walks.empty()) return {};
  constexpr std::size_t budget = 10'000, person = 25, route = 5;
  const state::Walk& walk = live.state.walks.back();
  const std::size_t cost =
      person + compiled->config->audiences.size() + route * compiled->profile_routes.size();
  return {walk.epoch, walk.after, std::max<std::size_t>(budget / cost, 1)};
}

std::string evaluate_command(const Slice& slice) {
  std::string out;
  JsonWriter(out)
      .begin_object()
      .member("command", "evaluate")
      .member_integer("epoch", static_cast<std::int64_t>(slice.epoch))
      .member_integer("people", static_cast<std::int64_t>(slice.people))
      .end_object();
  return out;
}

Status evaluate_all(World& world, TimeUs now, const std::function<void(const StepOutput&)>& each) {
  for (Slice slice = next_slice(world); slice.epoch != 0; slice = next_slice(world)) {
    slice.people = slice_people_max;
    StepOutput out;
    SLUICE_TRY(
        world.step({world.state.seq + 1, now, InputKind::command, false, evaluate_command(slice)}, out));
    each(out);
  }
  return Done{};
}

}  // namespace sluice::hub
