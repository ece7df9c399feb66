#include "hub/plan.hpp"

#include <algorithm>
#include <unordered_map>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "hub/difference.hpp"
#include "hub/epoch.hpp"
#include "hub/graft.hpp"
#include "hub/walk.hpp"
#include "view/context.hpp"
#include "view/waiting.hpp"

namespace sluice::hub {

namespace {

void note(std::vector<ProfileId>& samples, ProfileId person) {
  samples.insert(std::upper_bound(samples.begin(), samples.end(), person), person);
  if (samples.size() > plan_samples_max) samples.pop_back();
}

// What people are, as far as a configuration decides it.
class Picture {
 public:
  explicit Picture(const World& world) {
    const view::Compiled& compiled = *world.pipeline.compiled();
    view::PersonContext context(compiled, world.state);
    const auto& audiences = compiled.config->audiences;
    for (std::size_t i = 0; i < audiences.size(); ++i)
      members_[audiences[i].name].id = compiled.audience_ids[i];
    world.state.each_profile([&](const state::Profile& profile) {
      for (auto& [name, list] : members_) {
        if (profile.membership(list.id) != nullptr) list.people.push_back(profile.id);
      }
      context.at(&profile, world.state.now, nullptr);
      const auto& computed = compiled.config->computed;
      for (std::size_t i = 0; i < computed.size(); ++i) {
        const expr::Value value = context.computed(i);
        if (value.is_unknown()) continue;
        std::string text;
        value.append_json(text);
        values_[computed[i].name].emplace(profile.id, hash64(text));
      }
    });
    for (auto& [name, list] : members_) std::sort(list.people.begin(), list.people.end());
  }

  std::vector<ProfileId> members(const std::string& audience) const {
    const auto at = members_.find(audience);
    return at == members_.end() ? std::vector<ProfileId>{} : at->second.people;
  }
  const std::unordered_map<ProfileId, std::uint64_t>& values(const std::string& trait) const {
    static const std::unordered_map<ProfileId, std::uint64_t> none;
    const auto at = values_.find(trait);
    return at == values_.end() ? none : at->second;
  }

 private:
  struct Members {
    state::NameId id = 0;
    std::vector<ProfileId> people;  // by id
  };
  std::map<std::string, Members> members_;
  std::map<std::string, std::unordered_map<ProfileId, std::uint64_t>> values_;  // hashes, by trait
};

PlannedAudience compare(const std::string& name, const std::vector<ProfileId>& before,
                        const std::vector<ProfileId>& after) {
  PlannedAudience out{name, before.size(), after.size(), 0, 0, {}, {}};
  std::vector<ProfileId> enter, leave;
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(enter));
  std::set_difference(before.begin(), before.end(), after.begin(), after.end(), std::back_inserter(leave));
  out.enter = enter.size();
  out.leave = leave.size();
  enter.resize(std::min(enter.size(), plan_samples_max));
  leave.resize(std::min(leave.size(), plan_samples_max));
  out.entering = std::move(enter);
  out.leaving = std::move(leave);
  return out;
}

PlannedTrait compare(const std::string& name, const std::unordered_map<ProfileId, std::uint64_t>& before,
                     const std::unordered_map<ProfileId, std::uint64_t>& after) {
  PlannedTrait out{name, 0, {}};
  const auto differs = [&](ProfileId person) {
    ++out.changed;
    note(out.people, person);
  };
  for (const auto& [person, value] : after) {
    const auto was = before.find(person);
    if (was == before.end() || was->second != value) differs(person);
  }
  for (const auto& [person, value] : before) {
    if (!after.contains(person)) differs(person);
  }
  return out;
}

// Names of `list` in both, each once: those of `after` in the order of the file, then those that go.
std::vector<std::string> names_of(const auto& before, const auto& after) {
  std::vector<std::string> out;
  for (const auto& item : after) out.push_back(item.name);
  for (const auto& item : before) {
    if (std::find(out.begin(), out.end(), item.name) == out.end()) out.push_back(item.name);
  }
  return out;
}

// Who is inside, and whose step `after` has no more.
std::vector<PlannedWorkflow> compare_workflows(const World& world, const config::Config& after) {
  std::vector<PlannedWorkflow> out;
  const config::Config& before = *world.pipeline.compiled()->config;
  for (const config::Workflow& workflow : before.workflows) {
    if (text_of_item(before, "workflows", workflow.name) == text_of_item(after, "workflows", workflow.name))
      continue;
    const auto next = std::find_if(after.workflows.begin(), after.workflows.end(),
                                   [&](const auto& w) { return w.name == workflow.name; });
    const auto goes_on = [&](const state::Run& run) {
      return next != after.workflows.end() &&
             std::any_of(next->steps.begin(), next->steps.end(),
                         [&](const config::Step& s) { return state::name_id(s.id) == run.step; });
    };
    PlannedWorkflow one;
    one.name = workflow.name;
    world.state.each_profile([&](const state::Profile& profile) {
      for (const state::Run& run : profile.runs) {
        if (run.workflow != state::name_id(workflow.name)) continue;
        ++one.waiting;
        if (!goes_on(run)) ++one.end;
      }
    });
    if (one.waiting > 0) out.push_back(std::move(one));
  }
  return out;
}

// What the change causes, as far as a plan says it: payloads of everybody at once would take much memory.
struct Caused {
  std::map<std::string, std::map<std::string, std::uint64_t>> records;  // as in Plan
  std::map<std::string, std::uint64_t> messages;                        // by workflow
  void add(const StepOutput& out) {
    for (const Effect& effect : out.effects) {
      ++records[std::string(effect.destination)][std::string(name_of(effect.op))];
      if (effect.op == Operation::message) ++messages[std::string(effect.route)];
    }
  }
};

// By workflow: for how many people its newest start was at `at`, and some of them.
struct Starts {
  std::uint64_t people = 0;
  std::vector<ProfileId> samples;
};
std::map<state::NameId, Starts> starts_at(const World& world, TimeUs at) {
  std::map<state::NameId, Starts> out;
  world.state.each_profile([&](const state::Profile& profile) {
    for (const state::Started& started : profile.started) {
      if (started.time != at) continue;
      Starts& one = out[started.workflow];
      ++one.people;
      note(one.samples, profile.id);
    }
  });
  return out;
}

// Adds for how many people workflows have started since `before`, beside who is inside.
void add_starts(Plan& plan, const std::map<state::NameId, Starts>& before, const World& world,
                const Caused& caused) {
  const auto after = starts_at(world, plan.at);
  for (const config::Workflow& workflow : world.pipeline.compiled()->config->workflows) {
    const auto now = after.find(state::name_id(workflow.name));
    const auto was = before.find(state::name_id(workflow.name));
    const std::uint64_t had = was == before.end() ? 0 : was->second.people;
    if (now == after.end() || now->second.people <= had) continue;
    auto at = std::find_if(plan.workflows.begin(), plan.workflows.end(),
                           [&](const PlannedWorkflow& w) { return w.name == workflow.name; });
    if (at == plan.workflows.end()) {
      at = plan.workflows.emplace(at);
      at->name = workflow.name;
    }
    at->audience = workflow.of;
    at->start = now->second.people - had;
    at->starting = now->second.samples;
    const auto messages = caused.messages.find(workflow.name);
    at->messages = messages == caused.messages.end() ? 0 : messages->second;
  }
}

Status step(World& world, InputKind kind, TimeUs now, const std::string& payload, StepOutput& out) {
  return world.step({world.state.seq + 1, now, kind, false, payload}, out);
}

bool rules_differ(const config::Config& before, const config::Config& after) {
  const auto differ = [](const config::IdentityRule& a, const config::IdentityRule& b) {
    return a.id != b.id || a.at_most != b.at_most || a.normalize != b.normalize || a.only != b.only ||
           a.never != b.never || a.never_patterns != b.never_patterns || a.joins_most != b.joins_most ||
           a.joins_within != b.joins_within;
  };
  return before.hub.country != after.hub.country || before.identity.size() != after.identity.size() ||
         !std::equal(before.identity.begin(), before.identity.end(), after.identity.begin(),
                     [&](const auto& a, const auto& b) { return !differ(a, b); });
}

void write_identity(JsonWriter& w, const PlannedIdentity& identity) {
  w.key("identity").begin_object();
  w.member_integer("join", static_cast<std::int64_t>(identity.joined));
  w.member_integer("part", static_cast<std::int64_t>(identity.parted));
  if (identity.since != no_time) w.member("past_since", format_time(identity.since));
  w.key("joining").begin_array();
  for (const PlannedIdentity::Joined& one : identity.joining) {
    w.begin_object().key("people").begin_array();
    for (const ProfileId id : one.people) w.string(format_profile_id(id));
    w.end_array();
    if (one.input != 0) w.member_integer("input", static_cast<std::int64_t>(one.input));
    w.member("by", one.by);
    w.end_object();
  }
  w.end_array().key("parting").begin_array();
  for (const PlannedIdentity::Parted& one : identity.parting) {
    w.begin_object().member("person", format_profile_id(one.person)).key("into").begin_array();
    for (const std::string& text : one.into) w.string(text);
    w.end_array().end_object();
  }
  w.end_array().end_object();
}

}  // namespace

Result<Plan> make_plan(World& world, const std::string& next, TimeUs now, const ReadPast& past) {
  if (world.pipeline.compiled() == nullptr)
    return Error{Code::misconfigured,
                 "no hub has run with this data yet: there is nothing that would change"};
  Plan plan;
  plan.input = world.state.seq;
  plan.at = std::max(now, world.state.now);
  StepOutput passed;
  SLUICE_TRY(step(world, InputKind::tick, plan.at, {}, passed));
  // Nor is what is on its way already.
  SLUICE_TRY(evaluate_all(world, plan.at, [](const StepOutput&) {}));
  while (world.pipeline.found_left()) SLUICE_TRY(step(world, InputKind::tick, plan.at, {}, passed = {}));
  const std::shared_ptr<const config::Config> was = world.pipeline.compiled()->config;
  plan.people = world.state.profiles();
  const auto after = SLUICE_TRY(compile_epoch(next));
  plan.differences = differences(*was, *after->config);
  plan.restart = needs_restart(was->hub, after->config->hub, true);
  if (same_epoch(world.epoch, *was, next, *after->config)) return plan;

  if (rules_differ(*was, *after->config))
    plan.identity = compare_people(world, *SLUICE_TRY(past(next, World::Shadow::rules)));
  plan.workflows = compare_workflows(world, *after->config);
  const Picture before(world);
  const auto& audiences = after->config->audiences;
  const bool may_start = std::any_of(audiences.begin(), audiences.end(),
                                     [](const config::Audience& a) { return a.backfill_triggers; });
  const auto started = may_start ? starts_at(world, plan.at) : std::map<state::NameId, Starts>();
  Caused caused;
  const auto change = [&](InputKind kind, const std::string& payload) -> Status {
    StepOutput out;
    SLUICE_TRY(step(world, kind, plan.at, payload, out));
    caused.add(out);
    return Done{};
  };
  SLUICE_TRY(change(InputKind::epoch, next));
  SLUICE_TRY(evaluate_all(world, plan.at, [&](const StepOutput& out) { caused.add(out); }));
  if (world.state.backfill.id != 0) {
    const view::Compiled& compiled = *world.pipeline.compiled();
    plan.reads_past = view::waiting(compiled, world.state.backfill).names(compiled);
    const auto shadow = SLUICE_TRY(past(next, World::Shadow::definitions));
    plan.past_since = shadow->since;
    SLUICE_TRY(graft_all(world, *shadow, plan.at, [&](const StepOutput& out) { caused.add(out); }));
  }
  while (world.pipeline.found_left()) SLUICE_TRY(change(InputKind::tick, {}));
  const Picture then(world);
  for (const std::string& name : names_of(was->audiences, after->config->audiences)) {
    PlannedAudience one = compare(name, before.members(name), then.members(name));
    if (one.enter + one.leave > 0 ||
        text_of_item(*was, "audiences", name) != text_of_item(*after->config, "audiences", name))
      plan.audiences.push_back(std::move(one));
  }
  for (const std::string& name : names_of(was->computed, after->config->computed)) {
    PlannedTrait one = compare(name, before.values(name), then.values(name));
    if (one.changed > 0) plan.computed.push_back(std::move(one));
  }
  if (may_start) add_starts(plan, started, world, caused);
  plan.records = std::move(caused.records);
  return plan;
}

std::string Plan::json() const {
  std::string out;
  JsonWriter w(out);
  const auto texts = [&](const char* key, const std::vector<std::string>& list) {
    w.key(key).begin_array();
    for (const std::string& text : list) w.string(text);
    w.end_array();
  };
  const auto persons = [&](const char* key, const std::vector<ProfileId>& list) {
    w.key(key).begin_array();
    for (const ProfileId id : list) w.string(format_profile_id(id));
    w.end_array();
  };
  const auto number = [&](const char* key, std::uint64_t value) {
    w.member_integer(key, static_cast<std::int64_t>(value));
  };
  w.begin_object();
  number("input", input);
  w.member("at", format_time(at));
  number("people", people);
  texts("changes", differences);
  texts("restart", restart);
  texts("reads_past", reads_past);
  if (past_since != no_time) w.member("past_since", format_time(past_since));
  w.key("audiences").begin_array();
  for (const PlannedAudience& a : audiences) {
    w.begin_object().member("name", a.name);
    number("before", a.before), number("after", a.after), number("enter", a.enter), number("leave", a.leave);
    persons("entering", a.entering), persons("leaving", a.leaving);
    w.end_object();
  }
  w.end_array();
  if (identity.tried) write_identity(w, identity);
  w.key("computed").begin_array();
  for (const PlannedTrait& t : computed) {
    w.begin_object().member("name", t.name);
    number("changed", t.changed);
    persons("sample", t.people);
    w.end_object();
  }
  w.end_array().key("workflows").begin_array();
  for (const PlannedWorkflow& one : workflows) {
    w.begin_object().member("name", one.name);
    number("waiting", one.waiting), number("end", one.end);
    number("start", one.start), number("messages", one.messages);
    if (!one.audience.empty()) w.member("audience", one.audience);
    persons("starting", one.starting);
    w.end_object();
  }
  w.end_array().key("records").begin_object();
  for (const auto& [destination, counts] : records) {
    w.key(destination).begin_object();
    for (const auto& [op, count] : counts) number(op.c_str(), count);
    w.end_object();
  }
  w.end_object().end_object();
  return out;
}

}  // namespace sluice::hub
