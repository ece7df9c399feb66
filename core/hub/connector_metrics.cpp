#include "hub/connector_metrics.hpp"

#include <algorithm>
#include <cmath>

#include "sluice/plugin.h"

namespace sluice::hub {

namespace {

bool is_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (name.empty() || name.size() > ConnectorMetrics::name_bytes_max || !letter(name.front())) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

}  // namespace

void ConnectorMetrics::report(std::string_view connector, std::int32_t kind, std::string_view name,
                              double value) {
  const bool gauge = kind == SLUICE_GAUGE;
  const bool known = gauge || kind == SLUICE_COUNTER || kind == SLUICE_SECONDS;
  const std::lock_guard lock(mutex_);
  if (!known || !is_name(name) || !std::isfinite(value) || (!gauge && value < 0)) {
    ++refused_;
    return;
  }
  auto of = values_.find(connector);
  if (of == values_.end()) {
    if (values_.size() >= connectors_max) {
      ++refused_;
      return;
    }
    of = values_.try_emplace(std::string(connector)).first;
  }
  auto at = of->second.find(name);
  if (at == of->second.end()) {
    if (of->second.size() >= names_max) {
      ++refused_;
      return;
    }
    at = of->second.try_emplace(std::string(name), Value{gauge, 0}).first;
  }
  Value& place = at->second;
  if (place.gauge != gauge) {  // one name is one kind
    ++refused_;
    return;
  }
  place.value = gauge ? value : place.value + value;
}

std::vector<ConnectorMetrics::Row> ConnectorMetrics::rows() const {
  const std::lock_guard lock(mutex_);
  std::vector<Row> out;
  for (const auto& [connector, values] : values_) {
    for (const auto& [name, value] : values) out.push_back({connector, name, value.gauge, value.value});
  }
  return out;
}

std::uint64_t ConnectorMetrics::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

}  // namespace sluice::hub
