// Rows of people who were one by mistake and are several again.
#include "base/check.hpp"
#include "state/state_impl.hpp"

namespace sluice::state {

void State::keep_apart() {
  if (!apart.empty()) {
    set_meta(apart_key, apart.encode());
  } else {
    impl_->erase_small(Table::meta, std::string(apart_key));
  }
}

void State::note_touched(ProfileId person) {
  for (Watched& one : apart.watched) {
    if (one.person != person || one.touched == seq) continue;
    one.touched = seq;
    keep_apart();
  }
}

Profile& State::revive(ProfileId id) {
  SLUICE_CHECK(!impl_->people.contains(id));
  impl_->aliases.erase(id);
  impl_->erase_small(Table::alias, key_of(id));
  // Merged since the last checkpoint began: the next one has the new row in place of taking the old one away.
  std::erase(impl_->erased, id);
  std::erase(impl_->changed, id);  // as who it was before
  Profile& made = impl_->people.add(id);
  made.row->written_in = impl_->running ? impl_->generation : 0;
  touch(made);
  return made;
}

void State::replace(Profile& profile, Profile as) {
  SLUICE_CHECK(profile.id == as.id);
  touch(profile);
  for (const Identifier& identifier : profile.identifiers) forget(profile, identifier);
  for (const Membership& m : profile.memberships) count_member(m.audience, -1);
  Row* const row = profile.row;
  profile = std::move(as);
  profile.row = row;
  profile.touch_changes();
  for (const Identifier& identifier : profile.identifiers) index(profile, identifier);
  for (const Entity& entity : profile.entities) index_entity(profile, entity.print);
  for (const Membership& m : profile.memberships) count_member(m.audience, 1);
}

void State::lead(ProfileId from, ProfileId to) {
  if (from == to || impl_->people.contains(from)) return;
  impl_->aliases[from] = to;
  impl_->set_small(Table::alias, key_of(from), key_of(to));
}

void State::put_account(ProfileId person, const Account& account, const MemberOf& as) {
  MemberOf member = as;
  member.account = account.print;
  impl_->put_member(person, member);
}

void State::drop_account(ProfileId person) {
  impl_->drop_member(person);
}

const MemberOf* State::member_of(ProfileId person) const {
  const auto at = impl_->members.find(person);
  return at == impl_->members.end() ? nullptr : &at->second;
}

}  // namespace sluice::state
