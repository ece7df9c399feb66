// What destinations say after they have taken a message: a receipt becomes an event of its person, a wish of
// its receiver becomes consent. docs/adr has the decisions.
#include <algorithm>

#include "base/json.hpp"
#include "hub/pipeline.hpp"
#include "hub/pipeline_parts.hpp"

namespace sluice::hub {

namespace {

// "Message Delivered" for "delivered".
std::string event_name(std::string_view receipt) {
  std::string out = "Message ";
  out += receipt;
  constexpr std::size_t first = 8;
  if (out.size() > first && out[first] >= 'a' && out[first] <= 'z')
    out[first] = static_cast<char>(out[first] - 'a' + 'A');
  return out;
}

// In the shape of a tracking call, so that routes and conditions read it as such. What the hub knows of the
// message stands above what the vendor says.
std::string call_text(const CallbackInput& in, std::string_view name, std::string_view channel) {
  JsonParser parser;
  const std::string given(in.facts);
  const Json facts = parser.parse(given.empty() ? "{}" : given);
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("type", "track").member("event", name);
  if (in.time != no_time) json.member("timestamp", format_time(in.time));
  json.key("properties").begin_object();
  json.member("destination", in.destination);
  if (!channel.empty()) json.member("channel", channel);
  if (!in.message.empty()) json.member("message", in.message);
  if (!in.route.empty()) json.member("workflow", in.route);
  facts.members([&](std::string_view key, Json value) {
    for (const std::string_view ours : {"destination", "channel", "message", "workflow"}) {
      if (key == ours) return;
    }
    json.key(key).raw(value.text());
  });
  json.end_object().end_object();
  return out;
}

}  // namespace

// A refusal holds for every purpose of the channel: who writes STOP to a number does not know our purposes. A
// grant takes back only what was refused here.
void Pipeline::add_wishes(const CallbackInput& in, std::size_t destination, const state::Profile& profile,
                          Event& event) {
  const config::Config& config = *compiled_->config;
  const std::string& channel = compiled_->channels[destination];
  const bool granted = in.name == "granted";
  for (std::size_t slot = 0; slot < config.consent.purposes.size(); ++slot) {
    const auto& purpose = config.consent.purposes[slot];
    const bool concerned = (!channel.empty() && purpose.channel == channel) ||
                           purpose.name == config.destinations[destination].purpose;
    if (!concerned) continue;
    const state::ConsentState* const said = profile.consent(compiled_->purposes[slot].id);
    const bool refused_here =
        said != nullptr && !said->granted && said->source == state::name_id(in.destination);
    if (!granted || refused_here) event.consent.push_back({purpose.name, granted});
  }
}

// Whose message it was; else who has the identifier. A refusal of nobody we know makes a person: it has to
// hold when the number is somebody's.
unify::Resolution Pipeline::find_person(const CallbackInput& in, Event& event, TimeUs now) {
  unify::Resolution who;
  if (in.person != nobody) {
    who.profile = state_.find(in.person);
  } else {
    const std::vector<unify::Claim> claims = parts_->identity.claims(event, compiled_->config->hub.country);
    for (const unify::Claim& claim : claims) {
      who.profile = state_.find_by(compiled_->identity_ids[claim.rule], claim.value);
      if (who.profile != nullptr) break;
    }
    if (who.profile == nullptr && in.name == "refused" && !claims.empty())
      return parts_->identity.resolve(state_, event, claims, state_.seq, now);
  }
  if (who.profile == nullptr) return who;
  state_.touch(*who.profile);
  catch_up(*who.profile, now);
  return who;
}

void Pipeline::callback(const CallbackInput& in, TimeUs now, StepOutput& out) {
  const auto& destinations = compiled_->config->destinations;
  const auto at = std::find_if(destinations.begin(), destinations.end(),
                               [&](const auto& d) { return d.name == in.destination; });
  if (at == destinations.end()) return refuse({Code::rejected, "unknown_destination"});
  const auto slot = static_cast<std::size_t>(at - destinations.begin());

  // The event borrows from these.
  JsonParser parser, identifiers_parser;
  const std::string name = in.is_consent() ? std::string() : event_name(in.name);
  const std::string key = "callback:" + std::string(in.key), given(in.identifiers);
  const std::string text =
      in.is_consent() ? R"({"type":"identify"})" : call_text(in, name, compiled_->channels[slot]);
  Event event;
  event.kind = in.is_consent() ? EventKind::identify : EventKind::track;
  event.source = in.destination;
  event.name = name;
  event.message_id = key;
  event.time = in.time;
  event.raw = text;
  event.root = parser.parse(text);
  event.properties = event.root["properties"];
  identifiers_parser.parse(given.empty() ? "{}" : given).members([&](std::string_view type, Json values) {
    values.elements([&](Json value) {
      if (value.is_string() && event.ids.size() < external_ids_max)
        event.ids.push_back({type, *value.string()});
    });
  });
  if (!first_sight(event, now)) return;
  const unify::Resolution who = find_person(in, event, now);
  if (who.profile == nullptr) return refuse({Code::rejected, "no_person"});
  if (in.is_consent()) add_wishes(in, slot, *who.profile, event);
  const bool own = in.name != "sent" && in.name != "delivered" && in.name != "failed" && in.name != "bounced";
  happened(event, who, own, now, out);
}

}  // namespace sluice::hub
