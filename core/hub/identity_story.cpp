#include "hub/identity_story.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "model/event.hpp"
#include "unify/identity.hpp"
#include "unify/reader.hpp"

namespace sluice::hub {

namespace {

using state::Profile;

void write_identifiers(JsonWriter& w, const World& world, const Profile& profile) {
  w.key("identifiers").begin_array();
  for (const state::Identifier& i : profile.identifiers) {
    w.begin_object().member("type", world.state.name(i.type)).member("value", i.value);
    w.member("first_seen", format_time(i.first_seen)).member("last_seen", format_time(i.last_seen));
    w.member_boolean("server", i.trusted).key("sources").begin_array();
    w.string(world.state.name(i.source));
    if (i.also != 0) w.string(world.state.name(i.also));
    if (i.many) w.string("and others");
    w.end_array().end_object();
  }
  w.end_array();
}

// The event as the configuration that holds reads it: its rules may have been others then.
Result<Event> event_of(unify::Reader& reader, const KeptInput& input) {
  EventInput event;
  RecordInput record;
  if (input.kind == InputKind::event && EventInput::decode(input.payload, event)) {
    Event read;
    SLUICE_TRY(reader.read_event(event, read));
    return read;
  }
  if (input.kind == InputKind::record && RecordInput::decode(input.payload, record))
    return reader.read_record(record);
  return Error{Code::rejected, "no event of a source"};
}

void write_event(JsonWriter& w, const World& world, const state::MergeCause& merge, const KeptInput& input) {
  if (input.redacted) return;
  const view::Compiled& compiled = *world.pipeline.compiled();
  unify::Reader reader(*compiled.config);
  const Result<Event> read = event_of(reader, input);
  if (!read) return;
  const Event& event = read.value();
  const auto claims = unify::Identity(compiled).claims(event, compiled.config->hub.country);
  for (const unify::Claim& claim : claims) {
    if (compiled.identity_ids[claim.rule] != merge.type) continue;
    w.member("value", claim.value);
    break;
  }
  w.member("source", event.source).member("kind", name_of(event.kind));
  if (!event.name.empty()) w.member("name", event.name);
  if (!event.message_id.empty()) w.member("message_id", event.message_id);
  w.key("identifiers").begin_array();
  for (const unify::Claim& claim : claims) {
    w.begin_object().member("type", compiled.config->identity[claim.rule].id).member("value", claim.value);
    w.end_object();
  }
  w.end_array();
}

}  // namespace

std::vector<std::uint64_t> merge_inputs(const World& world, ProfileId person) {
  std::vector<std::uint64_t> out;
  const state::Reading profile = world.state.find(person);
  if (!profile) return out;
  for (const state::MergeCause& merge : profile->merges) out.push_back(merge.cause);
  return out;
}

std::string identity_json(const World& world, ProfileId person, const KeptInputs& inputs) {
  const state::Reading found = world.state.find(person);
  if (!found || world.pipeline.compiled() == nullptr) return {};
  const Profile& profile = *found;
  std::vector<state::MergeCause> merges = profile.merges;
  std::stable_sort(merges.begin(), merges.end(),
                   [](const auto& a, const auto& b) { return a.cause < b.cause; });
  std::string out;
  JsonWriter w(out);
  w.begin_object()
      .member("person", format_profile_id(profile.id))
      .member("first_seen", format_time(profile.first_seen));
  write_identifiers(w, world, profile);
  w.key("merges").begin_array();
  for (const state::MergeCause& merge : merges) {
    w.begin_object().member("id", format_profile_id(merge.loser)).member("time", format_time(merge.time));
    w.member_integer("input", static_cast<std::int64_t>(merge.cause));
    w.member("joined_by", world.state.name(merge.type));
    if (const auto input = inputs.find(merge.cause); input != inputs.end())
      write_event(w, world, merge, input->second);
    w.end_object();
  }
  w.end_array().key("apart").begin_array();
  for (const auto& [one, other] : world.state.apart.pairs) {
    const ProfileId a = world.state.resolve(one), b = world.state.resolve(other);
    if (a != b && (a == profile.id || b == profile.id)) w.string(format_profile_id(a == profile.id ? b : a));
  }
  w.end_array().end_object();
  return out;
}

}  // namespace sluice::hub
