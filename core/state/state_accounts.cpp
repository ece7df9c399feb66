// Accounts and their members: the part of State that is about them.
#include <algorithm>

#include "state/state_impl.hpp"

namespace sluice::state {

namespace {

constexpr std::uint8_t row_version = 1;
constexpr std::uint64_t print_salt = 0x6163636f756e74;  // an account's id is no person's

std::string member_row(const MemberOf& as) {
  std::string out;
  ByteWriter w(out);
  w.u64(as.account);
  w.zigzag(as.time);
  w.u8(as.trusted ? 1 : 0);
  return out;
}

}  // namespace

const Trait* Account::trait(NameId name) const {
  const auto at = std::find_if(traits.begin(), traits.end(), [&](const Trait& t) { return t.name == name; });
  return at == traits.end() ? nullptr : &*at;
}

void Account::encode(std::string& out) const {
  ByteWriter w(out);
  w.u8(row_version);
  w.u64(print);
  w.text(id);
  w.zigzag(first_seen);
  w.u8(due ? 1 : 0);
  w.u64(after);
  w.varint(traits.size());
  for (const Trait& t : traits) {
    w.u64(t.name);
    w.text(t.value.bytes());
    w.zigzag(t.time);
    w.u64(t.source);
    w.u8(t.trusted ? 1 : 0);
  }
}

bool Account::decode(std::string_view bytes, Account& out) {
  ByteReader r(bytes);
  if (r.u8() != row_version) return false;
  out.print = r.u64();
  out.id = r.text();
  out.first_seen = r.zigzag();
  out.due = r.u8() != 0;
  out.after = r.u64();
  const std::uint64_t traits = r.varint();
  for (std::uint64_t i = 0; i < traits && r.ok(); ++i) {
    Trait t;
    t.name = r.u64();
    t.value = StoredValue::from_bytes(r.text());
    t.time = r.zigzag();
    t.source = r.u64();
    t.trusted = r.u8() != 0;
    out.traits.push_back(std::move(t));
  }
  return r.ok() && r.at_end();
}

void State::Impl::put_member(ProfileId person, const MemberOf& as) {
  const auto [at, fresh] = members.try_emplace(person, as);
  if (fresh || at->second.account != as.account) changed_accounts.insert(as.account);
  if (!fresh) {
    if (at->second.account != as.account) changed_accounts.insert(at->second.account);
    accounts.find(at->second.account)->second->members.erase(person);
    at->second = as;
  }
  std::unique_ptr<Account>& account = accounts[as.account];
  if (!account) account = std::make_unique<Account>();  // its own row comes later, while rows are restored
  account->members.insert(person);
  set_small(Table::member, key_of(person), member_row(as));
}

void State::Impl::drop_member(ProfileId person) {
  const auto at = members.find(person);
  if (at == members.end()) return;
  changed_accounts.insert(at->second.account);
  accounts.find(at->second.account)->second->members.erase(person);
  members.erase(at);
  erase_small(Table::member, key_of(person));
}

// Of two people who are one, the newer call holds, and a server's before a page's.
void State::Impl::absorb_member(ProfileId winner, ProfileId loser) {
  const auto theirs = members.find(loser);
  if (theirs == members.end()) return;
  const MemberOf as = theirs->second;
  drop_member(loser);
  const auto ours = members.find(winner);
  const bool newer = ours == members.end() ||
                     (as.trusted != ours->second.trusted ? as.trusted : as.time > ours->second.time);
  if (newer) put_member(winner, as);
}

bool State::Impl::restore_account(std::string_view value) {
  auto read = std::make_unique<Account>();
  if (!Account::decode(value, *read)) return false;
  std::unique_ptr<Account>& place = accounts[read->print];
  if (place) read->members = std::move(place->members);
  place = std::move(read);
  if (place->due) {
    due_accounts.insert(place->print);
  } else {
    due_accounts.erase(place->print);
  }
  return true;
}

std::uint64_t State::account_print(std::string_view id) const {
  return hash64(id, impl_->seed ^ print_salt);
}

const Account* State::find_account(std::string_view id) const {
  const auto at = impl_->accounts.find(account_print(id));
  return at == impl_->accounts.end() ? nullptr : at->second.get();
}

const Account* State::account_of(ProfileId person) const {
  const auto member = impl_->members.find(person);
  if (member == impl_->members.end()) return nullptr;
  return impl_->accounts.find(member->second.account)->second.get();
}

Account& State::account(std::string_view id, TimeUs at) {
  const std::uint64_t print = account_print(id);
  std::unique_ptr<Account>& place = impl_->accounts[print];
  if (!place) {
    place = std::make_unique<Account>();
    place->print = print;
    place->id = id;
    place->first_seen = at;
    keep_account(*place);
  }
  return *place;
}

void State::keep_account(Account& account) {
  std::string row;
  account.encode(row);
  impl_->set_small(Table::account, key_of(account.print), std::move(row));
  if (account.due) {
    impl_->due_accounts.insert(account.print);
  } else {
    impl_->due_accounts.erase(account.print);
  }
}

bool State::join_account(ProfileId person, Account& account, const MemberOf& as) {
  const auto at = impl_->members.find(person);
  if (at != impl_->members.end()) {
    const MemberOf& known = at->second;
    if (known.trusted != as.trusted ? known.trusted : known.time > as.time) return false;
    if (known.account == account.print) {
      impl_->put_member(person, as);
      return false;
    }
  }
  impl_->put_member(person, as);
  return true;
}

std::vector<Account*> State::take_changed_accounts() {
  std::vector<Account*> out;
  if (impl_->changed_accounts.empty()) return out;
  for (const std::uint64_t print : impl_->changed_accounts)
    out.push_back(impl_->accounts.find(print)->second.get());
  impl_->changed_accounts.clear();
  return out;
}

Account* State::due_account() {
  if (impl_->due_accounts.empty()) return nullptr;
  return impl_->accounts.find(*impl_->due_accounts.begin())->second.get();
}

std::size_t State::accounts() const {
  return impl_->accounts.size();
}

}  // namespace sluice::state
