#include "view/waiting.hpp"

#include <algorithm>

namespace sluice::view {

Waiting waiting(const Compiled& compiled, const state::Backfill& backfill) {
  Waiting out;
  out.aggregates.resize(compiled.aggregates.size());
  out.readers.resize(compiled.config->audiences.size(), compiled.config->routes.size());
  const auto note = [&](const auto& plans, std::vector<bool>& waits) {
    waits.resize(plans.size());
    for (std::size_t slot = 0; slot < plans.size(); ++slot) {
      waits[slot] = !state::covers(backfill.needs_of(plans[slot].key), kept_needs(plans[slot]));
      out.any = out.any || waits[slot];
    }
  };
  note(compiled.series, out.series);
  note(compiled.sequences, out.sequences);
  for (std::size_t slot = 0; slot < compiled.aggregates.size(); ++slot) {
    const AggregatePlan& plan = compiled.aggregates[slot];
    const std::uint64_t key =
        plan.sequence != SIZE_MAX ? compiled.sequences[plan.sequence].key : compiled.series[plan.series].key;
    out.aggregates[slot] = !state::covers(backfill.needs_of(key), plan.needs);
    if (out.aggregates[slot]) out.readers.add(compiled.by_aggregate[slot]);
  }
  for (const std::size_t slot : compiled.config->audience_order) {  // each after those that it reads
    if (out.audience(compiled, slot)) out.readers.add(compiled.by_audience[slot]);
  }
  return out;
}

std::vector<std::string> Waiting::names(const Compiled& compiled) const {
  std::vector<std::string> out;
  const config::Config& config = *compiled.config;
  for (std::size_t slot = 0; slot < config.computed.size(); ++slot) {
    const auto& reads = compiled.computed_reads[slot];
    if (std::any_of(reads.begin(), reads.end(), [&](std::size_t a) { return aggregates[a]; }))
      out.push_back(config.computed[slot].name);
  }
  for (std::size_t slot = 0; slot < config.audiences.size(); ++slot) {
    if (audience(compiled, slot)) out.push_back(config.audiences[slot].name);
  }
  for (const std::size_t slot : compiled.profile_routes) {
    if (readers.routes.test(slot)) out.push_back(config.routes[slot].name);
  }
  return out;
}

}  // namespace sluice::view
