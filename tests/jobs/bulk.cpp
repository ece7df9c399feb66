// A destination whose API takes records as a job that is asked for until it is done.
#include <string>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

namespace {

namespace sdk = sluice::sdk;

class Bulk {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "bulk";
  Bulk(const sdk::Host&, const sdk::Open&) {}

  void plan(const sdk::Batch& batch, sdk::Call& call) {
    sdk::Request request{.url = "/jobs", .body = R"({"records":[)"};
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      if (i > 0) request.body += ',';
      sdk::append_json_string(request.body, batch[i].id);
      request.records.push_back(i);
    }
    request.body += "]}";
    call.request(request);
  }

  // The state is the job: empty until there is one.
  void interpret(const sdk::Batch&, const sdk::Response& response, sdk::Call& call) {
    const sdk::Json said = sdk::Json::parse(response.body()).value_or(sdk::Json());
    const std::string job(response.state().empty() ? said["job"].text_or("") : response.state());
    const bool runs = response.status() == 202 || said["state"].text_or("") == "running";
    if (runs && !job.empty()) {
      return call.request({.method = "GET",
                           .url = "/jobs/" + job,
                           .records = {response.records().begin(), response.records().end()},
                           .state = job,
                           .delay_ms = 50});
    }
    for (const std::uint32_t i : response.records())
      call.outcome(i, {.status = sdk::verdict(response.status())});
  }
};

}  // namespace

SLUICE_PLUGIN(R"({"plugin": "bulk", "version": "1.0.0", "connectors": [{"id": "bulk", "kind": "destination",
"base_url": "{config.url}", "parallel": 4,
"config": {"type": "object", "properties": {"url": {"type": "string"}}}}]})",
              Bulk)
