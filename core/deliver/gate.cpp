#include "deliver/gate.hpp"

#include <algorithm>
#include <mutex>

namespace sluice::deliver {

namespace {

ProfileId end_of(const std::unordered_map<ProfileId, ProfileId>& leads, ProfileId person) {
  for (auto found = leads.find(person); found != leads.end(); found = leads.find(person))
    person = found->second;
  return person;
}

}  // namespace

void Gate::deny(ProfileId person, std::string_view purpose) {
  const ProfileId id = winner_of(person);
  Shard& s = shard(id);
  const std::unique_lock lock(s.mutex);
  std::vector<std::string>& purposes = s.denied[id].purposes;
  if (std::find(purposes.begin(), purposes.end(), purpose) == purposes.end()) purposes.emplace_back(purpose);
  s.people = s.denied.size();
}

void Gate::allow(ProfileId person, std::string_view purpose) {
  const ProfileId id = winner_of(person);
  Shard& s = shard(id);
  const std::unique_lock lock(s.mutex);
  const auto found = s.denied.find(id);
  if (found == s.denied.end()) return;
  std::erase(found->second.purposes, purpose);
  if (found->second.purposes.empty() && !found->second.forgotten) s.denied.erase(found);
  s.people = s.denied.size();
}

void Gate::forget(ProfileId person) {
  const ProfileId id = winner_of(person);
  Shard& s = shard(id);
  const std::unique_lock lock(s.mutex);
  s.denied[id].forgotten = true;
  s.people = s.denied.size();
}

void Gate::merge(ProfileId loser, ProfileId winner) {
  loser = winner_of(loser);
  winner = winner_of(winner);
  if (loser == winner) return;
  Denied denied;
  {
    Shard& s = shard(loser);
    const std::shared_lock lock(s.mutex);
    if (const auto found = s.denied.find(loser); found != s.denied.end()) denied = found->second;
  }
  // First the winner is denied, then the loser becomes the winner: no look-up in between finds an open gate.
  for (const std::string& purpose : denied.purposes) deny(winner, purpose);
  if (denied.forgotten) forget(winner);
  {
    const std::unique_lock lock(merge_mutex_);
    winner_[loser] = winner;
    const ProfileId old_line = end_of(line_, loser), line = end_of(line_, winner);
    if (old_line != line) line_[old_line] = line;
    merges_.push_back({loser, winner, old_line, line});
    merge_count_.store(merges_.size(), std::memory_order_release);
  }
  Shard& s = shard(loser);
  const std::unique_lock lock(s.mutex);
  s.denied.erase(loser);
  s.people = s.denied.size();
}

void Gate::split(ProfileId loser) {
  const ProfileId winner = winner_of(loser);
  if (winner == loser) return;
  Denied denied;
  {
    Shard& s = shard(winner);
    const std::shared_lock lock(s.mutex);
    if (const auto found = s.denied.find(winner); found != s.denied.end()) denied = found->second;
  }
  if (denied.forgotten || !denied.purposes.empty()) {
    Shard& s = shard(loser);
    const std::unique_lock lock(s.mutex);
    s.denied[loser] = std::move(denied);
    s.people = s.denied.size();
  }
  const std::unique_lock lock(merge_mutex_);
  winner_.erase(loser);
}

bool Gate::denies(ProfileId id, std::string_view purpose) const {
  const Shard& s = shard(id);
  if (s.people == 0) return false;
  const std::shared_lock lock(s.mutex);
  const auto found = s.denied.find(id);
  if (found == s.denied.end()) return false;
  if (found->second.forgotten) return true;
  return std::any_of(found->second.purposes.begin(), found->second.purposes.end(),
                     [&](const std::string& denied) { return denied.empty() || denied == purpose; });
}

// A merge between the two look-ups may have taken the denial on to the winner: then it is asked for there.
bool Gate::allows(ProfileId person, std::string_view purpose) const {
  for (;;) {
    const ProfileId id = winner_of(person);
    if (denies(id, purpose)) return false;
    if (winner_of(person) == id) return true;
  }
}

bool Gate::allows(const Effect& effect) const {
  if (effect.person == nobody || effect.op == Operation::erase) return true;
  // Leaving and withdrawing are what the denied person is owed.
  if (effect.op == Operation::remove || effect.op == Operation::leave || effect.op == Operation::consent)
    return true;
  return allows(effect.person, effect.purpose);
}

ProfileId Gate::winner_of(ProfileId person) const {
  if (merge_count() == 0) return person;
  const std::shared_lock lock(merge_mutex_);
  return end_of(winner_, person);
}

ProfileId Gate::line_of(ProfileId person) const {
  if (merge_count() == 0) return person;
  const std::shared_lock lock(merge_mutex_);
  return end_of(line_, person);
}

void Gate::merges_since(std::uint64_t from, std::vector<Merge>& out) const {
  const std::shared_lock lock(merge_mutex_);
  for (std::uint64_t i = from; i < merges_.size(); ++i) out.push_back(merges_[i]);
}

}  // namespace sluice::deliver
