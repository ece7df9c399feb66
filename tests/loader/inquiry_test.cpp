// discover(), provision(), subscribe() and unsubscribe(), asked of a connector as the hub asks them.
#include "plugin/inquiry.hpp"

#include <deque>

#include <catch2/catch.hpp>

#include "support/plugin_host.hpp"

using namespace sluice;
using namespace sluice::testing;

namespace {

// A vendor that gives its answers one after the other.
class Vendor final : public plugin::HostServices {
 public:
  void log(std::int32_t level, std::string_view text) override {
    if (level >= SLUICE_WARN) complaints.emplace_back(text);
  }
  TimeUs now_us() override { return 0; }
  void metric(std::int32_t, std::string_view, double) override {}
  Result<std::optional<std::string>> get(std::string_view) override { return std::optional<std::string>(); }
  Status put(std::string_view, std::optional<std::string_view>) override { return Done{}; }
  plugin::Response http(const plugin::HttpRequest& request) override {
    asked.push_back(request.method + ' ' + request.url + (request.body.empty() ? "" : ' ' + request.body));
    if (answers.empty()) return {.error = "nobody is there"};
    plugin::Response answer = answers.front();
    if (!repeats) answers.pop_front();
    return answer;
  }
  std::deque<plugin::Response> answers;
  bool repeats = false;  // the last answer, without end
  std::vector<std::string> asked, complaints;
};

struct Open {
  Open() {
    static const plugin::Registry all =
        plugin::Registry::scan({std::string(::getenv("SLUICE_PLANTED")) + "/good"});
    const std::string config = R"({"endpoint": "https://api.example.com", "token": "s3cret"})";
    connector =
        plugin::Connector::open(all.entries().at(0),
                                {.name = "x", .config = config, .program = connector_program()}, vendor)
            .value();
  }
  Vendor vendor;
  std::unique_ptr<plugin::Connector> connector;
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("discover collects what the connector knows and what each page describes") {
  Open open;
  CHECK((open.connector->offers_discover() && open.connector->offers_provision() &&
         open.connector->offers_subscribe()));
  open.vendor.answers = {{.status = 200, .body = R"({"name": "orders"})"},
                         {.status = 200, .body = R"({"name": "people", "fields": []})"}};
  const Texts streams = plugin::discover(*open.connector, open.vendor).value();
  CHECK(streams ==
        Texts{R"({"name": "built_in"})", R"({"name": "orders"})", R"({"name": "people", "fields": []})"});
  CHECK(open.vendor.asked ==
        Texts{"GET https://api.example.com/streams/", "GET https://api.example.com/more"});
  CHECK(open.vendor.complaints.empty());
}

TEST_CASE("a stream is asked for by its name, and what describes none is left out as the connector's fault") {
  Open open;
  open.vendor.answers = {{.status = 200, .body = R"({"title": "nameless"})"}, {.status = 200, .body = "[]"}};
  CHECK(plugin::discover(*open.connector, open.vendor, "orders").value() == Texts{R"({"name": "built_in"})"});
  CHECK(open.vendor.asked.at(0) == "GET https://api.example.com/streams/orders");
  CHECK(open.vendor.complaints.size() == 2);
}

TEST_CASE("provision gives the remote id, also after a job that has to be waited for") {
  Open open;
  open.vendor.answers = {{.status = 202, .body = "wait"}, {.status = 200, .headers = {{"x-id", "a-7"}}}};
  CHECK(plugin::provision(*open.connector, open.vendor, {.name = "Big spenders"}).value() == "a-7");
  CHECK(open.vendor.asked ==
        Texts{"POST https://api.example.com/audiences Big spenders", "GET https://api.example.com/job"});
}

TEST_CASE("provision hands the request's state back with its answer and asks by kind") {
  Open open;
  const plugin::Inquiry asked =
      open.connector->provision({.kind = SLUICE_PROVISION_LIST, .name = "n", .remote_id = "old"}).value();
  REQUIRE(asked.requests.size() == 1);
  CHECK((asked.requests[0].url == "/lists" && asked.requests[0].state == "old" &&
         asked.requests[0].purpose == SLUICE_FOR_PROVISION));
  CHECK_FALSE(asked.outcome);
}

TEST_CASE("what a vendor refuses is told with what can be done about it") {
  Open open;
  const auto code = [&](std::int32_t status) {
    open.vendor.answers = {{.status = status}};
    return plugin::provision(*open.connector, open.vendor, {.name = "n"}).error().code;
  };
  CHECK(code(401) == Code::misconfigured);
  CHECK(code(422) == Code::rejected);
  CHECK(code(503) == Code::transient);
  CHECK(code(200) == Code::transient);  // accepted, but no id was named
  open.vendor.answers.clear();
  CHECK(plugin::provision(*open.connector, open.vendor, {.name = "n"}).error().code == Code::transient);
}

TEST_CASE("a connector may decide without asking") {
  Open open;
  const Error refused = plugin::provision(*open.connector, open.vendor, {}).error();
  CHECK((refused.code == Code::rejected && refused.detail == "no name"));
  CHECK(open.vendor.asked.empty());
}

TEST_CASE("a webhook is registered under an id and taken back by it") {
  Open open;
  open.vendor.answers = {{.status = 201, .headers = {{"x-id", "hook-1"}}}, {.status = 204}};
  const plugin::Subscription hook{.route = "/contact", .url = "https://hub.example.com/in/contact"};
  const std::string id = plugin::subscribe(*open.connector, open.vendor, hook).value();
  CHECK(id == "hook-1");
  CHECK(plugin::unsubscribe(*open.connector, open.vendor, {.route = "/contact", .remote_id = id}));
  CHECK(open.vendor.asked ==
        Texts{"POST https://api.example.com/hooks /contact https://hub.example.com/in/contact",
              "DELETE https://api.example.com/hooks/hook-1"});
}

TEST_CASE("an answer of which the connector says nothing is judged by its HTTP status") {
  Open open;
  const plugin::Inquiry fine =
      open.connector->interpret_inquiry({.status = 200, .body = "silence", .purpose = SLUICE_FOR_CHECK})
          .value();
  REQUIRE(fine.outcome);
  CHECK(fine.outcome->status == SLUICE_OK);
  const plugin::Inquiry bad =
      open.connector->interpret_inquiry({.status = 404, .body = "silence", .purpose = SLUICE_FOR_SUBSCRIBE})
          .value();
  REQUIRE(bad.outcome);
  CHECK(bad.outcome->status == SLUICE_INVALID);
}

TEST_CASE("an inquiry without an end is ended, and a stop ends it at once") {
  Open open;
  open.vendor.answers = {{.status = 202, .body = "wait"}};
  open.vendor.repeats = true;
  const Error endless = plugin::provision(*open.connector, open.vendor, {.name = "n"}).error();
  CHECK(endless.code == Code::transient);
  CHECK(open.vendor.asked.size() == plugin::inquiry_requests_max);
  std::stop_source stop;
  stop.request_stop();
  CHECK_FALSE(plugin::provision(*open.connector, open.vendor, {.name = "n"}, {.stop = stop.get_token()}));
  CHECK(open.vendor.asked.size() == plugin::inquiry_requests_max);
}
