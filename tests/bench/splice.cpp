// The least that a destination does: its records' payloads in one body. What isolation costs shows beside it.
#include "sluice/plugin.hpp"

namespace {

namespace sdk = sluice::sdk;

class Splice {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "splice";

  Splice(const sdk::Host&, const sdk::Open&) {}

  static void plan(const sdk::Batch& batch, sdk::Call& call) {
    sdk::Request request{.url = "/", .body = "["};
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      request.body += i == 0 ? "" : ",";
      request.body += batch[i].payload;
      request.state += batch[i].op == SLUICE_EVENT ? 'e' : 'a';
      request.records.push_back(i);
    }
    request.body += ']';
    call.request(request);
  }
};

}  // namespace

SLUICE_PLUGIN(
    R"({"plugin": "splice", "version": "1.0.0", "connectors": [{"id": "splice", "kind": "destination",
  "base_url": "https://api.example.com", "hosts": ["api.example.com"]}]})",
    Splice)
