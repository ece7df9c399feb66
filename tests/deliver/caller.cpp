// Two connectors that do what each record's name says: one sends by itself, the other plans.
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "sluice/plugin.hpp"

namespace {

namespace sdk = sluice::sdk;

#if defined(CALLER_SENDS)
// Sends each record by the host's HTTP and fails as a whole when one is not taken.
class Sends {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "sends";
  Sends(const sdk::Host& host, const sdk::Open&) : host_(host) {}

  void deliver(const sdk::Batch& batch, sdk::Call& call) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      if (batch[i].name == "leave_out") continue;
      if (batch[i].name == "die") std::abort();
      if (batch[i].name == "throw") throw std::runtime_error("not foreseen");
      const std::int32_t status = host_.http({.url = "/", .body = std::string(batch[i].id)}).status;
      if (status == 0 || status >= 500) throw sdk::Fail(SLUICE_RETRY, "not taken");
      call.outcome(i, {});
    }
  }

 private:
  sdk::Host host_;
};

}  // namespace

SLUICE_PLUGIN(
    R"json({"plugin": "sends", "version": "1.0.0", "connectors": [{"id": "sends", "kind": "destination",
  "unsafe": ["message"], "base_url": "{config.url}", "config": {"type": "object"}}]})json",
    Sends)
#else
// Each record a request of its own, out of the bucket that its name names.
class Plans {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "plans";
  Plans(const sdk::Host&, const sdk::Open&) {}

  void plan(const sdk::Batch& batch, sdk::Call& call) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      call.request({.url = "/",
                    .body = std::string(batch[i].remote_id),
                    .records = {i},
                    .bucket = std::string(batch[i].name)});
    }
  }
  void interpret(const sdk::Batch& batch, const sdk::Response& response, sdk::Call& call) {
    for (const std::uint32_t i : response.records()) {
      call.limit(batch[i].name, 0, 4'000'000'000'000'000);
      if (response.status() == 200) call.outcome(i, {.remote_id = "made"});
    }
  }
};

}  // namespace

SLUICE_PLUGIN(
    R"json({"plugin": "plans", "version": "1.0.0", "connectors": [{"id": "plans", "kind": "destination",
  "rate": [{"bucket": "fast", "per_second": 100}, {"bucket": "slow", "per_minute": 3}],
  "rate_headers": [{"bucket": "fast", "remaining": "X-Left", "reset": "X-Left-In"}],
  "base_url": "{config.url}", "config": {"type": "object"}}]})json",
    Plans)
#endif
