// A new configuration comes to people: to a slice of them with each `evaluate` command (state/walk.hpp), and
// to whoever an input is about or a timer fires for before that is done, so that nobody is half of one
// configuration and half of another.
#include <algorithm>

#include "audience/audience.hpp"
#include "base/check.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "hub/pipeline.hpp"
#include "hub/pipeline_parts.hpp"
#include "hub/walk.hpp"

namespace sluice::hub {

using state::Profile;

namespace {

constexpr const char* evaluated_by_key = "evaluated_by";  // of State::meta
constexpr int first_version_with_slices = 8;

std::int64_t version_of(std::string_view payload) {
  JsonParser parser;
  return parser.parse(payload)["step_version"].integer().value_or(0);
}

// Of all that decides what a configuration makes of people at rest. Sources, workflows, retention and how a
// destination is reached decide nothing of them: what comes next meets them as it is.
std::uint64_t print_of(std::string_view payload, const view::Compiled& compiled) {
  const config::Config& config = *compiled.config;
  JsonParser epoch_parser, config_parser;
  const Json epoch = epoch_parser.parse(payload), resolved = config_parser.parse(config.resolved);
  std::uint64_t print = 0;
  const auto add = [&](std::string_view text) { print = hash64(text, print); };
  for (const char* part : {"step_version", "versions"}) add(epoch[part].text());
  epoch["connectors"].elements([&](Json connector) {
    if (connector["destination"].boolean().value_or(false)) add(connector.text());
  });
  for (const char* part : {"hub", "identity", "consent", "traits", "computed", "audiences", "routes"})
    add(resolved[part].text());
  for (std::size_t slot = 0; slot < config.destinations.size(); ++slot) {
    const config::Destination& destination = config.destinations[slot];
    for (const std::string& text :
         {destination.name, destination.plugin, destination.purpose, compiled.channels[slot]})
      add(text);
  }
  for (std::size_t slot = 0; slot < config.audiences.size(); ++slot) {
    if (!config.audiences[slot].backfill_triggers) continue;
    for (const std::size_t workflow : compiled.enter_workflows[slot]) add(config.workflows[workflow].name);
  }
  view::each_counted(compiled, [&](const auto& plan) {
    const state::SeriesNeeds needs = view::kept_needs(plan);
    const int kept = (needs.values ? 1 : 0) | (needs.distinct ? 2 : 0) | (needs.totals ? 4 : 0);
    print = hash64_pair(hash64_pair(print, plan.key), static_cast<std::uint64_t>(needs.window_max));
    print = hash64_pair(print, static_cast<std::uint64_t>(kept));
  });
  return print;
}

}  // namespace

// The routes that nobody has heard of yet, by their ids.
std::vector<state::NameId> Pipeline::note_new_routes() {
  const std::string known = '\n' + std::string(state_.meta("routes"));
  std::vector<state::NameId> out;
  std::string names;
  for (std::size_t slot = 0; slot < compiled_->config->routes.size(); ++slot) {
    const std::string& name = compiled_->config->routes[slot].name;
    if (known.find('\n' + name + '\n') == std::string::npos) out.push_back(compiled_->route_ids[slot]);
    names += name + '\n';
  }
  state_.set_meta("routes", names);
  return out;
}

void Pipeline::begin_walk(const Input& input, bool past_waited) {
  std::vector<state::NameId> new_routes = note_new_routes();
  const bool sliced = version_of(input.payload) >= first_version_with_slices;
  bool same = false;
  if (sliced) {
    // What is being read of them for a merge that is taken back is read by other definitions.
    for (state::Watched& watched : state_.apart.watched) watched.touched = input.seq;
    state_.keep_apart();
    const std::string print = std::to_string(print_of(input.payload, *compiled_));
    same = !past_waited && state_.backfill.id == 0 && state_.meta(evaluated_by_key) == print;
    state_.set_meta(evaluated_by_key, print);
  }
  if (same || state_.profiles() == 0) return;
  if (state_.backfill.id != 0) {
    for (const state::NameId route : new_routes) {
      if (!state_.backfill.is_new_route(route)) state_.backfill.new_routes.push_back(route);
    }
    state_.keep_backfill();
  }
  std::sort(new_routes.begin(), new_routes.end());
  std::erase_if(state_.walks, [](const state::Walk& walk) { return walk.new_routes.empty(); });
  state_.walks.push_back({input.seq, nobody, std::move(new_routes)});
  state_.keep_walks();
  // Epochs of before version 8 came to everybody at once, and their journals know of no slices.
  while (!sliced && !state_.walks.empty()) {
    evaluate(input.seq, slice_people_max);
    state_.rest();
  }
}

bool Pipeline::is_behind(const Profile& profile) const {
  return !state_.walks.empty() && state_.walks.back().is_behind(profile.id, profile.evaluated);
}

// Nobody did anything: no workflow starts, but later for who is marked (pipeline_found.cpp).
void Pipeline::catch_up(Profile& profile, TimeUs now) {
  if (!is_behind(profile)) return;
  state_.touch(profile);
  const auto& routes = compiled_->config->routes;
  for (std::size_t slot = 0; slot < routes.size(); ++slot) {
    parts_->new_routes[slot] =
        std::any_of(state_.walks.begin(), state_.walks.end(), [&](const state::Walk& walk) {
          return walk.is_behind(profile.id, profile.evaluated) &&
                 walk.is_new_route(compiled_->route_ids[slot]);
        });
  }
  profile.evaluated = state_.walks.back().epoch;
  profile.touch_changes();
  drop_series(profile);
  audience::drop_unknown(state_, profile, *compiled_);
  parts_->context.at(&profile, now, nullptr);
  for (const std::size_t slot : compiled_->profile_routes) {
    if (parts_->new_routes[slot] && !routes[slot].backfill && !parts_->context.waits_route(slot))
      route::mark_silent(state_, profile, slot, *compiled_, parts_->context);
  }
  parts_->readers.fill();
  settle(profile, nullptr, false, now, Cause::configuration, parts_->effects.waiting());
  fill_new_lists(profile, now);
  mark_found(profile);
  parts_->nothing_is_new();
}

// Whoever may be meant comes before anybody is joined: of two people of whom only one is of this
// configuration nobody could be made.
void Pipeline::catch_up(const std::vector<unify::Claim>& claims, TimeUs now) {
  if (state_.walks.empty()) return;
  for (const unify::Claim& claim : claims) {
    if (Profile* const profile = state_.find_by(compiled_->identity_ids[claim.rule], claim.value))
      catch_up(*profile, now);
  }
}

// Who was born meanwhile is of this configuration.
void Pipeline::born(Profile& profile) const {
  if (is_behind(profile)) profile.evaluated = state_.walks.back().epoch;
}

void Pipeline::evaluate(std::uint64_t epoch, std::size_t people) {
  if (state_.walks.empty() || state_.walks.back().epoch != epoch) return;
  people = std::clamp(people, std::size_t{1}, slice_people_max);
  const std::vector<ProfileId> ids = state_.ids_after(state_.walks.back().after, UINT64_MAX, people);
  for (const ProfileId id : ids) {
    Profile& profile = *state_.find(id);
    catch_up(profile, state_.now);
    if (profile.evaluated == 0) continue;
    state_.touch(profile);
    profile.evaluated = 0;
  }
  if (ids.size() < people) {
    state_.walks.clear();
  } else {
    state_.walks.back().after = ids.back();
  }
  state_.keep_walks();
}

// A route that is new and asks for the past begins with who is in its audience.
void Pipeline::fill_new_lists(const Profile& profile, TimeUs now) {
  const auto& routes = compiled_->config->routes;
  for (const state::Membership& m : profile.memberships) {
    const std::size_t slot = compiled_->audience_slot(state_.name(m.audience));
    if (slot == SIZE_MAX || parts_->context.waits_audience(slot)) continue;
    for (const std::size_t index : compiled_->audience_routes[slot]) {
      if (!parts_->new_routes[index] || !routes[index].backfill) continue;
      route::route_list(profile, index, true, now, *compiled_, parts_->context, parts_->effects,
                        counters_.routes);
    }
  }
}

}  // namespace sluice::hub
