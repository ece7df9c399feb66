#include "unify/accounts.hpp"

#include <algorithm>

namespace sluice::unify {

namespace {

bool apply(state::State& state, state::Account& account, std::string_view name, Json json,
           const Event& event) {
  if (name.empty() || name.size() > name_bytes_max || name == "id" || name == "members") return false;
  const state::NameId id = state::name_id(name);
  const auto at = std::find_if(account.traits.begin(), account.traits.end(),
                               [&](const state::Trait& t) { return t.name == id; });
  const bool known = at != account.traits.end();
  if (!known && account.traits.size() >= state::account_traits_max) return false;
  if (known && (at->trusted != event.trusted ? at->trusted : at->time > event.time)) return false;
  state::Trait trait{state.intern(name), state::StoredValue::of(json), event.time, state.intern(event.source),
                     event.trusted};
  if (trait.value.is_none()) return false;
  const bool other = known ? at->value != trait.value : trait.value.kind() != state::StoredValue::Kind::null;
  if (known) {
    *at = std::move(trait);
  } else {
    account.traits.push_back(std::move(trait));
  }
  return other;
}

}  // namespace

AccountChange apply_group(state::State& state, const state::Profile& profile, const Event& event,
                          TimeUs now) {
  AccountChange change;
  if (event.kind != EventKind::group || event.third_party_anonymous) return change;
  if (event.name.empty() || event.name.size() > identifier_bytes_max) return change;
  state::Account& account = state.account(event.name, now);
  bool other = false;
  event.root["traits"].members(
      [&](std::string_view name, Json json) { other = apply(state, account, name, json, event) || other; });
  state.keep_account(account);
  if (other) change.changed = &account;
  change.joined = state.join_account(profile.id, account, {account.print, event.time, event.trusted});
  return change;
}

}  // namespace sluice::unify
