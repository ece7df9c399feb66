// A connector that does to its process what each record's name says.
#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>

#include "sluice/plugin.hpp"

#include "faults.hpp"

namespace {

namespace sdk = sluice::sdk;

class Faulty {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "faulty";

  Faulty(const sdk::Host& host, const sdk::Open&) : host_(host) {}

  void plan(const sdk::Batch& batch, sdk::Call& call) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const sdk::Record record = batch[i];
      if (record.name == "twice") call.outcome(i, {});
      if (record.name == "none") continue;
      if (record.name == "foreign") call.outcome(1'000'000, {});
      call.outcome(i, {.reason = "planned", .detail = act(record, call)});
    }
  }

  void interpret(const sdk::Batch& batch, const sdk::Response& response, sdk::Call& call) {
    for (const std::uint32_t i : response.records()) call.outcome(i, {.detail = act(batch[i], call)});
  }

 private:
  std::string act(const sdk::Record& record, sdk::Call& call) {
    const std::string_view name = record.name;
    if (name == "secret_variable") return std::getenv("SLUICE_TEST_SECRET") == nullptr ? "empty" : "seen";
    if (name == "host") return use_host();
    if (name == "thread") return say_from_a_thread();
    if (name == "wait") {
      while (!call.cancelled()) std::this_thread::yield();
    }
    return faults::commit(name, record.payload, host_);
  }

  // While the call itself emits too, as often as this returns.
  std::string say_from_a_thread() {
    std::atomic<bool> done = false;
    std::thread aside([&] {
      for (int i = 0; i < 50; ++i) host_.log(SLUICE_WARN, "said aside " + std::to_string(i));
      for (int i = 0; i < 20'000; ++i) host_.metric(SLUICE_COUNTER, "aside", host_.now_us() > 0 ? 1 : 0);
      done = true;
    });
    int here = 0;
    for (; !done; ++here) host_.metric(SLUICE_COUNTER, "here", 1);
    aside.join();
    return std::to_string(here);
  }

  std::string use_host() {
    host_.put("k", "kept");
    return host_.get("k").value_or("lost");
  }

  sdk::Host host_;
};

}  // namespace

SLUICE_PLUGIN(
    R"({"plugin": "faulty", "version": "1.0.0", "connectors": [{"id": "faulty", "kind": "destination",
  "base_url": "https://api.example.com", "hosts": ["api.example.com"]}]})",
    Faulty)
