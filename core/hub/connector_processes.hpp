// Connectors in processes of their own, and how often one had to be started anew: for /metrics and the log.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "config/config.hpp"
#include "plugin/connector.hpp"

namespace sluice::hub {

class ConnectorProcesses {  // [any]
 public:
  static constexpr DurationUs told_every = 10 * us_per_s;  // lines about one connector are no closer

  explicit ConnectorProcesses(const Clock& clock) : clock_(clock) {}

  // Says in the log where the connector of a source or destination runs, now that it has been opened.
  void opened(const std::string& name, const plugin::Entry& entry, const config::Isolation& isolation);
  // Its process has ended before its time, and `how`. Of many in a row the log has the first, and then how
  // many.
  void ended(std::string_view name, const std::string& how);

  struct Row {
    std::string connector;
    std::uint64_t restarts = 0;
  };
  std::vector<Row> rows() const;  // by name: all that have run in a process of their own since the start

 private:
  struct Count {
    std::uint64_t restarts = 0, told = 0;
    DurationUs told_at = -told_every;
  };
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, Count, std::less<>> counts_;
};

}  // namespace sluice::hub
