#include "destination_test.hpp"

#include <catch2/catch.hpp>

namespace sluice::salesforce_test {

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
        R"("CampaignId":"701000000000001AAA","Contact":{"attributes":{"type":"Contact"},"Key__c":"ada"}}]})");
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

}  // namespace sluice::salesforce_test
