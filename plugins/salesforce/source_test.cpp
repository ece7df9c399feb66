#include <catch2/catch.hpp>

#include "support/plugin_host.hpp"

using namespace sluice;

namespace {

constexpr TimeUs noon = 1'772'359'200'000'000;  // 2026-03-01T10:00:00Z
const std::string settings =
    R"({"instance":"acme","client_id":"id","client_secret":"secret","bulk_rows":2000})";
const std::string described =
    R"({"name":"Contact","queryable":true,"fields":[{"name":"Id","type":"id"},{"name":"SystemModstamp","type":"datetime"},)"
    R"({"name":"IsDeleted","type":"boolean"},{"name":"Email","type":"email"},{"name":"Points__c","type":"double"},)"
    R"({"name":"MailingAddress","type":"address"},{"name":"AccountId","type":"reference","relationshipName":"Account"}]})";

class Sink final : public plugin::Sink {
 public:
  Status record(const plugin::Emitted& r) override {
    const char* const what = r.op == SLUICE_DELETE           ? "gone "
                             : r.op == SLUICE_SNAPSHOT_BEGIN ? "begin"
                             : r.op == SLUICE_SNAPSHOT_END   ? "end"
                                                             : "";
    said.push_back(what + std::string(r.key));
    if (r.op == SLUICE_EVENT) rows.emplace_back(r.payload);
    return Done{};
  }
  Status reject(const plugin::Rejected& r) override {
    said.push_back("reject " + std::string(r.reason));
    return Done{};
  }
  Status checkpoint(std::string_view at) override {
    cursor = at;
    return Done{};
  }
  void ended() override {}

  std::vector<std::string> said, rows;
  std::string cursor;
};

// A poll that the test answers.
struct Reading {
  testing::PluginHost host;
  std::unique_ptr<plugin::Connector> source;
  plugin::Poll poll{.stream = "Contact", .fields = {"Email"}};
  Sink sink;
  plugin::Request asked;
  std::vector<plugin::RateLimit> limits;

  explicit Reading(const std::string& with = settings) {
    auto opened = testing::open_built("salesforce", SLUICE_SOURCE, with, "/", host);
    REQUIRE(opened);
    source = std::move(opened).value();
  }
  Status begin() { return take(source->fetch(poll, sink)); }
  Status answer(int status, const std::string& body, std::vector<plugin::Header> headers = {}) {
    plugin::Response response;
    response.status = status;
    response.body = body;
    headers.push_back({"date", "Sun, 01 Mar 2026 10:00:00 GMT"});
    response.headers = std::move(headers);
    response.state = asked.state;
    response.purpose = SLUICE_FOR_FETCH;
    response.received = noon;
    return take(source->interpret_fetched(poll, response, sink));
  }
  Status take(Result<plugin::FetchOutput> output) {
    asked = {};
    if (!output) return output.error();
    REQUIRE(output.value().requests.size() <= 1);
    if (!output.value().requests.empty()) asked = output.value().requests.front();
    limits = output.value().limits;
    return Done{};
  }
  // The query, as it is read.
  std::string query() const {
    std::string out;
    const std::string url = asked.url.substr(asked.url.find("?q=") + 3);
    for (std::size_t i = 0; i < url.size(); ++i) {
      const bool coded = url[i] == '%';
      out += coded ? static_cast<char>(std::stoi(url.substr(i + 1, 2), nullptr, 16)) : url[i];
      if (coded) i += 2;
    }
    return out;
  }
};

std::string row(const std::string& stamp, const std::string& more = "",
                const std::string& id = "003000000000001AAA") {
  return R"({"attributes":{"type":"Contact","url":"/x"},"Id":")" + id + R"(","SystemModstamp":")" + stamp +
         "\"" + more + "}";
}
std::string page(const std::string& rows, const std::string& rest = R"("done":true,"totalSize":1)") {
  return "{" + rest + R"(,"records":[)" + rows + "]}";
}
const std::string stamp = "2026-03-01T09:30:00.000+0000";

}  // namespace

TEST_CASE("the first poll asks what the object is, and then for the fields that are read") {
  Reading r;
  REQUIRE(r.begin());
  CHECK(r.asked.url == "/services/data/v61.0/sobjects/Contact/describe");
  REQUIRE(r.answer(200, described));
  CHECK(r.asked.url.starts_with("/services/data/v61.0/query?q="));
  CHECK(r.query() == "SELECT Id,SystemModstamp,IsDeleted,Email FROM Contact ORDER BY SystemModstamp, Id");
  REQUIRE(r.answer(
      200, page(row(stamp, R"(,"Email":null,"Account":{"attributes":{},"Name":"Acme"},"IsDeleted":false)"))));
  CHECK(r.asked.url.empty());
  CHECK(r.sink.said == std::vector<std::string>{"003000000000001AAA@1772357400000"});
  CHECK(r.sink.rows.at(0) ==
        R"({"Id":"003000000000001AAA","SystemModstamp":"2026-03-01T09:30:00.000+0000","Email":null,)"
        R"("Account":{"Name":"Acme"},"IsDeleted":false})");
}

TEST_CASE("the next poll goes on five minutes earlier, with what was deleted, and asks nothing twice") {
  Reading r;
  REQUIRE(r.begin());
  REQUIRE(r.answer(200, described));
  REQUIRE(r.answer(200, page(row(stamp))));
  r.poll.cursor = r.sink.cursor;
  REQUIRE(r.begin());
  CHECK(r.asked.url.starts_with("/services/data/v61.0/queryAll?q="));
  CHECK(r.query() ==
        "SELECT Id,SystemModstamp,IsDeleted,Email FROM Contact WHERE SystemModstamp >= "
        "2026-03-01T09:55:00.000Z ORDER BY SystemModstamp, Id");
  REQUIRE(r.answer(200, page(row(stamp, R"(,"IsDeleted":true)"))));
  CHECK(r.sink.said.back() == "gone 003000000000001AAA@1772357400000#deleted");
  r.poll.fields.push_back("Points__c");
  REQUIRE(r.begin());
  CHECK(r.asked.url.ends_with("/describe"));
}

TEST_CASE("nothing new moves the cursor once an hour alone") {
  Reading r;
  REQUIRE(r.begin());
  REQUIRE(r.answer(200, described));
  REQUIRE(r.answer(200, page("", R"("done":true,"totalSize":0)")));
  const std::string first = r.sink.cursor;
  CHECK(first.find("2026-03-01T10:00:00.000Z") != std::string::npos);
  r.poll.cursor = first;
  r.sink.cursor.clear();
  REQUIRE(r.begin());
  REQUIRE(r.answer(200, page("", R"("done":true,"totalSize":0)")));
  CHECK(r.sink.cursor.empty());
}

TEST_CASE("a page is followed by the next, which is where the cursor stands") {
  Reading r;
  REQUIRE(r.begin());
  REQUIRE(r.answer(200, described));
  REQUIRE(r.answer(
      200,
      page(row(stamp), R"("done":false,"totalSize":3,"nextRecordsUrl":"/services/data/v61.0/query/01g-2")")));
  CHECK(r.asked.url == "/services/data/v61.0/query/01g-2");
  CHECK(r.sink.cursor.find("2026-03-01T09:30:00.000Z") != std::string::npos);
  SECTION("a cursor that Salesforce has forgotten begins anew where it stood") {
    REQUIRE(r.answer(400, R"([{"errorCode":"INVALID_QUERY_LOCATOR","message":"invalid"}])"));
    CHECK(r.query().find("WHERE SystemModstamp >= 2026-03-01T09:30:00.000Z ORDER") != std::string::npos);
  }
  SECTION("a next page that is elsewhere is none") {
    CHECK_FALSE(r.answer(
        200, page(row(stamp), R"("done":false,"totalSize":3,"nextRecordsUrl":"https://evil.test/")")));
  }
}

TEST_CASE("a full refresh stands between its marks") {
  Reading r;
  r.poll.full = true;
  r.poll.cursor = R"({"by":"SystemModstamp","deletes":true,"at":"2026-01-01T00:00:00.000Z"})";
  REQUIRE(r.begin());
  REQUIRE(r.answer(200, described));
  CHECK(r.query().find("WHERE") == std::string::npos);
  REQUIRE(r.answer(200, page(row(stamp))));
  CHECK(r.sink.said == std::vector<std::string>{"begin", "003000000000001AAA@1772357400000", "end"});
}

TEST_CASE("a query that takes too long is halved, and its windows grow again") {
  Reading r;
  r.poll.since = noon - 8 * us_per_h;
  REQUIRE(r.begin());
  REQUIRE(r.answer(200, described));
  const std::string timeout = R"([{"errorCode":"QUERY_TIMEOUT","message":"too long"}])";
  REQUIRE(r.answer(400, timeout));
  CHECK(r.query().find(">= 2026-03-01T02:00:00.000Z AND SystemModstamp < 2026-03-01T06:00:00.000Z") !=
        std::string::npos);
  REQUIRE(r.answer(400, timeout));
  CHECK(r.query().find("< 2026-03-01T04:00:00.000Z") != std::string::npos);
  REQUIRE(r.answer(200, page(row("2026-03-01T03:00:00.000+0000"))));
  CHECK(r.query().find(">= 2026-03-01T04:00:00.000Z AND SystemModstamp < 2026-03-01T08:00:00.000Z") !=
        std::string::npos);
  CHECK(r.sink.cursor.find("2026-03-01T04:00:00.000Z") != std::string::npos);
}

TEST_CASE("many rows are read by a job, with the types that cells have lost") {
  Reading r;
  r.poll.fields = {"Email", "Points__c", "Account.Name"};
  REQUIRE(r.begin());
  REQUIRE(r.answer(200, described));
  REQUIRE(r.answer(
      200,
      page(row(stamp), R"("done":false,"totalSize":2001,"nextRecordsUrl":"/services/data/v61.0/query/x")")));
  CHECK(r.sink.said.empty());
  CHECK(r.asked.method == "POST");
  CHECK(r.asked.body ==
        R"({"operation":"query","query":"SELECT Id,SystemModstamp,IsDeleted,Email,Points__c,Account.Name )"
        R"(FROM Contact","contentType":"CSV","lineEnding":"LF"})");
  REQUIRE(r.answer(200, R"({"id":"750000000000001AAA","state":"UploadComplete"})"));
  CHECK((r.asked.url.ends_with("/jobs/query/750000000000001AAA") && r.asked.delay_ms == 2'000));
  REQUIRE(r.answer(200, R"({"id":"750000000000001AAA","state":"InProgress"})"));
  CHECK(r.asked.delay_ms == 4'000);
  SECTION("after a restart the same job is read on") {
    r.poll.cursor = r.sink.cursor;
    REQUIRE(r.begin());
    CHECK(r.asked.url.ends_with("/jobs/query/750000000000001AAA"));
  }
  SECTION("a job that fails is read page by page") {
    REQUIRE(r.answer(200, R"({"id":"750000000000001AAA","state":"Failed","errorMessage":"no"})"));
    CHECK(r.asked.url.starts_with("/services/data/v61.0/query?q="));
    REQUIRE(r.answer(
        200, page(row(stamp),
                  R"("done":false,"totalSize":2001,"nextRecordsUrl":"/services/data/v61.0/query/x")")));
    CHECK(r.asked.url == "/services/data/v61.0/query/x");
  }
  SECTION("its rows come in parts") {
    REQUIRE(r.answer(200, R"({"id":"750000000000001AAA","state":"JobComplete"})"));
    const std::string csv =
        "\"Id\",\"SystemModstamp\",\"IsDeleted\",\"Email\",\"Points__c\",\"Account.Name\"\n"
        "\"003000000000001AAA\",\"2026-03-01T09:30:00.000Z\",\"false\",\"\",\"1.5\",\"A \"\"b\"\",\nc\"\n";
    REQUIRE(r.answer(200, csv, {{"sforce-locator", "MTAw"}}));
    CHECK(r.asked.url.ends_with("&locator=MTAw"));
    CHECK(
        r.sink.rows.at(0) ==
        R"({"Id":"003000000000001AAA","SystemModstamp":"2026-03-01T09:30:00.000Z","IsDeleted":false,"Email":null,)"
        R"("Points__c":1.5,"Account":{"Name":"A \"b\",\nc"}})");
    REQUIRE(r.answer(200, csv, {{"sforce-locator", "null"}}));
    CHECK(r.asked.url.empty());
    CHECK(r.sink.cursor.find("job") == std::string::npos);
    CHECK_FALSE(r.answer(200, "\"Id\",\"SystemModstamp\"\n\"003"));
  }
}

TEST_CASE("an address is read as a whole, and never by a job") {
  Reading r;
  r.poll.fields = {"MailingAddress.city", "MailingAddress.country"};
  REQUIRE(r.begin());
  REQUIRE(r.answer(200, described));
  CHECK(r.query() ==
        "SELECT Id,SystemModstamp,IsDeleted,MailingAddress FROM Contact ORDER BY SystemModstamp, Id");
  REQUIRE(r.answer(
      200,
      page(row(stamp), R"("done":false,"totalSize":9000,"nextRecordsUrl":"/services/data/v61.0/query/x")")));
  CHECK(r.asked.url == "/services/data/v61.0/query/x");
}

TEST_CASE("what cannot be read says what to mend") {
  Reading r;
  const auto refused = [&](const std::string& field) {
    r.poll.fields = {field};
    const Status begun = r.begin();
    const Status done = begun ? r.answer(200, described) : begun;
    return done ? std::string() : done.error().detail;
  };
  CHECK(refused("email").find("did you mean 'Email'?") != std::string::npos);
  CHECK(refused("Nope__c").find("has no field 'Nope__c'") != std::string::npos);
  CHECK(refused("Email FROM User").find("API name") != std::string::npos);
  r.poll.stream = "Contact;";
  CHECK_FALSE(r.begin());
  CHECK_FALSE(testing::open_built("salesforce", SLUICE_SOURCE, R"({"client_id":"id","client_secret":"s"})",
                                  "/", r.host));
}

TEST_CASE("a limit that is used up is told, and the poll ends without a failure") {
  Reading r;
  REQUIRE(r.begin());
  REQUIRE(
      r.answer(403, R"([{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}])"));
  REQUIRE(r.limits.size() == 1);
  CHECK((r.limits[0].remaining == 0 && r.limits[0].reset == noon + us_per_h));
  REQUIRE(r.begin());
  REQUIRE(r.answer(200, described,
                   {{"sforce-limit-info", "api-usage=18/5000, per-app-api-usage=17/250(appName=x)"}}));
  CHECK((r.limits.at(0).remaining == 4'982 && r.limits[0].reset == no_time));
}

TEST_CASE("failures are what they are") {
  for (const auto& [status, body, code] :
       {std::tuple(401, R"([{"errorCode":"INVALID_SESSION_ID","message":"x"}])", Code::misconfigured),
        std::tuple(500, "", Code::transient), std::tuple(0, "", Code::transient),
        std::tuple(404, R"([{"errorCode":"NOT_FOUND","message":"x"}])", Code::rejected),
        std::tuple(200, "<html>", Code::transient)}) {
    Reading r;
    REQUIRE(r.begin());
    const Status judged = r.answer(status, body);
    REQUIRE_FALSE(judged);
    CHECK(judged.error().code == code);
  }
}
