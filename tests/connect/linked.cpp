// A destination, and with LINKED_SOURCE a source, behind OAuth by a human (grant authorization_code).
#include <string>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

namespace {

namespace sdk = sluice::sdk;

#if !defined(LINKED_SOURCE)
class Linked {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "linked";
  Linked(const sdk::Host&, const sdk::Open&) {}

  void plan(const sdk::Batch& batch, sdk::Call& call) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      std::string body = "[";
      sdk::append_json_string(body, batch[i].id);
      call.request({.method = "POST", .url = "/records", .body = body + ']', .records = {i}});
    }
  }
};

#define LINKED                                                                                          \
  R"({"plugin": "linked", "version": "1.0.0", "connectors": [{"id": "linked", "kind": "destination", )" \
  R"("parallel": 8, "batch": {"max_records": 1}, )"

#else
class Linked {
 public:
  static constexpr std::uint32_t kind = SLUICE_SOURCE;
  static constexpr char id[] = "linked_source";
  Linked(const sdk::Host&, const sdk::Open&) {}

  void fetch(const sdk::Poll& poll, sdk::Call& call) {
    if (poll.cursor.empty()) call.request({.method = "POST", .url = "/records", .body = R"(["asked"])"});
  }
  void interpret(const sdk::Poll&, const sdk::Response& response, sdk::Call& call) {
    if (response.status() != 200) throw sdk::Fail(SLUICE_RETRY, "no rows");
    call.record({.op = SLUICE_EVENT, .key = "1", .payload = R"({"person": "ada"})"});
    call.checkpoint("1");
  }
};
#define LINKED                                                                                                   \
  R"({"plugin": "linked_source", "version": "1.0.0", "connectors": [{"id": "linked_source", "kind": "source", )" \
  R"("streams": ["rows"], "poll": {"every_s": 1}, )"
#endif

}  // namespace

// clang-format off
#define LINKED_AUTH                                                                                              \
  R"("base_url": "{config.url}", "auth": {"type": "oauth2", "grant": "authorization_code", )"                    \
  R"("authorize_url": "{config.url}/authorize", "token_url": "{config.url}/token", )"                            \
  R"("client_id": "{config.client_id}", "client_secret": "{secret.client_secret}", )"                            \
  R"("scopes": ["records", "offline"]}, "config": {"type": "object", "properties": {"url": {"type": "string"}, )" \
  R"("client_id": {"type": "string"}, "client_secret": {"type": "string", "x-secret": true}}})"
// clang-format on

SLUICE_PLUGIN(LINKED LINKED_AUTH "}]}", Linked)
