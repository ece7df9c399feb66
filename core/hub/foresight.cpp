// A glance at inputs before they are stepped. Nothing depends on it but time.
#include <array>
#include <cstring>

#include "hub/pipeline.hpp"
#include "model/event.hpp"

namespace sluice::hub {

namespace {

// The text behind the first `name` ("userId":"), up to the next quote; empty: it is not there. Escapes and
// members of the same name deeper inside are not minded: it is a guess.
std::string_view glance(std::string_view text, std::string_view name) {
  const void* const found = memmem(text.data(), text.size(), name.data(), name.size());
  if (found == nullptr) return {};
  text.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) + name.size());
  return text.substr(0, text.find('"'));
}

}  // namespace

void Pipeline::bring_near(std::span<const Input> inputs) const {
  static const state::NameId user = state::name_id("user_id"), device = state::name_id("anonymous_id");
  constexpr std::size_t most = 32;
  std::array<state::State::Glance, most> glances;
  std::size_t count = 0;
  for (const Input& input : inputs) {
    EventInput event;
    if (count == most) break;
    if (input.kind != InputKind::event || !EventInput::decode(input.payload, event)) continue;
    state::State::Glance& g = glances.at(count);
    g = {user, state::name_id(event.source), glance(event.text, "\"userId\":\""),
         glance(event.text, "\"messageId\":\"")};
    if (g.value.empty()) {
      g.type = device;
      g.value = glance(event.text, "\"anonymousId\":\"");
    }
    if (!g.value.empty()) ++count;
  }
  state_.bring_near(std::span(glances).first(count));
}

}  // namespace sluice::hub
