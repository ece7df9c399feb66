// The past in the step: which series wait for it, the moment up to which a shadow reads it, and the rows that
// the shadow hands over.
#include <algorithm>
#include <utility>

#include "audience/audience.hpp"
#include "hub/graft.hpp"
#include "hub/pipeline.hpp"
#include "hub/pipeline_parts.hpp"
#include "hub/unmerge.hpp"

namespace sluice::hub {

using state::Backfill;
using state::Profile;

namespace {

// The past goes in front of what was counted in `own` since, under the key that is asked for by `waits`.
template <typename Counted, typename Plan>
void put_past(std::vector<Counted>& own, const std::vector<Counted>& past, const std::vector<Plan>& plans,
              bool waits, TimeUs now) {
  for (const Counted& one : past) {
    const auto plan =
        std::find_if(plans.begin(), plans.end(), [&](const Plan& p) { return p.key == one.key; });
    if (plan == plans.end()) continue;
    Counted whole = one;
    whole.key = waits ? state::beside(one.key) : one.key;
    const auto since =
        std::find_if(own.begin(), own.end(), [&](const Counted& o) { return o.key == whole.key; });
    if (since == own.end()) {
      own.push_back(std::move(whole));
      continue;
    }
    whole.merge(*since, plan->needs, now);
    *since = std::move(whole);
  }
}

// What was counted beside, with its past in front, takes the place of what waited.
template <typename Counted, typename Plan>
void take_place(std::vector<Counted>& own, const std::vector<Plan>& plans, const std::vector<bool>& waits) {
  for (std::size_t slot = 0; slot < plans.size(); ++slot) {
    if (!waits[slot]) continue;
    const std::uint64_t key = plans[slot].key;
    std::erase_if(own, [&](const Counted& one) { return one.key == key; });
    for (Counted& one : own) {
      if (one.key == state::beside(key)) one.key = key;
    }
  }
}

}  // namespace

// What the configuration counts that has not been counted since the first event waits for the past. One that
// takes over while another's past is being read begins anew: what was counted beside goes.
void Pipeline::keep_series(const view::Compiled* before) {
  Backfill& b = state_.backfill;
  const bool at_first = state_.profiles() == 0 && state_.totals.events == 0;
  if (b.kept.empty() && before != nullptr) {  // nothing waits: it has all that it counts
    view::each_counted(*before,
                       [&](const auto& plan) { b.kept.push_back({plan.key, view::kept_needs(plan)}); });
  }
  std::vector<state::KeptSeries> kept;
  view::each_counted(*compiled_, [&](const auto& plan) {
    const state::SeriesNeeds needs = view::kept_needs(plan);
    kept.push_back({plan.key, at_first ? needs : state::both(b.needs_of(plan.key), needs)});
  });
  b.kept = std::move(kept);
  b.id = view::waiting(*compiled_, b).any ? state_.seq : 0;
  b.switched = 0;
  b.after = nobody;
  if (b.id == 0) b = {};
  state_.keep_backfill();
}

// Series that nobody reads, and those that begin anew.
void Pipeline::drop_series(Profile& profile) {
  const auto goes_on = [&](std::uint64_t key) {
    return state_.backfill.id == 0 || !state::counts_nothing(state_.backfill.needs_of(key));
  };
  const auto drop = [&](auto& own, const auto& plans) {
    std::erase_if(own, [&](const auto& counted) {
      return std::none_of(plans.begin(), plans.end(),
                          [&](const auto& plan) { return plan.key == counted.key && goes_on(plan.key); });
    });
  };
  drop(profile.series, compiled_->series);
  drop(profile.sequences, compiled_->sequences);
}

void Pipeline::switch_over(std::uint64_t backfill) {
  Backfill& b = state_.backfill;
  if (b.id == 0 || b.id != backfill || b.switched != 0 || !state_.walks.empty()) return;
  b.switched = state_.seq;
  state_.keep_backfill();
}

// One of a configuration that holds no more, or one that has been there already, is nothing.
void Pipeline::graft(const Input& input, StepOutput& out) {
  if (UnmergeGraft halves; UnmergeGraft::decode(input.payload, halves)) return take_back(halves, out);
  if (role_ == Role::shadow) return;
  Backfill& b = state_.backfill;
  Graft rows;
  if (b.id == 0 || b.switched == 0 || !Graft::decode(input.payload, rows)) return;
  if (rows.backfill != b.id || rows.after != b.after) return;
  std::map<ProfileId, std::vector<state::Membership>> members;
  for (const GraftRow& row : rows.rows) graft_row(row, members);
  const std::vector<ProfileId> people = state_.ids_after(b.after, rows.to, SIZE_MAX);
  for (const ProfileId id : people) {
    b.after = id;
    graft_person(*state_.find(id), members[id], rows.since);
  }
  b.after = rows.to;
  if (rows.to == graft_end) finish_backfill();
  state_.keep_backfill();
}

// The past comes before what was counted beside. Who has become somebody else since the switch brings it
// along.
void Pipeline::graft_row(const GraftRow& row, std::map<ProfileId, std::vector<state::Membership>>& members) {
  Profile* const profile = state_.find(row.person);
  if (profile == nullptr) return;
  state_.touch(*profile);
  const bool waits = state_.backfill.waits(profile->id);
  put_past(profile->series, row.series, compiled_->series, waits, state_.now);
  put_past(profile->sequences, row.sequences, compiled_->sequences, waits, state_.now);
  profile->touch_changes();
  if (waits) {
    for (const state::Membership& m : row.memberships) {
      auto& all = members[profile->id];
      const auto same =
          std::find_if(all.begin(), all.end(), [&](const auto& o) { return o.audience == m.audience; });
      if (same == all.end()) {
        all.push_back(m);
      } else if (m.entered < same->entered) {
        *same = m;
      }
    }
    return;
  }
  for (std::size_t slot = 0; slot < compiled_->route_ids.size(); ++slot)
    parts_->new_routes[slot] = state_.backfill.is_new_route(compiled_->route_ids[slot]);
  parts_->readers.fill();
  settle(*profile, nullptr, false, state_.now, Cause::configuration, parts_->effects.waiting());
  parts_->nothing_is_new();
  for (const std::size_t slot : parts_->found) start_found(*profile, slot, never);
}

// Up to the switch the past decides, and only lists that are known already hear of it, and workflows of
// audiences that say so; what has happened since is what it always is.
void Pipeline::graft_person(Profile& profile, const std::vector<state::Membership>& members, TimeUs since) {
  ++counters_.grafted;
  state_.touch(profile);
  view::PersonContext& context = parts_->context;
  const view::Waiting waiting = view::waiting(*compiled_, state_.backfill);
  take_place(profile.series, compiled_->series, waiting.series);
  take_place(profile.sequences, compiled_->sequences, waiting.sequences);
  profile.touch_changes();
  if (since != no_time && profile.first_seen < since) profile.partial = true;
  context.at(&profile, state_.now, nullptr);
  std::vector<std::size_t> found;
  const auto& routes = compiled_->config->routes;
  const auto is_new = [&](std::size_t route) {
    return state_.backfill.is_new_route(compiled_->route_ids[route]);
  };
  for (const std::size_t slot : compiled_->config->audience_order) {
    if (!waiting.audience(*compiled_, slot)) continue;
    const state::NameId id = compiled_->audience_ids[slot];
    const auto past = std::find_if(members.begin(), members.end(),
                                   [&](const state::Membership& m) { return m.audience == id; });
    const bool is = past != members.end();
    const bool changed = audience::set_past(state_, profile, *compiled_, slot, is ? &*past : nullptr);
    if (changed) ++(is ? counters_.entered : counters_.left);
    if (is && changed) found.push_back(slot);
    for (const std::size_t route : compiled_->audience_routes[slot]) {
      if (is_new(route) ? is && routes[route].backfill : changed) {
        route::route_list(profile, route, is, state_.now, *compiled_, context, parts_->effects,
                          counters_.routes);
      }
    }
  }
  for (const std::size_t slot : compiled_->profile_routes) {
    if (waiting.readers.routes.test(slot) && is_new(slot) && !routes[slot].backfill)
      route::mark_silent(state_, profile, slot, *compiled_, context);
  }
  parts_->readers.clear();
  parts_->readers.add(waiting.readers);
  settle(profile, nullptr, false, state_.now, Cause::input, parts_->effects.waiting());
  for (const std::size_t slot : found) start_found(profile, slot, never);
  start_marked(profile);
}

void Pipeline::begin_shadow() {
  const Backfill had = std::exchange(state_.backfill, {});
  state_.keep_backfill();
  state_.walks.clear();
  state_.keep_walks();
  const auto drop_doubted = [&](auto& own, const auto& plans) {
    std::erase_if(own, [&](const auto& counted) {
      return std::none_of(plans.begin(), plans.end(), [&](const auto& plan) {
        return plan.key == counted.key && state::covers(had.needs_of(plan.key), view::kept_needs(plan));
      });
    });
  };
  state_.each_profile([&](Profile& profile) {
    state_.touch(profile);
    profile.evaluated = 0;
    profile.marks.clear();
    profile.runs.clear();
    profile.started.clear();
    profile.found.clear();
    drop_doubted(profile.series, compiled_->series);
    drop_doubted(profile.sequences, compiled_->sequences);
    profile.touch_changes();
    audience::drop_unknown(state_, profile, *compiled_);
    parts_->readers.fill();
    settle(profile, nullptr, false, state_.now, Cause::configuration, 0);
  });
}

void Pipeline::finish_backfill() {
  state_.backfill = {};
}

}  // namespace sluice::hub
