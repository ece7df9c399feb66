#include "isolation.hpp"

#include <algorithm>
#include <chrono>
#include <memory>

#include "plugin/connector.hpp"

namespace sluice::bench {

namespace {

class Services final : public plugin::HostServices {
 public:
  void log(std::int32_t, std::string_view) override {}
  TimeUs now_us() override { return 0; }
  void metric(std::int32_t, std::string_view, double) override {}
  Result<std::optional<std::string>> get(std::string_view) override { return std::optional<std::string>(); }
  Status put(std::string_view, std::optional<std::string_view>) override { return Done{}; }
  plugin::Response http(const plugin::HttpRequest&) override { return {}; }
};

std::vector<plugin::Record> records(std::size_t count) {
  constexpr std::size_t payload_bytes = 631;
  std::vector<plugin::Record> out;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    std::string payload = R"({"product_id":"P)" + number + R"(","price":12.5,"currency":"EUR","note":")";
    payload += std::string(payload_bytes - payload.size() - 2, 'x') + "\"}";
    out.push_back({.op = SLUICE_EVENT,
                   .time = 1'700'000'000'000'000,
                   .id = "j.1." + number + ".0",
                   .key = "p" + number,
                   .name = "Order Completed",
                   .payload = std::move(payload),
                   .identifiers = R"({"user_id":["u)" + number + R"("]})"});
  }
  return out;
}

Result<double> median_us(plugin::Connector& connector, const std::vector<plugin::Record>& batch) {
  constexpr std::size_t records_in_all = 300'000, calls_min = 300, calls_max = 20'000;
  const std::size_t calls = std::clamp(records_in_all / batch.size(), calls_min, calls_max);
  std::vector<double> took;
  for (std::size_t i = 0; i < calls + calls / 10; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto planned = SLUICE_TRY(connector.plan(batch));
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - begin;
    if (planned.requests.empty())
      return Error{Code::corrupt, "the connector planned nothing: this measures nothing"};
    if (i >= calls / 10) took.push_back(time.count());
  }
  std::nth_element(took.begin(), took.begin() + static_cast<std::ptrdiff_t>(took.size() / 2), took.end());
  return took[took.size() / 2];
}

}  // namespace

Result<std::vector<IsolationCost>> isolation_cost(const std::string& build) {
  const plugin::Registry registry = plugin::Registry::scan({build + "/plugins"});
  const plugin::Entry* const braze = registry.find("braze", SLUICE_DESTINATION);
  if (braze == nullptr) return Error{Code::misconfigured, build + "/plugins has no braze.so: build it"};
  Services services;
  const auto open = [&](const std::string& program) {
    return plugin::Connector::open(*braze,
                                   {.name = "bench",
                                    .config = R"({"endpoint":"https://rest.braze.test","api_key":"k"})",
                                    .program = program},
                                   services);
  };
  const auto here = SLUICE_TRY(open(""));
  const auto apart = SLUICE_TRY(open(build + "/sluice-connector"));
  std::vector<IsolationCost> out;
  for (const std::size_t count : {std::size_t{1}, std::size_t{100}, std::size_t{1'000}}) {
    const std::vector<plugin::Record> batch = records(count);
    IsolationCost cost{count, 0, 0};
    cost.in_process_us = SLUICE_TRY(median_us(*here, batch));
    cost.apart_us = SLUICE_TRY(median_us(*apart, batch));
    out.push_back(cost);
  }
  return out;
}

}  // namespace sluice::bench
