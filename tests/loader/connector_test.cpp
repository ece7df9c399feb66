#include <catch2/catch.hpp>

#include "support/plugin_host.hpp"

using namespace sluice;
using namespace sluice::testing;

namespace {

struct Open {
  explicit Open(std::uint32_t kind = 0) {
    const char* const folder = ::getenv("SLUICE_PLANTED");
    static const plugin::Registry all = plugin::Registry::scan(
        {std::string(folder == nullptr ? "build/dev/tests/planted" : folder) + "/good"});
    const std::string config = R"({"endpoint": "https://api.example.com/v1/", "token": "s3cret", "x": 1})";
    connector = plugin::Connector::open(all.entries().at(0),
                                        {.name = "x",
                                         .config = config,
                                         .routes_url = "https://hub.acme.test/in/x",
                                         .kind = kind,
                                         .program = connector_program()},
                                        host)
                    .value();
  }
  PluginHost host;
  std::unique_ptr<plugin::Connector> connector;
};

std::vector<plugin::Record> records(const std::vector<std::string>& names) {
  std::vector<plugin::Record> out;
  for (const std::string& name : names) out.push_back({.name = name, .payload = R"({"a":1})"});
  return out;
}

using Indexes = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("plan gives each record a request or an outcome, and secrets stay out of the configuration") {
  Open open;
  const auto batch = records({"a", "skip", "b"});
  const plugin::PlanOutput out = open.connector->plan(batch).value();
  REQUIRE(out.requests.size() == 1);
  CHECK(out.requests[0].records == Indexes{0, 2});
  CHECK(out.requests[0].purpose == SLUICE_FOR_PLAN);
  CHECK(out.requests[0].body == R"({"endpoint":"https://api.example.com/v1/","x":1}s3cret)");
  REQUIRE(out.outcomes.size() == 1);
  CHECK((out.outcomes[0].record == 1 && out.outcomes[0].outcome.status == SLUICE_SKIPPED));
  CHECK(out.faults.empty());
  CHECK(open.connector->plan({}).value().requests.empty());
}

TEST_CASE("a record that a connector leaves out is its bug and is tried again") {
  Open open;
  const plugin::PlanOutput out = open.connector->plan(records({"leave_out", "a"})).value();
  REQUIRE(out.outcomes.size() == 1);
  CHECK((out.outcomes[0].record == 0 && out.outcomes[0].outcome.status == SLUICE_INTERNAL));
  CHECK(out.faults.size() == 1);
  CHECK(open.host.complaints.size() == 1);
}

TEST_CASE("a record decided twice keeps the first fate, one of another batch none") {
  Open open;
  const plugin::PlanOutput out = open.connector->plan(records({"twice", "foreign"})).value();
  REQUIRE(out.requests.size() == 1);
  CHECK(out.requests[0].records == Indexes{1});
  REQUIRE(out.outcomes.size() == 1);
  CHECK(out.outcomes[0].outcome.status == SLUICE_SKIPPED);
  CHECK(out.faults.size() == 2);
}

TEST_CASE("a status that nobody knows is read as internal, a reason that is no key as other") {
  Open open;
  const plugin::PlanOutput out = open.connector->plan(records({"odd"})).value();
  REQUIRE(out.outcomes.size() == 1);
  CHECK(out.outcomes[0].outcome.status == SLUICE_INTERNAL);
  CHECK(out.outcomes[0].outcome.reason == "other");
}

TEST_CASE("what a connector throws becomes a failure, and nothing that it emitted before counts") {
  Open open;
  for (const char* const name : {"throw", "throw_number", "no_memory", "reply"}) {
    const Result<plugin::PlanOutput> out = open.connector->plan(records({"skip", name}));
    REQUIRE_FALSE(out);
    CHECK((out.error().code == Code::transient || out.error().code == Code::rejected));
    CHECK(out.error().detail.find("ada@example.com") == std::string::npos);
  }
}

TEST_CASE("a constructor that fails says why") {
  Open open;
  const auto refused = plugin::Connector::open(
      open.connector->entry(),
      {.name = "x", .config = R"({"endpoint": "https://a.test/refuse", "token": "t"})"}, open.host);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::rejected);
  CHECK(refused.error().detail == "the configuration says refuse");
  const auto missing = plugin::Connector::open(
      open.connector->entry(), {.name = "x", .config = R"({"endpoint": "https://a.test"})"}, open.host);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == Code::misconfigured);
  CHECK(missing.error().detail == "the secret 'token' is missing in 'with:'");
}

TEST_CASE("interpret decides the records of its response alone") {
  Open open;
  const auto batch = records({"a", "b", "leave_out", "job"});
  const plugin::Response response{
      .status = 201, .body = "everything", .headers = {{"x-id", "r1"}}, .records = {1, 2, 3}};
  const plugin::InterpretOutput out = open.connector->interpret(batch, response).value();
  REQUIRE(out.outcomes.size() == 2);
  CHECK((out.outcomes[0].record == 1 && out.outcomes[0].outcome.remote_id == "r1"));
  CHECK(out.outcomes[1].record == 2);
  REQUIRE(out.requests.size() == 1);
  CHECK((out.requests[0].records == Indexes{3} && out.requests[0].state == "job 1" &&
         out.requests[0].delay_ms == 100));
  REQUIRE(out.limits.size() == 1);
  CHECK((out.limits[0].bucket == "track" && out.limits[0].remaining == 7 && out.limits[0].reset == 1'000));
  const plugin::Response garbage{.status = 200, .body = "garbage", .records = {0}};
  CHECK(open.connector->interpret(batch, garbage).error().code == Code::transient);
}

TEST_CASE("what fetching emits is handed over only when the call succeeded") {
  Open open;
  RecordingSink sink;
  const plugin::FetchOutput first = open.connector->fetch({.cursor = "c0"}, sink).value();
  REQUIRE(first.requests.size() == 1);
  CHECK((first.requests[0].url == "/list?after=c0" && first.requests[0].purpose == SLUICE_FOR_FETCH));
  plugin::Response response{.status = 500, .body = R"({"a":1})", .purpose = SLUICE_FOR_FETCH};
  CHECK_FALSE(open.connector->interpret_fetched({}, response, sink));
  CHECK(sink.rows.empty());
  CHECK(sink.cursors.empty());
  response.status = 200;
  CHECK(open.connector->interpret_fetched({}, response, sink));
  REQUIRE(sink.rows.size() == 1);
  CHECK((sink.rows[0].key == "1" && sink.rows[0].place == "page 1"));
  CHECK(sink.cursors == std::vector<std::string>{"c1"});
  CHECK(sink.has_ended);
}

TEST_CASE("a record that is no JSON object is rejected, not passed on") {
  Open open;
  RecordingSink sink;
  CHECK(open.connector->interpret_fetched({}, {.status = 200, .body = "[1]", .purpose = SLUICE_FOR_FETCH},
                                          sink));
  CHECK(sink.rows.empty());
  REQUIRE(sink.bad.size() == 1);
  CHECK((sink.bad[0].reason == "no_json_object" && sink.bad[0].text == "[1]"));
}

TEST_CASE("an incoming request gives records and a reply") {
  Open open;
  RecordingSink sink;
  const plugin::Reply reply =
      open.connector->receive({.body = R"({"b":2})", .peer = "192.0.2.1"}, sink).value();
  CHECK((reply.status == 202 && reply.body == "taken" && reply.headers.size() == 1));
  REQUIRE(sink.rows.size() == 1);
  CHECK(sink.rows[0].payload == R"({"b":2})");
}

TEST_CASE("what a destination receives are receipts and consent, about a message or a person") {
  Open open(SLUICE_DESTINATION);
  RecordingSink sink;
  const plugin::Reply reply = open.connector->receive({.body = "stop"}, sink).value();
  CHECK((reply.status == 200 && reply.body == "https://hub.acme.test/in/x"));
  REQUIRE(sink.rows.size() == 2);
  CHECK((sink.rows[0].op == SLUICE_EVENT && sink.rows[0].name == "delivered"));
  CHECK((sink.rows[0].remote_id == "SM1" && sink.rows[0].identifiers.empty()));
  CHECK((sink.rows[1].op == SLUICE_CONSENT && sink.rows[1].remote_id.empty()));
  CHECK(sink.rows[1].identifiers == R"({"phone":["+33612345678"]})");
  CHECK(sink.rows[1].payload == R"({"granted":false,"proof":"STOP"})");
  CHECK(open.connector->receive({.body = "by_id"}, sink));
  REQUIRE(sink.rows.size() == 4);
  CHECK((sink.rows[3].id == "j.1.7.0" && sink.rows[3].name == "failed"));
}

TEST_CASE("a callback that is about nobody, or that a destination does not emit, costs the whole call") {
  Open open(SLUICE_DESTINATION);
  for (const char* const body : {"nobody", "unheard_of", "upsert", "undecided", "checkpoint"}) {
    INFO(body);
    RecordingSink sink;
    CHECK_FALSE(open.connector->receive({.body = body}, sink));
    CHECK(sink.rows.empty());
  }
  CHECK(open.host.complaints.size() == 5);
}

TEST_CASE("check asks for a request that goes to the configured address with the credentials") {
  Open open;
  const std::vector<plugin::Request> requests = open.connector->check().value();
  REQUIRE(requests.size() == 1);
  const plugin::HttpRequest ready = plugin::resolve(open.connector->http_policy(), requests[0], 0).value();
  CHECK(ready.url == "https://api.example.com/v1/me");
  CHECK(ready.host_trusted);
  REQUIRE(ready.headers.size() == 1);
  CHECK((ready.headers[0].name == "authorization" && ready.headers[0].value == "Bearer s3cret"));
}

TEST_CASE("a connector without the function that is called says so") {
  Open open;
  const auto out = open.connector->deliver(records({"a"}));
  REQUIRE_FALSE(out);
  CHECK(out.error().code == Code::misconfigured);
}
