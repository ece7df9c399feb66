#include "view/effects.hpp"

#include <algorithm>

namespace sluice::view {

Effect& EffectList::add(std::size_t destination, const state::Profile& profile) {
  if (person_ != profile.id) {
    identifiers_ = identifiers_json(profile, compiled_);
    person_ = profile.id;
  }
  Effect& effect = add(destination);
  effect.person = profile.id;
  effect.identifiers = identifiers_;
  return effect;
}

Effect& EffectList::add(std::size_t destination) {
  Effect& effect = effects_.emplace_back();
  effect.key = {seq_, ordinal_++};
  effect.destination = compiled_.config->destinations[destination].name;
  effect.identifiers = "{}";
  return effect;
}

void EffectList::upserts_lead(std::size_t first, std::size_t to) {
  if (first == effects_.size()) return;
  const auto at = [this](std::size_t place) { return effects_.begin() + static_cast<std::ptrdiff_t>(place); };
  const auto is_upsert = [](const Effect& effect) { return effect.op == Operation::upsert; };
  std::uint32_t ordinal = effects_[to].key.ordinal;
  std::rotate(at(to), at(first), std::stable_partition(at(first), effects_.end(), is_upsert));
  for (std::size_t i = to; i < effects_.size(); ++i) effects_[i].key.ordinal = ordinal++;
}

std::string identifiers_json(const state::Profile& profile, const Compiled& compiled) {
  std::size_t bytes = 2;
  for (const state::Identifier& identifier : profile.identifiers) bytes += identifier.value.size() + 24;
  std::string out;
  out.reserve(bytes);
  out = "{";
  thread_local std::vector<const state::Identifier*> values;
  for (std::size_t rule = 0; rule < compiled.identity_ids.size(); ++rule) {
    values.clear();
    for (const state::Identifier& identifier : profile.identifiers) {
      if (identifier.type == compiled.identity_ids[rule]) values.push_back(&identifier);
    }
    if (values.empty()) continue;
    if (values.size() > 1)
      std::stable_sort(values.begin(), values.end(),
                       [](const auto* a, const auto* b) { return a->last_seen > b->last_seen; });
    if (out.size() > 1) out += ',';
    append_json_string(out, compiled.config->identity[rule].id);
    out += ":[";
    for (const state::Identifier* identifier : values) {
      if (identifier != values.front()) out += ',';
      append_json_string(out, identifier->value);
    }
    out += ']';
  }
  out += '}';
  return out;
}

std::string address_of(const state::Profile& profile, std::string_view channel, const Compiled& compiled) {
  const config::Normalize wanted = channel == "email" ? config::Normalize::email : config::Normalize::phone;
  if (channel != "email" && channel != "sms") return {};
  const state::Identifier* best = nullptr;
  for (std::size_t rule = 0; rule < compiled.identity_ids.size(); ++rule) {
    if (compiled.config->identity[rule].normalize != wanted) continue;
    for (const state::Identifier& identifier : profile.identifiers) {
      if (identifier.type != compiled.identity_ids[rule]) continue;
      const bool better =
          best == nullptr ||
          (identifier.trusted != best->trusted ? identifier.trusted : identifier.last_seen > best->last_seen);
      if (better) best = &identifier;
    }
  }
  return best == nullptr ? std::string{} : best->value;
}

}  // namespace sluice::view
