#include "isolation.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <memory>
#include <unistd.h>

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

double seconds_of(clockid_t clock) {
  timespec time{};
  (void)::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// The connector's process: the only one that this one has.
Result<clockid_t> clock_of_child() {
  std::ifstream file("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  pid_t child = 0;
  clockid_t clock{};
  if (!(file >> child) || ::clock_getcpuclockid(child, &clock) != 0)
    return Error{Code::misconfigured, "the connector's process is not to be found"};
  return clock;
}

// One connector, and what its rounds took.
struct Side {
  plugin::Connector& connector;
  std::vector<clockid_t> clocks;  // of all that compute for it
  std::vector<double> medians = {};
  double cpu_s = 0;
  std::size_t calls = 0;

  double cpu() const {
    double sum = 0;
    for (const clockid_t clock : clocks) sum += seconds_of(clock);
    return sum;
  }

  Status round(const std::vector<plugin::Record>& batch, std::size_t count) {
    std::vector<double> took;
    took.reserve(count);
    const double before = cpu();
    for (std::size_t i = 0; i < count; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      const auto planned = SLUICE_TRY(connector.plan(batch));
      const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - begin;
      if (planned.requests.empty())
        return Error{Code::corrupt, "the connector planned nothing: this measures nothing"};
      took.push_back(time.count());
    }
    cpu_s += cpu() - before;
    calls += count;
    medians.push_back(median(took));
    return Done{};
  }

  static double median(std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }

  CallCost cost() {
    const auto [least, most] = std::minmax_element(medians.begin(), medians.end());
    CallCost out{0, *least, *most, cpu_s * 1e6 / static_cast<double>(calls)};
    out.wall_us = median(medians);
    return out;
  }
};

Result<IsolationCost> compare(Side here, Side apart, std::size_t count) {
  constexpr std::size_t rounds = 11, records_in_a_round = 30'000, calls_min = 50, calls_max = 3'000;
  const std::size_t calls = std::clamp(records_in_a_round / count, calls_min, calls_max);
  const std::vector<plugin::Record> batch = records(count);
  for (std::size_t round = 0; round < rounds; ++round) {
    SLUICE_TRY(here.round(batch, calls));
    SLUICE_TRY(apart.round(batch, calls));
  }
  return IsolationCost{{}, count, here.cost(), apart.cost()};
}

}  // namespace

Result<std::vector<IsolationCost>> isolation_cost(const std::string& build) {
  const plugin::Registry registry =
      plugin::Registry::scan({build + "/plugins", build + "/tests/bench/splice"});
  std::vector<IsolationCost> out;
  for (const char* const id : {"splice", "braze"}) {
    const plugin::Entry* const entry = registry.find(id, SLUICE_DESTINATION);
    if (entry == nullptr) return Error{Code::misconfigured, build + " has no connector " + id + ": build it"};
    Services services;
    const auto open = [&](const std::string& program) {
      return plugin::Connector::open(*entry,
                                     {.name = "bench",
                                      .config = R"({"endpoint":"https://rest.braze.test","api_key":"k"})",
                                      .program = program},
                                     services);
    };
    const auto here = SLUICE_TRY(open(""));
    const auto apart = SLUICE_TRY(open(build + "/sluice-connector"));
    const clockid_t child = SLUICE_TRY(clock_of_child());
    for (const std::size_t count : {std::size_t{1}, std::size_t{100}, std::size_t{1'000}}) {
      out.push_back(SLUICE_TRY(
          compare({*here, {CLOCK_THREAD_CPUTIME_ID}}, {*apart, {CLOCK_THREAD_CPUTIME_ID, child}}, count)));
      out.back().connector = id;
    }
  }
  return out;
}

}  // namespace sluice::bench
