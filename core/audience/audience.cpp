#include "audience/audience.hpp"

#include <algorithm>

namespace sluice::audience {

std::vector<Change> update(state::State& state, state::Profile& profile, view::PersonContext& context,
                           const view::Compiled& compiled, view::Readers& readers, TimeUs now,
                           std::uint64_t cause, bool by_time) {
  std::vector<Change> changes;
  if (readers.audiences.empty()) return changes;
  const std::vector<std::size_t>& order = compiled.config->audience_order;
  // What a change adds stands behind: an audience is evaluated once, after those that it reads.
  for (std::size_t rank = readers.audiences.next(0); rank < order.size();
       rank = readers.audiences.next(rank + 1)) {
    const std::size_t slot = order[rank];
    if (context.waits_audience(slot)) continue;
    const state::NameId id = compiled.audience_ids[slot];
    const bool inside = profile.membership(id) != nullptr;
    if (context.holds(compiled.config->audiences[slot].condition) == inside) continue;
    if (inside) {
      std::erase_if(profile.memberships, [&](const state::Membership& m) { return m.audience == id; });
      std::erase(profile.found, id);
    } else {
      profile.memberships.push_back({state.intern(compiled.config->audiences[slot].name), now, cause});
    }
    state.count_member(id, inside ? -1 : 1);
    profile.history.push({id, !inside, now, cause, by_time});
    readers.add(compiled.by_audience[slot]);
    changes.push_back({slot, !inside});
  }
  return changes;
}

bool set_past(state::State& state, state::Profile& profile, const view::Compiled& compiled, std::size_t slot,
              const state::Membership* past) {
  const state::NameId id = compiled.audience_ids[slot];
  const auto is = [&](const state::Membership& m) { return m.audience == id; };
  const bool before = std::erase_if(profile.memberships, is) > 0;
  if (past != nullptr) {
    state.intern(compiled.config->audiences[slot].name);
    profile.memberships.push_back(*past);
  } else {
    std::erase(profile.found, id);
  }
  if (before == (past != nullptr)) return false;
  state.count_member(id, before ? -1 : 1);
  profile.history.push(before ? state::AudienceChange{id, false, state.now, state.seq, false}
                              : state::AudienceChange{id, true, past->entered, past->cause, false});
  return true;
}

void drop_unknown(state::State& state, state::Profile& profile, const view::Compiled& compiled) {
  const auto gone = [&](state::NameId audience) {
    const auto& known = compiled.audience_ids;
    return std::find(known.begin(), known.end(), audience) == known.end();
  };
  std::erase_if(profile.found, gone);
  std::erase_if(profile.memberships, [&](const state::Membership& m) {
    if (!gone(m.audience)) return false;
    state.count_member(m.audience, -1);
    return true;
  });
}

}  // namespace sluice::audience
