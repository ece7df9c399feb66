// Whom a change of the configuration finds in an audience with `backfill: trigger`: their workflows start.
// Who gets in by the past that was read again is started by that graft. Whom an epoch itself puts in may be
// everybody there is, and what the messages say may wait for the past: they are marked, and started when
// their past is there, when something happens to them, or when their turn comes: some people with each input.
// A row of the state says whose turn is next.
#include <algorithm>
#include <utility>

#include "base/bytes.hpp"
#include "hub/pipeline.hpp"
#include "hub/pipeline_parts.hpp"

namespace sluice::hub {

namespace {

constexpr std::string_view found_key = "found";  // of State::meta: the last person who has had a turn
constexpr std::size_t people_per_input = 200;

void keep_turn(state::State& state, ProfileId after) {
  std::string out;
  ByteWriter(out).u64(after);
  state.set_meta(found_key, out);
}

}  // namespace

bool anybody_found(const state::State& state) {
  return !state.meta(found_key).empty();
}

bool Pipeline::triggers_found(std::size_t audience) const {
  return audience != SIZE_MAX && compiled_->config->audiences[audience].backfill_triggers &&
         !compiled_->enter_workflows[audience].empty();
}

// After the person was settled under a configuration that is new to them. What an earlier one has marked goes
// on where the audience still says so: to take the word away ends it for good.
void Pipeline::mark_found(state::Profile& profile) {
  std::erase_if(profile.found,
                [&](state::NameId id) { return !triggers_found(compiled_->audience_slot(state_.name(id))); });
  for (const std::size_t slot : parts_->found) {
    if (triggers_found(slot)) profile.found.push_back(compiled_->audience_ids[slot]);
  }
  if (profile.found.empty()) return;
  const std::string_view turn = state_.meta(found_key);
  if (turn.empty() || ByteReader(turn).u64() >= profile.id) keep_turn(state_, profile.id - 1);
  parts_->found_left = true;
}

bool Pipeline::found_left() const {
  return parts_ && parts_->found_left && state_.backfill.id == 0 && state_.walks.empty();
}

void Pipeline::continue_found() {
  if (!found_left()) return;
  const ProfileId after = ByteReader(state_.meta(found_key)).u64();
  const std::vector<ProfileId> people = state_.ids_after(after, UINT64_MAX, people_per_input);
  for (const ProfileId id : people) {
    if (std::as_const(state_).find(id)->found.empty()) continue;
    state::Profile& profile = *state_.find(id);
    state_.touch(profile);
    start_marked(profile);
  }
  if (people.size() < people_per_input) {
    state_.set_meta(found_key, {});
    parts_->found_left = false;
  } else {
    keep_turn(state_, people.back());
  }
}

// Of the person at hand, who is touched and settled: of two who became one, too. A workflow that has started
// since the person was found has done so.
void Pipeline::start_marked(state::Profile& profile) {
  if (profile.found.empty() || state_.backfill.waits(profile.id)) return;
  for (const state::NameId id : std::exchange(profile.found, {})) {
    const state::Membership* const m = profile.membership(id);
    if (m != nullptr) start_found(profile, compiled_->audience_slot(state_.name(id)), m->entered);
  }
}

// Nobody is started who is not inside any more.
void Pipeline::start_found(state::Profile& profile, std::size_t audience, TimeUs since) {
  if (!triggers_found(audience) || profile.membership(compiled_->audience_ids[audience]) == nullptr) return;
  parts_->context.at(&profile, state_.now, nullptr);
  workflow::on_found(state_, profile, audience, since, state_.now, *compiled_, parts_->context,
                     parts_->effects, counters_.workflows);
  const TimeUs next = workflow::next_wake(profile);
  if (next < state_.due(profile)) state_.set_due(profile, next);
}

}  // namespace sluice::hub
