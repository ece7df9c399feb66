#include <catch2/catch.hpp>

#include "plugin/inquiry.hpp"
#include "vendors/stand_in.hpp"

namespace sluice {
namespace {

using plugin::Outcome;
using plugin::Record;
using vendors::Opened;
using vendors::StandIn;

constexpr TimeUs noon = 1'772'359'200'000'000;

std::string with(const std::string& more = "") {
  return R"({"ad_account":"1","token":"t","endpoint":"https://graph.test")" + more + "}";
}

Record record(std::uint32_t op, const std::string& ids, const std::string& payload = "{}",
              const std::string& audience = "42") {
  static int number = 0;
  Record out;
  out.op = op;
  out.time = noon;
  out.id = "j.1." + std::to_string(++number) + ".0";
  out.key = "p" + std::to_string(number);
  out.name = "VIP";
  out.payload = payload;
  out.identifiers = ids;
  out.audience_id = audience;
  return out;
}

std::string body_of(const std::vector<Record>& records, const std::string& more = "") {
  Opened meta("meta_audiences", with(more));
  const auto output = meta->plan(records).value();
  CHECK(output.faults.empty());
  return output.requests.size() == 1 ? output.requests[0].body : std::to_string(output.requests.size());
}

// "status reason" of a record when its request is answered so.
std::string judged(int status, const std::string& body, std::vector<plugin::Header> headers = {},
                   std::vector<plugin::RateLimit>* limits = nullptr) {
  Opened meta("meta_audiences", with());
  const std::vector<Record> records{record(SLUICE_ENTER, R"({"user_id":["u"]})")};
  const plugin::Request request = meta->plan(records).value().requests.at(0);
  plugin::Response response{.status = status, .body = body, .headers = std::move(headers), .received = noon};
  response.records = request.records;
  response.state = request.state;
  const plugin::Output out = meta->interpret(records, response).value();
  if (limits != nullptr) *limits = out.limits;
  return std::to_string(out.outcomes.at(0).outcome.status) + " " + out.outcomes.at(0).outcome.reason;
}

std::string error(int code, int subcode = 0, const std::string& message = "no") {
  return R"({"error":{"message":")" + message + R"(","code":)" + std::to_string(code) +
         (subcode == 0 ? "" : R"(,"error_subcode":)" + std::to_string(subcode)) + "}}";
}

std::string status(sluice_status value, int code) {
  return std::to_string(value) + " meta_" + std::to_string(code);
}

// The vectors of the guide: value in, hash out, each in its column.
constexpr const char* john = "96d9632f363564cc3032521409cf22a852f2032eec099ed5967c0d000cec607a";
constexpr const char* mail = "836f82db99121b3481011f16b49dfa5fbc714a0d1b1b9f784a1ebbbf5b39577f";
constexpr const char* phone = "8a3e7886c9335e82e02299fa3e87b46e2de3b0c63d56003e30a5029394a47661";
constexpr const char* mueller = "2dbd218072117713f2d5996a726a9b216ed791ffd0783b6ba4ab6d61b8333192";
constexpr const char* new_york = "350c754ba4d38897693aa077ef43072a859d23f613443133fecbbd90a3512ca5";
constexpr const char* zip = "b9a9cf3cd3723a2e91b7c23ecf68456e872b6e5d86e5cab7f3d45a7302da32c7";
constexpr const char* us = "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621";

struct Vendor {
  explicit Vendor(std::vector<std::string> more = {}) : server("meta.py", arguments(std::move(more))) {}
  static std::vector<std::string> arguments(std::vector<std::string> more) {
    more.insert(more.end(), {"--token", "t", "--ad-account", "1", "--page", "2"});
    return more;
  }
  std::string with(const std::string& more = "") const {
    return R"({"ad_account":"act_1","token":"t","endpoint":")" + server.url() + "\"" + more + "}";
  }
  JsonParser parser;
  Json audience(std::size_t index) {
    const std::string lines = vendors::send("GET", server.url() + "/_stand-in/audiences", "").body;
    std::istringstream in(lines);
    std::string line;
    for (std::size_t i = 0; i <= index; ++i) std::getline(in, line);
    return parser.parse(line);
  }
  StandIn server;
};

// As the hub asks: each request sent, until the id is there.
Result<std::string> provision(Opened& meta, const std::string& name, const std::string& kept = "") {
  plugin::Inquiry found =
      meta->provision({.kind = SLUICE_PROVISION_AUDIENCE, .name = name, .remote_id = kept}).value();
  while (!found.outcome)
    found = meta->interpret_inquiry(vendors::exchange(*meta, found.requests.at(0), noon)).value();
  if (found.outcome->status != SLUICE_OK) return Error{Code::rejected, found.outcome->detail};
  return found.outcome->remote_id;
}

}  // namespace

TEST_CASE("each value is hashed in Meta's form, in the order of its matrix") {
  const std::string body = body_of({record(
      SLUICE_ENTER, R"({"user_id":["u-1"],"email":["John.Doe@Example.COM "],"phone":["+33612345678"]})",
      R"({"first_name":"John","last_name":"Müller","city":"New York","postal_code":"94025-1234",)"
      R"("country":"US","birth_date":"1984-07-06","mobile_ad_id":"AB-CD"})")});
  CHECK(
      body.starts_with(R"({"payload":{"schema":["EXTERN_ID","EMAIL","PHONE","LN","FN","DOBY","DOBM","DOBD",)"
                       R"("CT","ZIP","COUNTRY","MADID"],"data":[["u-1",")"));
  std::size_t at = 0;
  for (const char* const hash : {mail, phone, mueller, john, new_york, zip, us}) {
    const std::size_t found = body.find(hash, at);
    REQUIRE(found != std::string::npos);
    at = found;
  }
  CHECK(body.ends_with(R"(","ab-cd"]]}})"));
}

TEST_CASE("what nobody has is no column, what one person lacks is an empty cell, a hash stays one") {
  CHECK(body_of({record(SLUICE_ENTER, R"({"user_id":["a"]})"),
                 record(SLUICE_ENTER, std::string(R"({"email":[")") + mail + "\"]}")}) ==
        std::string(R"({"payload":{"schema":["EXTERN_ID","EMAIL"],"data":[["a",""],["",")") + mail +
            "\"]]}}");
}

TEST_CASE("the country of the settings stands where the record has none, and makes nobody of nobody") {
  CHECK(body_of({record(SLUICE_ENTER, R"({"user_id":["a"]})")}, R"(,"country":"US")").find(us) !=
        std::string::npos);
  Opened meta("meta_audiences", with(R"(,"country":"US")"));
  const auto out = meta->plan(std::vector{record(SLUICE_ENTER, "{}")}).value();
  REQUIRE(out.outcomes.size() == 1);
  CHECK(out.outcomes[0].outcome.reason == "no_identifier");
}

TEST_CASE("who leaves is taken off under each address and user id, who is erased out of all audiences") {
  Opened meta("meta_audiences", with());
  const std::string ids = R"({"user_id":["a","b"],"email":["a@x.test","b@x.test"],"phone":["+33612345678"]})";
  const auto out =
      meta->plan(std::vector{record(SLUICE_LEAVE, ids), record(SLUICE_ERASE, ids, "{}", "")}).value();
  REQUIRE(out.requests.size() == 2);
  CHECK((out.requests[0].method == "DELETE" && out.requests[0].url == "/v25.0/42/users"));
  JsonParser parser;
  const Json rows = parser.parse(out.requests[0].body)["payload"]["data"];
  CHECK(rows.size() == 3);
  CHECK(out.requests[1].url == "/v25.0/act_1/usersofanyaudience");
  // And who enters is one entry, whichever of them they were there by.
  JsonParser other;
  CHECK(other.parse(body_of({record(SLUICE_ENTER, ids)}))["payload"]["data"].text() == rows.text());
}

TEST_CASE("requests keep to the rows and the bytes of the settings") {
  Opened rows("meta_audiences", with(R"(,"rows":2)"));
  std::vector<Record> records;
  for (int i = 0; i < 5; ++i)
    records.push_back(record(SLUICE_ENTER, R"({"email":["a)" + std::to_string(i) + R"(@x.test"]})"));
  CHECK(rows->plan(records).value().requests.size() == 3);
  Opened bytes("meta_audiences", with(R"(,"payload_bytes":2000)"));
  for (int i = 0; i < 50; ++i) records.push_back(records.front());
  const auto planned = bytes->plan(records);
  for (const plugin::Request& request : planned.value().requests) CHECK(request.body.size() < 2'200);
}

TEST_CASE("a part of a snapshot is one request of a session, and what is too much for it is left") {
  Opened meta("meta_audiences", with(R"(,"rows":2)"));
  std::vector<Record> records{record(SLUICE_SNAPSHOT_BEGIN, "{}")};
  for (const char* const id : {"a", "b", "c"})
    records.push_back(record(SLUICE_ENTER, std::string(R"({"user_id":[")") + id + "\"]}"));
  records.push_back(record(SLUICE_SNAPSHOT_END, "{}"));
  const auto first = meta->plan(records, {}, {.snapshot = "j.1.9.0", .part = 1}).value();
  REQUIRE(first.requests.size() == 1);
  CHECK((first.faults.empty() && first.outcomes.empty()));
  CHECK(first.requests[0].records == std::vector<std::uint32_t>{0, 1, 2});
  CHECK(first.requests[0].url == "/v25.0/42/usersreplace");
  const std::vector<Record> rest(records.begin() + 3, records.end());
  const auto last = meta->plan(rest, {}, {.snapshot = "j.1.9.0", .part = 2}).value();
  JsonParser one, two;
  const Json begin = one.parse(first.requests[0].body)["session"],
             end = two.parse(last.requests.at(0).body)["session"];
  CHECK((begin["session_id"].text() == end["session_id"].text() && begin["session_id"].text().size() > 15));
  CHECK((begin["batch_seq"].text() == "1" && begin["last_batch_flag"].text() == "false"));
  CHECK((end["batch_seq"].text() == "2" && end["last_batch_flag"].text() == "true"));
  CHECK(last.requests[0].records == std::vector<std::uint32_t>{0, 1});
}

TEST_CASE("errors are told apart by their code, whatever the HTTP status says") {
  CHECK(judged(200, R"({"audience_id":"42","num_received":1,"num_invalid_entries":0})") == "0 ");
  for (const int code : {1, 2, 368, 5000}) CHECK(judged(400, error(code)) == status(SLUICE_RETRY, code));
  for (const int code : {4, 17, 613, 80003}) CHECK(judged(400, error(code)) == status(SLUICE_THROTTLE, code));
  for (const int code : {190, 102, 10, 294, 2655})
    CHECK(judged(400, error(code)) == status(SLUICE_AUTH, code));
  CHECK(judged(200, error(190, 463)) == status(SLUICE_AUTH, 190));
  CHECK(judged(400, error(100, 33)) == status(SLUICE_GONE, 100));
  CHECK(judged(400, error(100, 1713230)) == status(SLUICE_AUTH, 100));
  CHECK(judged(400, error(100)) == status(SLUICE_INVALID, 100));
  CHECK(judged(400, error(2650, 0, "A replace operation is already in progress")) ==
        status(SLUICE_RETRY, 2650));
  CHECK(judged(0, "") == std::to_string(SLUICE_RETRY) + " no_answer");
  CHECK(judged(503, "<html>") == std::to_string(SLUICE_RETRY) + " http_503");
  CHECK(judged(200, "<html>") == std::to_string(SLUICE_RETRY) + " unreadable_answer");
}

TEST_CASE("the budget slows above 75 % and stops for the announced minutes at 100 %") {
  const auto limit = [](const std::string& header, const std::string& value) {
    std::vector<plugin::RateLimit> limits;
    judged(200, "{}", {{header, value}}, &limits);
    return limits.empty() ? DurationUs{-1} : limits[0].reset - noon;
  };
  const auto business = [&](int percent, int minutes) {
    return limit("x-business-use-case-usage", R"({"7":[{"call_count":1,"total_cputime":)" +
                                                  std::to_string(percent) +
                                                  R"(,"total_time":2,"estimated_time_to_regain_access":)" +
                                                  std::to_string(minutes) + "}]}");
  };
  CHECK(business(75, 0) == -1);
  CHECK((business(76, 0) >= us_per_s && business(76, 0) < 2 * us_per_s));
  CHECK(business(99, 0) > business(80, 0));
  CHECK(business(100, 7) == 7 * us_per_min);
  CHECK(limit("x-app-usage", R"({"call_count":100})") == 5 * us_per_min);
  CHECK(limit("x-app-usage", "garbage") == -1);
}

TEST_CASE("each request carries the token's proof where there is an app secret") {
  Opened meta("meta_audiences", R"({"ad_account":"1","token":"token","app_secret":"secret"})");
  const auto out = meta->plan(std::vector{record(SLUICE_ENTER, R"({"user_id":["a"]})")}).value();
  CHECK(out.requests.at(0).url ==
        "/v25.0/42/users?appsecret_proof=e941110e3d2bfe82621f0e3e1434730d7305d106c5f68c87165d0b27a4611a4a");
  CHECK(plugin::resolve(meta->http_policy(), out.requests[0], noon)
            .value()
            .url.starts_with("https://graph.facebook.com/v25.0/"));
}

TEST_CASE("an audience is created once, found by its name on whatever page, and verified by its id") {
  Vendor vendor({"--app-secret", "s"});
  Opened meta("meta_audiences", vendor.with(R"(,"app_secret":"s")"));
  for (const char* const name : {"a", "b", "c", "d"}) REQUIRE(provision(meta, name));
  const std::string id = provision(meta, "VIP \"France\"").value();
  CHECK(provision(meta, "VIP \"France\"").value() == id);
  CHECK(provision(meta, "VIP \"France\"", id).value() == id);
  CHECK(provision(meta, id).value() == id);
  CHECK(vendor.server.stats().find("\"created\":5") != std::string::npos);
  vendors::send("POST", vendor.server.url() + "/_stand-in/drop", "{\"id\":\"" + id + "\"}");
  CHECK(provision(meta, "VIP \"France\"", id).value() != id);
  CHECK_FALSE(provision(meta, "99999999999"));
}

TEST_CASE("people enter and leave, and a session leaves none but its members") {
  Vendor vendor;
  Opened meta("meta_audiences", vendor.with());
  const std::string id = provision(meta, "VIP").value();
  const auto person = [&](std::uint32_t op, const std::string& user) {
    return record(op, R"({"user_id":[")" + user + R"("],"email":[")" + user + R"(@x.test"]})", "{}", id);
  };
  for (const Outcome& o : vendors::deliver(meta, {person(SLUICE_ENTER, "a"), person(SLUICE_ENTER, "b")}))
    CHECK(o.status == SLUICE_OK);
  vendors::deliver(meta, {person(SLUICE_LEAVE, "a")});
  CHECK(vendor.audience(0)["members"].size() == 1);
  const std::vector<Record> all{person(SLUICE_SNAPSHOT_BEGIN, "x"), person(SLUICE_ENTER, "c"),
                                person(SLUICE_SNAPSHOT_END, "x")};
  const auto out = meta->plan(all, {}, {.snapshot = "j.1.5.0", .part = 1}).value();
  const auto answer = vendors::exchange(*meta, out.requests.at(0), noon);
  CHECK(meta->interpret(all, answer).value().outcomes.size() == 3);
  CHECK(vendor.audience(0)["members"].at(0)["EXTERN_ID"].string_or("") == "c");
  CHECK(vendor.audience(0)["members"].size() == 1);
  CHECK(vendor.server.stats().find("\"invalid\":0") != std::string::npos);
  vendors::deliver(meta, {person(SLUICE_ERASE, "c")});
  CHECK(vendor.audience(0)["members"].size() == 0);
}

TEST_CASE("a row that Meta cannot read is counted, and no value of it is logged") {
  Opened meta("meta_audiences", with());
  const std::vector<Record> records{record(SLUICE_ENTER, R"({"user_id":["u"]})")};
  plugin::Response response{
      .status = 200,
      .body = R"({"num_received":1,"num_invalid_entries":1,"invalid_entry_samples":{"secret@x.test":"x"}})"};
  response.records = {0};
  CHECK(meta->interpret(records, response).value().outcomes.at(0).outcome.status == SLUICE_OK);
  CHECK(meta.host.logged.find("1 entries of 1") != std::string::npos);
  CHECK(meta.host.logged.find("secret@") == std::string::npos);
}

}  // namespace sluice
