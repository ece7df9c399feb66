#include "hub/connector_metrics.hpp"

#include <limits>

#include <catch2/catch.hpp>

#include "sluice/plugin.h"

namespace sluice::hub {

TEST_CASE("what a connector counts adds up, and a gauge is what it said last") {
  ConnectorMetrics metrics;
  metrics.report("crm", SLUICE_COUNTER, "rows", 2);
  metrics.report("crm", SLUICE_COUNTER, "rows", 3);
  metrics.report("crm", SLUICE_SECONDS, "waited", 0.5);
  metrics.report("crm", SLUICE_GAUGE, "lag", 7);
  metrics.report("crm", SLUICE_GAUGE, "lag", -4);
  const auto rows = metrics.rows();
  REQUIRE(rows.size() == 3);
  CHECK((rows[0].name == "lag" && rows[0].gauge && rows[0].value == -4));
  CHECK((rows[1].name == "rows" && !rows[1].gauge && rows[1].value == 5));
  CHECK((rows[2].name == "waited" && rows[2].value == 0.5));
  CHECK(metrics.refused() == 0);
}

TEST_CASE("a connector's metric needs a plain name, a finite value and one kind") {
  ConnectorMetrics metrics;
  for (const char* name : {"", "9rows", "rows-read", "rows read", "rows\"", "rows\n",
                           "zeilen_gr\xc3\xb6\xc3\x9f"
                           "er"}) {
    metrics.report("crm", SLUICE_COUNTER, name, 1);
  }
  metrics.report("crm", SLUICE_COUNTER, std::string(ConnectorMetrics::name_bytes_max + 1, 'a'), 1);
  metrics.report("crm", SLUICE_COUNTER, "rows", std::numeric_limits<double>::infinity());
  metrics.report("crm", SLUICE_GAUGE, "lag", std::numeric_limits<double>::quiet_NaN());
  metrics.report("crm", SLUICE_COUNTER, "rows", -1);
  metrics.report("crm", 99, "rows", 1);
  CHECK(metrics.rows().empty());
  CHECK(metrics.refused() == 12);
  metrics.report("crm", SLUICE_COUNTER, std::string(ConnectorMetrics::name_bytes_max, 'a'), 1);
  metrics.report("crm", SLUICE_GAUGE, std::string(ConnectorMetrics::name_bytes_max, 'a'), 1);
  CHECK(metrics.rows().size() == 1);
  CHECK(metrics.refused() == 13);
}

TEST_CASE("a connector that makes names up is held to a number of them") {
  ConnectorMetrics metrics;
  for (std::size_t i = 0; i < ConnectorMetrics::names_max + 1; ++i) {
    metrics.report("crm", SLUICE_COUNTER, "n" + std::to_string(i), 1);
  }
  CHECK(metrics.rows().size() == ConnectorMetrics::names_max);
  CHECK(metrics.refused() == 1);
  metrics.report("crm", SLUICE_COUNTER, "n0", 1);
  metrics.report("web", SLUICE_COUNTER, "n0", 1);
  CHECK(metrics.refused() == 1);
}

}  // namespace sluice::hub
