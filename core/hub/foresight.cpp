#include "hub/foresight.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/near.hpp"

namespace sluice::hub {

Foresight::Slot& Foresight::slot_of(const Input& input) {
  while (slots_.size() < most) slots_.emplace_back(config_);
  return slots_[input.seq % most];
}

void Foresight::fill(Slot& slot, const Input& input) {
  EventInput payload;
  slot.payload = input.payload;
  slot.decoded = EventInput::decode(input.payload, payload);
  if (slot.decoded) slot.read = slot.reader.read_event(payload, slot.event);
}

void Foresight::read(std::span<const Input> inputs) {
  for (Slot& slot : slots_) slot.payload = {};
  std::array<state::State::Glance, 4 * most> glances;  // most events have one or two identifiers
  std::size_t count = 0;
  inputs = inputs.first(std::min(most, inputs.size()));
  constexpr std::size_t ahead = 2, bytes_max = 1'024;  // the doors' threads wrote them; most are shorter
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Input& input = inputs[i];
    if (i + ahead < inputs.size()) {
      const std::string_view next = inputs[i + ahead].payload;
      sluice::bring_near(next.data(), std::min(bytes_max, next.size()));
    }
    if (input.kind == InputKind::epoch) break;  // what follows is read by another configuration
    if (input.kind != InputKind::event || input.redacted || input.payload.empty()) continue;
    Slot& slot = slot_of(input);
    fill(slot, input);
    if (!slot.decoded || !slot.read) continue;
    std::string_view message_id = slot.event.message_id;
    for (const ExternalId& id : slot.event.ids) {
      if (count == glances.size()) break;
      // As received: one that is spelt otherwise is not found, and waited for in the step.
      glances.at(count++) = {state::name_id(id.type), state::name_id(slot.event.source), id.value,
                             std::exchange(message_id, {})};
    }
  }
  state_.bring_near(std::span(glances).first(count));
}

Result<Event*> Foresight::event_of(const Input& input) {
  Slot& slot = slot_of(input);
  const bool known = !input.payload.empty() && slot.payload.data() == input.payload.data() &&
                     slot.payload.size() == input.payload.size();
  if (!known) fill(slot, input);
  slot.payload = {};  // the step sets its time right: once
  if (!slot.decoded) return static_cast<Event*>(nullptr);
  if (!slot.read) return slot.read.error();
  return &slot.event;
}

}  // namespace sluice::hub
