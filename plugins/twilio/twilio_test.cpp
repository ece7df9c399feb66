#include <catch2/catch.hpp>

#include "vendors/stand_in.hpp"

namespace sluice {
namespace {

using plugin::Outcome;
using plugin::Record;
using vendors::Opened;

const std::string account = "AC00000000000000000000000000000001";
const std::string number = "+33639980001";
constexpr const char* ada = "+33639980011";

std::string with(const vendors::StandIn& vendor, const std::string& more = "") {
  return R"({"account":")" + account + R"(","token":"auth-token","from":")" + number + R"(","endpoint":")" +
         vendor.url() + R"(","messaging_endpoint":")" + vendor.url() + "\"" + more + "}";
}

Record message(const std::string& payload, const std::string& to = ada, const std::string& id = "j.1.7.0") {
  Record out;
  out.op = SLUICE_MESSAGE;
  out.id = id;
  out.key = "p1";
  out.name = "cart";
  out.payload = payload;
  out.address = to;
  return out;
}

std::string text(const std::string& body) {
  return R"({"text":")" + body + "\"}";
}

// What the vendor kept of its last message.
std::string kept(vendors::StandIn& vendor, const std::string& field) {
  const std::string last = vendor.records().back();
  JsonParser parser;
  return std::string(parser.parse(last)[field].string_or(""));
}

class Rows final : public plugin::Sink {
 public:
  struct Row {
    std::uint32_t op;
    std::string key, name, payload, identifiers, remote_id, id;
  };
  Status record(const plugin::Emitted& r) override {
    rows.push_back({r.op, std::string(r.key), std::string(r.name), std::string(r.payload),
                    std::string(r.identifiers), std::string(r.remote_id), std::string(r.id)});
    return Done{};
  }
  Status reject(const plugin::Rejected&) override { return Done{}; }
  Status checkpoint(std::string_view) override { return Done{}; }
  void ended() override {}
  std::vector<Row> rows;
};

}  // namespace

TEST_CASE("a message is sent, and its outcome says what Twilio calls it", "[twilio][stand_in]") {
  vendors::StandIn vendor("twilio.py", {});
  Opened twilio("twilio", with(vendor, R"(,"validity_s":3600)"));
  const auto outcomes = vendors::deliver(twilio, {message(text("Votre panier & vous : 5 € +1"))});
  REQUIRE(outcomes[0].status == SLUICE_OK);
  CHECK(outcomes[0].remote_id.starts_with("SM"));
  CHECK(kept(vendor, "Body") == "Votre panier & vous : 5 € +1");
  CHECK((kept(vendor, "To") == ada && kept(vendor, "From") == number &&
         kept(vendor, "ValidityPeriod") == "3600"));
  CHECK(kept(vendor, "StatusCallback").empty());  // nobody can call back: there is no public URL
}

TEST_CASE("with a public URL each message asks to be told about, by its own id", "[twilio]") {
  vendors::StandIn vendor("twilio.py", {});
  Opened twilio("twilio", with(vendor), "https://hub.acme.test/in/sms");
  const auto output = twilio->plan(std::vector<Record>{message(text("Hi"))}).value();
  REQUIRE(output.requests.size() == 1);
  CHECK(output.requests[0].body ==
        "To=%2B33639980011&From=%2B33639980001&Body=Hi&"
        "StatusCallback=https%3A%2F%2Fhub.acme.test%2Fin%2Fsms%2Fstatus%3Fid%3Dj.1.7.0");
}

TEST_CASE("a messaging service, a template with variables and an image", "[twilio][stand_in]") {
  vendors::StandIn vendor("twilio.py", {});
  Opened twilio(
      "twilio",
      R"({"account":")" + account +
          R"(","token":"auth-token","messaging_service":"MG00000000000000000000000000000001","endpoint":")" +
          vendor.url() + "\"}");
  const std::string content = "HX" + std::string(32, 'a');
  const auto outcomes = vendors::deliver(
      twilio,
      {message(R"({"content_sid":")" + content + R"(","content_variables":"{\"1\":\"Ada\",\"2\":5}",)" +
               R"("media_url":"https://acme.test/a.png"})")});
  REQUIRE(outcomes[0].status == SLUICE_OK);
  CHECK(kept(vendor, "ContentVariables") == R"({"1":"Ada","2":"5"})");
  CHECK(kept(vendor, "MediaUrl") == "https://acme.test/a.png");
  CHECK(kept(vendor, "MessagingServiceSid") == "MG00000000000000000000000000000001");
  CHECK(kept(vendor, "From").empty());
}

TEST_CASE("an API key sends in the place of the account's token", "[twilio][stand_in]") {
  const std::string key = "SK00000000000000000000000000000001";
  vendors::StandIn vendor("twilio.py", {"--token", "another", "--api-key", key, "--api-secret", "hush"});
  Opened twilio("twilio", with(vendor, R"(,"api_key":")" + key + R"(","api_secret":"hush")"));
  CHECK(vendors::deliver(twilio, {message(text("Hi"))})[0].status == SLUICE_OK);
  Opened wrong("twilio", with(vendor));
  CHECK(vendors::deliver(wrong, {message(text("Hi"))})[0].status == SLUICE_AUTH);
}

TEST_CASE("what can never be sent is refused before it is, and the rest of the batch is sent",
          "[twilio][stand_in]") {
  vendors::StandIn vendor("twilio.py", {});
  Opened twilio("twilio", with(vendor));
  Record other = message("{}");
  other.op = SLUICE_EVENT;
  const auto outcomes =
      vendors::deliver(twilio, {message(text("Hi"), ""), message(text("Hi"), "0612345678"), message("{}"),
                                message("[]"), message(text(std::string(1'601, 'x'))),
                                message(R"({"content_sid":"HX1","content_variables":"[1]"})"), other,
                                message(text(std::string(1'600, 'x')))});
  CHECK((outcomes[0].status == SLUICE_SKIPPED && outcomes[0].reason == "no_address"));
  const char* const reasons[] = {"bad_number",    "text_is_missing",       "payload_is_no_object",
                                 "text_too_long", "bad_content_variables", "operation_not_offered"};
  for (std::size_t i = 0; i < std::size(reasons); ++i)
    CHECK((outcomes[i + 1].status == SLUICE_INVALID && outcomes[i + 1].reason == reasons[i]));
  CHECK(outcomes[7].status == SLUICE_OK);
  CHECK(vendor.records().size() == 1);
}

TEST_CASE("what Twilio refuses is told apart: the receiver, the message, the account, the moment",
          "[twilio][stand_in]") {
  vendors::StandIn vendor("twilio.py", {});
  Opened twilio("twilio", with(vendor));
  vendors::send("POST", vendor.url() + "/_stand-in/opt_out", R"({"from":")" + std::string(ada) + "\"}");
  const auto outcomes = vendors::deliver(twilio, {message(text("Hi")), message(text("Hi"), "+15005550001"),
                                                  message(text("Hi"), "+33140000000")});
  CHECK((outcomes[0].status == SLUICE_INVALID && outcomes[0].reason == "twilio_21610"));
  CHECK(outcomes[0].receiver == SLUICE_OPTED_OUT);
  CHECK((outcomes[1].reason == "twilio_21211" && outcomes[1].receiver == SLUICE_UNREACHABLE));
  CHECK((outcomes[2].reason == "twilio_21614" && outcomes[2].receiver == SLUICE_UNREACHABLE));
  for (const Outcome& outcome : outcomes) CHECK(outcome.detail.find("5005550001") == std::string::npos);

  Opened stranger("twilio", R"({"account":")" + account +
                                R"(","token":"auth-token","from":"+33600000000","endpoint":")" +
                                vendor.url() + "\"}");
  CHECK(vendors::deliver(stranger, {message(text("Hi"))})[0].status == SLUICE_AUTH);  // 21606: not ours
  vendor.order(R"({"status":429,"retry_after":4,"count":1})");
  const Outcome slow = vendors::deliver(twilio, {message(text("Hi"), "+33639980012")})[0];
  CHECK((slow.status == SLUICE_THROTTLE && slow.retry_after_ms == 4'000));
  vendor.order(R"({"status":503,"count":1})");
  CHECK(vendors::deliver(twilio, {message(text("Hi"), "+33639980012")})[0].status == SLUICE_RETRY);
}

TEST_CASE("a message whose answer is lost is looked for: found once it is delivered, else nobody knows",
          "[twilio][stand_in]") {
  vendors::StandIn vendor("twilio.py", {});
  Opened twilio("twilio", with(vendor));
  vendor.order(R"({"cut":true,"count":1})");
  const Outcome found = vendors::deliver(twilio, {message(text("Bonjour"))})[0];
  CHECK((found.status == SLUICE_OK && found.remote_id.starts_with("SM")));
  vendor.order(R"({"down":true,"count":1})");
  const Outcome lost = vendors::deliver(twilio, {message(text("Bonsoir"))})[0];
  CHECK((lost.status == SLUICE_UNKNOWN && lost.remote_id.empty()));
  vendor.order(R"({"cut":true,"count":1})");
  const Outcome twice = vendors::deliver(twilio, {message(text("Bonjour"))})[0];
  CHECK(twice.status == SLUICE_UNKNOWN);  // two of this text are there
  CHECK(vendor.records().size() == 2);
  Record later = message(text("Demain"));
  later.time = twilio.host.now_us() + us_per_h;
  vendor.order(R"({"cut":true,"count":1})");
  CHECK(vendors::deliver(twilio, {later})[0].status == SLUICE_UNKNOWN);  // what is there is older than it
}

TEST_CASE("a status is a receipt by Twilio's id and ours; what is on its way is none", "[twilio]") {
  vendors::StandIn vendor("twilio.py", {});
  Opened twilio("twilio", with(vendor));
  const auto called = [&](const std::string& status, const std::string& more = "") {
    Rows sink;
    const auto reply =
        twilio->receive({.route = "/status",
                         .method = "POST",
                         .query = "id=j.1.7.0",
                         .body = "MessageSid=SM1&MessageStatus=" + status + "&To=%2B33639980011" + more},
                        sink);
    REQUIRE(reply);
    CHECK(reply.value().status == 204);
    return sink.rows;
  };
  CHECK(called("queued").empty());
  CHECK(called("sending").empty());
  const auto delivered = called("delivered");
  REQUIRE(delivered.size() == 1);
  CHECK((delivered[0].op == SLUICE_EVENT && delivered[0].name == "delivered" &&
         delivered[0].key == "SM1:delivered"));
  CHECK((delivered[0].remote_id == "SM1" && delivered[0].id == "j.1.7.0"));
  CHECK(called("read")[0].name == "opened");
  CHECK(called("undelivered", "&ErrorCode=30006")[0].payload ==
        R"({"status":"undelivered","error":"30006"})");
  const auto refused = called("failed", "&ErrorCode=21610");
  REQUIRE(refused.size() == 2);
  CHECK((refused[1].op == SLUICE_CONSENT && refused[1].identifiers == R"({"phone":["+33639980011"]})"));
  CHECK(refused[1].payload == R"({"granted":false,"proof":"21610"})");
  Rows none;
  CHECK_FALSE(twilio->receive({.route = "/status", .method = "POST", .body = "MessageStatus=sent"}, none));
}

TEST_CASE("STOP and START are consent, in Twilio's words or by its opt-out type; all else is an answer",
          "[twilio]") {
  vendors::StandIn vendor("twilio.py", {});
  Opened twilio("twilio", with(vendor));
  const auto wrote = [&](const std::string& body, const std::string& more = "",
                         const std::string& from = "%2B33639980011") {
    Rows sink;
    const auto reply = twilio->receive({.route = "/inbound",
                                        .method = "POST",
                                        .body = "MessageSid=SM2&From=" + from + "&Body=" + body + more},
                                       sink);
    REQUIRE(reply);
    CHECK((reply.value().status == 200 && reply.value().body == "<Response/>"));
    return sink.rows;
  };
  for (const char* const word : {"STOP", "stop", "Stop.", "+Unsubscribe+", "STOPALL"}) {
    INFO(word);
    const auto rows = wrote(word);
    REQUIRE(rows.size() == 1);
    CHECK((rows[0].op == SLUICE_CONSENT && rows[0].payload == R"({"granted":false,"proof":"STOP"})"));
    CHECK(rows[0].identifiers == R"({"phone":["+33639980011"]})");
  }
  CHECK(wrote("START")[0].payload == R"({"granted":true,"proof":"START"})");
  CHECK(wrote("arret", "&OptOutType=STOP")[0].payload == R"({"granted":false,"proof":"STOP"})");
  const auto answer = wrote("stop+sending+me+cats");
  REQUIRE(answer.size() == 1);
  CHECK((answer[0].op == SLUICE_EVENT && answer[0].name == "replied"));
  CHECK(answer[0].payload == R"({"text":"stop sending me cats"})");
  CHECK(wrote("STOP", "", "whatsapp%3A%2B33639980011")[0].identifiers == R"({"phone":["+33639980011"]})");
  CHECK(wrote("STOP", "", "36180").empty());  // a short code is nobody's
}

TEST_CASE("subscribe sets the number's or the service's webhook, unsubscribe takes back only what is ours",
          "[twilio][stand_in]") {
  vendors::StandIn vendor("twilio.py", {});
  const auto settle = [](Opened& twilio, Result<plugin::Inquiry> first) {
    plugin::Inquiry inquiry = std::move(first).value();
    while (!inquiry.outcome) {
      REQUIRE(inquiry.requests.size() == 1);
      inquiry =
          twilio->interpret_inquiry(vendors::exchange(*twilio, inquiry.requests[0], twilio.host.now_us()))
              .value();
    }
    return *inquiry.outcome;
  };
  const std::string url = "https://hub.acme.test/in/sms/inbound", other = "https://other.test/";
  for (const std::string setting : {"number_sid\":\"PN", "messaging_service\":\"MG"}) {
    const std::string sid = setting.substr(setting.size() - 2) + "00000000000000000000000000000001";
    Opened twilio("twilio", with(vendor, ",\"" + setting + "00000000000000000000000000000001\""));
    const Outcome made = settle(twilio, twilio->subscribe({.route = "/inbound", .url = url}));
    CHECK((made.status == SLUICE_OK && made.remote_id == sid));
    CHECK(settle(twilio, twilio->unsubscribe({.route = "/inbound", .url = other, .remote_id = sid})).status ==
          SLUICE_OK);
    CHECK(vendors::send("POST", vendor.url() + "/_stand-in/inbound", R"({"from":"+33639980011","body":"Hi"})")
              .status == 200);
    CHECK(settle(twilio, twilio->unsubscribe({.route = "/inbound", .url = url, .remote_id = sid})).status ==
          SLUICE_OK);
    CHECK(vendors::send("POST", vendor.url() + "/_stand-in/inbound", R"({"from":"+33639980011","body":"Hi"})")
              .status == 409);
  }
}

TEST_CASE("settings without a sender, or that are no mapping, are refused", "[twilio]") {
  CHECK_THROWS(Opened("twilio", R"({"account":"a","token":"t"})"));
}

}  // namespace sluice
