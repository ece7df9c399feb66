// A source that counts, a thousand a second, and a destination that sends on, of many versions: VERSION says
// which, and is in all that they give. CRASHES: one that dies as soon as it runs.
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "sluice/plugin.hpp"

namespace {

namespace sdk = sluice::sdk;

#ifdef CRASHES
[[maybe_unused]] const int at_once = (std::abort(), 0);
#endif

// Record n, from 1 on, is of person n % 50. Its cursor is n. By its key the hub would drop a second one: that
// is another one for each version.
class Counting {
 public:
  static constexpr std::uint32_t kind = SLUICE_SOURCE;
  static constexpr char id[] = "counting";

  Counting(const sdk::Host&, const sdk::Open&) {}

  void read(const sdk::Poll& poll, sdk::Call& call) {
    const auto begin = std::chrono::steady_clock::now();
    const unsigned long from = poll.cursor.empty() ? 0 : std::stoul(std::string(poll.cursor));
    for (unsigned long n = from; !call.cancelled();) {
      const auto due = std::chrono::steady_clock::now() - begin;
      const unsigned long until = from + static_cast<unsigned long>(due / std::chrono::milliseconds(1));
      while (n < until) {
        ++n;
        const std::string number = std::to_string(n);
        const std::string payload =
            R"({"person":"p)" + std::to_string(n % 50) + R"(","n":)" + number + R"(,"read_by":)" VERSION "}";
        const std::string key = number + "." VERSION;
        call.record({.op = SLUICE_EVENT, .key = key, .name = "rows", .payload = payload});
        call.checkpoint(number);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
};

class Sending {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "sending";

  Sending(const sdk::Host&, const sdk::Open&) {}

  // One request a batch: each record's key, the version, and what the source said.
  void plan(const sdk::Batch& batch, sdk::Call& call) {
    std::string body;
    std::vector<std::uint32_t> all;
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const sdk::Record record = batch[i];
      body.append(R"({"key":")").append(record.id).append(R"(","sent_by":)" VERSION R"(,"record":)");
      body.append(record.payload).append("}\n");
      all.push_back(i);
    }
    call.request({.method = "POST", .url = "/", .body = body, .records = all});
  }
};

}  // namespace

SLUICE_PLUGIN(R"({"plugin": "variant", "version": ")" VERSION R"(.0.0", "connectors": [
  {"id": "counting", "kind": "source"},
  {"id": "sending", "kind": "destination", "base_url": "{config.url}", "batch": {"max_records": 50}, "parallel": 4,
   "config": {"type": "object", "required": ["url"], "properties": {"url": {"type": "string", "format": "uri"}}}}]})",
              Counting, Sending)
