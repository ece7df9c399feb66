#include "workflow/workflow.hpp"

#include <algorithm>

namespace sluice::workflow {

using config::Workflow;
using state::Profile;
using view::Compiled;
using view::EffectList;
using view::PersonContext;

namespace {

std::size_t destination_slot(const std::string& name, const Compiled& compiled) {
  const auto& all = compiled.config->destinations;
  const auto at = std::find_if(all.begin(), all.end(), [&](const auto& d) { return d.name == name; });
  return static_cast<std::size_t>(at - all.begin());
}

void send(const Profile& profile, const Workflow& workflow, const config::Step& step, TimeUs now,
          const Compiled& compiled, PersonContext& context, EffectList& out, Tally& tally) {
  const std::size_t slot = destination_slot(step.send, compiled);
  const config::Destination& destination = compiled.config->destinations[slot];
  const std::string& purpose = step.purpose.empty() ? destination.purpose : step.purpose;
  if (!context.allows(purpose)) {
    ++tally.suppressed;
    return;
  }
  Effect& effect = out.add(slot, profile);
  effect.op = Operation::message;
  effect.purpose = purpose;
  effect.time = now;
  effect.name = step.id;
  effect.route = workflow.name;
  effect.address = view::address_of(profile, compiled.channels[slot], compiled);
  effect.payload = "{";
  std::string text;
  for (const auto& [name, value] : step.with) {
    if (effect.payload.size() > 1) effect.payload += ',';
    append_json_string(effect.payload, name);
    effect.payload += ':';
    text.clear();
    value->render(context, context.arena(), text);
    append_json_string(effect.payload, text);
  }
  effect.payload += '}';
  ++tally.sent;
}

// Goes on from step `index`, until a wait or the end. True: the run waits; its step and wake are set.
bool advance(const Profile& profile, state::Run& run, const Workflow& workflow, std::size_t index, TimeUs now,
             const Compiled& compiled, PersonContext& context, EffectList& out, Tally& tally) {
  for (; index < workflow.steps.size(); ++index) {
    const config::Step& step = workflow.steps[index];
    if (step.wait) {
      run.step = state::name_id(step.id);
      run.wake = add_span(now, *step.wait);
      return true;
    }
    send(profile, workflow, step, now, compiled, context, out, tally);
  }
  ++tally.ended;
  return false;
}

const state::Started* last_start(const Profile& profile, state::NameId workflow) {
  const auto at = std::find_if(profile.started.begin(), profile.started.end(),
                               [&](const auto& s) { return s.workflow == workflow; });
  return at == profile.started.end() ? nullptr : &*at;
}

bool may_start(const Profile& profile, std::size_t slot, TimeUs now, const Compiled& compiled) {
  const state::NameId id = compiled.workflow_ids[slot];
  if (std::any_of(profile.runs.begin(), profile.runs.end(), [&](const auto& r) { return r.workflow == id; }))
    return false;
  if (profile.runs.size() >= state::runs_max) return false;
  const state::Started* const last = last_start(profile, id);
  if (last == nullptr) return true;
  const auto& again = compiled.config->workflows[slot].again;
  return again && now >= add_span(last->time, *again);
}

bool reads_event(const Workflow& workflow) {
  for (const config::Step& step : workflow.steps) {
    for (const auto& [name, text] : step.with) {
      for (const auto& program : text->programs()) {
        if (program->reads_event()) return true;
      }
    }
  }
  return false;
}

void start(state::State& state, Profile& profile, std::size_t slot, const Event* event, TimeUs now,
           const Compiled& compiled, PersonContext& context, EffectList& out, Tally& tally) {
  const Workflow& workflow = compiled.config->workflows[slot];
  if (!may_start(profile, slot, now, compiled) || !context.holds(workflow.where)) return;
  const state::NameId id = state.intern(workflow.name);
  const auto at = std::find_if(profile.started.begin(), profile.started.end(),
                               [&](const auto& s) { return s.workflow == id; });
  if (at == profile.started.end()) {
    profile.started.push_back({id, now});
  } else {
    at->time = now;
  }
  ++tally.started;
  state::Run run{id, 0, 0, now, state.seq, {}};
  if (event != nullptr && reads_event(workflow)) run.event = event->raw;
  if (advance(profile, run, workflow, 0, now, compiled, context, out, tally))
    profile.runs.push_back(std::move(run));
}

}  // namespace

void on_event(state::State& state, Profile& profile, const Event& event, TimeUs now, const Compiled& compiled,
              PersonContext& context, EffectList& out, Tally& tally) {
  if (event.kind != EventKind::track || compiled.event_workflows.empty()) return;
  const auto at = compiled.event_workflows.find(std::string(event.name));
  if (at == compiled.event_workflows.end()) return;
  for (const std::size_t slot : at->second)
    start(state, profile, slot, &event, now, compiled, context, out, tally);
}

void on_membership(state::State& state, Profile& profile, std::size_t audience, bool entered,
                   const Event* event, TimeUs now, const Compiled& compiled, PersonContext& context,
                   EffectList& out, Tally& tally) {
  const auto& lists = entered ? compiled.enter_workflows : compiled.leave_workflows;
  for (const std::size_t slot : lists[audience])
    start(state, profile, slot, event, now, compiled, context, out, tally);
}

void on_found(state::State& state, Profile& profile, std::size_t audience, TimeUs since, TimeUs now,
              const Compiled& compiled, PersonContext& context, EffectList& out, Tally& tally) {
  for (const std::size_t slot : compiled.enter_workflows[audience]) {
    const state::Started* const last = last_start(profile, compiled.workflow_ids[slot]);
    if (last != nullptr && last->time >= since) continue;
    start(state, profile, slot, nullptr, now, compiled, context, out, tally);
  }
}

void wake(Profile& profile, TimeUs now, const Compiled& compiled, PersonContext& context, EffectList& out,
          Tally& tally) {
  JsonParser parser;
  for (std::size_t i = 0; i < profile.runs.size();) {
    if (profile.runs[i].wake > now) {
      ++i;
      continue;
    }
    state::Run run = std::move(profile.runs[i]);
    profile.runs.erase(profile.runs.begin() + static_cast<std::ptrdiff_t>(i));
    const auto& ids = compiled.workflow_ids;
    const auto slot = static_cast<std::size_t>(std::find(ids.begin(), ids.end(), run.workflow) - ids.begin());
    if (slot == ids.size()) continue;  // the workflow is gone: so is the run
    const Workflow& workflow = compiled.config->workflows[slot];
    const auto step = std::find_if(workflow.steps.begin(), workflow.steps.end(),
                                   [&](const auto& s) { return state::name_id(s.id) == run.step; });
    if (step == workflow.steps.end()) continue;  // the step is gone: the run ends
    Event event;
    if (!run.event.empty()) {
      event.root = parser.parse(run.event);
      event.raw = run.event;
      event.name = event.root["event"].string_or("");
      event.properties = event.root["properties"];
      event.context = event.root["context"];
    }
    context.at(&profile, now, run.event.empty() ? nullptr : &event);
    const auto next = static_cast<std::size_t>(step - workflow.steps.begin()) + 1;
    if (advance(profile, run, workflow, next, now, compiled, context, out, tally)) {
      profile.runs.insert(profile.runs.begin() + static_cast<std::ptrdiff_t>(i), std::move(run));
      ++i;
    }
  }
}

TimeUs next_wake(const Profile& profile) {
  TimeUs next = never;
  for (const state::Run& run : profile.runs) next = std::min(next, run.wake);
  return next;
}

}  // namespace sluice::workflow
