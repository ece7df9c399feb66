// A Config made ready for the step: names as hashes, `events(…)` selectors as shared series and aggregates,
// and for everything that can change the list of what reads it, so that an input evaluates only what it can
// change. Immutable once made; made anew for each epoch. Slots are indexes into its vectors.
#pragma once

#include <bit>
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
  std::uint64_t key = 0;                    // state::Series::key
  std::string event;                        // name of the events that it takes
  expr::ProgramPtr where;                   // null: all of them
  expr::ProgramPtr value;                   // null: counts alone
  TimeUs since = no_time, until = no_time;  // [since, until)
  state::SeriesNeeds needs;
};

struct SequencePlan {
  struct Step {
    std::string event;
    expr::ProgramPtr where;
  };
  std::uint64_t key = 0;  // state::Sequence::key
  std::vector<Step> steps;
  state::SequenceNeeds needs;
};

// What is counted since the first event (state/backfill.hpp) where this plan holds.
inline const state::SeriesNeeds& kept_needs(const SeriesPlan& plan) {
  return plan.needs;
}
inline state::SeriesNeeds kept_needs(const SequencePlan& plan) {
  return {plan.needs.window_max, false, false, false};
}

struct AggregatePlan {
  expr::Aggregation op = expr::Aggregation::count;
  std::size_t series = SIZE_MAX;    // into Compiled::series
  std::size_t sequence = SIZE_MAX;  // else into Compiled::sequences
  DurationUs within = 0;            // 0: all time, or
  std::uint32_t local_days = 0;     // calendar days of the person
  std::uint32_t top = 0;
  state::SeriesNeeds needs;  // what it asks of its series; of a sequence, the window alone
  bool windowed() const { return within > 0 || local_days > 0; }
};

struct TraitPlan {  // a trait that some program reads
  std::string name;
  NameId id = 0;
  std::size_t computed = SIZE_MAX;  // into Compiled::computed; else a source's trait
};

// A set of small numbers, as bits.
class SlotSet {
 public:
  void resize(std::size_t slots) { words_.resize((slots + 63) / 64); }
  void set(std::size_t slot) { words_[slot / 64] |= 1ULL << (slot % 64); }
  bool test(std::size_t slot) const { return (words_[slot / 64] >> (slot % 64) & 1) != 0; }
  void add(const SlotSet& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }
  // The smallest that is in it and not below `from`; SIZE_MAX: none.
  std::size_t next(std::size_t from) const {
    for (std::size_t word = from / 64; word < words_.size(); ++word) {
      const std::uint64_t rest = word == from / 64 ? words_[word] & (~0ULL << (from % 64)) : words_[word];
      if (rest != 0) return word * 64 + static_cast<std::size_t>(std::countr_zero(rest));
    }
    return SIZE_MAX;
  }
  bool meets(const SlotSet& other) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      if ((words_[i] & other.words_[i]) != 0) return true;
    }
    return false;
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

// What must be looked at again: `audiences` by rank, so that each stands behind those that it reads, and
// `routes` (profile routes) by slot.
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
  bool meets(const Readers& other) const {
    return audiences.meets(other.audiences) || routes.meets(other.routes);
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
  std::vector<SequencePlan> sequences;
  std::vector<AggregatePlan> aggregates;
  std::vector<PurposePlan> purposes;            // as config->consent.purposes
  std::vector<NameId> audience_ids;             // as config->audiences
  std::vector<std::size_t> audience_ranks;      // likewise: places in config->audience_order
  std::vector<NameId> route_ids;                // as config->routes
  std::vector<std::size_t> route_destinations;  // as config->routes: slot of config->destinations
  std::vector<NameId> workflow_ids;             // as config->workflows
  std::vector<NameId> identity_ids;             // as config->identity
  std::vector<bool> known_identifier;           // as config->identity: it names a known person
  std::vector<std::string> channels;            // as config->destinations

  const Zone* zone = nullptr;  // of people whose own is unknown

  std::unordered_map<std::string, std::vector<std::size_t>> series_by_event, sequences_by_event;
  std::unordered_map<std::string, std::vector<std::size_t>> event_routes;  // by event name; "*" apart
  std::vector<std::size_t> event_routes_any;
  std::unordered_map<std::string, std::vector<std::size_t>> event_workflows;
  std::vector<std::vector<std::size_t>> audience_routes;                   // by audience slot
  std::vector<std::vector<std::size_t>> enter_workflows, leave_workflows;  // by audience slot
  std::vector<std::size_t> profile_routes;                                 // slots of routes with `profiles`

  // Readers, direct and through computed traits.
  std::vector<Readers> by_series, by_sequence, by_purpose, by_audience;
  std::vector<Readers> by_aggregate;
  std::vector<std::vector<std::size_t>> computed_reads;  // as config->computed: aggregates, all the way down
  std::unordered_map<NameId, Readers> by_trait;
  Readers any_trait;           // reads all traits: a profile route without `fields`
  Readers by_account;          // reads the person's account
  bool reads_members = false;  // some of them how many members it has
  Readers by_profile;          // reads first_seen, last_seen, …
  Readers by_zone;             // reads calendar days of the person
  Readers by_time;             // reads a watched window or `now`
  Readers by_birth;            // holds for somebody of whom nothing is known, or may as time goes
  Readers all;
  // Aggregates whose windows set timers, by what they look at: a person has only some of these. A key may
  // stand for both.
  std::unordered_map<std::uint64_t, std::vector<std::size_t>> watched_by_key;
  struct NowProgram {  // reads `now`: its next_change() sets timers
    expr::ProgramPtr program;
    Readers readers;
  };
  std::vector<NowProgram> now_programs;
  Readers by_now;                                          // of all of these
  std::unordered_map<NameId, std::size_t> computed_names;  // reserved: sources cannot write them

  std::size_t audience_slot(std::string_view name) const;  // SIZE_MAX: none
};

// Whether an identifier names the person: what stands above anonymous_id in the order of trust.
bool is_known(const state::Profile& profile, const Compiled& compiled);

// `channels[i]` is the channel of config->destinations[i]'s connector.
std::shared_ptr<const Compiled> compile(std::shared_ptr<const config::Config> config,
                                        std::vector<std::string> channels);

// Of each series and each sequence that the configuration counts: each(plan).
template <typename Each>
void each_counted(const Compiled& compiled, const Each& each) {
  for (const SeriesPlan& plan : compiled.series) each(plan);
  for (const SequencePlan& plan : compiled.sequences) each(plan);
}

}  // namespace sluice::view
