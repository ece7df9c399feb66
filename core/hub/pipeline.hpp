// The step: (state, input) -> (state', effects). Calls the stages in order, one input after the other; timers
// that are due fire before it. No I/O, no clock, no randomness: everything comes with the input, so the same
// journal gives the same state and the same effects however it is cut into batches. One thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/callback_input.hpp"
#include "model/effect.hpp"
#include "model/input.hpp"
#include "route/route.hpp"
#include "state/state.hpp"
#include "unify/facts.hpp"
#include "unify/identity.hpp"
#include "unify/reader.hpp"
#include "view/compiled.hpp"
#include "view/context.hpp"
#include "view/effects.hpp"
#include "workflow/workflow.hpp"

namespace sluice::hub {

// Raised when the step gives another state or other effects for the same inputs; recorded in each epoch.
inline constexpr int step_version = 8;

// What the gate before the destinations must know; see deliver/gate.hpp.
struct GateChange {
  // split: a loser who is a person of their own again
  enum class Kind : std::uint8_t { deny, allow, merge, split } kind = Kind::deny;
  ProfileId person = nobody;  // merge: the loser
  ProfileId winner = nobody;
  std::string purpose;
};

// What was done since the process began: for metrics, no part of the state.
struct StepCounters {
  std::uint64_t inputs = 0, events = 0, duplicates = 0, refused = 0, timers = 0;
  std::uint64_t entered = 0, left = 0;
  std::uint64_t out_of_order = 0;  // events older than the person's newest
  std::uint64_t too_late = 0;      // events beyond hub.lateness
  std::uint64_t full = 0;          // windows and sequences whose oldest events had to go
  std::uint64_t grafted = 0;       // people who got their past
  std::uint64_t resent = 0;        // dead letters that became a record again
  route::Tally routes;
  workflow::Tally workflows;
};

struct StepOutput {
  std::vector<Effect> effects;  // in order
  std::vector<GateChange> gate;
  std::vector<std::int64_t>
      letters;  // dead letters that were handed back: the store must not list them any more
  std::vector<std::string> notices;  // for the log, without personal data
};

struct GraftRow;      // hub/graft.hpp
struct UnmergeGraft;  // hub/unmerge.hpp

class Pipeline {
 public:
  // Gives the compiled configuration of an epoch input's payload; null when it cannot be read: the step
  // stops.
  using LoadEpoch = std::function<std::shared_ptr<const view::Compiled>(std::string_view payload)>;

  // A shadow steps what was, for what it adds up to: commands and grafts are none of its business.
  enum class Role : std::uint8_t { hub, shadow };

  Pipeline(state::State& state, LoadEpoch load_epoch, Role role = Role::hub);
  ~Pipeline();

  // The configuration that holds, without an input: when a checkpoint was loaded.
  void resume(std::shared_ptr<const view::Compiled> compiled);
  const view::Compiled* compiled() const { return compiled_.get(); }

  // Steps one input and appends what it causes. Inputs at or below state.seq are a mistake of the caller.
  void apply(const Input& input, StepOutput& out);

  // Reads the next inputs, up to Foresight::most, and fetches what the step will look at for them; changes
  // nothing. Their payloads stay where they are until they are stepped.
  void bring_near(std::span<const Input> inputs);

  // The gate as the state has it: once, after recovery.
  void describe_gate(std::vector<GateChange>& out) const;
  // When the step has something to do without an input from outside; never: it has not.
  TimeUs next_due();
  // Sets every person's timer, where the checkpoint did not have them: once, after recovery.
  void set_timers();
  // A shadow that was restored from a checkpoint of the hub's own: see World::begin_shadow().
  void begin_shadow();
  // A shadow: which merges are taken back in it, and the input behind which it began; 0: with the first.
  void keep_apart(const std::vector<state::Unmerge>& unmerges, std::uint64_t begun_behind);
  // The configuration has not come to this person yet (state/walk.hpp).
  bool is_behind(const state::Profile& profile) const;
  // Whether workflows are still to be started for whom the configuration has found: with each input some are.
  bool found_left() const;
  const StepCounters& counters() const { return counters_; }

 private:
  struct Parts;  // what is made anew with each configuration
  void fire_timers(TimeUs until, StepOutput& out);
  void fire(state::Profile& profile, TimeUs due);
  void epoch(const Input& input, StepOutput& out);
  void hand_over(StepOutput& out);
  void keep_series(const view::Compiled* before);  // pipeline_past.cpp: what of the past waits, and its rows
  // pipeline_walk.cpp: a configuration that is new comes to people
  void begin_walk(const Input& input, bool past_waited);
  std::vector<state::NameId> note_new_routes();
  void catch_up(state::Profile& profile, TimeUs now);
  void catch_up(const std::vector<unify::Claim>& claims, TimeUs now);
  void born(state::Profile& profile) const;
  void evaluate(std::uint64_t epoch, std::size_t people);
  void drop_series(state::Profile& profile);
  void switch_over(std::uint64_t backfill);
  void graft(const Input& input, StepOutput& out);
  void graft_row(const GraftRow& row, std::map<ProfileId, std::vector<state::Membership>>& members);
  void graft_person(state::Profile& profile, const std::vector<state::Membership>& members, TimeUs since);
  void finish_backfill();
  // pipeline_found.cpp: workflows of those whom a change finds in an audience with `backfill: trigger`
  bool triggers_found(std::size_t audience) const;
  void mark_found(state::Profile& profile);
  void start_found(state::Profile& profile, std::size_t audience, TimeUs since);
  void start_marked(state::Profile& profile);
  void continue_found();
  // pipeline_unmerge.cpp: merges that are taken back
  void unmerge(ProfileId person, std::uint64_t input, StepOutput& out);
  void watch(std::uint64_t unmerge, const std::vector<ProfileId>& people);
  void give_up(std::uint64_t unmerge, StepOutput& out);
  void take_back(const UnmergeGraft& graft, StepOutput& out);
  void put_halves(const UnmergeGraft& graft, const std::map<ProfileId, state::Profile>& before);
  void tell_halves(const UnmergeGraft& graft, const std::map<ProfileId, state::Profile>& before,
                   StepOutput& out);
  void finish_unmerge(state::Unmerge& what);
  void event(Event& event, TimeUs now, StepOutput& out);  // sets its time right where it has none that can be
  bool first_sight(const Event& event, TimeUs now);
  // own: the person did it, and is alive; what a vendor did is not.
  void happened(Event& event, const unify::Resolution& who, bool own, TimeUs now, StepOutput& out);
  // pipeline_callbacks.cpp: what destinations say later of messages and their receivers
  void callback(const CallbackInput& input, TimeUs now, StepOutput& out);
  void add_wishes(const CallbackInput& input, std::size_t destination, const state::Profile& profile,
                  Event& event);
  unify::Resolution find_person(const CallbackInput& input, Event& event, TimeUs now);
  enum class Cause : std::uint8_t { input, time, configuration };
  void withdraw(const RecordInput& gone, TimeUs now, StepOutput& out);  // `deleted: drop_source`
  void settle(state::Profile& profile, const Event* event, bool identifiers_changed, TimeUs now, Cause cause,
              std::size_t place);
  // pipeline_accounts.cpp: what is known of an account concerns all its members, a slice with each input
  void group(const state::Profile& profile, const Event& event, TimeUs now);
  void change_account(state::Account& account);
  void continue_accounts();
  void tell_quarantine(const unify::Resolution& who, StepOutput& out) const;
  void fill_new_lists(const state::Profile& profile, TimeUs now);
  void set_due(state::Profile& profile, TimeUs now);
  void tell_gate(const unify::Resolution& who, StepOutput& out);
  void list_granted(const state::Profile& profile, const std::vector<unify::ConsentChange>& consents,
                    TimeUs now);
  void command(const Input& input, StepOutput& out);
  void resend(const Effect& effect, TimeUs now);
  // resync.cpp: full refreshes of a list, a slice with each input
  void begin_resync(std::string_view route);
  TimeUs resynced(std::string_view route) const;
  TimeUs next_resync() const;
  void begin_due_resyncs();
  void continue_resync();
  Effect& add_mark(Operation op, std::size_t destination);
  Effect* list_member(const state::Profile& profile, std::size_t route);
  void refuse(const Error& why);

  state::State& state_;
  Role role_;
  LoadEpoch load_epoch_;
  std::shared_ptr<const view::Compiled> compiled_;
  std::unique_ptr<Parts> parts_;
  StepCounters counters_;
  std::uint64_t begun_behind_ = 0;  // keep_apart()
};

}  // namespace sluice::hub
