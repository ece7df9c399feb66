// A Config made ready for the step: names as hashes, `events(…)` selectors as shared series and aggregates,
// and for everything that can change the list of what reads it, so that an input evaluates only what it can
// change. Immutable once made; made anew for each epoch. Slots are indexes into its vectors.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/config.hpp"
#include "state/profile.hpp"
#include "state/state.hpp"

namespace sluice::view {

using state::NameId;

struct SeriesPlan {
  std::uint64_t key = 0;   // state::Series::key
  std::string event;       // name of the events that it takes
  expr::ProgramPtr where;  // null: all of them
  expr::ProgramPtr value;  // null: counts alone
  TimeUs since = no_time;
  state::SeriesNeeds needs;
};

struct AggregatePlan {
  expr::Aggregation op = expr::Aggregation::count;
  std::size_t series = 0;  // into Compiled::series
  DurationUs within = 0;   // 0: all time
  std::uint32_t top = 0;
  bool watched = false;  // something must be done when it changes by time alone
  state::SeriesNeeds needs;
};

struct TraitPlan {  // a trait that some program reads
  std::string name;
  NameId id = 0;
  std::size_t computed = SIZE_MAX;  // into Compiled::computed; else a source's trait
};

// A set of audience and route slots, as bits.
class SlotSet {
 public:
  void resize(std::size_t slots) { words_.resize((slots + 63) / 64); }
  void set(std::size_t slot) { words_[slot / 64] |= 1ULL << (slot % 64); }
  bool test(std::size_t slot) const { return (words_[slot / 64] >> (slot % 64) & 1) != 0; }
  void add(const SlotSet& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }
  void remove(const SlotSet& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= ~other.words_[i];
  }
  void fill() { words_.assign(words_.size(), ~0ULL); }
  void clear() { words_.assign(words_.size(), 0); }
  bool empty() const {
    for (const std::uint64_t w : words_) {
      if (w != 0) return false;
    }
    return true;
  }

 private:
  std::vector<std::uint64_t> words_;
};

// What must be looked at again: `audiences` by slot, `routes` (profile routes) by slot.
struct Readers {
  SlotSet audiences, routes;
  void resize(std::size_t audience_slots, std::size_t route_slots) {
    audiences.resize(audience_slots);
    routes.resize(route_slots);
  }
  void add(const Readers& other) {
    audiences.add(other.audiences);
    routes.add(other.routes);
  }
  void fill() {
    audiences.fill();
    routes.fill();
  }
  void clear() {
    audiences.clear();
    routes.clear();
  }
};

struct PurposePlan {
  NameId id = 0;
  bool needs_grant = false;  // basis: consent
};

struct Compiled {
  std::shared_ptr<const config::Config> config;

  std::vector<TraitPlan> traits;
  std::vector<SeriesPlan> series;
  std::vector<AggregatePlan> aggregates;
  std::vector<PurposePlan> purposes;            // as config->consent.purposes
  std::vector<NameId> audience_ids;             // as config->audiences
  std::vector<NameId> route_ids;                // as config->routes
  std::vector<std::size_t> route_destinations;  // as config->routes: slot of config->destinations
  std::vector<NameId> workflow_ids;             // as config->workflows
  std::vector<NameId> identity_ids;             // as config->identity
  std::vector<bool> known_identifier;           // as config->identity: it names a known person
  std::vector<std::string> channels;            // as config->destinations

  std::unordered_map<std::string, std::vector<std::size_t>> series_by_event;
  std::unordered_map<std::string, std::vector<std::size_t>> event_routes;  // by event name; "*" apart
  std::vector<std::size_t> event_routes_any;
  std::unordered_map<std::string, std::vector<std::size_t>> event_workflows;
  std::vector<std::vector<std::size_t>> audience_routes;                   // by audience slot
  std::vector<std::vector<std::size_t>> enter_workflows, leave_workflows;  // by audience slot
  std::vector<std::size_t> profile_routes;                                 // slots of routes with `profiles`

  std::vector<Readers> by_series, by_purpose, by_audience;  // readers, direct and through computed traits
  std::vector<Readers> by_aggregate;                        // likewise
  std::vector<std::vector<std::size_t>> computed_reads;  // as config->computed: aggregates, all the way down
  std::unordered_map<NameId, Readers> by_trait;
  Readers any_trait;   // reads all traits: a profile route without `fields`
  Readers by_profile;  // reads first_seen, last_seen, …
  Readers by_time;     // reads a watched window or `now`
  Readers all;
  std::vector<std::size_t> watched;                        // aggregates whose windows set timers
  std::vector<expr::ProgramPtr> now_programs;              // that read `now`: next_change() sets timers
  std::unordered_map<NameId, std::size_t> computed_names;  // reserved: sources cannot write them

  std::size_t audience_slot(std::string_view name) const;  // SIZE_MAX: none
};

// Whether an identifier names the person: what stands above anonymous_id in the order of trust.
bool is_known(const state::Profile& profile, const Compiled& compiled);

// `channels[i]` is the channel of config->destinations[i]'s connector.
std::shared_ptr<const Compiled> compile(std::shared_ptr<const config::Config> config,
                                        std::vector<std::string> channels);

}  // namespace sluice::view
