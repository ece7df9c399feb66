#include "view/compiled.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace sluice::view {

namespace {

using config::Config;
using expr::Aggregation;
using expr::ProgramPtr;

bool needs_value(Aggregation op) {
  return op != Aggregation::count && op != Aggregation::exists;
}

class Compiler {
 public:
  explicit Compiler(Compiled& out) : out_(out), config_(*out.config) {}

  void run() {
    names();
    for (const config::ComputedTrait& trait : config_.computed) bind(trait.program);
    sizes();
    for (std::size_t slot = 0; slot < config_.audiences.size(); ++slot) {
      const ProgramPtr& program = config_.audiences[slot].condition;
      bind(program);
      read(program, [&](Readers& r) { r.audiences.set(slot); });
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
    for (Readers* r : {&out_.any_trait, &out_.by_profile, &out_.by_time, &out_.all})
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
    for (const std::string& part : {spec.where_text, spec.value_text, std::to_string(spec.since)}) {
      text += '\0';
      text += part;
    }
    const std::uint64_t key = hash64(text);
    const auto at = std::find_if(out_.series.begin(), out_.series.end(),
                                 [&](const SeriesPlan& s) { return s.key == key; });
    if (at != out_.series.end()) return static_cast<std::size_t>(at - out_.series.begin());
    out_.series.push_back({key, spec.event, spec.where, spec.value, spec.since, {}});
    out_.series_by_event[spec.event].push_back(out_.series.size() - 1);
    bind(spec.where);
    bind(spec.value);
    return out_.series.size() - 1;
  }

  std::size_t aggregate_slot(const expr::AggregateSpec& spec) {
    const auto [at, fresh] = aggregates_.try_emplace(spec.text, out_.aggregates.size());
    if (!fresh) return at->second;
    const std::size_t slot = out_.aggregates.size();
    out_.aggregates.push_back({spec.op, series_slot(spec), spec.within, spec.top, false, {}});
    state::SeriesNeeds& own = out_.aggregates[slot].needs;
    own.window_max = spec.within;
    own.values = spec.within > 0 && needs_value(spec.op);
    own.totals = spec.within == 0;
    own.distinct = own.totals && (spec.op == Aggregation::unique || spec.op == Aggregation::top);
    state::SeriesNeeds& needs = out_.series[out_.aggregates[slot].series].needs;
    needs.window_max = std::max(needs.window_max, own.window_max);
    needs.values = needs.values || own.values;
    needs.totals = needs.totals || own.totals;
    needs.distinct = needs.distinct || own.distinct;
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
    if (program->reads_now()) {
      mark(out_.by_time);
      out_.now_programs.push_back(program);
    }
    out_.by_series.resize(out_.series.size());
    for (const expr::AggregateSpec& spec : program->aggregates()) {
      const std::size_t slot = aggregate_slot(spec);
      AggregatePlan& plan = out_.aggregates[slot];
      out_.by_aggregate.resize(out_.aggregates.size());
      out_.by_aggregate[slot].resize(config_.audiences.size(), config_.routes.size());
      mark(out_.by_aggregate[slot]);
      Readers& readers = out_.by_series[plan.series];
      readers.resize(config_.audiences.size(), config_.routes.size());
      mark(readers);
      if (plan.within > 0) {
        plan.watched = true;
        mark(out_.by_time);
      }
    }
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
    for (Readers& r : out_.by_series) r.resize(config_.audiences.size(), config_.routes.size());
    out_.by_aggregate.resize(out_.aggregates.size());
    for (Readers& r : out_.by_aggregate) r.resize(config_.audiences.size(), config_.routes.size());
    for (const auto& trait : config_.computed) add_reads(trait.program, out_.computed_reads.emplace_back());
    for (std::size_t i = 0; i < out_.aggregates.size(); ++i) {
      if (out_.aggregates[i].watched) out_.watched.push_back(i);
    }
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
