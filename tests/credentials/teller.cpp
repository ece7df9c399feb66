// Destinations that tell an API behind OAuth 2.0 each record's event name: by plan(), each a request of its
// own, and by deliver(). TELLER is
// its name.
#include <string>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

namespace {

namespace sdk = sluice::sdk;

std::string body_of(const sdk::Record& record) {
  std::string body = "[";
  sdk::append_json_string(body, std::string(record.id) + ' ' + std::string(record.name));
  return body + ']';
}

#if !defined(TELLER_SENDS)
class Plans {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = TELLER;
  Plans(const sdk::Host&, const sdk::Open&) {}

  void plan(const sdk::Batch& batch, sdk::Call& call) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      call.request({.method = "POST", .url = "/records", .body = body_of(batch[i]), .records = {i}});
    }
  }
};

using Teller = Plans;
#else
class Delivers {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = TELLER;
  Delivers(const sdk::Host& host, const sdk::Open&) : host_(host) {}

  void deliver(const sdk::Batch& batch, sdk::Call& call) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const std::int32_t status =
          host_.http({.method = "POST", .url = "/records", .body = body_of(batch[i])}).status;
      call.outcome(i, {.status = sdk::verdict(status)});
    }
  }

 private:
  sdk::Host host_;
};

using Teller = Delivers;
#endif

}  // namespace

#if defined(TELLER_REFRESHES)
#define GRANT R"("refresh_token", "refresh_token": "{secret.refresh_token}",)"
#else
#define GRANT R"("client_credentials",)"
#endif

SLUICE_PLUGIN(
    R"({"plugin": ")" TELLER R"(", "version": "1.0.0", "connectors": [{
"id": ")" TELLER
    R"(", "kind": "destination", "base_url": "{config.url}", "parallel": 8, "batch": {"max_records": 1},
"auth": {"type": "oauth2", "token_url": "{config.url}/token", "client_id": "{config.client_id}",
  "client_secret": "{secret.client_secret}", "grant": )" GRANT R"( "scopes": ["records"]},
"config": {"type": "object", "properties": {"url": {"type": "string"}, "client_id": {"type": "string"},
  "client_secret": {"type": "string", "x-secret": true}, "refresh_token": {"type": "string", "x-secret": true}}}}]})",
    Teller)
