// Inside this room: the events of the next inputs, read before they are stepped, so that what the step will
// look at for them is fetched for several together. Nothing depends on it but time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>

#include "model/event.hpp"
#include "model/input.hpp"
#include "state/state.hpp"
#include "unify/reader.hpp"

namespace sluice::hub {

class Foresight {  // [step]
 public:
  static constexpr std::size_t most = 16;  // inputs at a time

  // Both outlive this.
  Foresight(const config::Config& config, const state::State& state) : config_(config), state_(state) {}

  // What was read before is forgotten. The inputs' payloads stay where they are until they are stepped.
  void read(std::span<const Input> inputs);
  // The event of an input, from what was read before where it is among that; null: its payload is none that
  // a door writes. Valid until the next call of either. rejected: as Reader::read_event().
  Result<Event*> event_of(const Input& input);

 private:
  struct Slot {
    explicit Slot(const config::Config& config) : reader(config) {}
    unify::Reader reader;
    std::string_view payload;  // of which input; empty: of none
    bool decoded = false;
    Status read = Done{};
    Event event;
  };
  Slot& slot_of(const Input& input);
  static void fill(Slot& slot, const Input& input);

  const config::Config& config_;
  const state::State& state_;
  std::deque<Slot> slots_;  // of input n: n % most
};

}  // namespace sluice::hub
