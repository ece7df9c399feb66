// Other identity rules, tried on the history: who would be one, and who would not.
#include <algorithm>
#include <set>

#include "hub/plan.hpp"

namespace sluice::hub {

namespace {

using state::Profile;

// Who of `other` somebody of `world` is, by the ids that they had and by what they are known by: ids are of
// the inputs that made people, and the same in both where both made somebody.
std::set<ProfileId> counterparts(const Profile& person, const World& other) {
  std::set<ProfileId> out;
  const auto add = [&](const state::Reading& found) {
    if (found) out.insert(found->id);
  };
  add(other.state.find(person.id));
  for (const state::MergeCause& merge : person.merges) add(other.state.find(merge.loser));
  for (const state::Identifier& i : person.identifiers) add(other.state.find_by(i.type, i.value));
  return out;
}

std::string known_by(const Profile& person, const World& world) {
  std::string out;
  for (const state::Identifier& i : person.identifiers) {
    out.append(out.empty() ? "" : ", ").append(world.state.name(i.type)).append(1, ' ').append(i.value);
  }
  return out.empty() ? "nothing" : out;
}

// What made one of them that is not so in `world`: the last of such merges. Without one the first of them
// would have got what the other is known by.
void find_cause(const Profile& person, const World& world, const World& other, PlannedIdentity::Joined& out) {
  std::set<std::uint64_t> known;
  for (const ProfileId id : out.people) {
    const state::Reading before = world.state.find(id);
    for (const state::MergeCause& merge : before->merges) known.insert(merge.cause);
  }
  for (const state::MergeCause& merge : person.merges) {
    if (known.contains(merge.cause) || merge.cause < out.input) continue;
    out.input = merge.cause;
    out.by = other.state.name(merge.type);
  }
  if (out.input != 0) return;
  const state::Reading second = world.state.find(out.people.back());
  for (const state::Identifier& i : second->identifiers) {
    if (person.has_identifier(i.type, i.value)) out.by = other.state.name(i.type);
  }
}

}  // namespace

PlannedIdentity compare_people(const World& world, const World& other) {
  PlannedIdentity out;
  out.tried = true;
  out.since = other.since;
  std::map<ProfileId, std::vector<ProfileId>> people;  // of `world`, by who they are in `other`
  world.state.each_profile([&](const Profile& person) {
    const std::set<ProfileId> are = counterparts(person, other);
    for (const ProfileId id : are) people[id].push_back(person.id);
    if (are.size() < 2) return;
    out.parted += are.size() - 1;
    if (out.parting.size() == plan_samples_max) return;
    PlannedIdentity::Parted& one = out.parting.emplace_back();
    one.person = person.id;
    for (const ProfileId id : are) one.into.push_back(known_by(*other.state.find(id), other));
  });
  for (auto& [id, were] : people) {
    if (were.size() < 2) continue;
    out.joined += were.size() - 1;
    if (out.joining.size() == plan_samples_max) continue;
    PlannedIdentity::Joined& one = out.joining.emplace_back();
    one.people = std::move(were);
    find_cause(*other.state.find(id), world, other, one);
  }
  return out;
}

}  // namespace sluice::hub
