// A good connector, whose records say what it does.
#include <cstring>
#include <new>
#include <stdexcept>

#include "sluice/plugin.hpp"

namespace {

namespace sdk = sluice::sdk;

bool padded(std::string_view text) {
  for (std::size_t i = 0; i < SLUICE_PADDING; ++i) {
    if (text.data()[text.size() + i] != '\0') return false;
  }
  return true;
}

// Does what each record's name says.
class Planted {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION | SLUICE_SOURCE;
  static constexpr char id[] = "planted.both";

  Planted(const sdk::Host& host, const sdk::Open& open)
      : host_(host), config_(open.config), routes_url_(open.routes_url), kind_(open.kind) {
    if (config_.find("refuse") != std::string::npos)
      throw sdk::Fail(SLUICE_INVALID, "the configuration says refuse");
  }

  void plan(const sdk::Batch& batch, sdk::Call& call) {
    sdk::Request request{.url = "/batch", .body = config_ + host_.secret("token")};
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const sdk::Record record = batch[i];
      if (!padded(record.payload)) throw sdk::Fail(SLUICE_INTERNAL, "no padding");
      if (record.name == "leave_out") continue;
      if (record.name == "throw") throw std::runtime_error("ada@example.com");
      if (record.name == "throw_number") throw 42;
      if (record.name == "no_memory") throw std::bad_alloc();
      if (record.name == "skip" || record.name == "twice")
        call.outcome(i, {.status = SLUICE_SKIPPED, .reason = "no_address"});
      if (record.name == "foreign") request.records.push_back(batch.size() + 7);
      if (record.name == "odd") call.outcome(i, {.status = 99, .reason = "Not A Key!"});
      if (record.name == "reply") call.reply({});
      if (record.name != "skip" && record.name != "odd") request.records.push_back(i);
    }
    if (!request.records.empty()) call.request(request);
  }

  void interpret(const sdk::Batch& batch, const sdk::Response& response, sdk::Call& call) {
    if (!padded(response.body())) throw sdk::Fail(SLUICE_INTERNAL, "no padding");
    if (response.purpose() != SLUICE_FOR_PLAN) return settle(response, call);
    if (response.body() == "garbage") throw sdk::Fail(SLUICE_RETRY, "the answer is garbage");
    for (const std::uint32_t i : response.records()) {
      if (batch[i].name == "job") {
        call.request({.method = "GET", .url = "/job", .records = {i}, .state = "job 1", .delay_ms = 100});
      } else if (batch[i].name != "leave_out") {
        call.outcome(i, {.status = sdk::verdict(response.status()),
                         .reason = "said",
                         .remote_id = response.header("x-id")});
      }
    }
    if (response.body() == "everything") {
      for (std::uint32_t i = 0; i < batch.size(); ++i) call.outcome(i, {});
    }
    call.limit("track", 7, 1'000);
  }

  void fetch(const sdk::Poll& poll, sdk::Call& call) {
    call.request({.method = "GET", .url = "/list?after=" + std::string(poll.cursor)});
  }

  void interpret(const sdk::Poll&, const sdk::Response& response, sdk::Call& call) {
    call.record({.key = "1", .name = "rows", .payload = response.body(), .place = "page 1"});
    call.checkpoint("c1");
    if (response.status() != 200) throw sdk::Fail(SLUICE_RETRY, "after the fact");
    call.ended();
  }

  void receive(const sdk::Incoming& incoming, sdk::Call& call) {
    if (kind_ == SLUICE_DESTINATION) return receive_callback(incoming, call);
    call.record({.key = std::string(incoming.peer()), .payload = incoming.body()});
    call.reply({.status = 202, .content_type = "text/plain", .body = "taken", .headers = {{"x-a", "b"}}});
  }

  void check(sdk::Call& call) { call.request({.method = "GET", .url = "/me"}); }

  void discover(const sdk::Discover& what, sdk::Call& call) {
    call.describe(R"({"name": "built_in"})");
    call.request({.method = "GET", .url = "/streams/" + std::string(what.stream)});
  }

  void provision(const sdk::Provision& what, sdk::Call& call) {
    if (what.name.empty()) return call.outcome(0, {.status = SLUICE_INVALID, .detail = "no name"});
    call.request({.url = what.kind == SLUICE_PROVISION_LIST ? "/lists" : "/audiences",
                  .body = std::string(what.name),
                  .state = std::string(what.remote_id)});
  }

  void subscribe(const sdk::Subscribe& what, sdk::Call& call) {
    call.request({.url = "/hooks", .body = std::string(what.route) + ' ' + std::string(what.url)});
  }

  void unsubscribe(const sdk::Subscribe& what, sdk::Call& call) {
    call.request({.method = "DELETE", .url = "/hooks/" + std::string(what.remote_id)});
  }

 private:
  // The body's first letter says what it does.
  void receive_callback(const sdk::Incoming& incoming, sdk::Call& call) {
    const std::string_view body = incoming.body();
    call.record(
        {.op = SLUICE_EVENT, .key = "1", .name = "delivered", .payload = R"({"a":1})", .remote_id = "SM1"});
    if (body == "stop") {
      call.record({.op = SLUICE_CONSENT,
                   .key = "2",
                   .payload = R"({"granted":false,"proof":"STOP"})",
                   .identifiers = R"({"phone":["+33612345678"]})"});
    }
    if (body == "by_id") call.record({.op = SLUICE_EVENT, .id = "j.1.7.0", .key = "7", .name = "failed"});
    if (body == "nobody") call.record({.key = "3", .name = "opened"});
    if (body == "unheard_of") call.record({.key = "4", .name = "burnt", .remote_id = "SM1"});
    if (body == "upsert") call.record({.op = SLUICE_UPSERT, .key = "5", .remote_id = "SM1"});
    if (body == "undecided")
      call.record({.op = SLUICE_CONSENT, .key = "6", .payload = "{}", .remote_id = "SM1"});
    if (body == "checkpoint") call.checkpoint("c");
    call.reply({.status = 200, .body = routes_url_});
  }
  // The answer to everything but records and pages.
  static void settle(const sdk::Response& response, sdk::Call& call) {
    if (response.purpose() == SLUICE_FOR_DISCOVER) {
      call.describe(response.body());
      if (response.state().empty()) call.request({.method = "GET", .url = "/more", .state = "second"});
    } else if (response.body() == "wait") {
      call.request({.method = "GET", .url = "/job", .state = "job", .delay_ms = 1});
    } else if (response.body() != "silence") {
      call.outcome(0, {.status = sdk::verdict(response.status()),
                       .reason = "said",
                       .remote_id = response.header("x-id")});
    }
  }

  sdk::Host host_;
  std::string config_, routes_url_;
  std::uint32_t kind_ = 0;
};

}  // namespace

SLUICE_PLUGIN(R"({"plugin": "planted", "version": "1.0.0", "connectors": [{"id": "planted.both",
  "kind": ["source", "destination"], "base_url": "{config.endpoint}", "hosts": ["api.example.com"],
  "auth": {"type": "header", "name": "authorization", "value": "Bearer {secret.token}"},
  "config": {"properties": {"token": {"type": "string", "x-secret": true}}}}]})",
              Planted)
