#include <catch2/catch.hpp>

#include "vendors/stand_in.hpp"

namespace sluice {
namespace {

using plugin::Outcome;
using plugin::Record;
using vendors::Opened;

constexpr TimeUs noon = 1'772'359'200'000'000;  // 2026-03-01T10:00:00Z
const std::string ada = R"({"user_id":["ada"],"email":["ada@acme.test"]})";
const std::string by_mail = R"({"email":["bob@acme.test"]})";

std::string with(const std::string& endpoint = "https://rest.fra-01.braze.eu", const std::string& more = "") {
  return R"({"endpoint":")" + endpoint + R"(","api_key":"key")" + more + "}";
}

Record record(std::uint32_t op, const std::string& name, const std::string& payload,
              const std::string& ids = ada, const std::string& key = "p1") {
  static int number = 0;
  Record out;
  out.op = op;
  out.time = noon + 5'250;
  out.id = "j.1." + std::to_string(++number) + ".0";
  out.key = key;
  out.name = name;
  out.payload = payload;
  out.identifiers = ids;
  return out;
}

struct Planned {
  std::string url, body, records;
};

std::vector<Planned> planned(Opened& braze, const std::vector<Record>& records) {
  const auto output = braze->plan(records).value();
  CHECK(output.faults.empty());
  std::vector<Planned> out;
  for (const plugin::Request& request : output.requests) {
    std::string indexes;
    for (const std::uint32_t index : request.records) indexes += std::to_string(index) + " ";
    out.push_back({request.url, request.body, indexes});
  }
  return out;
}

std::string planned_body(Opened& braze, const Record& record) {
  const auto requests = planned(braze, {record});
  return requests.size() == 1 ? requests[0].body : "";
}

// The outcomes of these records when their only request is answered so, as "status reason" each.
std::vector<std::string> judged(const std::vector<Record>& records, int status, const std::string& body,
                                std::vector<plugin::Header> headers = {}) {
  Opened braze("braze", with());
  const plugin::Request request = braze->plan(records).value().requests.at(0);
  plugin::Response response;
  response.status = status;
  response.body = body;
  response.headers = std::move(headers);
  response.state = request.state;
  response.records = request.records;
  const auto output = braze->interpret(records, response).value();
  CHECK(output.faults.empty());
  std::vector<std::string> out;
  for (const plugin::Fate& fate : output.outcomes) {
    out.push_back(std::to_string(fate.outcome.status) +
                  (fate.outcome.reason.empty() ? "" : " " + fate.outcome.reason));
  }
  return out;
}

TEST_CASE("where the properties stand in an event's own JSON, and how it is spaced, makes no difference",
          "[braze]") {
  Opened braze("braze", with());
  const auto body = [&](const std::string& payload) {
    return planned_body(braze, record(SLUICE_EVENT, "Order", payload));
  };
  const std::string first = R"({"properties":{"n":1,"time":{"time":"}\"{"}},"event":"Order","type":"track"})";
  const std::string spaced =
      " { \"event\" : \"Order\" , \"properties\" : { \"n\" : 1 , \"time\" : {\"time\":\"}\\\"{\"} "
      "}\n,\"type\" : "
      "\"track\" , \"later\" : 12 } ";
  CHECK(body(first).find(R"("properties":{"n":1,"property_time":{"time":"}\"{"}})") != std::string::npos);
  CHECK(body(spaced) == body(first));
  CHECK(body(R"({"properties":null,"event":"Order","type":"track"})").find("properties") ==
        std::string::npos);
  CHECK(body(R"({"properties":"x","event":"Order","type":"track"})").find("properties") == std::string::npos);
}

TEST_CASE("an event carries its person, name, time and properties", "[braze]") {
  Opened braze("braze", with());
  const auto requests = planned(braze, {record(SLUICE_EVENT, "Order \"1\"", R"({"total":12.5})")});
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].url == "/users/track");
  CHECK(requests[0].body == R"({"events":[{"external_id":"ada","name":"Order \"1\"",)"
                            R"("time":"2026-03-01T10:00:00.005Z","properties":{"total":12.5}}]})");
}

TEST_CASE("of an event's own JSON only the properties are sent", "[braze]") {
  Opened braze("braze", with("https://rest.fra-01.braze.eu", R"(,"app_id":"app")"));
  const std::string whole = R"({"messageId":"m","context":{"type":"x","ip":"1.2.3.4"},"type":"track",)"
                            R"("event":"Order","userId":"ada","properties":{"a":[1,{"b":"}"}],"c":"\"]"}})";
  CHECK(planned_body(braze, record(SLUICE_EVENT, "Order", whole)) ==
        R"({"events":[{"external_id":"ada","name":"Order","time":"2026-03-01T10:00:00.005Z","app_id":"app",)"
        R"("properties":{"a":[1,{"b":"}"}],"c":"\"]"}}]})");
  const std::string bare = R"({"type":"track","event":"Order","userId":"ada"})";
  CHECK(planned_body(braze, record(SLUICE_EVENT, "Order", bare)).find("properties") == std::string::npos);
  // A mapped payload may have a field that is called type.
  CHECK(planned_body(braze, record(SLUICE_EVENT, "Order", R"({"type":"track"})"))
            .find(R"("properties":{"type":"track"})") != std::string::npos);
}

TEST_CASE("property names that Braze refuses are renamed", "[braze]") {
  Opened braze("braze", with());
  const std::string body = planned_body(
      braze, record(SLUICE_EVENT, "Order", R"({"time":1, "$value":{"$x":2},"event_name":"n", "total":3})"));
  CHECK(
      body.find(
          R"("properties":{"property_time":1,"property_value":{"$x":2},"property_event_name":"n","total":3})") !=
      std::string::npos);
}

TEST_CASE("what people write stands in Braze's formats, or not at all", "[braze]") {
  Opened braze("braze", with());
  const std::string ids = R"({"user_id":["ada"],"phone":["+33123456789","+33612345678"]})";
  const auto attributes = [&](const std::string& payload) {
    const std::string body = planned_body(braze, record(SLUICE_UPSERT, "", payload, ids));
    const std::string before = R"({"attributes":[{"external_id":"ada")";
    REQUIRE(body.starts_with(before));
    return body.substr(before.size(), body.size() - before.size() - 3);
  };
  CHECK(
      attributes(R"({"email":"Ada@ACME.test","phone":"06 12 34 56 78","gender":"Female","country":"fr"})") ==
      R"(,"email":"ada@acme.test","phone":"+33612345678","gender":"F","country":"FR")");
  CHECK(
      attributes(R"({"phone":"+49301234567","language":"fr-FR","dob":"1990-02-03T00:00:00Z","gender":""})") ==
      R"(,"phone":"+49301234567","language":"fr","dob":"1990-02-03","gender":null)");
  CHECK(
      attributes(
          R"({"phone":"12","email":"none","gender":"?","country":"France","language":"french","dob":"3/2/90"})")
          .empty());
  CHECK(attributes(R"({"email":null,"phone":null,"first_name":7,"home_city":null})") ==
        R"(,"email":null,"phone":null,"first_name":"7","home_city":null)");
  CHECK(attributes(R"({"a":[1,true,null,"x",{"b":"c"}],"b":["x"],"c":[{"d":1}],"d":[],"e":{"f":[1,2]}})") ==
        R"(,"a":["1","true","x","{\"b\":\"c\"}"],"b":["x"],"c":[{"d":1}],"d":[],"e":{"f":[1,2]})");
}

TEST_CASE("no trait can make a profile's attributes another profile's", "[braze]") {
  Opened braze("braze", with());
  const std::string traits =
      R"({"external_id":"eve","user_alias":{},"braze_id":"b","_update_existing_only":true,"$x":1,"":2,"city":"Lyon"})";
  CHECK(planned_body(braze, record(SLUICE_UPSERT, "", traits)) ==
        R"({"attributes":[{"external_id":"ada","attribute_x":1,"city":"Lyon"}]})");
}

TEST_CASE("a profile's fields become attributes", "[braze]") {
  Opened braze("braze", with());
  CHECK(planned_body(braze, record(SLUICE_UPSERT, "", R"({"first_name":"Ada","city":null})")) ==
        R"({"attributes":[{"external_id":"ada","first_name":"Ada","city":null}]})");
  CHECK(planned_body(braze, record(SLUICE_UPSERT, "", "{}")) == R"({"attributes":[{"external_id":"ada"}]})");
}

TEST_CASE("a person without a user id is known by e-mail, and without that by an alias", "[braze]") {
  Opened braze("braze", with("https://rest.fra-01.braze.eu", R"(,"alias_label":"hub")"));
  CHECK(planned_body(braze,
                     record(SLUICE_UPSERT, "", R"({"email":"other@acme.test","city":"Lyon"})", by_mail)) ==
        R"({"attributes":[{"email":"bob@acme.test","city":"Lyon"}]})");
  CHECK(
      planned_body(braze, record(SLUICE_UPSERT, "", R"({"city":"Lyon"})", "{}", "p7")) ==
      R"({"attributes":[{"user_alias":{"alias_name":"p7","alias_label":"hub"},"_update_existing_only":false,"city":"Lyon"}]})");
  const auto nobody = braze->plan(std::vector{record(SLUICE_UPSERT, "", "{}", "{}", "")}).value();
  REQUIRE(nobody.outcomes.size() == 1);
  CHECK(nobody.outcomes[0].outcome.status == SLUICE_SKIPPED);
  CHECK(nobody.outcomes[0].outcome.reason == "no_identifier");
}

TEST_CASE("an audience is a boolean attribute in lower snake case", "[braze]") {
  Opened braze("braze", with());
  CHECK(planned_body(braze, record(SLUICE_ENTER, "VIP France", "{}")) ==
        R"({"attributes":[{"external_id":"ada","vip_france":true}]})");
  CHECK(planned_body(braze, record(SLUICE_LEAVE, "cartLeft-7d ", "{}")) ==
        R"({"attributes":[{"external_id":"ada","cart_left_7d":false}]})");
}

TEST_CASE("consent goes where its purpose is mapped to", "[braze]") {
  Opened braze("braze", with("https://rest.fra-01.braze.eu",
                             R"(,"consent":{"newsletter":"email_subscribe","sms":"group-1"})"));
  CHECK(planned_body(braze, record(SLUICE_CONSENT, "", R"({"purpose":"newsletter","granted":false})")) ==
        R"({"attributes":[{"external_id":"ada","email_subscribe":"unsubscribed"}]})");
  CHECK(planned_body(braze, record(SLUICE_CONSENT, "", R"({"purpose":"sms","granted":true})")) ==
        R"({"attributes":[{"external_id":"ada","subscription_groups":[{"subscription_group_id":"group-1",)"
        R"("subscription_state":"subscribed"}]}]})");
  const auto other =
      braze->plan(std::vector{record(SLUICE_CONSENT, "", R"({"purpose":"ads","granted":true})")}).value();
  CHECK(other.outcomes.at(0).outcome.status == SLUICE_SKIPPED);
}

TEST_CASE("a message triggers its campaign, one request for each campaign", "[braze]") {
  Opened braze("braze", with());
  const auto requests =
      planned(braze, {record(SLUICE_MESSAGE, "", R"({"campaign_id":"c1","x":1})"),
                      record(SLUICE_MESSAGE, "", R"({"campaign_id":"c2"})"),
                      record(SLUICE_MESSAGE, "", R"({"y":2,"campaign_id":"c1"})", by_mail, "p2")});
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].url == "/campaigns/trigger/send");
  CHECK(requests[0].records == "0 2 ");
  CHECK(requests[0].body ==
        R"({"campaign_id":"c1","recipients":[{"external_user_id":"ada","trigger_properties":{"x":1}},)"
        R"({"email":"bob@acme.test","prioritization":["identified","most_recently_updated"],)"
        R"("trigger_properties":{"y":2}}]})");
  const auto without = braze->plan(std::vector{record(SLUICE_MESSAGE, "", "{}")}).value();
  CHECK(without.outcomes.at(0).outcome.reason == "campaign_id_is_missing");
}

TEST_CASE("a person's attributes after his events go into a later request, other people's do not",
          "[braze]") {
  Opened braze("braze", with());
  const auto requests = planned(
      braze, {record(SLUICE_UPSERT, "", R"({"a":1})"), record(SLUICE_EVENT, "E1", "{}"),
              record(SLUICE_UPSERT, "", R"({"a":2})"), record(SLUICE_UPSERT, "", R"({"b":1})", by_mail, "p2"),
              record(SLUICE_EVENT, "E2", "{}"), record(SLUICE_DELETE, "", "{}"),
              record(SLUICE_UPSERT, "", R"({"a":3})")});
  REQUIRE(requests.size() == 4);
  CHECK(requests[0].records == "0 1 3 ");
  CHECK(requests[1].records == "2 4 ");
  CHECK(requests[2].url == "/users/delete");
  CHECK(requests[2].records == "5 ");
  CHECK(requests[3].records == "6 ");
}

TEST_CASE("a refused object costs only its own record", "[braze]") {
  const std::vector<Record> records{record(SLUICE_EVENT, "E1", "{}"),
                                    record(SLUICE_UPSERT, "", "{}", by_mail, "p2"),
                                    record(SLUICE_EVENT, "E2", "{}"), record(SLUICE_EVENT, "E3", "{}")};
  const std::string refused = "2 refused_by_braze";
  CHECK(judged(records, 201,
               R"({"message":"success","errors":[{"type":"bad time","input_array":"events","index":1}]})") ==
        std::vector<std::string>{"0", "0", refused, "0"});
  CHECK(judged(records, 201,
               R"({"message":"success","errors":[{"type":"x","input_array":"attributes","index":0}]})") ==
        std::vector<std::string>{"0", refused, "0", "0"});
  CHECK(
      judged(records, 400, R"({"message":"no","errors":[{"type":"x","input_array":"events","index":2}]})") ==
      std::vector<std::string>{"1 http_400", "1 http_400", "1 http_400", refused});
}

TEST_CASE("an answer's status decides for all records where it names none", "[braze]") {
  const std::vector<Record> two{record(SLUICE_EVENT, "E1", "{}"), record(SLUICE_EVENT, "E2", "{}")};
  const auto both = [](const std::string& outcome) { return std::vector<std::string>{outcome, outcome}; };
  CHECK(judged(two, 201, R"({"message":"success","events_processed":2})") == both("0"));
  CHECK(judged(two, 202, R"({"message":"queued"})") == both("0"));
  CHECK(judged(two, 200, R"({"message":"something failed"})") == both("2 http_400"));
  CHECK(judged(two, 200, "<html>") == both("9 unreadable_answer"));
  CHECK(judged(two, 400, R"({"message":"no"})") == both("2 http_400"));
  CHECK(judged(two, 413, "") == both("2 http_413"));
  CHECK(judged(two, 401, "") == both("3 http_401"));
  CHECK(judged(two, 403, "") == both("3 http_403"));
  CHECK(judged(two, 404, "") == both("3 http_404"));
  CHECK(judged(two, 429, "") == both("7 http_429"));
  CHECK(judged(two, 503, "") == both("1 http_503"));
  CHECK(judged(two, 0, "") == both("1 no_answer"));
}

TEST_CASE("a rate limit says when its window ends", "[braze]") {
  Opened braze("braze", with());
  const std::vector<Record> one{record(SLUICE_EVENT, "E1", "{}")};
  const plugin::Request request = braze->plan(one).value().requests.at(0);
  plugin::Response response;
  response.status = 429;
  response.state = request.state;
  response.records = request.records;
  response.headers = {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "1772359260"}};
  const auto output = braze->interpret(one, response).value();
  REQUIRE(output.limits.size() == 1);
  CHECK(output.limits[0].remaining == 0);
  CHECK(output.limits[0].reset == 1'772'359'260'000'000);
  response.headers.push_back({"x-ratelimit-retry-after", "7"});
  CHECK(braze->interpret(one, response).value().outcomes.at(0).outcome.retry_after_ms == 7'000);
}

TEST_CASE("Braze's words reach the dead letter without what may be personal", "[braze]") {
  Opened braze("braze", with());
  const std::vector<Record> one{record(SLUICE_EVENT, "E1", "{}")};
  const plugin::Request request = braze->plan(one).value().requests.at(0);
  plugin::Response response;
  response.status = 201;
  response.state = request.state;
  response.records = request.records;
  response.body =
      R"({"message":"success","errors":[{"type":"email ada@acme.test of 33612345678 is bad","input_array":"events","index":0}]})";
  CHECK(braze->interpret(one, response).value().outcomes.at(0).outcome.detail == "email *** of *** is bad");
}

TEST_CASE("everything that is sent is accepted by Braze's rules", "[braze][stand_in]") {
  vendors::StandIn vendor("braze.py", {"--api-key", "key"});
  Opened braze("braze", with(vendor.url(), R"(,"consent":{"newsletter":"email_subscribe"})"));
  const std::vector<Record> records{
      record(SLUICE_UPSERT, "", R"({"first_name":"Ada","email":"ada@acme.test","tags":["a","b"],"x":null})"),
      record(SLUICE_EVENT, "Order Completed",
             R"({"type":"track","event":"Order Completed","properties":{"time":1,"$a":{}}})"),
      record(SLUICE_EVENT, "Viewed", R"({"page":"/"})", by_mail, "p2"),
      record(SLUICE_ENTER, "VIP", "{}", "{}", "p3"),
      record(SLUICE_CONSENT, "", R"({"purpose":"newsletter","granted":true})"),
      record(SLUICE_MESSAGE, "", R"({"campaign_id":"c1"})", "{}", "p3"),
      record(SLUICE_DELETE, "", "{}", by_mail, "p2")};
  for (const Outcome& outcome : vendors::deliver(braze, records)) CHECK(outcome.status == SLUICE_OK);
  const std::string stats = vendor.stats();
  JsonParser parser;
  const Json root = parser.parse(stats);
  CHECK(root["by_status"]["400"].is_null_or_missing());
  CHECK(root["rejected"].integer() == 0);
  CHECK(root["skipped"].integer() == 0);
  CHECK(root["events"].integer() == 2);
  CHECK(root["attributes"].integer() == 3);
  CHECK(root["messages"].integer() == 1);
  CHECK(root["deleted"].integer() == 1);
}

TEST_CASE("a bad record among good ones is the only one refused by Braze", "[braze][stand_in]") {
  vendors::StandIn vendor("braze.py", {"--api-key", "key"});
  Opened braze("braze", with(vendor.url()));
  std::vector<Record> records;
  for (int i = 0; i < 75; ++i)
    records.push_back(record(SLUICE_EVENT, i == 40 ? std::string(256, 'x') : "Viewed", "{}"));
  const auto outcomes = vendors::deliver(braze, records);
  for (std::size_t i = 0; i < 75; ++i) CHECK(outcomes[i].status == (i == 40 ? SLUICE_INVALID : SLUICE_OK));
  CHECK(outcomes[40].detail == "'name' must be 1 to 255 characters");
}

TEST_CASE("a wrong key, a rate limit and a failure of Braze's each have their own outcome",
          "[braze][stand_in]") {
  vendors::StandIn vendor("braze.py", {"--api-key", "other"});
  Opened braze("braze", with(vendor.url()));
  const std::vector<Record> one{record(SLUICE_EVENT, "Viewed", "{}")};
  CHECK(vendors::deliver(braze, one)[0].status == SLUICE_AUTH);
  vendor.order(R"({"status":429,"retry_after":60})");
  CHECK(vendors::deliver(braze, one)[0].status == SLUICE_THROTTLE);
  vendor.order(R"({"clear":true})");
  vendor.order(R"({"status":500})");
  CHECK(vendors::deliver(braze, one)[0].status == SLUICE_RETRY);
  vendor.order(R"({"clear":true})");
  vendor.order(R"({"down":true})");
  CHECK(vendors::deliver(braze, one)[0].reason == "no_answer");
}

TEST_CASE("the connection check writes nothing", "[braze][stand_in]") {
  vendors::StandIn vendor("braze.py", {"--api-key", "key"});
  Opened braze("braze", with(vendor.url()));
  const auto requests = braze->check().value();
  REQUIRE(requests.size() == 1);
  CHECK(vendors::exchange(*braze, requests[0], braze.host.now_us()).status == 201);
  CHECK(vendor.stats().find(R"("profiles":0)") != std::string::npos);
}

}  // namespace
}  // namespace sluice
