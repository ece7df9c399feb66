// A source that reads nothing and is only called: orders of a shop, signed by HMAC-SHA256 with a time. The
// other one says in its manifest nothing of how its callers are verified.
#include <string>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

namespace {

namespace sdk = sluice::sdk;

class Hooks {
 public:
  static constexpr std::uint32_t kind = SLUICE_SOURCE;
#if defined(HOOKS_HOOKS)
  static constexpr char id[] = "hooks";
#else
  static constexpr char id[] = "unverified";
#endif

  Hooks(const sdk::Host&, const sdk::Open&) {}

  void receive(const sdk::Incoming& incoming, sdk::Call& call) {
    const sdk::Json order = sdk::Json::parse(incoming.body()).value_or(sdk::Json());
    if (!order["id"]) throw sdk::Fail(SLUICE_INVALID, "it is no order");
    if (order["id"].scalar() == "later") throw sdk::Fail(SLUICE_RETRY, "not now");
    call.record({.key = order["id"].scalar(), .name = "orders", .payload = incoming.body()});
    call.reply(
        {.status = 201, .content_type = "text/plain", .body = "taken", .headers = {{"X-Order", "seen"}}});
  }
};

}  // namespace

#if defined(HOOKS_HOOKS)
#define VERIFY                                                                                                            \
  R"(, "verify": {"type": "hmac_sha256", "header": "X-Signature", "prefix": "v0=", "secret": ["secret", "old_secret"], )" \
  R"("timestamp_header": "X-Time"})"
#define NAME "hooks"
#else
#define VERIFY ""
#define NAME "unverified"
#endif

SLUICE_PLUGIN(
    "{\"plugin\": \"" NAME "\", \"version\": \"1.0.0\", \"connectors\": [{\"id\": \"" NAME
    R"(", "kind": "source", "streams": [{"name": "orders"}], "routes": [{"path": "/orders", "methods": ["POST"])" VERIFY
    R"(}], "config": {"type": "object", "additionalProperties": false, "properties": {)"
    R"("secret": {"type": "string", "x-secret": true}, "old_secret": {"type": "string", "x-secret": true}}}}]})",
    Hooks)
