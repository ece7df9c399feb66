// What has to hold, whatever happens: the promises of docs/architecture.md, each checked by a function of its
// own. The judge has what it needs from outside the hub: what clients were told, what arrived at vendors, and
// a state of its own that steps the journal's inputs one by one and is never stopped.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deliver/outcome.hpp"
#include "hub/world.hpp"
#include "journal/journal.hpp"
#include "model/effect.hpp"

namespace sluice::sim {

struct Violation {
  int promise = 0;
  std::string what;
};

struct Arrival {  // a record at a vendor, which took it
  std::string destination, id;
  Effect effect;
  bool once = false;  // a repeat acts twice, and the configuration says hold
};

std::string text(const EffectKey& key);  // "17.2"

class Judge {
 public:
  const std::optional<Violation>& violation() const { return violation_; }
  void violated(int promise, std::string what);

  // ---- what happens
  void acknowledged(std::uint64_t first_seq, const std::vector<std::string>& payloads);
  void follow(const Journal& journal);  // its inputs are durable: they are stepped here, too
  void outcome(const std::string& destination, Effect effect, const deliver::Outcome& outcome);
  void outcomes_durable();
  void arrived(Arrival arrival);
  void life_ended() { ++life_; }

  // ---- what holds
  void check_journal(const Journal& journal);                                   // 1, after a recovery
  void check_state(state::State& state, int promise, const std::string& when);  // 2 and 8
  void check_messages_stepped_once();                                           // 2
  void check_rows_read_once();                                                  // 2
  void check_every_record_has_ended();                                          // 3, at the end
  void check_order();                                                           // 4, at the end
  void check_other_split(std::uint64_t seed);                                   // 2, at the end
  void check_may_leave(const Effect& effect, const state::State& now);          // 6, as it leaves

  std::uint64_t seq() const { return inputs_.size(); }
  TimeUs stamp_of(std::uint64_t seq) const { return inputs_[seq - 1].stamp; }  // 1 to seq()
  std::size_t effects() const { return effects_.size(); }
  std::size_t arrivals() const { return arrivals_; }
  std::size_t merges() const { return merges_.size() - unmerges(); }
  std::size_t unmerges() const {
    return static_cast<std::size_t>(
        std::count_if(merges_.begin(), merges_.end(), [](const Merge& m) { return m.winner == nobody; }));
  }
  std::size_t grafts() const { return grafts_; }
  std::map<std::string, std::uint64_t> outcome_counts() const;

 private:
  struct Stored {
    TimeUs stamp;
    InputKind kind;
    std::string payload;
  };
  struct Made {
    std::string destination, bytes;
  };
  struct Ended {
    deliver::OutcomeKind kind;
    std::uint64_t life;
    bool durable;
  };
  struct Merge {
    std::uint64_t seq;
    ProfileId loser, winner;  // winner nobody: the merge is taken back
  };
  struct First {
    EffectKey key;
    ProfileId person;
  };
  Input input(std::uint64_t seq) const;
  std::map<EffectKey, Made> made_by(const std::vector<Effect>& effects) const;
  void note_effects(std::uint64_t seq);
  ProfileId person_at(std::uint64_t seq, ProfileId person) const;

  std::optional<Violation> violation_;
  std::unique_ptr<hub::World> world_;
  JournalIdentity identity_;
  std::vector<Stored> inputs_;   // from 1
  std::vector<Hash128> hashes_;  // after each
  hub::StepOutput out_;          // of the last
  std::map<EffectKey, Made> effects_;
  std::vector<Merge> merges_;
  std::size_t grafts_ = 0;                       // inputs that give people their past
  std::map<std::uint64_t, std::uint64_t> told_;  // seq -> hash of the payload, of what clients were told
  std::map<EffectKey, Ended> ended_;
  std::map<EffectKey, std::size_t> taken_;              // how often a vendor took it
  std::map<std::string, std::vector<First>> in_order_;  // by destination: when a record was first taken
  std::size_t arrivals_ = 0;
  std::uint64_t life_ = 0;
};

}  // namespace sluice::sim
