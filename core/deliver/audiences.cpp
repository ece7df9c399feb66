#include "deliver/audiences.hpp"

#include <utility>

namespace sluice::deliver {

namespace {

bool has_audience(const plugin::Record& record) {
  return record.op == SLUICE_ENTER || record.op == SLUICE_LEAVE || record.op == SLUICE_SNAPSHOT_BEGIN ||
         record.op == SLUICE_SNAPSHOT_END;
}

}  // namespace

std::string Audiences::fill(std::vector<plugin::Record>& records) const {
  for (plugin::Record& record : records) {
    if (!has_audience(record)) continue;
    const auto at = audiences_.find(record.name);
    if (at == audiences_.end() || at->second.id.empty()) return record.name;
    record.audience_id = at->second.id;
  }
  return {};
}

bool Audiences::sought(const std::string& name) const {
  const auto at = audiences_.find(name);
  return at != audiences_.end() && at->second.sought;
}

Result<plugin::Provision> Audiences::seek(const std::string& name) {
  plugin::Provision what{.name = name};
  if (database_ != nullptr) what.remote_id = SLUICE_TRY(database_->audience(destination_, name));
  audiences_[name].sought = true;
  return what;
}

Status Audiences::found(const std::string& name, std::string id) {
  if (database_ != nullptr) {
    if (const Status kept = database_->keep_audience(destination_, name, id); !kept) {
      failed(name, {Fate::retry, -1, "store_failed", kept.error().detail, {}});
      return kept;
    }
  }
  audiences_[name].id = std::move(id);
  settle(name);
  return Done{};
}

void Audiences::failed(const std::string& name, Verdict why) {
  audiences_[name].failure = std::move(why);
  settle(name);
}

void Audiences::settle(const std::string& name) {
  audiences_[name].sought = false;
  std::vector<std::function<void()>> settled;
  {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = waiting_.equal_range(name);
    for (auto at = first; at != last; ++at) settled.push_back(std::move(at->second));
    waiting_.erase(first, last);
  }
  for (const auto& tell : settled) tell();
}

void Audiences::wait(const std::string& name, std::function<void()> settled) {
  if (!sought(name)) return settled();
  const std::lock_guard lock(mutex_);
  waiting_.emplace(name, std::move(settled));
}

void Audiences::release_all() {
  std::multimap<std::string, std::function<void()>> waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting.swap(waiting_);
  }
  for (const auto& [name, tell] : waiting) tell();
}

void Audiences::forget(const std::string& name, const std::string& id) {
  const auto at = audiences_.find(name);
  if (at != audiences_.end() && at->second.id == id) at->second.id.clear();
}

}  // namespace sluice::deliver
