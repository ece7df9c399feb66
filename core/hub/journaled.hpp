// For this room's tests: a journal in memory and the state that it makes, for what reads the history again.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hub/generated.hpp"
#include "hub/walk.hpp"

namespace sluice::hub::testing {

// Everything that was ever journaled, and a state that has stepped it.
struct Journaled {
  std::vector<Stored> inputs;
  std::unique_ptr<World> world = std::make_unique<World>(7);
  std::vector<Effect> effects;

  void add(TimeUs stamp, InputKind kind, std::string payload) {
    inputs.push_back({stamp, kind, std::move(payload)});
    step(*world, inputs.size(), &effects);
  }
  void step(World& into, std::size_t number, std::vector<Effect>* out) const {
    const Stored& one = inputs[number - 1];
    StepOutput made;
    const Status stepped = into.step({number, one.stamp, one.kind, false, one.payload}, made);
    INFO(into.failure);
    REQUIRE(stepped);
    if (out == nullptr) return;
    for (Effect& effect : made.effects) out->push_back(std::move(effect));
  }
  TimeUs now() const { return inputs.back().stamp; }
  // A new configuration comes to the next so many people; false: it has come to everybody.
  bool walk_on(std::size_t people = slice_people_max) {
    Slice slice = next_slice(*world);
    slice.people = people;
    if (slice.epoch != 0) add(now(), InputKind::command, evaluate_command(slice));
    return slice.epoch != 0;
  }
  // As after kill -9 without a checkpoint.
  void start_again() {
    const Hash128 before = world->state.hash();
    world = std::make_unique<World>(7);
    for (std::size_t n = 1; n <= inputs.size(); ++n) step(*world, n, nullptr);
    CHECK(world->state.hash() == before);
  }
};

inline std::unique_ptr<World> shadow_of(const Journaled& journal, const std::string& yaml,
                                        std::size_t until) {
  auto shadow = std::make_unique<World>(7, epoch_of(yaml));
  for (std::size_t n = 1; n <= until; ++n) journal.step(*shadow, n, nullptr);
  return shadow;
}

}  // namespace sluice::hub::testing
