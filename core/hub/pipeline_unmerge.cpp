// Merges that are taken back, in the step: whose history is to be read again, and the rows that come of it.
#include <algorithm>

#include "hub/pipeline.hpp"
#include "hub/pipeline_parts.hpp"
#include "hub/unmerge.hpp"

namespace sluice::hub {

using state::Profile;

void Pipeline::unmerge(ProfileId person, std::uint64_t input, StepOutput& out) {
  const Profile* const profile = state_.find(person);
  const bool merged = profile != nullptr && std::any_of(profile->merges.begin(), profile->merges.end(),
                                                        [&](const auto& m) { return m.cause == input; });
  if (!merged || state_.apart.joins_nobody(input)) {
    out.notices.push_back("input " + std::to_string(input) +
                          " has joined nobody of that person, or was taken back already: nothing to unmerge");
    return;
  }
  state_.apart.unmerges.push_back({state_.seq, input, profile->id, state_.now, false});
  if (state_.apart.watched.empty()) state_.apart.watched.push_back({profile->id, state_.seq});
  state_.keep_apart();
}

void Pipeline::watch(std::uint64_t unmerge, const std::vector<ProfileId>& people) {
  const state::Unmerge* const what = state_.apart.under_way();
  if (what == nullptr || what->id != unmerge) return;
  for (const ProfileId id : people) {
    if (state_.apart.watches(id) == nullptr) state_.apart.watched.push_back({id, state_.seq});
  }
  state_.keep_apart();
}

void Pipeline::keep_apart(const std::vector<state::Unmerge>& unmerges, std::uint64_t begun_behind) {
  state_.apart.unmerges = unmerges;
  state_.apart.watched.clear();
  begun_behind_ = begun_behind;
}

// The history says nothing of them any more.
void Pipeline::give_up(std::uint64_t unmerge, StepOutput& out) {
  state::Unmerge* const what = state_.apart.find(unmerge);
  if (what == nullptr || what->done) return;
  out.notices.push_back("the merge of input " + std::to_string(what->input) + " is not taken back");
  state::Unmerge gone = *what;
  std::erase_if(state_.apart.unmerges, [&](const auto& u) { return u.id == unmerge; });
  finish_unmerge(gone);
}

void Pipeline::finish_unmerge(state::Unmerge& what) {
  what.done = true;
  state_.apart.watched.clear();
  if (const state::Unmerge* const next = state_.apart.under_way())
    state_.apart.watched.push_back({state_.resolve(next->person), state_.seq});
  state_.keep_apart();
}

// What the history gives counts if nobody whom it concerns has changed since it was read; else it is read on,
// and comes again. A shadow has kept them apart by itself, unless it began behind the merge.
void Pipeline::take_back(const UnmergeGraft& graft, StepOutput& out) {
  state::Apart& apart = state_.apart;
  state::Unmerge* const what = apart.find(graft.unmerge);
  const auto is_there = [&](ProfileId id) { return state_.find(id) != nullptr && state_.resolve(id) == id; };
  if (what == nullptr || !std::all_of(graft.gone.begin(), graft.gone.end(), is_there)) return;
  if (role_ == Role::shadow) {
    if (what->input > begun_behind_) return;
  } else {
    const auto unchanged = [&](ProfileId id) {
      const state::Watched* const watched = apart.watches(id);
      return watched != nullptr && watched->touched <= graft.upto;
    };
    if (what->done || state_.backfill.id != 0 ||
        !std::all_of(graft.gone.begin(), graft.gone.end(), unchanged))
      return;
  }
  std::map<ProfileId, Profile> before;
  for (const ProfileId id : graft.gone) {
    Profile& copy = before[id] = *state_.find(id);
    copy.row = nullptr;
  }
  put_halves(graft, before);
  apart.pairs =
      graft.pairs;  // all of them: with this merge, those of other ones may have been between others
  finish_unmerge(*what);
  // A destination hears of them, as who they are, before it hears what lists they are on.
  const std::size_t place = parts_->effects.waiting();
  const auto settle_all = [&] {
    for (const Half& half : graft.halves) {
      Profile& profile = *state_.find(half.person.id);
      state_.touch(profile);
      parts_->effects.forget_identifiers();
      parts_->readers.fill();
      settle(profile, nullptr, true, state_.now, Cause::configuration, place);
      set_due(profile, state_.now);
    }
  };
  if (role_ == Role::hub) tell_halves(graft, before, out);
  for (const Half& half : graft.halves) state_.set_due(*state_.find(half.person.id), half.due);
  fire_timers(state_.now, out);  // what has come since the history was read
  settle_all();
}

// Workflows are not told: who was in one stays in it under the id that stays, and whoever leaves with an id
// of their own has been through what the two were through together.
void Pipeline::put_halves(const UnmergeGraft& graft, const std::map<ProfileId, Profile>& before) {
  std::vector<state::Started> started;
  for (const auto& [id, profile] : before)
    started.insert(started.end(), profile.started.begin(), profile.started.end());
  const auto stays = [&](ProfileId id) { return before.contains(id); };
  for (const Half& half : graft.halves) {
    if (!stays(half.person.id)) (void)state_.revive(half.person.id);
  }
  const auto heir_of = [&](ProfileId id) {
    const auto lead =
        std::find_if(graft.leads.begin(), graft.leads.end(), [&](const auto& l) { return l.first == id; });
    return lead == graft.leads.end() ? graft.halves.front().person.id : lead->second;
  };
  std::map<ProfileId, std::vector<const Profile*>> heritage;
  for (const auto& [id, profile] : before) {
    const bool gone = std::none_of(graft.halves.begin(), graft.halves.end(),
                                   [&](const Half& half) { return half.person.id == id; });
    if (!gone) continue;
    Profile& loser = *state_.find(id);
    for (const state::Membership& m : loser.memberships) state_.count_member(m.audience, -1);
    Profile* const heir = state_.find(heir_of(id));
    heritage[heir->id].push_back(&profile);
    state_.absorb(*heir, loser);
  }
  for (const Half& half : graft.halves) {
    const ProfileId id = half.person.id;
    Profile now = half.person;
    now.runs.clear();
    now.marks.clear();
    now.started = started;
    if (stays(id)) {
      const Profile& was = before.at(id);
      now.runs = was.runs;
      now.marks = was.marks;
      now.started = was.started;
    }
    for (const Profile* gone : heritage[id]) {
      for (const state::Run& run : gone->runs) {
        const bool same = std::any_of(now.runs.begin(), now.runs.end(),
                                      [&](const auto& r) { return r.workflow == run.workflow; });
        if (!same && now.runs.size() < state::runs_max) now.runs.push_back(run);
      }
    }
    state_.replace(*state_.find(id), std::move(now));
    if (half.account.empty()) {
      state_.drop_account(id);
    } else {
      state_.put_account(id, state_.account(half.account, state_.now), half.as);
    }
  }
  for (const auto& [from, to] : graft.leads) state_.lead(from, to);
}

// Nobody did anything: no workflow starts. By which of their identifiers those who were one stood on a list
// nobody knows here: so first it loses whoever does not belong on it, by the identifiers that they have now,
// and then whoever does is told of again, since what the others lost may have been theirs.
void Pipeline::tell_halves(const UnmergeGraft& graft, const std::map<ProfileId, Profile>& before,
                           StepOutput& out) {
  view::PersonContext& context = parts_->context;
  parts_->effects.forget_identifiers();
  const auto is_half = [&](ProfileId id) {
    return std::any_of(graft.halves.begin(), graft.halves.end(),
                       [&](const Half& half) { return half.person.id == id; });
  };
  for (const auto& [id, profile] : before) {
    if (!is_half(id))
      route::route_merged(profile, state_.now, *compiled_, context, parts_->effects, counters_.routes);
  }
  // First nobody is who they had become, then everybody is who they are.
  const auto split = [&](ProfileId id) {
    if (!before.contains(id)) out.gate.push_back({GateChange::Kind::split, id, nobody, {}});
  };
  for (const Half& half : graft.halves) split(half.person.id);
  for (const auto& [from, to] : graft.leads) split(from);
  for (const auto& [from, to] : graft.leads) out.gate.push_back({GateChange::Kind::merge, from, to, {}});
  const auto was_inside = [&](ProfileId id, state::NameId audience) {
    const auto stayed = before.find(id);
    if (stayed != before.end()) return stayed->second.membership(audience) != nullptr;
    return std::any_of(before.begin(), before.end(),
                       [&](const auto& one) { return one.second.membership(audience) != nullptr; });
  };
  const auto tell = [&](const Half& half, bool inside) {
    const Profile& profile = *state_.find(half.person.id);
    context.at(&profile, state_.now, nullptr);
    for (const std::size_t slot : compiled_->config->audience_order) {
      const state::NameId audience = compiled_->audience_ids[slot];
      const bool is = profile.membership(audience) != nullptr;
      if (is != inside || (!is && !was_inside(nobody, audience))) continue;
      if (is != was_inside(profile.id, audience) || (is && !before.contains(profile.id)))
        ++(is ? counters_.entered : counters_.left);
      for (const std::size_t route : compiled_->audience_routes[slot]) {
        route::route_list(profile, route, is, state_.now, *compiled_, context, parts_->effects,
                          counters_.routes);
      }
    }
  };
  for (const bool inside : {false, true}) {
    for (const Half& half : graft.halves) tell(half, inside);
  }
  for (const Half& half : graft.halves) {
    const Profile& profile = *state_.find(half.person.id);
    for (const config::Purpose& purpose : compiled_->config->consent.purposes) {
      const state::ConsentState* const said = profile.consent(state::name_id(purpose.name));
      const bool refused = said != nullptr && !said->granted;
      out.gate.push_back(
          {refused ? GateChange::Kind::deny : GateChange::Kind::allow, profile.id, nobody, purpose.name});
    }
  }
}

}  // namespace sluice::hub
