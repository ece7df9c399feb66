// Who is it? The identity graph: from the identifiers of an event to one person, by the rules of `identity:`.
//
// Flat matching, as in Segment Unify: everybody who has any of the identifiers is a candidate. If one person
// with all of them would break a limit (or two people with different user_ids would become one), the
// identifier of least trust is left out of the match and it is tried again; likewise where an operator has
// taken a merge back. A public source never joins two known people, and an anonymous source never joins
// anybody known. The older permanent id survives a merge; the other leads to it for ever. An identifier that
// joins too many people too fast is quarantined: it joins no more, and stands for the person who has it only
// where it comes alone.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/event.hpp"
#include "state/state.hpp"
#include "view/compiled.hpp"

namespace sluice::unify {

struct Claim {           // a normalised identifier of the event
  std::size_t rule = 0;  // into config->identity: its trust
  std::string value;
};

struct Merged {
  state::Profile before;  // the loser, as it was: its row is gone
};

struct Resolution {
  state::Profile* profile = nullptr;
  bool created = false;
  bool identifiers_changed = false;
  std::vector<Merged> merged;
  std::size_t demoted = 0;               // identifiers left out
  std::vector<std::size_t> quarantined;  // rules whose identifier has just joined too many people
};

class Identity {
 public:
  // With `known`, a number that the state has as somebody's, and that was said again since now, is not read
  // again.
  explicit Identity(const view::Compiled& compiled, state::State* known = nullptr);
  ~Identity();

  // The identifiers of an event that count: known types, normalised, not blocked; most trusted first.
  std::vector<Claim> claims(const Event& event, std::string_view country) const;

  // Finds or makes the person and gives them the identifiers. Null profile: no identifier counts, or the only
  // candidates are known people and the source is anonymous. `ordinal` numbers the people made by one input.
  Resolution resolve(state::State& state, const Event& event, std::vector<Claim> claims, std::uint64_t seq,
                     TimeUs now) const;

  bool is_known(const state::Profile& profile) const;

 private:
  struct Blocked;
  class Phones;
  std::optional<std::string> phone(std::string_view text, std::size_t rule, std::string_view country) const;
  bool never(std::size_t rule, const std::string& value) const;
  std::vector<state::Profile*> candidates(state::State& state, const std::vector<Claim>& claims) const;
  bool fits(const state::State& state, const std::vector<state::Profile*>& people,
            const std::vector<Claim>& claims, const Event& event) const;
  // An operator has said that they are not one.
  static bool are_apart(const state::State& state, const std::vector<state::Profile*>& people);
  // Leaves out what joins no more, where something else says who it is.
  void drop_quarantined(const state::State& state, std::vector<Claim>& claims, Resolution& out) const;
  void note_join(state::State& state, const Claim& claim, const Claim& with, TimeUs now,
                 Resolution& out) const;
  void note_joins(state::State& state, const std::vector<state::Profile*>& people,
                  const std::vector<Claim>& kept, const std::vector<Claim>& left_out, TimeUs now,
                  Resolution& out) const;
  void add_identifiers(state::State& state, state::Profile& profile, const std::vector<Claim>& claims,
                       const Event& event, TimeUs now, Resolution& out) const;

  const view::Compiled& compiled_;
  state::State* known_;
  TimeUs since_;  // of the state, when these rules came to hold
  std::unique_ptr<Blocked> blocked_;
  std::unique_ptr<Phones>
      phones_;  // remembered readings: they change no result. `country` is the same in every call
};

// Puts together what two people were: newest trait, refusals of consent, totals, earliest entries. `winner`
// keeps its id.
void merge_profiles(state::Profile& winner, const state::Profile& loser, const view::Compiled& compiled,
                    const state::Backfill& backfill, TimeUs now);

}  // namespace sluice::unify
