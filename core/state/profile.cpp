#include "state/profile.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "base/near.hpp"

namespace sluice::state {

NameId name_id(std::string_view name) {
  return hash64(name, 0x6e616d65);
}

namespace {

template <typename V, typename F>
auto* find_in(V& items, F&& matches) {
  const auto at = std::find_if(items.begin(), items.end(), matches);
  return at == items.end() ? nullptr : &*at;
}

}  // namespace

const Trait* Profile::trait(NameId name) const {
  return find_in(traits, [&](const Trait& t) { return t.name == name; });
}
Trait* Profile::trait(NameId name) {
  return find_in(traits, [&](const Trait& t) { return t.name == name; });
}
const ConsentState* Profile::consent(NameId purpose) const {
  return find_in(consents, [&](const ConsentState& c) { return c.purpose == purpose; });
}
const Membership* Profile::membership(NameId audience) const {
  return find_in(memberships, [&](const Membership& m) { return m.audience == audience; });
}
Series* Profile::find_series(std::uint64_t key) {
  return find_in(series, [&](const Series& s) { return s.key == key; });
}
const Series* Profile::find_series(std::uint64_t key) const {
  return find_in(series, [&](const Series& s) { return s.key == key; });
}
Sequence* Profile::find_sequence(std::uint64_t key) {
  return find_in(sequences, [&](const Sequence& s) { return s.key == key; });
}
const Sequence* Profile::find_sequence(std::uint64_t key) const {
  return find_in(sequences, [&](const Sequence& s) { return s.key == key; });
}
bool Profile::has_identifier(NameId type, std::string_view value) const {
  return find_in(identifiers, [&](const Identifier& i) { return i.type == type && i.value == value; }) !=
         nullptr;
}
bool Profile::has_entity(std::uint64_t print) const {
  return find_in(entities, [&](const Entity& e) { return e.print == print; }) != nullptr;
}
RouteMark* Profile::mark(NameId route) {
  return find_in(marks, [&](const RouteMark& m) { return m.route == route; });
}

void Profile::touch_changes() {
  for (const Series& s : series) s.change.touched = true;
  for (const Sequence& s : sequences) s.change.touched = true;
  now_change.touched = true;
}

void Profile::bring_near() const {
  const auto near = sluice::bring_near;
  near(identifiers.data(), identifiers.size() * sizeof(Identifier));
  near(traits.data(), traits.size() * sizeof(Trait));
  near(series.data(), series.size() * sizeof(Series));
  near(memberships.data(), memberships.size() * sizeof(Membership));
  near(row, 384);  // what is borrowed from
}

void Profile::bring_series_near() const {
  for (const Series& s : series) s.bring_near();
}

bool Profile::has_refused() const {
  return std::any_of(consents.begin(), consents.end(), [](const ConsentState& c) { return !c.granted; });
}

}  // namespace sluice::state
