// Connectors that were built elsewhere than by this build: SLUICE_BUILT names the folder with one of them,
// SLUICE_CONNECTOR, where it is set, the program that runs it in a process of its own.
#include <catch2/catch.hpp>

#include "support/plugin_host.hpp"

using namespace sluice;
using namespace sluice::testing;

namespace {

struct Built {
  explicit Built(const std::string& config) {
    const char* const folder = ::getenv("SLUICE_BUILT");
    static const plugin::Registry all = plugin::Registry::scan({folder == nullptr ? "" : folder});
    for (const plugin::Refused& refused : all.refused()) UNSCOPED_INFO(refused.reason);
    REQUIRE(all.entries().size() == 1);
    auto opened = plugin::Connector::open(
        all.entries().front(),
        {.name = all.entries().front().plugin, .config = config, .program = connector_program()}, host);
    if (!opened) FAIL(opened.error().detail);
    connector = std::move(opened).value();
  }
  PluginHost host;
  std::unique_ptr<plugin::Connector> connector;
};

const std::string settings = R"({"endpoint": "https://api.example.com", "token": "s3cret"})";

std::vector<plugin::Record> records(const std::vector<std::string>& ids, const std::string& payload) {
  std::vector<plugin::Record> out;
  for (const std::string& id : ids) {
    out.push_back(
        {.id = id, .name = "Said \"so\"", .payload = payload, .remote_id = "there", .audience_id = "a-1"});
  }
  return out;
}

using Indexes = std::vector<std::uint32_t>;

void probe(const std::string& remote_id) {
  Built built("{}");
  const auto batch = records({"first", "second", "third"}, R"({"a":1})");
  const auto planned = built.connector->plan(batch, {}, {.snapshot = "s-1", .part = 2});
  if (!planned) FAIL(planned.error().detail);
  REQUIRE(planned.value().requests.size() == 3);
  for (std::uint32_t i = 0; i < 3; ++i) {
    const plugin::Request& request = planned.value().requests[i];
    CHECK((request.url == "/probe" && request.records == Indexes{i} && request.bucket.empty()));
    const plugin::InterpretOutput out =
        built.connector->interpret(batch, {.status = 200, .state = request.state, .records = {i}}).value();
    REQUIRE(out.outcomes.size() == 1);
    CHECK((out.outcomes[0].record == i && out.outcomes[0].outcome.reason == "probed"));
    CHECK(out.outcomes[0].outcome.remote_id == remote_id);
  }
  CHECK_FALSE(built.connector->offers_subscribe());
  CHECK_FALSE(built.connector->unsubscribe({}));
  CHECK(built.host.complaints.empty());
}

}  // namespace

TEST_CASE("a connector of this version or a newer one is understood as far as this host knows", "[probe]") {
  probe("here");
}

TEST_CASE("a connector of an older version is understood, and what it has not is not offered", "[older]") {
  probe("");
}

TEST_CASE("the collector in C asks once a batch and reads which lines were refused", "[collector]") {
  Built built(settings);
  const auto batch = records({"k\n1", "k2", "k3"}, R"({"a":1})");
  const plugin::PlanOutput planned = built.connector->plan(batch).value();
  REQUIRE(planned.requests.size() == 1);
  CHECK(planned.requests[0].records == Indexes{0, 1, 2});
  CHECK(planned.requests[0].body.starts_with(
      "{\"id\":\"k\\u000a1\",\"name\":\"Said \\\"so\\\"\",\"data\":{\"a\":1}}\n"));
  CHECK(built.connector->plan({}).value().requests.empty());
  const auto judged = [&](std::int32_t status, const std::string& body) {
    return built.connector->interpret(batch, {.status = status, .body = body, .records = {0, 1, 2}})
        .value()
        .outcomes;
  };
  const auto some = judged(200, "2\n3");
  CHECK((some[0].outcome.status == SLUICE_OK && some[1].outcome.status == SLUICE_INVALID &&
         some[2].outcome.status == SLUICE_INVALID && some[1].outcome.reason == "line_refused"));
  CHECK(judged(503, "2")[1].outcome.status == SLUICE_RETRY);
  CHECK(judged(401, "")[0].outcome.status == SLUICE_AUTH);
  CHECK(built.connector->check().value().at(0).url == "/health");
}

TEST_CASE("the ledger in Rust asks once a record and keeps the ledger's id", "[ledger]") {
  Built built(settings);
  const auto batch = records({"k1", "k2"}, R"({"a":1})");
  const plugin::PlanOutput planned = built.connector->plan(batch).value();
  REQUIRE(planned.requests.size() == 2);
  CHECK(planned.requests[1].records == Indexes{1});
  CHECK(planned.requests[1].body == R"({"entry":"Said \"so\"","data":{"a":1}})");
  REQUIRE(planned.requests[1].headers.size() == 2);
  CHECK((planned.requests[1].headers[1].name == "idempotency-key" &&
         planned.requests[1].headers[1].value == "k2"));
  const auto judged = [&](std::int32_t status) {
    return built.connector
        ->interpret(batch,
                    {.status = status, .headers = {{"x-entry", "e7"}}, .retry_after_ms = 5, .records = {1}})
        .value()
        .outcomes.at(0);
  };
  CHECK((judged(201).record == 1 && judged(201).outcome.status == SLUICE_OK &&
         judged(201).outcome.remote_id == "e7"));
  CHECK((judged(429).outcome.status == SLUICE_THROTTLE && judged(429).outcome.retry_after_ms == 5));
  CHECK(judged(422).outcome.status == SLUICE_INVALID);
}

TEST_CASE("a panic in Rust fails the call alone", "[panic]") {
  Built built(settings);
  const auto failed = built.connector->plan(records({"k1"}, R"({"panic":true})"));
  REQUIRE_FALSE(failed);
  CHECK((failed.error().code == Code::transient && failed.error().detail == "a panic in the connector"));
  CHECK(built.connector->plan(records({"k1"}, R"({"a":1})")).value().requests.size() == 1);
}
