#include "view/compiled.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "view/context.hpp"

namespace sluice::view {

namespace {

using config::Config;
using expr::Aggregation;
using expr::ProgramPtr;

static_assert(expr::sequence_steps_max == state::sequence_steps_max);

bool needs_value(Aggregation op) {
  return op != Aggregation::count && op != Aggregation::exists;
}

class Compiler {
 public:
  explicit Compiler(Compiled& out) : out_(out), config_(*out.config) {}

  void run() {
    out_.zone = find_zone(config_.hub.timezone);
    names();
    for (const config::ComputedTrait& trait : config_.computed) bind(trait.program);
    sizes();
    for (std::size_t slot = 0; slot < config_.audiences.size(); ++slot) {
      const ProgramPtr& program = config_.audiences[slot].condition;
      bind(program);
      read(program, [&](Readers& r) { r.audiences.set(out_.audience_ranks[slot]); });
    }
    routes();
    workflows();
    finish();
  }

 private:
  void names() {
    for (const auto& purpose : config_.consent.purposes) {
      out_.purposes.push_back({state::name_id(purpose.name), purpose.basis == "consent"});
    }
    for (const auto& audience : config_.audiences) out_.audience_ids.push_back(state::name_id(audience.name));
    out_.audience_ranks.resize(config_.audiences.size());
    for (std::size_t rank = 0; rank < config_.audience_order.size(); ++rank)
      out_.audience_ranks[config_.audience_order[rank]] = rank;
    for (const auto& route : config_.routes) {
      out_.route_ids.push_back(state::name_id(route.name));
      const auto& all = config_.destinations;
      const auto to = std::find_if(all.begin(), all.end(), [&](const auto& d) { return d.name == route.to; });
      out_.route_destinations.push_back(static_cast<std::size_t>(to - all.begin()));
    }
    for (const auto& workflow : config_.workflows) out_.workflow_ids.push_back(state::name_id(workflow.name));
    // A person is known by what stands above anonymous_id in the order of trust; cookies and the like stand
    // below it.
    const auto anonymous = std::find_if(config_.identity.begin(), config_.identity.end(),
                                        [](const auto& rule) { return rule.id == "anonymous_id"; });
    for (auto rule = config_.identity.begin(); rule != config_.identity.end(); ++rule) {
      out_.identity_ids.push_back(state::name_id(rule->id));
      out_.known_identifier.push_back(rule < anonymous && rule->id != "cookie");
    }
    for (std::size_t i = 0; i < config_.computed.size(); ++i) {
      out_.computed_names[state::name_id(config_.computed[i].name)] = i;
    }
  }

  void sizes() {
    const std::size_t audiences = config_.audiences.size();
    const std::size_t routes = config_.routes.size();
    for (Readers* r : {&out_.any_trait, &out_.by_account, &out_.by_profile, &out_.by_zone, &out_.by_time,
                       &out_.by_now, &out_.by_birth, &out_.all})
      r->resize(audiences, routes);
    out_.all.fill();
    const auto many = [&](std::vector<Readers>& readers, std::size_t count) {
      readers.resize(count);
      for (Readers& r : readers) r.resize(audiences, routes);
    };
    many(out_.by_purpose, config_.consent.purposes.size());
    many(out_.by_audience, audiences);
    out_.audience_routes.resize(audiences);
    out_.enter_workflows.resize(audiences);
    out_.leave_workflows.resize(audiences);
  }

  // Gives the names in a program their slots, once; nested programs of its aggregates too.
  void bind(const ProgramPtr& program) {
    if (!program || !bound_.insert({program.get(), true}).second) return;
    for (std::size_t i = 0; i < program->traits().size(); ++i) {
      program->bind_trait(i, static_cast<std::uint32_t>(trait_slot(program->traits()[i].name)));
    }
    for (std::size_t i = 0; i < program->audiences().size(); ++i) {
      program->bind_audience(i, static_cast<std::uint32_t>(out_.audience_slot(program->audiences()[i].name)));
    }
    for (std::size_t i = 0; i < program->purposes().size(); ++i) {
      program->bind_purpose(i, static_cast<std::uint32_t>(purpose_slot(program->purposes()[i].name)));
    }
    for (std::size_t i = 0; i < program->aggregates().size(); ++i) {
      program->bind_aggregate(i, static_cast<std::uint32_t>(aggregate_slot(program->aggregates()[i])));
    }
  }

  std::size_t trait_slot(const std::string& name) {
    const auto at = std::find_if(out_.traits.begin(), out_.traits.end(),
                                 [&](const TraitPlan& t) { return t.name == name; });
    if (at != out_.traits.end()) return static_cast<std::size_t>(at - out_.traits.begin());
    TraitPlan plan{name, state::name_id(name), SIZE_MAX};
    if (const auto computed = out_.computed_names.find(plan.id); computed != out_.computed_names.end()) {
      plan.computed = computed->second;
    }
    out_.traits.push_back(std::move(plan));
    return out_.traits.size() - 1;
  }

  std::size_t purpose_slot(const std::string& name) const {
    const auto& all = config_.consent.purposes;
    const auto at = std::find_if(all.begin(), all.end(), [&](const auto& p) { return p.name == name; });
    return static_cast<std::size_t>(at - all.begin());
  }

  // The route's own, else its destination's.
  const std::string& purpose_of(const config::Route& route) const {
    const auto& all = config_.destinations;
    const auto at = std::find_if(all.begin(), all.end(), [&](const auto& d) { return d.name == route.to; });
    return route.purpose.empty() && at != all.end() ? at->purpose : route.purpose;
  }

  std::size_t series_slot(const expr::AggregateSpec& spec) {
    std::string text = spec.event;
    const auto add = [&](const std::string& part) { (text += '\0') += part; };
    for (const std::string& part : {spec.where_text, spec.value_text, std::to_string(spec.since)}) add(part);
    if (spec.until != no_time) add(std::to_string(spec.until));
    const std::uint64_t key = hash64(text);
    const auto at = std::find_if(out_.series.begin(), out_.series.end(),
                                 [&](const SeriesPlan& s) { return s.key == key; });
    if (at != out_.series.end()) return static_cast<std::size_t>(at - out_.series.begin());
    out_.series.push_back({key, spec.event, spec.where, spec.value, spec.since, spec.until, {}});
    out_.series_by_event[spec.event].push_back(out_.series.size() - 1);
    bind(spec.where);
    bind(spec.value);
    return out_.series.size() - 1;
  }

  std::size_t sequence_slot(const expr::AggregateSpec& spec) {
    SequencePlan plan{0, {{spec.event, spec.where}}, {{0}, 0}};
    std::string text = spec.event + '\0' + spec.where_text;
    for (const expr::SequenceStep& step : spec.then) {
      plan.steps.push_back({step.event, step.where});
      plan.needs.gaps.push_back(step.gap);
      for (const std::string& part : {step.event, std::to_string(step.gap), step.where_text})
        (text += '\0') += part;
    }
    plan.key = hash64(text);
    const auto at = std::find_if(out_.sequences.begin(), out_.sequences.end(),
                                 [&](const SequencePlan& s) { return s.key == plan.key; });
    if (at != out_.sequences.end()) return static_cast<std::size_t>(at - out_.sequences.begin());
    const std::size_t slot = out_.sequences.size();
    for (const SequencePlan::Step& step : plan.steps) {
      std::vector<std::size_t>& slots = out_.sequences_by_event[step.event];
      if (slots.empty() || slots.back() != slot) slots.push_back(slot);
      bind(step.where);
    }
    out_.sequences.push_back(std::move(plan));
    return slot;
  }

  std::size_t aggregate_slot(const expr::AggregateSpec& spec) {
    const auto [at, fresh] = aggregates_.try_emplace(spec.text, out_.aggregates.size());
    if (!fresh) return at->second;
    const std::size_t slot = out_.aggregates.size();
    AggregatePlan plan;
    plan.op = spec.op;
    plan.within = spec.within;
    plan.local_days = spec.local_days;
    plan.top = spec.top;
    if (plan.windowed())
      plan.needs.window_max = spec.local_days > 0 ? state::days_reach(spec.local_days) : spec.within;
    if (!spec.then.empty()) {
      plan.sequence = sequence_slot(spec);
      DurationUs& longest = out_.sequences[plan.sequence].needs.window_max;
      longest = std::max(longest, plan.needs.window_max);
      out_.aggregates.push_back(plan);
      return slot;
    }
    plan.series = series_slot(spec);
    plan.needs.values = plan.windowed() && needs_value(spec.op);
    plan.needs.totals = !plan.windowed();
    plan.needs.distinct =
        plan.needs.totals && (spec.op == Aggregation::unique || spec.op == Aggregation::top);
    out_.aggregates.push_back(plan);
    state::SeriesNeeds& needs = out_.series[plan.series].needs;
    needs.window_max = std::max(needs.window_max, plan.needs.window_max);
    needs.values = needs.values || plan.needs.values;
    needs.totals = needs.totals || plan.needs.totals;
    needs.distinct = needs.distinct || plan.needs.distinct;
    return slot;
  }

  // Enters a reader of everything that `program` reads, computed traits looked through.
  template <typename Mark>
  void read(const ProgramPtr& program, const Mark& mark) {
    if (!program) return;
    for (const expr::Symbol& trait : program->traits()) {
      const NameId id = state::name_id(trait.name);
      if (const auto computed = out_.computed_names.find(id); computed != out_.computed_names.end()) {
        read(config_.computed[computed->second].program, mark);
      } else {
        auto [readers, fresh] = out_.by_trait.try_emplace(id);
        if (fresh) readers->second.resize(config_.audiences.size(), config_.routes.size());
        mark(readers->second);
      }
    }
    for (const expr::Symbol& audience : program->audiences())
      mark(out_.by_audience[out_.audience_slot(audience.name)]);
    for (const expr::Symbol& purpose : program->purposes()) mark(out_.by_purpose[purpose_slot(purpose.name)]);
    if (program->reads_profile()) mark(out_.by_profile);
    if (!program->accounts().empty()) mark(out_.by_account);
    for (const expr::Symbol& field : program->accounts())
      out_.reads_members = out_.reads_members || field.name == "members";
    if (program->reads_now()) {
      mark(out_.by_time);
      mark(out_.by_now);
      mark(out_.by_birth);
      const auto known = std::find_if(out_.now_programs.begin(), out_.now_programs.end(),
                                      [&](const auto& n) { return n.program == program; });
      const auto at = static_cast<std::size_t>(known - out_.now_programs.begin());
      if (known == out_.now_programs.end()) out_.now_programs.push_back({program, empty_readers()});
      mark(out_.now_programs[at].readers);
    }
    out_.by_series.resize(out_.series.size());
    out_.by_sequence.resize(out_.sequences.size());
    for (const expr::AggregateSpec& spec : program->aggregates()) {
      const std::size_t slot = aggregate_slot(spec);
      const AggregatePlan& plan = out_.aggregates[slot];
      out_.by_aggregate.resize(out_.aggregates.size(), empty_readers());
      mark(out_.by_aggregate[slot]);
      Readers& readers =
          plan.sequence != SIZE_MAX ? out_.by_sequence[plan.sequence] : out_.by_series[plan.series];
      readers.resize(config_.audiences.size(), config_.routes.size());
      mark(readers);
      if (plan.local_days > 0) mark(out_.by_zone);
      if (!plan.windowed()) continue;
      mark(out_.by_time);
      watch(slot);
    }
  }

  Readers empty_readers() const {
    Readers readers;
    readers.resize(config_.audiences.size(), config_.routes.size());
    return readers;
  }

  void watch(std::size_t slot) {
    const AggregatePlan& plan = out_.aggregates[slot];
    const bool sequence = plan.sequence != SIZE_MAX;
    const std::uint64_t key = sequence ? out_.sequences[plan.sequence].key : out_.series[plan.series].key;
    std::vector<std::size_t>& watched = out_.watched_by_key[key];
    if (std::find(watched.begin(), watched.end(), slot) == watched.end()) watched.push_back(slot);
  }

  void routes() {
    for (std::size_t slot = 0; slot < config_.routes.size(); ++slot) {
      const config::Route& route = config_.routes[slot];
      const auto mark = [&](Readers& r) { r.routes.set(slot); };
      bind(route.profiles);
      bind(route.where);
      for (const config::Mapped& field : route.fields) bind(field.program);
      if (route.profiles) {
        out_.profile_routes.push_back(slot);
        read(route.profiles, mark);
        // What was held back for want of consent goes out when it is given.
        if (const std::size_t purpose = purpose_slot(purpose_of(route)); purpose < out_.by_purpose.size())
          mark(out_.by_purpose[purpose]);
        for (const config::Mapped& field : route.fields) read(field.program, mark);
        if (route.fields.empty()) {
          mark(out_.any_trait);
          for (const auto& computed : config_.computed) read(computed.program, mark);
        }
      } else if (!route.audience.empty()) {
        out_.audience_routes[out_.audience_slot(route.audience)].push_back(slot);
      }
      for (const std::string& event : route.events) {
        if (event == "*") {
          out_.event_routes_any.push_back(slot);
        } else {
          out_.event_routes[event].push_back(slot);
        }
      }
    }
  }

  void workflows() {
    for (std::size_t slot = 0; slot < config_.workflows.size(); ++slot) {
      const config::Workflow& workflow = config_.workflows[slot];
      bind(workflow.where);
      for (const config::Step& step : workflow.steps) {
        for (const auto& [name, text] : step.with) {
          for (const ProgramPtr& program : text->programs()) bind(program);
        }
      }
      using Trigger = config::Workflow::Trigger;
      if (workflow.trigger == Trigger::event) {
        out_.event_workflows[workflow.of].push_back(slot);
      } else {
        auto& lists = workflow.trigger == Trigger::enters ? out_.enter_workflows : out_.leave_workflows;
        lists[out_.audience_slot(workflow.of)].push_back(slot);
      }
    }
  }

  void add_reads(const ProgramPtr& program, std::vector<std::size_t>& aggregates) {
    for (const expr::AggregateSpec& spec : program->aggregates()) aggregates.push_back(aggregate_slot(spec));
    for (const expr::Symbol& trait : program->traits()) {
      const auto computed = out_.computed_names.find(state::name_id(trait.name));
      if (computed != out_.computed_names.end())
        add_reads(config_.computed[computed->second].program, aggregates);
    }
  }

  void finish() {
    out_.by_series.resize(out_.series.size());
    out_.by_sequence.resize(out_.sequences.size());
    for (std::vector<Readers>* all : {&out_.by_series, &out_.by_sequence}) {
      for (Readers& r : *all) r.resize(config_.audiences.size(), config_.routes.size());
    }
    for (const auto& trait : config_.computed) add_reads(trait.program, out_.computed_reads.emplace_back());
    out_.by_aggregate.resize(out_.aggregates.size(), empty_readers());
    const state::State empty(0);
    const state::Profile stranger;
    PersonContext context(out_, empty);
    context.at(&stranger, 0, nullptr);
    for (std::size_t slot = 0; slot < config_.audiences.size(); ++slot) {
      if (context.holds(config_.audiences[slot].condition))
        out_.by_birth.audiences.set(out_.audience_ranks[slot]);
    }
    out_.by_birth.routes.fill();
  }

  Compiled& out_;
  const Config& config_;
  std::unordered_map<std::string, std::size_t> aggregates_;
  std::unordered_map<const expr::Program*, bool> bound_;
};

}  // namespace

std::size_t Compiled::audience_slot(std::string_view name) const {
  for (std::size_t i = 0; i < config->audiences.size(); ++i) {
    if (config->audiences[i].name == name) return i;
  }
  return SIZE_MAX;
}

bool is_known(const state::Profile& profile, const Compiled& compiled) {
  for (const state::Identifier& identifier : profile.identifiers) {
    for (std::size_t rule = 0; rule < compiled.identity_ids.size(); ++rule) {
      if (compiled.identity_ids[rule] == identifier.type && compiled.known_identifier[rule]) return true;
    }
  }
  return false;
}

std::shared_ptr<const Compiled> compile(std::shared_ptr<const config::Config> config,
                                        std::vector<std::string> channels) {
  auto out = std::make_shared<Compiled>();
  out->config = std::move(config);
  out->channels = std::move(channels);
  Compiler(*out).run();
  return out;
}

}  // namespace sluice::view
