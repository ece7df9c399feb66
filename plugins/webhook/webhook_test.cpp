#include <catch2/catch.hpp>

#include "vendors/stand_in.hpp"

namespace sluice {
namespace {

using plugin::Outcome;
using plugin::Record;
using vendors::Opened;

constexpr TimeUs noon = 1'772'359'200'000'000;  // 2026-03-01T10:00:00Z
const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

std::string with(const std::string& url, const std::string& more = "") {
  return R"({"url":")" + url + "\"" + more + "}";
}

Record record(std::uint64_t seq, const std::string& payload = R"({"total":12.5})") {
  Record out;
  out.op = SLUICE_EVENT;
  out.time = noon;
  out.id = "j.1." + std::to_string(seq) + ".0";
  out.key = "p1";
  out.name = "Order";
  out.payload = payload;
  out.identifiers = R"({"user_id":["ada"]})";
  return out;
}

std::vector<plugin::Request> planned(Opened& webhook, const std::vector<Record>& records) {
  const auto output = webhook->plan(records).value();
  CHECK(output.faults.empty());
  CHECK(output.outcomes.empty());
  return output.requests;
}

std::string header(const plugin::Request& request, const std::string& name) {
  for (const plugin::Header& h : request.headers) {
    if (h.name == name) return h.value;
  }
  return "";
}

TEST_CASE("a batch is one JSON array of records", "[webhook]") {
  Opened webhook("webhook", with("https://shop.test/hook"));
  Record nobody = record(2, "{}");
  nobody.key = "";
  nobody.op = SLUICE_LEAVE;
  nobody.identifiers = "{}";
  const auto requests = planned(webhook, {record(1), nobody});
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].method == "POST");
  CHECK(requests[0].url == "https://shop.test/hook");
  CHECK(header(requests[0], "content-type") == "application/json");
  CHECK(requests[0].body ==
        R"([{"key":"j.1.1.0","op":"event","name":"Order","time":"2026-03-01T10:00:00.000Z","profile":"p1",)"
        R"("identifiers":{"user_id":["ada"]},"payload":{"total":12.5}},)"
        R"({"key":"j.1.2.0","op":"leave","name":"Order","time":"2026-03-01T10:00:00.000Z","profile":null,)"
        R"("identifiers":{},"payload":{}}])");
}

TEST_CASE("records go as lines or each alone where the settings say so", "[webhook]") {
  Opened lines("webhook", with("https://shop.test/hook", R"(,"format":"lines")"));
  const auto one = planned(lines, {record(1), record(2)});
  REQUIRE(one.size() == 1);
  CHECK(std::count(one[0].body.begin(), one[0].body.end(), '\n') == 2);
  CHECK(one[0].body.find("}\n{\"key\":\"j.1.2.0\"") != std::string::npos);
  CHECK(header(one[0], "content-type") == "application/x-ndjson");
  Opened single("webhook", with("https://shop.test/hook", R"(,"format":"single","method":"PUT")"));
  const auto two = planned(single, {record(1), record(2)});
  REQUIRE(two.size() == 2);
  CHECK(two[1].method == "PUT");
  CHECK(two[1].body.starts_with(R"({"key":"j.1.2.0")"));
  CHECK(two[1].records == std::vector<std::uint32_t>{1});
  Opened small("webhook", with("https://shop.test/hook", R"(,"batch":2)"));
  const auto three = planned(small, {record(1), record(2), record(3)});
  REQUIRE(three.size() == 2);
  CHECK(three[0].records.size() == 2);
  CHECK(three[1].body.ends_with("}]"));
}

TEST_CASE("a request sent again has the id of the first time, another request has another", "[webhook]") {
  Opened webhook("webhook", with("https://shop.test/hook"));
  const auto id = [&](const std::vector<Record>& records) {
    return header(planned(webhook, records).at(0), "webhook-id");
  };
  std::vector<Record> again{record(1), record(2)};
  again[0].attempt = 5;
  CHECK(id({record(1), record(2)}) == id(again));
  CHECK(id({record(1), record(2)}) != id({record(1)}));
  CHECK(id({record(1), record(2)}) != id({record(2), record(1)}));
  CHECK(id({record(1)}).size() == 36);
}

TEST_CASE("further headers are sent, but none that the hub sets", "[webhook]") {
  Opened webhook("webhook", with("https://shop.test/hook", R"(,"headers":{"X-Shop":"acme"})"));
  CHECK(header(planned(webhook, {record(1)}).at(0), "x-shop") == "acme");
  CHECK_THROWS(Opened("webhook", with("https://shop.test/hook", R"(,"headers":{"Webhook-Id":"mine"})")));
  CHECK_THROWS(Opened("webhook", with("https://shop.test/hook", R"(,"secret":"hunter2")")));
}

TEST_CASE("an answer's status decides for all records of its request", "[webhook]") {
  Opened webhook("webhook", with("https://shop.test/hook"));
  const std::vector<Record> records{record(1), record(2)};
  const plugin::Request request = planned(webhook, records).at(0);
  for (const auto& [status, fate] : std::vector<std::pair<int, sluice_status>>{{200, SLUICE_OK},
                                                                               {204, SLUICE_OK},
                                                                               {301, SLUICE_AUTH},
                                                                               {400, SLUICE_INVALID},
                                                                               {401, SLUICE_AUTH},
                                                                               {403, SLUICE_AUTH},
                                                                               {404, SLUICE_AUTH},
                                                                               {410, SLUICE_AUTH},
                                                                               {413, SLUICE_INVALID},
                                                                               {422, SLUICE_INVALID},
                                                                               {429, SLUICE_THROTTLE},
                                                                               {500, SLUICE_RETRY},
                                                                               {502, SLUICE_THROTTLE},
                                                                               {503, SLUICE_RETRY},
                                                                               {0, SLUICE_RETRY}}) {
    plugin::Response response;
    response.status = status;
    response.state = request.state;
    response.records = request.records;
    response.retry_after_ms = 3'000;
    const auto output = webhook->interpret(records, response).value();
    REQUIRE(output.outcomes.size() == 2);
    INFO(status);
    CHECK(output.outcomes[1].outcome.status == fate);
    CHECK(output.outcomes[1].outcome.retry_after_ms == 3'000);
  }
}

TEST_CASE("a receiver that verifies signatures accepts what is sent", "[webhook][stand_in]") {
  vendors::StandIn receiver("webhook.py", {"--secret", secret, "--path", "/hook"});
  for (const char* format : {"array", "lines", "single"}) {
    const std::string more = std::string(R"(,"secret":")") + secret + R"(","format":")" + format + "\"";
    Opened webhook("webhook", with(receiver.url() + "/hook", more));
    for (const Outcome& outcome : vendors::deliver(webhook, {record(1), record(2)}))
      CHECK(outcome.status == SLUICE_OK);
    CHECK(receiver.records().size() == 2);
    receiver.reset();
  }
  Opened unsigned_one("webhook", with(receiver.url() + "/hook"));
  CHECK(vendors::deliver(unsigned_one, {record(1)})[0].status == SLUICE_AUTH);
}

TEST_CASE("a receiver that fails for a while is tried again", "[webhook][stand_in]") {
  vendors::StandIn receiver("webhook.py", {});
  Opened webhook("webhook", with(receiver.url()));
  receiver.order(R"({"status":429,"retry_after":4,"count":1})");
  const Outcome throttled = vendors::deliver(webhook, {record(1)})[0];
  CHECK(throttled.status == SLUICE_THROTTLE);
  CHECK(throttled.retry_after_ms == 4'000);
  receiver.order(R"({"cut":true,"count":1})");
  CHECK(vendors::deliver(webhook, {record(1)})[0].status == SLUICE_RETRY);
  CHECK(vendors::deliver(webhook, {record(1)})[0].status == SLUICE_OK);
  const auto records = receiver.records();
  REQUIRE(records.size() == 2);  // the first arrived, though nobody said so: the same id tells
  JsonParser parser;
  const std::string first(parser.parse(records[0])["webhook_id"].string_or(""));
  CHECK(first == parser.parse(records[1])["webhook_id"].string_or("-"));
}

}  // namespace
}  // namespace sluice
