// What connectors count, for /metrics. A connector is no part of the hub: what it reports is checked and
// bounded here, and what does not pass is counted instead.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::hub {

class ConnectorMetrics {  // [any]
 public:
  static constexpr std::size_t names_max = 50;       // of one connector
  static constexpr std::size_t name_bytes_max = 64;  // a letter or _, then letters, digits and _
  static constexpr std::size_t connectors_max = 1'000;

  // `kind` as in sluice/plugin.h: counters and seconds add up, a gauge is what was said last.
  void report(std::string_view connector, std::int32_t kind, std::string_view name, double value);

  struct Row {
    std::string connector, name;
    bool gauge = false;
    double value = 0;
  };
  std::vector<Row> rows() const;  // by connector and name
  std::uint64_t refused() const;  // reports with a bad name or value, or beyond the bounds

 private:
  struct Value {
    bool gauge = false;
    double value = 0;
  };
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, std::map<std::string, Value, std::less<>>, std::less<>> values_;
  std::uint64_t refused_ = 0;
};

}  // namespace sluice::hub
