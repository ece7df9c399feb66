#include "hub/pipeline.hpp"

#include <algorithm>

#include "audience/audience.hpp"
#include "base/check.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "hub/pipeline_parts.hpp"
#include "unify/facts.hpp"
#include "unify/withdraw.hpp"

namespace sluice::hub {

using state::Profile;

Pipeline::Pipeline(state::State& state, LoadEpoch load_epoch, Role role)
    : state_(state), role_(role), load_epoch_(std::move(load_epoch)) {}
Pipeline::~Pipeline() = default;

void Pipeline::resume(std::shared_ptr<const view::Compiled> compiled) {
  compiled_ = std::move(compiled);
  parts_ = std::make_unique<Parts>(*compiled_, state_);
  parts_->resync_due = next_resync();
}

void Pipeline::apply(const Input& input, StepOutput& out) {
  SLUICE_CHECK(input.seq == state_.seq + 1);
  state_.rest();
  ++counters_.inputs;
  state_.seq = input.seq;
  if (parts_) {
    parts_->effects.begin(input.seq);
    fire_timers(input.stamp, out);
  }
  state_.now = std::max(state_.now, input.stamp);
  if (input.kind == InputKind::epoch) {
    epoch(input, out);
  } else if (parts_ && !input.redacted) {
    switch (input.kind) {
      case InputKind::event: {
        const Result<Event*> read = parts_->foresight.event_of(input);
        if (!read) {
          refuse(read.error());
        } else if (read.value() != nullptr) {
          event(*read.value(), state_.now, out);
        }
        break;
      }
      case InputKind::record: {
        RecordInput payload;
        if (!RecordInput::decode(input.payload, payload)) break;
        if (!payload.cursor.empty()) {
          state_.set_cursor(std::string(payload.source) + '/' + std::string(payload.stream), payload.cursor);
        }
        if (payload.deleted) {
          withdraw(payload, state_.now, out);
          break;
        }
        if (payload.payload.empty()) break;  // a cursor that moved on without a record
        Result<Event> read = parts_->reader.read_record(payload);
        if (read) {
          event(read.value(), state_.now, out);
        } else {
          refuse(read.error());
        }
        break;
      }
      case InputKind::outcome: {
        CallbackInput payload;
        if (CallbackInput::decode(input.payload, payload)) callback(payload, state_.now, out);
        break;
      }
      case InputKind::command:
        command(input, out);
        break;
      case InputKind::graft:
        graft(input, out);
        break;
      default:
        break;
    }
  }
  if (!parts_) return;
  if (role_ == Role::hub) begin_due_resyncs();
  continue_accounts();
  if (role_ == Role::hub) {
    continue_found();
    continue_resync();
  }
  state_.totals.effects += parts_->effects.count();
  hand_over(out);
}

void Pipeline::bring_near(std::span<const Input> inputs) {
  if (parts_) parts_->foresight.read(inputs);
}

void Pipeline::hand_over(StepOutput& out) {
  parts_->effects.take(out.effects);
}

void Pipeline::refuse(const Error& why) {
  if (why.code == Code::cancelled) return;  // filtered by the stream's `where:`
  ++state_.totals.refused;
  ++counters_.refused;
}

bool Pipeline::first_sight(const Event& event, TimeUs now) {
  const config::Hub& hub = compiled_->config->hub;
  ++state_.totals.events;
  ++counters_.events;
  if (event.message_id.empty() || state_.first_sight(state::name_id(event.source), event.message_id, now,
                                                     hub.dedup_days, hub.dedup_bytes))
    return true;
  ++state_.totals.duplicates;
  ++counters_.duplicates;
  return false;
}

void Pipeline::event(Event& event, TimeUs now, StepOutput& out) {
  if (!first_sight(event, now)) return;
  std::vector<unify::Claim> claims = parts_->identity.claims(event, compiled_->config->hub.country);
  catch_up(claims, now);
  const unify::Resolution who = parts_->identity.resolve(state_, event, std::move(claims), state_.seq, now);
  tell_quarantine(who, out);
  if (who.profile == nullptr) return refuse({Code::rejected, "no_person"});
  happened(event, who, true, now, out);
}

void Pipeline::happened(Event& event, const unify::Resolution& who, bool own, TimeUs now, StepOutput& out) {
  Profile& profile = *who.profile;
  if (who.created) born(profile);
  if (!event.entity.empty()) unify::know_entity(state_, profile, event);
  // A time from the future is the clock of somebody's device: with event clocks, now is never behind the
  // event.
  if (event.time == no_time) event.time = now;
  constexpr DurationUs ahead_max = 5 * us_per_min;
  if (event.time > now + ahead_max) event.time = now;
  const DurationUs lateness = compiled_->config->hub.lateness;
  const bool too_late = lateness > 0 && event.time < now - lateness;
  if (too_late) ++counters_.too_late;
  if (!who.created && event.time < profile.last_seen) ++counters_.out_of_order;
  if (own) profile.last_seen = who.created ? event.time : std::max(profile.last_seen, event.time);
  profile.first_seen = std::min(profile.first_seen, event.time);

  parts_->readers.clear();
  parts_->readers.add(compiled_->by_profile);
  if (who.created) parts_->readers.add(compiled_->by_birth);
  if (!who.merged.empty()) parts_->readers.fill();
  unify::apply_traits(state_, profile, event, *compiled_, parts_->readers);
  const auto consents = unify::apply_consent(state_, profile, event, *compiled_, parts_->readers);
  group(profile, event, now);
  parts_->context.at(&profile, now, &event);
  if (!too_late) {
    counters_.full +=
        unify::apply_counts(profile, event, *compiled_, parts_->context, state_.seq, now, parts_->readers);
  }

  if (role_ == Role::shadow) return settle(profile, &event, who.identifiers_changed, now, Cause::input, 0);
  for (const unify::Merged& merged : who.merged) {
    route::route_merged(merged.before, now, *compiled_, parts_->context, parts_->effects, counters_.routes);
  }
  const std::size_t place = parts_->effects.waiting();
  tell_gate(who, out);
  for (const unify::ConsentChange& change : consents) {
    out.gate.push_back({change.granted ? GateChange::Kind::allow : GateChange::Kind::deny, profile.id, nobody,
                        std::string(change.purpose)});
  }
  if (who.identifiers_changed) parts_->effects.forget_identifiers();
  parts_->context.at(&profile, now, &event);
  if (!too_late) {
    workflow::on_event(state_, profile, event, now, *compiled_, parts_->context, parts_->effects,
                       counters_.workflows);
  }
  route::route_event(profile, event, *compiled_, parts_->context, parts_->effects, counters_.routes);
  list_granted(profile, consents, now);
  for (const unify::Merged& merged : who.merged) {
    // Whoever took the loser off a list must have the winner on it.
    for (const state::Membership& m : merged.before.memberships) {
      const std::size_t slot = compiled_->audience_slot(state_.name(m.audience));
      if (slot != SIZE_MAX && profile.membership(m.audience) != nullptr) {
        route::route_membership(profile, slot, true, now, *compiled_, parts_->context, parts_->effects,
                                counters_.routes);
      }
    }
  }
  settle(profile, &event, who.identifiers_changed, now, Cause::input, place);
  start_marked(profile);
}

// Those who are told that the person is gone are told by the identifiers that they know: these go last.
void Pipeline::withdraw(const RecordInput& gone, TimeUs now, StepOutput& out) {
  const config::Source* const source = compiled_->config->source(gone.source);
  if (source == nullptr || gone.entity.empty()) return;
  const bool drops = std::any_of(source->streams.begin(), source->streams.end(), [&](const auto& stream) {
    return stream.name == gone.stream && stream.drop_source;
  });
  const config::Hub& hub = compiled_->config->hub;
  const state::NameId id = state::name_id(gone.source);
  if (!drops ||
      (!gone.key.empty() && !state_.first_sight(id, gone.key, now, hub.dedup_days, hub.dedup_bytes)))
    return;
  Profile* const profile = unify::forget_entity(state_, gone.source, gone.stream, gone.entity);
  if (profile == nullptr) return;
  catch_up(*profile, now);
  const TimeUs time = gone.time == no_time ? now : std::min(gone.time, now);
  for (const unify::ConsentChange& change : unify::withdraw_facts(*profile, id, time, *compiled_)) {
    out.gate.push_back({GateChange::Kind::deny, profile->id, nobody, std::string(change.purpose)});
  }
  parts_->readers.clear();
  parts_->readers.fill();
  settle(*profile, nullptr, false, now, Cause::input, parts_->effects.waiting());
  if (!unify::withdraw_identifiers(state_, *profile, id)) return;
  parts_->effects.forget_identifiers();
  parts_->readers.fill();
  settle(*profile, nullptr, true, now, Cause::input, parts_->effects.waiting());
}

// A destination hears of the person before it hears what the person did or entered: upserts go to `place`.
// That the person is gone comes last.
void Pipeline::settle(Profile& profile, const Event* event, bool identifiers_changed, TimeUs now, Cause cause,
                      std::size_t place) {
  view::PersonContext& context = parts_->context;
  context.at(&profile, now, event);
  parts_->found.clear();
  const bool by_time = cause == Cause::time;
  const auto changes =
      audience::update(state_, profile, context, *compiled_, parts_->readers, now, state_.seq, by_time);
  for (const audience::Change& change : changes) {
    ++(change.entered ? counters_.entered : counters_.left);
    if (role_ == Role::shadow) continue;
    if (cause == Cause::configuration) {
      // Nobody did anything: no workflow starts here (pipeline_found.cpp), and only lists that are known
      // already are kept in step.
      if (change.entered) parts_->found.push_back(change.audience);
      for (const std::size_t index : compiled_->audience_routes[change.audience]) {
        if (parts_->new_routes[index]) continue;
        route::route_list(profile, index, change.entered, now, *compiled_, context, parts_->effects,
                          counters_.routes);
      }
      continue;
    }
    workflow::on_membership(state_, profile, change.audience, change.entered, event, now, *compiled_, context,
                            parts_->effects, counters_.workflows);
    route::route_membership(profile, change.audience, change.entered, now, *compiled_, context,
                            parts_->effects, counters_.routes);
  }
  if (role_ == Role::shadow) return set_due(profile, now);
  if (by_time) {
    workflow::wake(profile, now, *compiled_, context, parts_->effects, counters_.workflows);
    context.at(&profile, now, nullptr);
  }
  const std::size_t profiles = parts_->effects.waiting();
  route::route_profile(state_, profile, parts_->readers.routes, identifiers_changed, now, *compiled_, context,
                       parts_->effects, counters_.routes);
  parts_->effects.upserts_lead(profiles, place);
  if (cause != Cause::input || state_.due(profile) <= now) return set_due(profile, now);
  // What was not touched changes no earlier than it would have.
  context.at(&profile, now, nullptr);
  const TimeUs next = std::min(context.next_touched_change(parts_->readers), workflow::next_wake(profile));
  if (next < state_.due(profile)) state_.set_due(profile, next);
}

void Pipeline::set_due(Profile& profile, TimeUs now) {
  parts_->context.at(&profile, now, nullptr);
  state_.set_due(profile, std::min(parts_->context.next_change(), workflow::next_wake(profile)));
}

void Pipeline::fire_timers(TimeUs until, StepOutput&) {
  state::DueTimer timer{};
  while (state_.pop_due(until, timer)) {
    Profile* profile = state_.find(timer.person);
    SLUICE_CHECK(profile != nullptr);
    state_.now = std::max(state_.now, timer.due);
    // By the configuration before it is due now; by the one that holds it is set anew, and fires if it still
    // is.
    if (is_behind(*profile)) {
      catch_up(*profile, timer.due - 1);
    } else {
      fire(*profile, timer.due);
    }
    state_.rest();
  }
}

void Pipeline::fire(Profile& profile, TimeUs due) {
  ++counters_.timers;
  state_.touch(profile);
  parts_->readers.clear();
  parts_->context.at(&profile, due, nullptr);
  parts_->context.add_due(due, parts_->readers);
  settle(profile, nullptr, false, due, Cause::time, parts_->effects.waiting());
}

void Pipeline::tell_gate(const unify::Resolution& who, StepOutput& out) {
  if (who.merged.empty()) return;
  for (const unify::Merged& merged : who.merged) {
    out.gate.push_back({GateChange::Kind::merge, merged.before.id, who.profile->id, {}});
  }
  for (const state::ConsentState& said : who.profile->consents) {
    out.gate.push_back({said.granted ? GateChange::Kind::allow : GateChange::Kind::deny, who.profile->id,
                        nobody, std::string(state_.name(said.purpose))});
  }
}

// Where nobody is asked, those who had said nothing were on the lists before they said yes.
void Pipeline::list_granted(const Profile& profile, const std::vector<unify::ConsentChange>& consents,
                            TimeUs now) {
  if (compiled_->config->consent.unknown_allowed) return;
  for (const unify::ConsentChange& change : consents) {
    if (!change.granted) continue;
    route::route_granted(profile, change.purpose, now, *compiled_, parts_->context, parts_->effects,
                         counters_.routes);
  }
}

void Pipeline::describe_gate(std::vector<GateChange>& out) const {
  state_.each_alias([&](ProfileId loser, ProfileId winner) {
    out.push_back({GateChange::Kind::merge, loser, state_.resolve(winner), {}});
  });
  state_.each_refusal([&](const Profile& profile) {
    for (const state::ConsentState& said : profile.consents) {
      if (!said.granted)
        out.push_back({GateChange::Kind::deny, profile.id, nobody, std::string(state_.name(said.purpose))});
    }
  });
}

void Pipeline::set_timers() {
  if (!parts_ || state_.timers_known()) return;
  state_.each_profile([&](Profile& profile) { set_due(profile, state_.now); });
}

void Pipeline::epoch(const Input& input, StepOutput& out) {
  auto compiled = load_epoch_(input.payload);
  if (!compiled) return;  // the loader knows why; whoever steps stops
  const std::shared_ptr<const view::Compiled> before = compiled_;
  // Timers that were due before it fired under the old configuration: their effects stay, and ordinals go on
  // behind them.
  const std::uint32_t ordinal = parts_ ? parts_->effects.count() : 0;
  if (parts_) hand_over(out);
  resume(std::move(compiled));
  parts_->effects.begin(input.seq, ordinal);
  const bool past_waited = state_.backfill.id != 0;
  keep_series(before.get());
  if (role_ == Role::shadow) return;
  begin_walk(input, past_waited);
}

}  // namespace sluice::hub
