// Full refreshes of an audience's list: the command, and its work in the step, a slice with each input.
#include <algorithm>
#include <charconv>

#include "base/json.hpp"
#include "hub/hub.hpp"
#include "hub/pipeline.hpp"
#include "hub/pipeline_parts.hpp"

namespace sluice::hub {

namespace {

constexpr std::string_view pending_key = "resync";  // of State::meta: lines of Pending
const std::string resynced_prefix = "resynced/";    // of State::meta: with a route's name, a time
constexpr std::size_t members_per_input = 5'000;
constexpr DurationUs step_patience = 30 * us_per_s;

struct Pending {             // a snapshot in the making
  EffectKey mark;            // that began it
  ProfileId after = nobody;  // the last person who has been looked at
  std::string route, to, list;
};

Pending pending_of(std::string_view line) {
  JsonParser parser;
  const Json json = parser.parse(line);
  const auto number = [&](const char* name) {
    return static_cast<std::uint64_t>(json[name].integer().value_or(0));
  };
  return {{number("seq"), static_cast<std::uint32_t>(number("ordinal"))},
          parse_profile_id(json["after"].string_or("")),
          std::string(json["route"].string_or("")),
          std::string(json["to"].string_or("")),
          std::string(json["list"].string_or(""))};
}

std::string line_of(const Pending& p) {
  std::string out;
  JsonWriter(out)
      .begin_object()
      .member_integer("seq", static_cast<std::int64_t>(p.mark.seq))
      .member_integer("ordinal", p.mark.ordinal)
      .member("after", p.after == nobody ? std::string() : format_profile_id(p.after))
      .member("route", p.route)
      .member("to", p.to)
      .member("list", p.list)
      .end_object();
  return out += '\n';
}

std::size_t route_named(const config::Config& config, std::string_view name) {
  const auto& routes = config.routes;
  const auto at = std::find_if(routes.begin(), routes.end(), [&](const auto& r) { return r.name == name; });
  return at == routes.end() || at->audience.empty() ? SIZE_MAX
                                                    : static_cast<std::size_t>(at - routes.begin());
}

const std::string& list_of(const config::Route& route) {
  return route.list.empty() ? route.audience : route.list;
}

}  // namespace

bool resync_under_way(const state::State& state) {
  return !state.meta(pending_key).empty();
}

// A route that is at it already goes on.
void Pipeline::begin_resync(std::string_view name) {
  const std::size_t index = route_named(*compiled_->config, name);
  if (index == SIZE_MAX) return;
  const std::string pending(state_.meta(pending_key));
  for (std::size_t at = 0; at < pending.size(); at = pending.find('\n', at) + 1) {
    if (pending_of(std::string_view(pending).substr(at, pending.find('\n', at) - at)).route == name) return;
  }
  const config::Route& route = compiled_->config->routes[index];
  Effect& mark = add_mark(Operation::snapshot_begin, compiled_->route_destinations[index]);
  mark.name = list_of(route);
  mark.route = route.name;
  mark.snapshot = mark.key;
  state_.set_meta(pending_key, pending + line_of({mark.key, nobody, route.name, route.to, list_of(route)}));
  parts_->resyncing = true;
  if (route.resync == 0) return;
  state_.set_meta(resynced_prefix + route.name, std::to_string(state_.now));
  parts_->resync_due = next_resync();
}

// When the list of a route with `resync` was last replaced, or the route began. 0: not known.
TimeUs Pipeline::resynced(std::string_view route) const {
  const std::string_view text = state_.meta(resynced_prefix + std::string(route));
  TimeUs time = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), time);
  return time;
}

void Pipeline::begin_due_resyncs() {
  if (state_.now < parts_->resync_due) return;
  for (const config::Route& route : compiled_->config->routes) {
    if (route.resync == 0) continue;
    const TimeUs last = resynced(route.name);
    if (last != 0 && state_.now - last >= route.resync) begin_resync(route.name);
    if (last == 0) state_.set_meta(resynced_prefix + route.name, std::to_string(state_.now));
  }
  parts_->resync_due = next_resync();
}

TimeUs Pipeline::next_resync() const {
  TimeUs next = never;
  for (const config::Route& route : compiled_->config->routes) {
    if (route.resync == 0) continue;
    const TimeUs last = resynced(route.name);
    next = std::min(next, last == 0 ? 0 : last + route.resync);
  }
  return next;
}

// The next members, in the order of their ids. Whoever enters or leaves meanwhile is sent by himself too, and
// the lane keeps that behind the snapshot.
void Pipeline::continue_resync() {
  if (!parts_->resyncing) return;
  const std::string pending(state_.meta(pending_key));
  const std::size_t end = pending.find('\n');
  Pending p = pending_of(std::string_view(pending).substr(0, end));
  const std::string others = pending.substr(end + 1);
  const std::size_t index = route_named(*compiled_->config, p.route);
  const bool goes_on = index != SIZE_MAX && compiled_->config->routes[index].to == p.to &&
                       list_of(compiled_->config->routes[index]) == p.list;
  std::size_t found = 0;
  if (goes_on) {
    const state::NameId audience =
        compiled_->audience_ids[compiled_->audience_slot(compiled_->config->routes[index].audience)];
    const std::vector<ProfileId> members = state_.members_after(audience, p.after, members_per_input);
    for (const ProfileId id : members) {
      if (Effect* const effect = list_member(*state_.find(id), index)) effect->snapshot = p.mark;
    }
    found = members.size();
    if (found > 0) p.after = members.back();
  }
  if (found == members_per_input) return state_.set_meta(pending_key, line_of(p) + others);
  state_.set_meta(pending_key, others);
  parts_->resyncing = !others.empty();
  const auto& destinations = compiled_->config->destinations;
  const auto to =
      std::find_if(destinations.begin(), destinations.end(), [&](const auto& d) { return d.name == p.to; });
  if (to == destinations.end()) return;
  Effect& mark = add_mark(Operation::snapshot_end, static_cast<std::size_t>(to - destinations.begin()));
  mark.name = p.list;
  mark.route = p.route;
  mark.snapshot = p.mark;
  if (!goes_on) mark.payload = R"({"cancelled":true})";  // a part of the members must not replace all of them
}

TimeUs Pipeline::next_due() {
  if (!parts_) return state_.next_due();
  if (parts_->resyncing || state_.due_account() != nullptr || found_left()) return state_.now;
  return std::min(state_.next_due(), parts_->resync_due);
}

Result<std::uint64_t> Hub::resync(std::string_view route) {
  const auto config = this->config();
  const std::string name(route);
  const std::size_t index = route_named(*config, route);
  if (index == SIZE_MAX) {
    return Error{Code::misconfigured, "no route of an audience is named '" + name + "'"};
  }
  const config::Route& found = config->routes[index];
  const auto& destinations = config->destinations;
  const auto to = std::find_if(destinations.begin(), destinations.end(),
                               [&](const auto& d) { return d.name == found.to; });
  const plugin::Entry* const entry =
      to == destinations.end() ? nullptr : options_.registry->find(to->plugin, SLUICE_DESTINATION);
  if (entry == nullptr || !entry->info.takes_snapshots()) {
    return Error{Code::misconfigured, "the destination '" + found.to +
                                          "' of this route takes no full refreshes: its plugin's manifest "
                                          "names no snapshot_begin and snapshot_end under 'ops'"};
  }
  if (options_.clock_events) {
    return Error{Code::misconfigured,
                 "with --clock events time comes with the events alone: nothing would drive it"};
  }
  std::vector<Draft> drafts(1);
  drafts[0].kind = InputKind::command;
  JsonWriter(drafts[0].payload).begin_object().member("command", "resync").member("route", name).end_object();
  const std::uint64_t seq = SLUICE_TRY(submit(std::move(drafts)));
  (void)engine_->step().wait_until_stepped(seq, step_patience);
  std::uint64_t members = 0;
  engine_->step().read(
      [&](const World& world) { members = world.state.members(state::name_id(found.audience)); });
  return members;
}

Effect& Pipeline::add_mark(Operation op, std::size_t destination) {
  Effect& mark = parts_->effects.add(destination);
  mark.op = op;
  mark.time = state_.now;
  mark.payload = "{}";
  return mark;
}

// Null: the person has not allowed it.
Effect* Pipeline::list_member(const state::Profile& profile, std::size_t route) {
  parts_->context.at(&profile, state_.now, nullptr);
  return route::route_list(profile, route, true, state_.now, *compiled_, parts_->context, parts_->effects,
                           counters_.routes);
}

}  // namespace sluice::hub
