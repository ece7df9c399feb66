#include "hub/explain.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "journal/head.hpp"
#include "view/explain.hpp"

namespace sluice::hub {

namespace {

using state::Profile;

void write(JsonWriter& w, const view::Reason& reason) {
  w.begin_object()
      .member_integer("depth", static_cast<std::int64_t>(reason.depth))
      .member("text", reason.text);
  if (reason.why.empty()) {
    w.key("value").raw(reason.value);
  } else {
    w.member("unknown", reason.why);
  }
  if (!reason.source.empty()) w.member("source", reason.source);
  if (reason.since != no_time) w.member("since", format_time(reason.since));
  if (reason.windowed || reason.events_total > 0)
    w.member_integer("events_total", static_cast<std::int64_t>(reason.events_total));
  if (!reason.events.empty()) {
    w.key("events").begin_array();
    for (const view::ExplainedEvent& event : reason.events) {
      w.begin_object().member("time", format_time(event.time));
      w.member_integer("input", static_cast<std::int64_t>(event.seq));
      if (!event.value.empty()) w.key("value").raw(event.value);
      if (!event.step.empty()) w.member("event", event.step);
      w.end_object();
    }
    w.end_array();
  }
  if (reason.forgotten) w.member_boolean("forgotten", true);
  if (reason.changes_at != never) w.member("changes_at", format_time(reason.changes_at));
  w.end_object();
}

// When and by what the person entered, or left last.
void write_membership(JsonWriter& w, const Profile& profile, state::NameId audience) {
  const state::Membership* const inside = profile.membership(audience);
  w.member_boolean("inside", inside != nullptr);
  if (inside != nullptr) w.member("entered_at", format_time(inside->entered));
  const std::vector<state::AudienceChange> history = profile.history.all();
  const auto last = std::find_if(history.rbegin(), history.rend(),
                                 [&](const state::AudienceChange& h) { return h.audience == audience; });
  if (last == history.rend() || last->entered != (inside != nullptr)) return;
  if (inside == nullptr) w.member("left_at", format_time(last->time));
  w.member_integer("cause", static_cast<std::int64_t>(last->cause)).member_boolean("by_time", last->by_time);
}

}  // namespace

std::string explain_json(const World& world, ProfileId person, std::string_view audience) {
  const view::Compiled* const compiled = world.pipeline.compiled();
  const state::Reading profile = world.state.find(person);
  const std::size_t slot = compiled == nullptr ? SIZE_MAX : compiled->audience_slot(audience);
  if (!profile || slot == SIZE_MAX) return {};
  const config::Audience& wanted = compiled->config->audiences[slot];
  view::PersonContext context(*compiled, world.state);
  context.at(profile.get(), world.state.now, nullptr);
  std::string out;
  JsonWriter w(out);
  w.begin_object().member("person", format_profile_id(profile->id)).member("audience", audience);
  w.member("condition", wanted.condition->text()).member("at", format_time(world.state.now));
  if (world.pipeline.is_behind(*profile)) w.member_boolean("waits_for_configuration", true);
  write_membership(w, *profile, compiled->audience_ids[slot]);
  w.key("parts").begin_array();
  for (const view::Reason& reason :
       view::explain(*wanted.condition, *compiled, world.state, *profile, context, world.state.now))
    write(w, reason);
  w.end_array().end_object();
  return out;
}

Result<std::unique_ptr<World>> read_world_at(FileSystem& files, const std::string& data, TimeUs at) {
  const JournalHead journal = SLUICE_TRY(read_journal_head(files, data));
  const auto checkpoints =
      SLUICE_TRY(Checkpoints::open(files, checkpoint_folder(data), journal.identity.id,
                                   journal.identity.generation, Checkpoints::Access::read_only));
  auto world = std::make_unique<World>(journal.identity.hash_seed);
  std::uint64_t seq = 0;
  for (const CheckpointInfo& base : SLUICE_TRY(checkpoints->bases())) {
    if (base.stamp <= at && base.seq + 1 >= journal.first_seq) seq = base.seq;
  }
  if (seq > 0) {
    SLUICE_TRY(world->restore_base(*checkpoints, seq));
  } else if (journal.first_seq > 1) {
    return Error{Code::rejected, "the journal does not reach back to " + format_time(at) +
                                     ": it begins at input " + std::to_string(journal.first_seq)};
  }
  Status stepped = Done{};
  StepOutput out;
  SLUICE_TRY(read_journal(files, data, seq + 1, [&](const Input& input) {
    if (input.stamp > at) return false;
    out.effects.clear();
    out.gate.clear();
    stepped = world->step(input, out);
    return static_cast<bool>(stepped);
  }));
  if (!stepped) return stepped.error();
  // What time alone did until then: the journal has it only from the next input on.
  if (world->state.seq > 0 && at > world->state.now)
    SLUICE_TRY(world->step({world->state.seq + 1, at, InputKind::tick, false, {}}, out));
  return world;
}

}  // namespace sluice::hub
