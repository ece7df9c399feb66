#include "unify/withdraw.hpp"

#include <algorithm>

namespace sluice::unify {

namespace {

std::uint64_t print_of(const state::State& state, std::string_view source, std::string_view stream,
                       std::string_view entity) {
  std::string key(source);
  key.append(1, '/').append(stream);
  return state.entity_print(key, entity);
}

void drop_entity(state::Profile& profile, std::uint64_t print) {
  std::erase_if(profile.entities, [&](const state::Entity& e) { return e.print == print; });
}

}  // namespace

void know_entity(state::State& state, state::Profile& profile, const Event& event) {
  const std::uint64_t print = print_of(state, event.source, event.stream, event.entity);
  if (profile.has_entity(print)) return;
  if (state::Profile* before = state.find_entity(print); before != nullptr) {
    state.touch(*before);
    drop_entity(*before, print);
  }
  if (profile.entities.size() == state::entities_max) profile.entities.erase(profile.entities.begin());
  profile.entities.push_back({state.intern(event.source), print});
  state.index_entity(profile, print);
}

state::Profile* forget_entity(state::State& state, std::string_view source, std::string_view stream,
                              std::string_view entity) {
  const std::uint64_t print = print_of(state, source, stream, entity);
  state::Profile* const profile = state.find_entity(print);
  if (profile == nullptr) return nullptr;
  state.touch(*profile);
  drop_entity(*profile, print);
  const state::NameId id = state::name_id(source);
  const bool more = std::any_of(profile->entities.begin(), profile->entities.end(),
                                [&](const state::Entity& e) { return e.source == id; });
  return more ? nullptr : profile;
}

std::vector<ConsentChange> withdraw_facts(state::Profile& profile, state::NameId source, TimeUs time,
                                          const view::Compiled& compiled) {
  std::erase_if(profile.traits, [&](const state::Trait& trait) { return trait.source == source; });
  std::vector<ConsentChange> changes;
  const auto& purposes = compiled.config->consent.purposes;
  for (state::ConsentState& said : profile.consents) {
    if (said.source != source || !said.granted) continue;
    said.granted = false;
    said.time = std::max(said.time, time);
    for (std::size_t slot = 0; slot < purposes.size(); ++slot) {
      if (compiled.purposes[slot].id == said.purpose) changes.push_back({purposes[slot].name, false});
    }
  }
  return changes;
}

bool withdraw_identifiers(state::State& state, state::Profile& profile, state::NameId source) {
  const std::size_t before = profile.identifiers.size();
  std::erase_if(profile.identifiers, [&](state::Identifier& identifier) {
    if (identifier.many) return false;
    if (identifier.also == source) {
      identifier.also = 0;
    } else if (identifier.source == source && identifier.also != 0) {
      identifier.source = std::exchange(identifier.also, 0);
    } else if (identifier.source == source) {
      state.forget(profile, identifier);
      return true;
    }
    return false;
  });
  return profile.identifiers.size() != before;
}

}  // namespace sluice::unify
