#include <catch2/catch.hpp>

#include "vendors/stand_in.hpp"

namespace sluice {
namespace {

using plugin::Record;
using vendors::Opened;

constexpr TimeUs noon = 1'772'359'200'000'000;  // 2026-03-01T10:00:00Z
constexpr char limit[] =
    R"([{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}])";

std::string with(const std::string& more = "") {
  return R"({"instance":"acme","client_id":"id","client_secret":"s","external_id":"Key__c")" + more + "}";
}

Record record(std::uint32_t op, const std::string& payload = "{}", const std::string& user = "ada",
              const std::string& name = "VIP") {
  Record out;
  out.op = op;
  out.time = noon;
  out.id = "j.1." + user + ".0";
  out.key = "p-" + user;
  out.name = name;
  out.payload = payload;
  out.identifiers = user.empty() ? "{}" : R"({"user_id":[")" + user + R"("]})";
  return out;
}

std::string planned(const Record& one, const std::string& more = "") {
  Opened salesforce("salesforce", with(more));
  const auto output = salesforce->plan(std::vector{one}).value();
  CHECK(output.faults.empty());
  if (output.requests.empty()) return "outcome " + output.outcomes.at(0).outcome.reason;
  const plugin::Request& request = output.requests.at(0);
  return request.method + ' ' + request.url.substr(std::string("/services/data/v61.0").size()) + ' ' +
         request.body;
}

// "status reason remote_id" of each record, when their request is answered so.
std::vector<std::string> judged(const std::vector<Record>& records, int status, const std::string& body,
                                const std::string& more = "") {
  Opened salesforce("salesforce", with(more));
  const plugin::Request request = salesforce->plan(records).value().requests.at(0);
  plugin::Response response;
  response.status = status;
  response.body = body;
  response.state = request.state;
  response.records = request.records;
  response.received = noon;
  const auto output = salesforce->interpret(records, response).value();
  CHECK(output.faults.empty());
  std::vector<std::string> out;
  for (const plugin::Fate& fate : output.outcomes) {
    out.push_back(std::to_string(fate.outcome.status) + ' ' + fate.outcome.reason + ' ' +
                  fate.outcome.remote_id);
  }
  return out;
}

std::string refusal(const std::string& code, const std::string& message = "x") {
  return R"([{"success":false,"errors":[{"statusCode":")" + code + R"(","message":")" + message +
         R"(","fields":[]}]}])";
}
std::string fate(int status, const std::string& reason = "", const std::string& id = "") {
  return std::to_string(status) + ' ' + reason + ' ' + id;
}

}  // namespace

TEST_CASE("people are upserted together by their external id", "[salesforce]") {
  Opened salesforce("salesforce", with());
  const auto output = salesforce
                          ->plan(std::vector{record(SLUICE_UPSERT, R"({"LastName":"A","City":null})"),
                                             record(SLUICE_UPSERT, R"({"LastName":"B","Key__c":"x"})", "bo")})
                          .value();
  REQUIRE(output.requests.size() == 1);
  CHECK(output.requests[0].url == "/services/data/v61.0/composite/sobjects/Contact/Key__c");
  CHECK(
      output.requests[0].body ==
      R"({"allOrNone":false,"records":[{"attributes":{"type":"Contact"},"Key__c":"ada","LastName":"A","City":null},)"
      R"({"attributes":{"type":"Contact"},"Key__c":"bo","LastName":"B"}]})");
}

TEST_CASE("each kind of record has its request", "[salesforce]") {
  CHECK(
      planned(record(SLUICE_EVENT, R"({"type":"track","event":"Call"})", "ada", "Call")) ==
      R"(POST /composite/sobjects {"allOrNone":false,"records":[{"attributes":{"type":"Task"},"Subject":"Call","Status":"Completed",)"
      R"("ActivityDate":"2026-03-01","Who":{"attributes":{"type":"Contact"},"Key__c":"ada"}}]})");
  CHECK(
      planned(record(SLUICE_EVENT, R"({"Total__c":5})"),
              R"(,"event_object":"Order__c","event_external_id":"Id__c","event_person":"Contact__r")") ==
      R"(PATCH /composite/sobjects/Order__c/Id__c {"allOrNone":false,"records":[{"attributes":{"type":"Order__c"},)"
      R"("Contact__r":{"attributes":{"type":"Contact"},"Key__c":"ada"},"Total__c":5,"Id__c":"j.1.ada.0"}]})");
  CHECK(planned(record(SLUICE_ENTER), R"(,"audience_fields":{"VIP":"Is_VIP__c"})")
            .find(R"("Is_VIP__c":true)") != std::string::npos);
  CHECK(planned(record(SLUICE_LEAVE), R"(,"audience_fields":{"VIP":"Is_VIP__c"})")
            .find(R"("Is_VIP__c":false)") != std::string::npos);
  CHECK(planned(record(SLUICE_ENTER)) == "outcome audience_not_mapped");
  Record member = record(SLUICE_ENTER);
  member.audience_id = "701000000000001AAA";
  member.remote_id = "003000000000001AAA";
  CHECK(planned(member) ==
        R"(POST /composite/sobjects {"allOrNone":false,"records":[{"attributes":{"type":"CampaignMember"},)"
        R"("CampaignId":"701000000000001AAA","ContactId":"003000000000001AAA"}]})");
  member.op = SLUICE_LEAVE;
  CHECK(planned(member).starts_with(
      "GET /query?q=SELECT%20Id%2C%20Contact.Key__c%20FROM%20CampaignMember%20WHERE"));
  member.op = SLUICE_DELETE;
  CHECK(planned(member) == "DELETE /composite/sobjects?ids=003000000000001AAA&allOrNone=false ");
  CHECK(planned(record(SLUICE_ERASE, "{}", "a/b")) == "DELETE /sobjects/Contact/Key__c/a%2Fb ");
  CHECK(planned(record(SLUICE_UPSERT, "{}", "")) == "outcome no_identifier");
  CHECK(planned(record(SLUICE_MERGE)) == "outcome operation_not_offered");
}

TEST_CASE("a consent ticks its box, and a box that says no the other way round", "[salesforce]") {
  const std::string boxes = R"(,"consent":{"news":"Optin__c","mail":"HasOptedOutOfEmail"})";
  CHECK(planned(record(SLUICE_CONSENT, R"({"purpose":"news","granted":true})"), boxes)
            .find(R"("Optin__c":true)") != std::string::npos);
  CHECK(planned(record(SLUICE_CONSENT, R"({"purpose":"mail","granted":true})"), boxes)
            .find(R"("HasOptedOutOfEmail":false)") != std::string::npos);
  CHECK(planned(record(SLUICE_CONSENT, R"({"purpose":"ads","granted":true})"), boxes) ==
        "outcome purpose_not_mapped");
}

TEST_CASE("each record has the fate that Salesforce gives it, in the order of the request", "[salesforce]") {
  const std::vector<Record> two = {record(SLUICE_UPSERT), record(SLUICE_UPSERT, "{}", "bo")};
  CHECK(
      judged(two, 200,
             R"([{"id":"003000000000001AAA","success":true,"errors":[]},)" +
                 refusal("REQUIRED_FIELD_MISSING").substr(1)) ==
      std::vector{fate(SLUICE_OK, "", "003000000000001AAA"), fate(SLUICE_INVALID, "required_field_missing")});
  const std::vector<Record> one = {record(SLUICE_UPSERT)};
  CHECK(judged(one, 200, refusal("UNABLE_TO_LOCK_ROW")) ==
        std::vector{fate(SLUICE_RETRY, "unable_to_lock_row")});
  CHECK(judged(one, 200, refusal("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "trigger: UNABLE_TO_LOCK_ROW"))[0]
            .starts_with("1 "));
  CHECK(judged(one, 200, refusal("DUPLICATE_VALUE", "Duplicate external id specified: ada"))[0].starts_with(
      "1 "));
  CHECK(judged(one, 200, refusal("DUPLICATE_VALUE", "duplicate value found"))[0].starts_with("2 "));
  CHECK(judged(one, 200, refusal("INVALID_FIELD", "Foreign key external ID: ada not found")) ==
        std::vector{fate(SLUICE_INVALID, "person_not_there")});
  CHECK(judged(one, 200, "[]") == std::vector{fate(SLUICE_RETRY, "answer_not_understood")});
  CHECK(judged({record(SLUICE_EVENT)}, 200, "<html>") ==
        std::vector{fate(SLUICE_UNKNOWN, "answer_not_understood")});
  Record often = record(SLUICE_UPSERT);
  often.attempt = 4;
  CHECK(judged({often}, 200, refusal("UNKNOWN_EXCEPTION"))[0].starts_with("2 "));
}

TEST_CASE("what somebody has done already is done", "[salesforce]") {
  Record member = record(SLUICE_ENTER);
  member.audience_id = "701000000000001AAA";
  CHECK(judged({member}, 200, refusal("DUPLICATE_VALUE", "Already a campaign member.")) ==
        std::vector{fate(SLUICE_OK)});
  CHECK(judged({member}, 200, refusal("INVALID_CROSS_REFERENCE_KEY")) ==
        std::vector{fate(SLUICE_GONE, "invalid_cross_reference_key")});
  Record known = record(SLUICE_DELETE);
  known.remote_id = "003000000000001AAA";
  CHECK(judged({known}, 200, refusal("ENTITY_IS_DELETED")) == std::vector{fate(SLUICE_OK)});
  CHECK(judged({record(SLUICE_DELETE)}, 404, R"([{"errorCode":"NOT_FOUND","message":"x"}])") ==
        std::vector{fate(SLUICE_OK)});
  CHECK(judged({record(SLUICE_DELETE)}, 204, "") == std::vector{fate(SLUICE_OK)});
}

TEST_CASE("a request that is refused as a whole stops what cannot go on", "[salesforce]") {
  const std::vector<Record> one = {record(SLUICE_UPSERT)};
  CHECK(judged(one, 403, limit) == std::vector{fate(SLUICE_THROTTLE, "request_limit_exceeded")});
  CHECK(judged(one, 403, R"([{"errorCode":"API_DISABLED_FOR_ORG","message":"x"}])")[0].starts_with("3 "));
  CHECK(judged(one, 404, R"([{"errorCode":"NOT_FOUND","message":"x"}])")[0].starts_with("3 "));
  CHECK(judged(one, 503, "")[0].starts_with("7 "));
  CHECK(judged(one, 500, "")[0].starts_with("1 "));
  CHECK(judged(one, 0, "") == std::vector{fate(SLUICE_RETRY, "no_answer")});
}

TEST_CASE("members who leave are looked for and deleted by their own ids", "[salesforce]") {
  Opened salesforce("salesforce", with(R"(,"campaigns":{"VIP":"701000000000001AAA"})"));
  const std::vector<Record> two = {record(SLUICE_LEAVE), record(SLUICE_LEAVE, "{}", "bo")};
  const plugin::Request asked = salesforce->plan(two).value().requests.at(0);
  plugin::Response response;
  response.status = 200;
  response.body = R"({"done":true,"records":[{"Id":"00v000000000001AAA","Contact":{"Key__c":"bo"}}]})";
  response.state = asked.state;
  response.records = asked.records;
  const auto output = salesforce->interpret(two, response).value();
  REQUIRE((output.outcomes.size() == 1 && output.requests.size() == 1));
  CHECK((output.outcomes[0].record == 0 && output.outcomes[0].outcome.status == SLUICE_OK));
  CHECK(output.requests[0].url.ends_with("/composite/sobjects?ids=00v000000000001AAA&allOrNone=false"));
  CHECK(output.requests[0].records == std::vector<std::uint32_t>{1});
}

namespace {

// A refresh of one person: what is asked once `members` are found, and the fate when that is answered by
// `answer`.
struct Refreshed {
  plugin::Request request;
  std::string fate;
};

Refreshed refreshed(Record person, const std::string& members, const std::string& answer) {
  Opened salesforce("salesforce",
                    with(R"(,"campaigns":{"VIP":"701000000000001AAA"},"campaign_marker":"Mark__c")"));
  const std::vector one = {std::move(person)};
  const auto asked = salesforce->plan(one, {}, {.snapshot = "j.1.5.0", .part = 1}).value();
  plugin::Response response;
  response.status = 200;
  response.received = noon;
  const auto answered = [&](const plugin::Request& request, const std::string& body) {
    response.body = body;
    response.state = request.state;
    response.records = request.records;
    return salesforce->interpret(one, response).value();
  };
  Refreshed out{answered(asked.requests.at(0), R"({"records":[)" + members + "]}").requests.at(0), {}};
  const auto last = answered(out.request, answer).outcomes.at(0).outcome;
  out.fate = fate(last.status, last.reason);
  return out;
}

std::string member(const std::string& id, const std::string& key) {
  return R"({"Id":"00v00000000000)" + id + R"(AAA","Contact":{"Key__c":")" + key + R"("}})";
}

}  // namespace

TEST_CASE("a number in other letter case is the same member's, after one that is written alike",
          "[salesforce]") {
  const Record ada = record(SLUICE_ENTER);
  const std::string good = R"([{"id":"00v000000000001AAA","success":true,"errors":[]}])";
  CHECK(refreshed(ada, member("1", "ADA"), good).request.body.find("00v000000000001AAA") !=
        std::string::npos);
  CHECK(refreshed(ada, member("1", "ADA") + "," + member("2", "ada"), good)
            .request.body.find("00v000000000002AAA") != std::string::npos);
  const Refreshed other = refreshed(ada, member("1", "adam"), good);
  CHECK((other.request.method == "POST" && other.fate == fate(SLUICE_OK)));
}

TEST_CASE("who became a member while a refresh looked is looked for again, and has no fate without a mark",
          "[salesforce]") {
  Record ada = record(SLUICE_ENTER);
  const std::string already = refusal("DUPLICATE_VALUE", "Already a campaign member.");
  CHECK(refreshed(ada, "", already).fate == fate(SLUICE_RETRY, "duplicate_value"));
  ada.attempt = 4;
  CHECK(refreshed(ada, "", already).fate == fate(SLUICE_SKIPPED, "duplicate_value"));
}

TEST_CASE("an audience is a campaign of its name, found or made", "[salesforce]") {
  Opened salesforce("salesforce", with(R"(,"audience_fields":{"VIP":"Is_VIP__c"})"));
  CHECK(salesforce->provision({.name = "VIP"}).value().outcome->remote_id == "Is_VIP__c");
  plugin::Inquiry asked = salesforce->provision({.name = "O'Hara"}).value();
  REQUIRE(asked.requests.size() == 1);
  CHECK(asked.requests[0].url.find("O%5C%27Hara") != std::string::npos);
  const auto answer = [&](const std::string& body) {
    plugin::Response response;
    response.status = 200;
    response.body = body;
    response.state = asked.requests.at(0).state;
    response.purpose = SLUICE_FOR_PROVISION;
    asked = salesforce->interpret_inquiry(response).value();
  };
  SECTION("found") {
    answer(R"({"records":[{"Id":"701000000000002AAA"}]})");
    CHECK(asked.outcome->remote_id == "701000000000002AAA");
  }
  SECTION("made") {
    answer(R"({"records":[]})");
    CHECK(asked.requests.at(0).body == R"({"Name":"O'Hara","IsActive":true})");
    answer(R"({"id":"701000000000003AAA","success":true})");
    CHECK(asked.outcome->remote_id == "701000000000003AAA");
  }
  SECTION("two of them are one too many") {
    answer(R"({"records":[{"Id":"701000000000002AAA"},{"Id":"701000000000003AAA"}]})");
    CHECK(asked.outcome->status == SLUICE_INVALID);
  }
}

}  // namespace sluice
