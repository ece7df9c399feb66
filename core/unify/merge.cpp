// What two people were, put together.
#include <algorithm>

#include "unify/identity.hpp"

namespace sluice::unify {

using state::Profile;

namespace {

template <typename V, typename F>
auto* find_in(V& items, const F& matches) {
  const auto at = std::find_if(items.begin(), items.end(), matches);
  return at == items.end() ? nullptr : &*at;
}

void merge_facts(Profile& winner, const Profile& loser) {
  for (const state::Trait& theirs : loser.traits) {
    state::Trait* ours = winner.trait(theirs.name);
    if (ours == nullptr) {
      if (winner.traits.size() < state::traits_max) winner.traits.push_back(theirs);
    } else if (theirs.trusted != ours->trusted ? theirs.trusted : theirs.time > ours->time) {
      *ours = theirs;
    }
  }
  for (const state::ConsentState& theirs : loser.consents) {
    auto* ours = find_in(winner.consents, [&](const auto& c) { return c.purpose == theirs.purpose; });
    if (ours == nullptr) {
      winner.consents.push_back(theirs);
    } else if (theirs.time != ours->time ? theirs.time > ours->time : !theirs.granted) {
      *ours = theirs;
    }
  }
}

void merge_work(Profile& winner, const Profile& loser) {
  for (const state::Run& run : loser.runs) {
    auto* ours = find_in(winner.runs, [&](const auto& r) { return r.workflow == run.workflow; });
    if (ours == nullptr) {
      winner.runs.push_back(run);
    } else if (run.started <
               ours->started) {  // one person is in a workflow once: the run that began first goes on
      *ours = run;
    }
  }
  for (const state::Started& s : loser.started) {
    auto* ours = find_in(winner.started, [&](const auto& o) { return o.workflow == s.workflow; });
    if (ours == nullptr) {
      winner.started.push_back(s);
    } else {
      ours->time = std::max(ours->time, s.time);
    }
  }
}

template <typename Counted, typename Needs>
void merge_into(std::vector<Counted>& winner, std::uint64_t key, const Counted& theirs, const Needs& needs,
                TimeUs now) {
  Counted* ours = find_in(winner, [&](const Counted& one) { return one.key == key; });
  if (ours != nullptr) return ours->merge(theirs, needs, now);
  winner.push_back(theirs);
  winner.back().key = key;
}

// While the past is read, somebody who has theirs may become one with somebody who waits: what is whole then
// counts beside for who waits, and what counts beside is all that the one who waits brings along, since the
// rest comes with the past.
template <typename Counted, typename Plan>
void merge_counted(std::vector<Counted>& winner, bool winner_waits, const std::vector<Counted>& loser,
                   bool loser_waits, const std::vector<Plan>& plans, const state::Backfill& backfill,
                   TimeUs now) {
  for (const Counted& theirs : loser) {
    const auto plan = std::find_if(plans.begin(), plans.end(), [&](const Plan& p) {
      return p.key == theirs.key || (loser_waits && state::beside(p.key) == theirs.key);
    });
    if (plan == plans.end()) continue;  // nobody reads it any more
    const bool is_beside = plan->key != theirs.key;
    const bool missing =
        backfill.id != 0 && !state::covers(backfill.needs_of(plan->key), view::kept_needs(*plan));
    if (is_beside) {
      merge_into(winner, winner_waits ? theirs.key : plan->key, theirs, plan->needs, now);
    } else if (!missing || winner_waits || !loser_waits) {
      merge_into(winner, plan->key, theirs, plan->needs, now);
      if (missing && winner_waits && !loser_waits)
        merge_into(winner, state::beside(plan->key), theirs, plan->needs, now);
    }
  }
}

}  // namespace

void merge_profiles(Profile& winner, const Profile& loser, const view::Compiled& compiled,
                    const state::Backfill& backfill, TimeUs now) {
  winner.first_seen = std::min(winner.first_seen, loser.first_seen);
  winner.last_seen = std::max(winner.last_seen, loser.last_seen);
  winner.partial = winner.partial || loser.partial;
  winner.third_party = winner.third_party || loser.third_party;
  if (winner.timezone.empty() || loser.timezone_time > winner.timezone_time) {
    winner.timezone = loser.timezone;
    winner.timezone_time = loser.timezone_time;
  }
  if (winner.locale.empty()) winner.locale = loser.locale;
  winner.identifiers.insert(winner.identifiers.end(), loser.identifiers.begin(), loser.identifiers.end());
  merge_facts(winner, loser);
  const bool winner_waits = backfill.waits(winner.id), loser_waits = backfill.waits(loser.id);
  merge_counted(winner.series, winner_waits, loser.series, loser_waits, compiled.series, backfill, now);
  merge_counted(winner.sequences, winner_waits, loser.sequences, loser_waits, compiled.sequences, backfill,
                now);
  for (const state::Membership& m : loser.memberships) {
    auto* ours = find_in(winner.memberships, [&](const auto& o) { return o.audience == m.audience; });
    if (ours == nullptr) {
      winner.memberships.push_back(m);
    } else if (m.entered < ours->entered) {
      *ours = m;
    }
  }
  for (const state::NameId audience : loser.found) {
    if (find_in(winner.found, [&](state::NameId o) { return o == audience; }) == nullptr)
      winner.found.push_back(audience);
  }
  winner.history.merge(loser.history);
  winner.touch_changes();
  merge_work(winner, loser);
  winner.merges.insert(winner.merges.end(), loser.merges.begin(), loser.merges.end());
  winner.entities.insert(winner.entities.end(), loser.entities.begin(), loser.entities.end());
  if (winner.entities.size() > state::entities_max) {
    winner.entities.erase(winner.entities.begin(),
                          winner.entities.end() - static_cast<std::ptrdiff_t>(state::entities_max));
  }
}

}  // namespace sluice::unify
