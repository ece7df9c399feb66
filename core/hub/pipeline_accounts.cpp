// Accounts in the step: a trait of an account concerns each of its members, and they may be many. So many are
// looked at with one input, and the account's row says where the next goes on; while some are left, a tick is
// due.
#include "base/time.hpp"
#include "hub/pipeline.hpp"
#include "hub/pipeline_parts.hpp"
#include "unify/accounts.hpp"

namespace sluice::hub {

namespace {
constexpr std::size_t members_per_input = 256;
}

void Pipeline::change_account(state::Account& account) {
  if (compiled_->by_account.audiences.empty() && compiled_->by_account.routes.empty()) return;
  account.due = true;
  account.after = nobody;
  state_.keep_account(account);
}

void Pipeline::group(const state::Profile& profile, const Event& event, TimeUs now) {
  if (event.kind == EventKind::group) {
    const unify::AccountChange change = unify::apply_group(state_, profile, event, now);
    if (change.joined || change.changed != nullptr) parts_->readers.add(compiled_->by_account);
    if (change.changed != nullptr) change_account(*change.changed);
  }
  for (state::Account* const account : state_.take_changed_accounts()) {
    if (compiled_->reads_members) change_account(*account);
  }
}

void Pipeline::continue_accounts() {
  std::vector<ProfileId> members;
  for (std::size_t left = members_per_input; left > 0;) {
    state::Account* const account = state_.due_account();
    if (account == nullptr) return;
    members.clear();
    auto at = account->members.upper_bound(account->after);
    for (; at != account->members.end() && members.size() < left; ++at) members.push_back(*at);
    left -= members.size();
    account->due = at != account->members.end();
    account->after = account->due ? members.back() : nobody;
    state_.keep_account(*account);
    for (const ProfileId id : members) {
      state::Profile* const profile = state_.find(id);
      if (profile == nullptr) continue;
      state_.touch(*profile);
      catch_up(*profile, state_.now);
      parts_->readers.clear();
      parts_->readers.add(compiled_->by_account);
      settle(*profile, nullptr, false, state_.now, Cause::input, parts_->effects.waiting());
    }
  }
}

void Pipeline::tell_quarantine(const unify::Resolution& who, StepOutput& out) const {
  for (const std::size_t slot : who.quarantined) {
    const config::IdentityRule& rule = compiled_->config->identity[slot];
    out.notices.push_back("an identifier of the type '" + rule.id + "' has joined more than " +
                          std::to_string(rule.joins_most) + " people within " +
                          format_duration(rule.joins_within) +
                          " and joins no more: sluice identity quarantine list");
  }
}

}  // namespace sluice::hub
