// What an operator commands: records handed back, audiences sent once more, merges taken back.
#include <algorithm>

#include "base/json.hpp"
#include "hub/pipeline.hpp"
#include "hub/pipeline_parts.hpp"

namespace sluice::hub {

using state::Profile;

void Pipeline::command(const Input& input, StepOutput& out) {
  JsonParser parser;
  const Json root = parser.parse(input.payload);
  if (root["command"].string_or("") == "release") {
    (void)state_.release(state::name_id(root["type"].string_or("")), root["value"].string_or(""));
    return;
  }
  if (role_ == Role::shadow) return;  // who is one person is the same there; it sends and hands over nothing
  if (root["command"].string_or("") == "resync") return begin_resync(root["route"].string_or(""));
  if (root["command"].string_or("") == "evaluate") {
    return evaluate(static_cast<std::uint64_t>(root["epoch"].integer().value_or(0)),
                    static_cast<std::size_t>(root["people"].integer().value_or(0)));
  }
  if (root["command"].string_or("") == "switch")
    return switch_over(static_cast<std::uint64_t>(root["backfill"].integer().value_or(0)));
  if (root["command"].string_or("") == "unmerge") {
    return unmerge(parse_profile_id(root["person"].string_or("")),
                   static_cast<std::uint64_t>(root["input"].integer().value_or(0)), out);
  }
  const auto which = static_cast<std::uint64_t>(root["unmerge"].integer().value_or(0));
  if (root["command"].string_or("") == "give_up") return give_up(which, out);
  if (root["command"].string_or("") == "watch") {
    std::vector<ProfileId> people;
    root["people"].elements([&](Json one) { people.push_back(parse_profile_id(one.string_or(""))); });
    return watch(which, people);
  }
  if (root["command"].string_or("") != "replay") return;
  if (const auto letter = root["letter"].integer()) out.letters.push_back(*letter);
  std::string bytes;
  Effect effect;
  if (!base64_decode(root["record"].string_or(""), bytes) || !Effect::decode(bytes, effect)) return;
  effect.destination = root["destination"].string_or("");
  const std::uint32_t before = parts_->effects.count();
  resend(effect, state_.now);
  if (parts_->effects.count() > before) ++counters_.resent;
}

// A dead letter is mapped anew: what it said may have changed since. Events and messages are what they were.
void Pipeline::resend(const Effect& effect, TimeUs now) {
  if (effect.op == Operation::snapshot_end) return begin_resync(effect.route);
  Profile* profile = state_.find(effect.person);
  const auto& destinations = compiled_->config->destinations;
  const auto slot =
      static_cast<std::size_t>(std::find_if(destinations.begin(), destinations.end(),
                                            [&](const auto& d) { return d.name == effect.destination; }) -
                               destinations.begin());
  if (profile == nullptr || slot == destinations.size()) return;
  state_.touch(*profile);
  catch_up(*profile, now);
  view::PersonContext& context = parts_->context;
  context.at(profile, now, nullptr);
  const auto& routes = compiled_->config->routes;
  const auto index = static_cast<std::size_t>(
      std::find_if(routes.begin(), routes.end(), [&](const auto& r) { return r.name == effect.route; }) -
      routes.begin());
  if (index < routes.size() && routes[index].profiles) {
    return route::resend(state_, *profile, index, now, *compiled_, context, parts_->effects,
                         counters_.routes);
  }
  const bool membership = effect.op == Operation::enter || effect.op == Operation::leave;
  if (membership && index < routes.size() && !routes[index].audience.empty()) {
    const std::size_t audience = compiled_->audience_slot(routes[index].audience);
    const bool inside = profile->membership(compiled_->audience_ids[audience]) != nullptr;
    if (inside != (effect.op == Operation::enter)) return;  // a later record superseded it
  }
  if (!context.allows(effect.purpose)) return;
  Effect& again = parts_->effects.add(slot, *profile);
  again.op = effect.op;
  again.purpose = effect.purpose;
  again.time = effect.time;
  again.name = effect.name;
  again.route = effect.route;
  again.address = effect.op == Operation::message
                      ? view::address_of(*profile, compiled_->channels[slot], *compiled_)
                      : "";
  again.payload = effect.payload;
}

}  // namespace sluice::hub
