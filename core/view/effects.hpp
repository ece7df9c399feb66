// The effects of one input, in the making: stages add to it, the pipeline hands it on. Ordinals count from 0
// within an input.
#pragma once

#include <string>
#include <vector>

#include "model/effect.hpp"
#include "state/state.hpp"
#include "view/compiled.hpp"

namespace sluice::view {

class EffectList {
 public:
  explicit EffectList(const Compiled& compiled) : compiled_(compiled) {}

  void begin(std::uint64_t seq, std::uint32_t ordinal = 0) {
    seq_ = seq;
    ordinal_ = ordinal;
    person_ = nobody;
  }
  // A record for `destination` (slot of config->destinations) about this person; the caller fills in the
  // rest.
  Effect& add(std::size_t destination, const state::Profile& profile);
  // One that is about nobody.
  Effect& add(std::size_t destination);
  // The person's identifiers have changed within the input.
  void forget_identifiers() { person_ = nobody; }
  std::uint32_t count() const { return ordinal_; }
  // How many wait to be taken: the place of the next one.
  std::size_t waiting() const { return effects_.size(); }
  // The upserts from place `first` on go to place `to`, before what stands there; ordinals are by place.
  void upserts_lead(std::size_t first, std::size_t to);
  // Moves the effects behind those of `out`.
  void take(std::vector<Effect>& out) {
    for (Effect& effect : effects_) out.push_back(std::move(effect));
    effects_.clear();
  }
  const std::vector<Effect>& effects() const { return effects_; }

 private:
  const Compiled& compiled_;
  std::vector<Effect> effects_;
  std::uint64_t seq_ = 0;
  std::uint32_t ordinal_ = 0;
  ProfileId person_ = nobody;  // whose identifiers are in identifiers_
  std::string identifiers_;
};

// {"user_id":["42"],"email":["a@b.example"]}: by the order of trust, most recently seen first within a type.
std::string identifiers_json(const state::Profile& profile, const Compiled& compiled);

// The address of the person in a channel (email, sms): said by a server source before any other, then the
// most recently seen. Empty: none.
std::string address_of(const state::Profile& profile, std::string_view channel, const Compiled& compiled);

}  // namespace sluice::view
