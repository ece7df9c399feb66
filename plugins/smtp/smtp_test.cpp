#include <catch2/catch.hpp>

#include "vendors/stand_in.hpp"

namespace sluice {
namespace {

using plugin::Outcome;
using plugin::Record;
using vendors::Opened;

constexpr TimeUs noon = 1'772'359'200'000'000;  // 2026-03-01T10:00:00Z, a Sunday

Record message(std::uint64_t seq, const std::string& payload, const std::string& address = "ada@acme.test") {
  Record out;
  out.op = SLUICE_MESSAGE;
  out.time = noon;
  out.id = "j.1." + std::to_string(seq) + ".0";
  out.key = "p1";
  out.payload = payload;
  out.identifiers = "{}";
  out.address = address;
  return out;
}

const std::string plain = R"({"subject":"Hello","text":"Good day"})";

std::string with(int port, const std::string& more = "") {
  return R"({"server":"smtp://127.0.0.1:)" + std::to_string(port) +
         R"(","from":"Café Acme <shop@acme.test>")" + more + "}";
}

std::vector<Outcome> sent(Opened& smtp, const std::vector<Record>& records) {
  return smtp->deliver(records).value();
}

// What the server kept, parsed one by one.
std::string kept(vendors::StandIn& server, std::size_t index, std::initializer_list<const char*> path) {
  JsonParser parser;
  const std::vector<std::string> records = server.records();
  if (index >= records.size()) return "(no such mail)";
  Json at = parser.parse(records[index]);
  for (const char* name : path) at = at[name];
  return at.is_string() ? std::string(*at.string()) : at.text();
}

TEST_CASE("a mail arrives with its text, its html and its headers", "[smtp][stand_in]") {
  vendors::StandIn server("mail.py", {});
  Opened smtp("smtp", with(server.ports[0], R"(,"reply_to":"help@acme.test")"));
  const auto outcomes = sent(
      smtp, {message(7, R"({"subject":"Toujours à vous, Zoë — 5 € offerts, et encore un peu plus de texte",
    "text":"Bonjour Zoë,\n.\nà = b \nfin","html":"<p>Zoë &amp; vous</p>","unsubscribe_url":"https://acme.test/u?t=1"})")});
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].status == SLUICE_OK);
  CHECK(outcomes[0].remote_id == "<j.1.7.0@acme.test>");
  CHECK(kept(server, 0, {"subject"}) == "Toujours à vous, Zoë — 5 € offerts, et encore un peu plus de texte");
  CHECK(kept(server, 0, {"text"}) == "Bonjour Zoë,\n.\nà = b \nfin");
  CHECK(kept(server, 0, {"html"}) == "<p>Zoë &amp; vous</p>");
  CHECK(kept(server, 0, {"from"}) == "shop@acme.test");
  CHECK(kept(server, 0, {"to"}) == R"(["ada@acme.test"])");
  CHECK(kept(server, 0, {"headers", "from"}) == "Café Acme <shop@acme.test>");
  CHECK(kept(server, 0, {"headers", "to"}) == "ada@acme.test");
  CHECK(kept(server, 0, {"headers", "reply-to"}) == "help@acme.test");
  CHECK(kept(server, 0, {"headers", "message-id"}) == "<j.1.7.0@acme.test>");
  CHECK(kept(server, 0, {"headers", "date"}) == "Sun, 01 Mar 2026 10:00:00 +0000");
  CHECK(kept(server, 0, {"headers", "list-unsubscribe"}) == "<https://acme.test/u?t=1>");
  CHECK(kept(server, 0, {"headers", "list-unsubscribe-post"}) == "List-Unsubscribe=One-Click");
  const std::string source = kept(server, 0, {"source"});
  std::istringstream lines(source);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 79);
}

TEST_CASE("a mail with one body has no parts", "[smtp][stand_in]") {
  vendors::StandIn server("mail.py", {});
  Opened smtp("smtp", with(server.ports[0]));
  sent(smtp, {message(1, plain), message(2, R"({"subject":"Hello","html":"<p>x</p>"})")});
  CHECK(kept(server, 0, {"headers", "content-type"}) == R"(text/plain; charset="utf-8")");
  CHECK(kept(server, 1, {"headers", "content-type"}) == R"(text/html; charset="utf-8")");
  CHECK(kept(server, 0, {"headers", "list-unsubscribe"}) == "null");
}

TEST_CASE("a connection carries a whole batch", "[smtp][stand_in]") {
  vendors::StandIn server("mail.py", {});
  Opened smtp("smtp", with(server.ports[0]));
  std::vector<Record> records;
  for (std::uint64_t i = 0; i < 20; ++i) records.push_back(message(i, plain));
  for (const Outcome& outcome : sent(smtp, records)) CHECK(outcome.status == SLUICE_OK);
  for (const Outcome& outcome : sent(smtp, records)) CHECK(outcome.status == SLUICE_OK);
  JsonParser parser;
  const std::string stats = server.stats();
  const Json root = parser.parse(stats);
  CHECK(root["messages"].integer() == 40);
  CHECK(root["distinct"].integer() == 20);
  CHECK(root["connections"].integer() == 1);
}

TEST_CASE("no text of a message can add a header, a command or a receiver", "[smtp][stand_in]") {
  vendors::StandIn server("mail.py", {});
  Opened smtp("smtp", with(server.ports[0]));
  const auto outcomes = sent(
      smtp,
      {message(
           1,
           R"({"subject":"Hi\r\nBcc: eve@evil.test\r\n\r\nbody","text":"x\r\n.\r\nMAIL FROM:<e@evil.test>\r\n"})"),
       message(2, plain, "ada@acme.test>\r\nRCPT TO:<eve@evil.test"),
       message(3, plain, "ada@acme.test,eve@evil.test"), message(4, plain, "zoë@acme.test"),
       message(5,
               R"({"subject":"Hi","text":"x","unsubscribe_url":"https://a.test>\r\nBcc: eve@evil.test"})")});
  CHECK(outcomes[0].status == SLUICE_OK);
  for (std::size_t i = 1; i < 4; ++i) CHECK(outcomes[i].reason == "bad_address");
  CHECK(outcomes[4].reason == "bad_unsubscribe_url");
  REQUIRE(server.records().size() == 1);
  CHECK(kept(server, 0, {"headers", "bcc"}) == "null");
  CHECK(kept(server, 0, {"subject"}) == "Hi Bcc: eve@evil.test body");
  CHECK(kept(server, 0, {"text"}) == "x\n.\nMAIL FROM:<e@evil.test>\n\n");
}

TEST_CASE("what cannot be mailed is told apart from what has nowhere to go", "[smtp]") {
  Opened smtp("smtp", with(1));
  Record event = message(1, plain);
  event.op = SLUICE_EVENT;
  const auto outcomes = sent(smtp, {event, message(2, plain, ""), message(3, R"({"text":"x"})"),
                                    message(4, R"({"subject":"x"})"), message(5, "[]")});
  CHECK(outcomes[0].reason == "operation_not_offered");
  CHECK(outcomes[1].status == SLUICE_SKIPPED);
  CHECK(outcomes[1].reason == "no_address");
  CHECK(outcomes[2].reason == "subject_is_missing");
  CHECK(outcomes[3].reason == "body_is_missing");
  CHECK(outcomes[4].reason == "payload_is_no_object");
}

TEST_CASE("the server's reply and where it came decide", "[smtp][stand_in]") {
  vendors::StandIn server("mail.py", {});
  Opened smtp("smtp", with(server.ports[0]));
  struct Case {
    const char* at;
    int code;
    sluice_status status;
  };
  for (const Case& c :
       {Case{"rcpt", 450, SLUICE_RETRY}, Case{"rcpt", 550, SLUICE_INVALID}, Case{"data", 451, SLUICE_RETRY},
        Case{"data", 554, SLUICE_INVALID}, Case{"mail", 451, SLUICE_RETRY}, Case{"mail", 550, SLUICE_AUTH},
        Case{"mail", 552, SLUICE_INVALID}, Case{"mail", 530, SLUICE_AUTH}}) {
    server.order(R"({"count":1,"status":)" + std::to_string(c.code) + R"(,"at":")" + c.at + "\"}");
    const auto outcomes = sent(smtp, {message(1, plain), message(2, plain)});
    INFO(c.at << " " << c.code << " " << outcomes[0].detail);
    CHECK(outcomes[0].status == c.status);
    CHECK(outcomes[0].reason == "smtp_" + std::to_string(c.code));
    CHECK(outcomes[0].detail.find('@') == std::string::npos);
    CHECK(outcomes[1].status == SLUICE_OK);
  }
}

TEST_CASE("a mail whose answer was lost after its end is unknown, one lost before is tried again",
          "[smtp][stand_in]") {
  vendors::StandIn server("mail.py", {});
  Opened smtp("smtp", with(server.ports[0]));
  server.order(R"({"cut":true,"at":"data","count":1})");
  const auto outcomes = sent(smtp, {message(1, plain), message(2, plain)});
  CHECK(outcomes[0].status == SLUICE_UNKNOWN);
  CHECK(outcomes[1].status == SLUICE_RETRY);  // not tried: the server is gone
  CHECK(server.records().size() == 1);
  server.order(R"({"cut":true,"at":"rcpt","count":1})");
  CHECK(sent(smtp, {message(3, plain)})[0].status == SLUICE_RETRY);
  CHECK(sent(smtp, {message(3, plain)})[0].status == SLUICE_OK);
}

TEST_CASE("a server that hangs costs one time-out, not one for each mail", "[smtp][stand_in]") {
  vendors::StandIn server("mail.py", {});
  Opened smtp("smtp", with(server.ports[0], R"(,"timeout_s":1)"));
  server.order(R"({"hang_s":30,"at":"data"})");
  const auto outcomes = sent(smtp, {message(1, plain), message(2, plain), message(3, plain)});
  CHECK(outcomes[0].status == SLUICE_UNKNOWN);
  CHECK(outcomes[1].status == SLUICE_RETRY);
  CHECK(outcomes[2].status == SLUICE_RETRY);
}

TEST_CASE("a server that is not there is tried again", "[smtp]") {
  Opened smtp("smtp", with(1));
  const auto outcomes = sent(smtp, {message(1, plain), message(2, plain)});
  CHECK(outcomes[0].status == SLUICE_RETRY);
  CHECK(outcomes[0].reason == "no_answer");
  CHECK(outcomes[1].status == SLUICE_RETRY);
}

TEST_CASE("a password is sent, and never without TLS unless the settings say so", "[smtp][stand_in]") {
  vendors::StandIn server("mail.py", {"--user", "u", "--password", "p"});
  Opened right("smtp", with(server.ports[0], R"(,"username":"u","password":"p","tls":"none")"));
  CHECK(sent(right, {message(1, plain)})[0].status == SLUICE_OK);
  Opened wrong("smtp", with(server.ports[0], R"(,"username":"u","password":"x","tls":"none")"));
  CHECK(sent(wrong, {message(1, plain)})[0].status == SLUICE_AUTH);
  Opened careful("smtp", with(server.ports[0], R"(,"username":"u","password":"p")"));
  const Outcome refused = sent(careful, {message(1, plain)})[0];
  CHECK(refused.status == SLUICE_AUTH);
  CHECK(refused.reason == "no_tls");
  CHECK(server.records().size() == 1);
}

TEST_CASE("settings that cannot work are refused at the start", "[smtp]") {
  CHECK_THROWS(Opened("smtp", R"({"server":"mail.acme.test","from":"a@b.test"})"));
  CHECK_THROWS(Opened("smtp", R"({"server":"smtp://mail.acme.test","from":"Acme"})"));
  CHECK_THROWS(Opened("smtp", R"({"server":"smtp://mail.acme.test","from":"a@b.test","username":"u"})"));
}

}  // namespace
}  // namespace sluice
