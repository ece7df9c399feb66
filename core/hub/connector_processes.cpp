#include "hub/connector_processes.hpp"

#include "base/log.hpp"

namespace sluice::hub {

void ConnectorProcesses::opened(const std::string& name, const plugin::Entry& entry,
                                const config::Isolation& isolation) {
  const std::string what = entry.plugin + ' ' + entry.version;
  if (!isolation.process) return log_info(name, what + " runs in the hub's process");
  constexpr std::size_t sha_shown = 12;
  log_info(name, what + " runs in a process of its own: " + entry.path + ", sha256 " +
                     entry.sha256.substr(0, sha_shown));
  const std::lock_guard lock(mutex_);
  counts_.try_emplace(name);
}

void ConnectorProcesses::ended(std::string_view name, const std::string& how) {
  std::uint64_t more = 0;
  {
    const std::lock_guard lock(mutex_);
    Count& count = counts_.try_emplace(std::string(name)).first->second;
    ++count.restarts;
    const DurationUs now = clock_.monotonic_us();
    if (now < count.told_at + told_every) return;
    count.told_at = now;
    more = count.restarts - count.told - 1;
    count.told = count.restarts;
  }
  log_warn(name,
           "the connector's process " + how + "; it is started anew" +
               (more == 0 ? "" : " (and " + std::to_string(more) + " times more since this was last said)"));
}

std::vector<ConnectorProcesses::Row> ConnectorProcesses::rows() const {
  const std::lock_guard lock(mutex_);
  std::vector<Row> out;
  for (const auto& [name, count] : counts_) out.push_back({name, count.restarts});
  return out;
}

}  // namespace sluice::hub
