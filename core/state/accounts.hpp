// Accounts (companies, households): what `group` calls say of them, and who belongs to them. A person belongs
// to one account, that of the newest call. A table of their own beside the people: Table::account holds an
// account, Table::member whose account a person's is.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "model/effect.hpp"
#include "state/profile.hpp"

namespace sluice::state {

inline constexpr std::size_t account_traits_max = 500;  // of one account; what comes beyond is not kept

struct Account {
  std::uint64_t print = 0;  // State::account_print() of its id
  std::string id;           // as the calls say it
  TimeUs first_seen = 0;
  std::vector<Trait> traits;
  std::set<ProfileId> members;  // no part of its row: each member has one
  // Its members' conditions are to be looked at again, from the one behind `after` on.
  bool due = false;
  ProfileId after = nobody;

  const Trait* trait(NameId name) const;
  void encode(std::string& out) const;
  static bool decode(std::string_view bytes, Account& out);  // but the members
};

struct MemberOf {
  std::uint64_t account = 0;  // its print
  TimeUs time = 0;            // of the call
  bool trusted = false;       // of a server source
};

}  // namespace sluice::state
