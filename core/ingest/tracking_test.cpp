#include <catch2/catch.hpp>

#include "ingest/tracking_test_bench.hpp"
#include "net/gzip.hpp"

namespace sluice::ingest {
namespace {

TEST_CASE("events are served under every path that an SDK uses", "[ingest]") {
  Bench b;
  for (const char* path :
       {"/v1/batch", "/v1/b", "/v1/import", "/batch", "/b", "/v1/batch/", "/beacon/v1/batch"}) {
    const std::size_t before = b.journal.kept.size();
    const auto response = b.post(path, batch_of(user_event));
    INFO(path);
    CHECK(response.status == 200);
    CHECK(response.body == R"({"success":true})");
    REQUIRE(b.journal.kept.size() == before + 1);
    CHECK(b.journal.event(before).text == user_event);
  }
  struct Single {
    std::string name, body;
  };
  const std::vector<Single> singles{{"identify", R"({"userId":"u","traits":{"a":1}})"},
                                    {"track", R"({"userId":"u","event":"E"})"},
                                    {"page", R"({"anonymousId":"a"})"},
                                    {"screen", R"({"anonymousId":"a","name":"Home"})"},
                                    {"group", R"({"userId":"u","groupId":"g"})"},
                                    {"alias", R"({"userId":"u","previousId":"a"})"}};
  for (const auto& [name, body] : singles) {
    for (const std::string& path :
         {"/v1/" + name, "/" + name, "/v1/" + name.substr(0, 1), "/api/s/" + name, "/api/s/s2s/" + name}) {
      const std::size_t before = b.journal.kept.size();
      INFO(path);
      CHECK(b.post(path, body).status == 200);
      REQUIRE(b.journal.kept.size() == before + 1);
      CHECK(b.journal.event(before).text == R"({"type":")" + name + "\"," + body.substr(1));
      CHECK(b.journal.kept.back().kind == InputKind::event);
    }
  }
  for (const char* path : {"/", "/v1", "/v1/", "/v2/batch", "/v1/x", "/api/s/", "/v1/projects//settings"}) {
    CHECK(b.post(path, batch_of(user_event)).status == 404);
  }
  CHECK(b.ask("GET", "/v1/batch", "", {}).status == 405);
  CHECK(b.post("/v1/m", "{}").status == 200);
}

TEST_CASE("the write key is taken from wherever an SDK puts it", "[ingest]") {
  Bench b;
  const std::string events = batch_of(user_event);
  CHECK(b.post("/v1/batch", events, Bench::basic("key-1:")).status == 200);
  CHECK(b.post("/v1/batch", events, Bench::basic("key-1")).status == 200);
  CHECK(b.post("/v1/batch", events, {{"Authorization", "basic  " + base64("key-1:ignored")}}).status == 200);
  CHECK(b.post("/v1/batch", events, {{"X-Write-Key", "id:secret"}}).status == 200);
  CHECK(b.post("/v1/batch?writeKey=key-1", events, {}).status == 200);
  CHECK(b.post("/v1/batch", R"({"writeKey":"key-1","batch":[]})", {}).status == 200);
  CHECK(b.post("/v1/batch", R"({"writeKey":"key-1","batch":[]})", {{"Authorization", "Bearer t"}}).status ==
        200);
  const std::size_t stored = b.journal.kept.size();
  for (const auto& headers : {Bench::Headers{}, Bench::basic("key-3:"), Bench::basic(""),
                              Bench::Headers{{"Authorization", "Basic ???"}}}) {
    const auto refused = b.post("/v1/batch", events, headers);
    CHECK(refused.status == 401);
    CHECK(refused.body.find("unknown_write_key") != std::string::npos);
  }
  CHECK(b.post("/v1/batch", R"({"writeKey":"key-1","batch":[]})", Bench::basic("key-3:")).status == 401);
  CHECK(b.journal.kept.size() == stored);
  CHECK(b.door->counters().unauthorized == 5);
  b.door->set_sources({{"shop", "key-3", false}});
  CHECK(b.post("/v1/batch", events, Bench::basic("key-3:")).status == 200);
  CHECK(b.post("/v1/batch", events, Bench::basic("key-1:")).status == 401);
}

TEST_CASE("a body is read whatever its content type and packing", "[ingest]") {
  Bench b;
  const std::string events = batch_of(user_event);
  for (const char* type : {"application/json", "application/json;charset=UTF-8", "text/plain",
                           "text/plain;charset=UTF-8", "application/x-www-form-urlencoded"}) {
    for (const bool packed : {false, true}) {
      auto headers = Bench::basic("key-1:");
      headers.emplace_back("Content-Type", type);
      if (packed) headers.emplace_back("Content-Encoding", "gzip");
      CHECK(b.post("/v1/batch", packed ? net::gzip(events) : events, headers).status == 200);
    }
  }
  CHECK(b.post("/v1/batch", net::gzip(events)).status == 200);  // told by its bytes alone
  CHECK(b.journal.kept.size() == 11);
  CHECK(b.post("/v1/batch", net::gzip(events).substr(0, 40)).status == 400);
  CHECK(b.post("/v1/batch", net::gzip(std::string(std::size_t{64} << 20, ' '))).status == 413);
}

TEST_CASE("an event's text is journaled byte for byte, with what its batch and its request say", "[ingest]") {
  Bench b;
  const std::string odd =
      "{ \"type\" :\"track\",\t\"event\":\"\\u00e9 ]}\\\"\", \"userId\":17 , \"n\":1.50e3,\"a\":[[ ],{}]}";
  const std::string body =
      "{\"sentAt\":\"2027-01-15T08:00:00Z\", \"integrations\": {\"All\" : false },\r\n \"batch\" : [ " + odd +
      " ,\n" + user_event + "\n], \"context\":{\"app\" :{}} ,\"writeKey\":\"key-2\"}";
  REQUIRE(b.post("/v1/batch", body, {}).body == R"({"success":true})");
  REQUIRE(b.journal.kept.size() == 2);
  const EventInput first = b.journal.event(0);
  CHECK(first.text == odd);
  CHECK(first.source == "site");
  CHECK(first.received == now);
  CHECK(first.sent == parse_time("2027-01-15T08:00:00Z"));
  CHECK(first.context == "{\"app\" :{}}");
  CHECK(first.integrations == "{\"All\" : false }");
  CHECK(first.ip == "127.0.0.1");
  CHECK(b.journal.event(1).text == user_event);
}

TEST_CASE("a write key never gets into the journal", "[ingest]") {
  Bench b;
  CHECK(b.post("/v1/t", R"({"writeKey":"key-1","event":"E","userId":"u","type":"track"})", {}).status == 200);
  CHECK(b.post("/v1/batch",
               R"({"writeKey":"key-1","batch":[{"type":"page","userId":"u", "writeKey":"key-1"}]})", {})
            .status == 200);
  CHECK(b.journal.event(0).text == R"({"event":"E","userId":"u","type":"track"})");
  CHECK(b.journal.event(1).text == R"({"type":"page","userId":"u"})");
}

TEST_CASE("the path's type wins over the body's", "[ingest]") {
  Bench b;
  CHECK(b.post("/v1/page", R"({"type":"track","userId":"u"})").status == 200);
  CHECK(b.journal.event(0).text == R"({"type":"page","userId":"u"})");
}

TEST_CASE("an event's time is its own, set right by the time of sending", "[ingest]") {
  Bench b;
  const auto at = [](DurationUs offset) { return "\"" + format_time(now + offset) + "\""; };
  const std::string event = R"({"type":"page","userId":"u","timestamp":)" + at(-us_per_h) + "}";
  REQUIRE(b.post("/v1/batch",
                 R"({"sentAt":)" + at(-us_per_min) + R"(,"batch":[)" + event + "," + user_event + "]}")
              .status == 200);
  CHECK(b.journal.kept.at(0).event_time == now - us_per_h + us_per_min);
  CHECK(b.journal.kept.at(1).event_time == now);
  REQUIRE(b.post("/v1/p", R"({"userId":"u","timestamp":"nonsense"})").status == 200);
  CHECK(b.journal.kept.at(2).event_time == now);
}

TEST_CASE(
    "a caller's address is kept for browsers alone, and a proxy's word is taken from our side of the world",
    "[ingest]") {
  Bench b;
  const auto ip_with = [&](const char* key, Bench::Headers extra) {
    auto headers = Bench::basic(key);
    headers.insert(headers.end(), extra.begin(), extra.end());
    REQUIRE(b.post("/v1/batch", batch_of(user_event), headers).status == 200);
    return std::string(b.journal.event(b.journal.kept.size() - 1).ip);
  };
  CHECK(ip_with("key-1:", {}).empty());
  CHECK(ip_with("key-1:", {{"X-Forwarded-For", "8.8.8.8"}}).empty());
  CHECK(ip_with("key-1:", {{"Origin", "https://shop.example"}}) == "127.0.0.1");
  CHECK(ip_with("key-2:", {}) == "127.0.0.1");
  CHECK(ip_with("key-2:", {{"X-Forwarded-For", "1.2.3.4, 8.8.8.8"}}) == "8.8.8.8");
}

struct BadEvent {
  std::string event;
  Flaw flaw;
};

std::vector<BadEvent> bad_events() {
  const auto text = [](std::size_t n) { return std::string(n, 'x'); };
  return {
      {"17", Flaw::not_an_object},
      {"null", Flaw::not_an_object},
      {"\"text\"", Flaw::not_an_object},
      {"[]", Flaw::not_an_object},
      {R"({"userId":"u"})", Flaw::missing_type},
      {R"({"type":null,"userId":"u"})", Flaw::missing_type},
      {R"({"type":"Track","userId":"u"})", Flaw::unknown_type},
      {R"({"type":7,"userId":"u"})", Flaw::unknown_type},
      {R"({"type":"page"})", Flaw::missing_user},
      {R"({"type":"page","userId":null,"anonymousId":""})", Flaw::missing_user},
      {R"({"type":"page","userId":{},"anonymousId":"a"})", Flaw::bad_user_id},
      {R"({"type":"page","userId":")" + text(513) + "\"}", Flaw::bad_user_id},
      {R"({"type":"page","userId":"u","anonymousId":true})", Flaw::bad_anonymous_id},
      {R"({"type":"alias","anonymousId":"a","previousId":"b"})", Flaw::missing_user},
      {R"({"type":"alias","userId":"u"})", Flaw::missing_previous_id},
      {R"({"type":"group","userId":"u","groupId":""})", Flaw::missing_group_id},
      {R"({"type":"track","userId":"u"})", Flaw::missing_event_name},
      {R"({"type":"track","userId":"u","event":""})", Flaw::missing_event_name},
      {R"({"type":"track","userId":"u","event":["E"]})", Flaw::missing_event_name},
      {R"({"type":"track","userId":"u","event":")" + text(513) + "\"}", Flaw::missing_event_name},
      {R"({"type":"page","userId":"u","messageId":")" + text(101) + "\"}", Flaw::bad_message_id},
      {R"({"type":"page","userId":"u","messageId":5})", Flaw::bad_message_id},
      {R"({"type":"page","userId":"u","p":")" + text(event_bytes_max - 35 + 1) + "\"}", Flaw::too_large},
  };
}

TEST_CASE("each fault of an event is told by its code, and the good ones of its batch are taken",
          "[ingest]") {
  for (const auto& [event, flaw] : bad_events()) {
    Bench b;
    INFO(event.substr(0, 80));
    const auto response = b.post("/v1/batch", batch_of(user_event + "," + event + "," + user_event));
    CHECK(response.status == 200);
    JsonParser parser;
    const Json answer = parser.parse(response.body);
    CHECK(answer["success"].boolean() == true);
    CHECK(answer["accepted"].integer() == 2);
    REQUIRE(answer["rejected"].size() == 1);
    CHECK(answer["rejected"].at(0)["index"].integer() == 1);
    CHECK(answer["rejected"].at(0)["code"].string() == code_of(flaw));
    CHECK(answer["rejected"].at(0)["message"].string() == message_of(flaw));
    CHECK(b.journal.kept.size() == 2);
    CHECK(b.door->counters().accepted == 2);
    CHECK(b.door->counters().rejected.at(static_cast<std::size_t>(flaw)) == 1);
  }
}

TEST_CASE("what lies at a limit is taken", "[ingest]") {
  Bench b;
  const auto text = [](std::size_t n) { return std::string(n, 'x'); };
  for (const std::string& event : std::vector<std::string>{
           R"({"type":"page","userId":")" + text(512) + "\"}", R"({"type":"page","anonymousId":0})",
           R"({"type":"track","userId":"u","event":")" + text(512) + "\"}",
           R"({"type":"page","userId":"u","messageId":")" + text(100) + "\"}",
           R"({"type":"group","anonymousId":"a","groupId":5})",
           R"({"type":"page","userId":"u","p":")" + text(event_bytes_max - 35) + "\"}"}) {
    const std::size_t before = b.journal.kept.size();
    CHECK(b.post("/v1/batch", batch_of(event)).body == R"({"success":true})");
    CHECK(b.journal.kept.size() == before + 1);
  }
}

TEST_CASE("a batch of bad events alone is a 200 all the same, a single bad event a 400", "[ingest]") {
  Bench b;
  const auto response = b.post("/v1/batch", batch_of(R"({"messageId":"m7"},{})"));
  CHECK(response.status == 200);
  CHECK(response.body.find(R"("accepted":0,"rejected":[{"index":0,"messageId":"m7","code":"missing_type")") !=
        std::string::npos);
  CHECK(response.body.find(R"({"index":1,"messageId":null,)") != std::string::npos);
  const auto single = b.post("/v1/track", R"({"userId":"u"})");
  CHECK(single.status == 400);
  CHECK(single.body.find("missing_event_name") != std::string::npos);
  CHECK(b.post("/v1/batch", R"({"batch":[]})").body == R"({"success":true})");
  CHECK(b.journal.kept.empty());
}

TEST_CASE("a body that cannot be cut into events is refused whole", "[ingest]") {
  Bench b;
  for (const std::string& bad :
       {std::string(), std::string("{"), std::string("[]"), std::string("{}"), std::string(R"({"batch":{}})"),
        std::string(R"({"batch":[],"batch":1})"), std::string("{\"batch\":[\"\xff\"}"),
        std::string("batch=1"), batch_of(user_event) + "x",
        R"({"context":{"x":")" + std::string(8'192, 'x') + R"("},"batch":[]})"}) {
    INFO(bad.substr(0, 60));
    CHECK(b.post("/v1/batch", bad).status == 400);
  }
  CHECK(b.door->counters().malformed == 10);
  CHECK(b.journal.kept.empty());
}

TEST_CASE("a batch has at most 2,500 events, a body at most 4 MiB", "[ingest]") {
  Bench b;
  std::string events;
  for (std::size_t i = 0; i < batch_events_max; ++i) events += (i == 0 ? "" : ",") + user_event;
  CHECK(b.post("/v1/batch", batch_of(events)).status == 200);
  CHECK(b.journal.kept.size() == batch_events_max);
  CHECK(b.post("/v1/batch", batch_of(events + "," + user_event)).status == 400);
  const std::string body = batch_of(user_event);
  const std::string largest = body + std::string(tracking_body_bytes_max - body.size(), ' ');
  CHECK(b.post("/v1/batch", largest).status == 200);
  CHECK(b.post("/v1/batch", largest + " ").status == 413);
  CHECK(b.post("/v1/batch", net::gzip(largest + " ", 1)).status == 413);
}

}  // namespace
}  // namespace sluice::ingest
