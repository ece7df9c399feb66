// Members of campaigns, and people whose box is ticked: who enters, who leaves, and a refresh.
#include "destination_test.hpp"

namespace sluice::salesforce_test {

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

// Somebody of several numbers, newest first.
Record several(std::uint32_t op, const std::string& numbers) {
  Record out = record(op);
  out.identifiers = R"({"user_id":[)" + numbers + "]}";
  return out;
}

struct Looked {  // what follows when those who are there have been looked for
  std::string asked;
  std::vector<plugin::Request> requests;
  std::vector<plugin::Fate> outcomes;
  std::vector<std::string> fates;  // when all of it succeeds but the records of `refused`
};

Looked looked(const std::vector<Record>& records, const std::string& settings, const std::string& found,
              const std::string& answer = "") {
  Opened salesforce("salesforce", with(settings));
  const auto planned = salesforce->plan(records).value();
  REQUIRE(planned.requests.size() == 1);
  plugin::Response response;
  response.status = 200;
  const auto answered = [&](const plugin::Request& request, const std::string& body) {
    response.body = body;
    response.state = request.state;
    response.records = request.records;
    return salesforce->interpret(records, response).value();
  };
  auto output = answered(planned.requests[0], R"({"done":true,"records":[)" + found + "]}");
  Looked out{planned.requests[0].url, output.requests, output.outcomes, {}};
  if (answer.empty()) return out;
  for (const plugin::Fate& one : answered(output.requests.at(0), answer).outcomes)
    out.fates.push_back(fate(one.outcome.status, one.outcome.reason));
  return out;
}

constexpr char vip[] = R"(,"campaigns":{"VIP":"701000000000001AAA"})";
constexpr char good[] = R"({"id":"00v000000000001AAA","success":true,"errors":[]})";

std::string there(const std::string& id, const std::string& key) {
  return R"({"Id":"00v00000000000)" + id + R"(AAA","Contact":{"Key__c":")" + key + R"("}})";
}

}  // namespace

TEST_CASE("of somebody who has several numbers all are looked for: who enters is a member by one at most",
          "[salesforce]") {
  const std::vector one = {several(SLUICE_ENTER, R"("new","old")")};
  const Looked none = looked(one, vip, "");
  CHECK(none.asked.find("IN%20%28%27new%27%2C%27old%27%29") != std::string::npos);
  REQUIRE(none.requests.size() == 1);
  CHECK((none.requests[0].method == "POST" &&
         none.requests[0].body.find(R"("Key__c":"new")") != std::string::npos));
  const Looked by_old = looked(one, vip, there("1", "old"));
  CHECK((by_old.requests.empty() && by_old.outcomes.at(0).outcome.status == SLUICE_OK));
  const Looked by_both = looked(one, vip, there("1", "old") + "," + there("2", "NEW"));
  REQUIRE((by_both.requests.size() == 1 && by_both.outcomes.empty()));
  CHECK(by_both.requests[0].url.find("?ids=00v000000000002AAA&") != std::string::npos);
}

TEST_CASE("who leaves is taken off by all of their numbers, and has left when each of them is gone",
          "[salesforce]") {
  const std::vector two = {several(SLUICE_LEAVE, R"("new","old")"), record(SLUICE_LEAVE, "{}", "bo")};
  const std::string found = there("3", "bo") + "," + there("1", "old") + "," + there("2", "new");
  const auto answered = [&](const std::string& list) {
    return looked(two, vip, found, "[" + list + "]").fates;
  };
  const std::string gone = refusal("ENTITY_IS_DELETED"), locked = refusal("UNABLE_TO_LOCK_ROW");
  const auto inner = [](const std::string& list) { return list.substr(1, list.size() - 2); };
  const Looked all = looked(two, vip, found);
  REQUIRE(all.requests.size() == 1);
  CHECK(all.requests[0].url.find("?ids=00v000000000002AAA,00v000000000001AAA,00v000000000003AAA&") !=
        std::string::npos);
  CHECK(answered(good + ("," + inner(gone)) + "," + good) == std::vector{fate(SLUICE_OK), fate(SLUICE_OK)});
  CHECK(answered(inner(locked) + "," + good + "," + good) ==
        std::vector{fate(SLUICE_RETRY, "unable_to_lock_row"), fate(SLUICE_OK)});
  CHECK(
      answered(good + ("," + std::string(good))) ==
      std::vector{fate(SLUICE_RETRY, "answer_not_understood"), fate(SLUICE_RETRY, "answer_not_understood")});
}

TEST_CASE("a box of somebody who has several numbers is ticked once, and unticked wherever it is",
          "[salesforce]") {
  const std::string box = R"(,"audience_fields":{"VIP":"Is_VIP__c"})";
  const std::string ticked = R"({"Id":"003000000000001AAA","Key__c":"old"})";
  const std::vector enters = {several(SLUICE_ENTER, R"("new","old")")};
  const Looked none = looked(enters, box, "");
  CHECK(none.asked.find("FROM%20Contact%20WHERE%20Is_VIP__c%20%3D%20true%20AND%20Key__c%20IN") !=
        std::string::npos);
  CHECK(none.requests.at(0).url.ends_with("/composite/sobjects/Contact/Key__c"));
  CHECK(looked(enters, box, ticked).requests.empty());
  const Looked leaves = looked({several(SLUICE_LEAVE, R"("new","old")")}, box, ticked,
                               R"([{"id":"003000000000001AAA","success":true,"errors":[]}])");
  CHECK(leaves.requests.at(0).method == "PATCH");
  CHECK(
      leaves.requests[0].body ==
      R"({"allOrNone":false,"records":[{"attributes":{"type":"Contact"},"Id":"003000000000001AAA","Is_VIP__c":false}]})");
  CHECK(leaves.fates == std::vector{fate(SLUICE_OK)});
}

TEST_CASE("a query holds as many numbers as its URL has room for", "[salesforce]") {
  Opened salesforce("salesforce", with(std::string(vip) + R"(,"campaign_marker":"Mark__c")"));
  const auto numbers = [](std::size_t count, std::size_t bytes, char letter) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
      std::string number = std::to_string(i);
      out += (out.empty() ? "\"" : ",\"") + number + std::string(bytes - number.size(), letter) + '"';
    }
    return out;
  };
  const auto requests = [&](const std::vector<Record>& records) {
    const auto output = salesforce->plan(records).value();
    for (const plugin::Request& one : output.requests) CHECK(one.url.size() < 12'000);
    return output.requests.size();
  };
  CHECK(requests(
            {several(SLUICE_LEAVE, numbers(50, 20, 'a')), several(SLUICE_LEAVE, numbers(50, 20, 'b'))}) == 1);
  CHECK(requests(
            {several(SLUICE_LEAVE, numbers(51, 20, 'a')), several(SLUICE_LEAVE, numbers(50, 20, 'b'))}) == 2);
  CHECK(requests({several(SLUICE_LEAVE, numbers(30, 200, 'a')),
                  several(SLUICE_LEAVE, numbers(30, 200, 'b'))}) == 2);
  CHECK(planned(several(SLUICE_LEAVE, numbers(100, 20, 'a')), vip).starts_with("GET "));
  CHECK(planned(several(SLUICE_LEAVE, numbers(101, 20, 'a')), vip) == "outcome too_many_identifiers");
  CHECK(planned(several(SLUICE_ENTER, numbers(60, 200, 'a')), vip) == "outcome too_many_identifiers");
  // A refresh leaves to its next part who has no room; who alone has too many is looked for by the newest.
  const auto part = [&](const std::vector<Record>& records) {
    const auto output = salesforce->plan(records, {}, {.snapshot = "j.1.5.0", .part = 1}).value();
    REQUIRE(output.requests.size() == 1);
    CHECK(output.requests[0].url.size() < 12'000);
    return output.requests[0].records.size();
  };
  CHECK(part({several(SLUICE_ENTER, numbers(20, 200, 'a')), several(SLUICE_ENTER, numbers(20, 200, 'b')),
              several(SLUICE_ENTER, numbers(20, 200, 'c'))}) == 2);
  CHECK(part({several(SLUICE_ENTER, numbers(120, 20, 'a')), several(SLUICE_ENTER, numbers(1, 20, 'b'))}) ==
        1);
  CHECK(part({several(SLUICE_ENTER, numbers(60, 200, 'a'))}) == 1);
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

}  // namespace

TEST_CASE("a number in other letter case is the same member's, after one that is written alike",
          "[salesforce]") {
  const Record ada = record(SLUICE_ENTER);
  const std::string done = '[' + std::string(good) + ']';
  CHECK(refreshed(ada, there("1", "ADA"), done).request.body.find("00v000000000001AAA") != std::string::npos);
  CHECK(refreshed(ada, there("1", "ADA") + "," + there("2", "ada"), done)
            .request.body.find("00v000000000002AAA") != std::string::npos);
  const Refreshed other = refreshed(ada, there("1", "adam"), done);
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

}  // namespace sluice::salesforce_test
