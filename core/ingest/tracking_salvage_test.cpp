#include "ingest/tracking_salvage.hpp"

#include <catch2/catch.hpp>

#include "ingest/tracking_test_bench.hpp"

namespace sluice::ingest {
namespace {

TEST_CASE("what JSON allows and parsers refuse is mended, and nothing else is touched", "[ingest]") {
  CHECK(mend_json(R"({"a":"\ud83d"})") == R"({"a":"\ufffd"})");
  CHECK(mend_json(R"({"a":"\ude00\ud83d\ud83d\ude00"})") == R"({"a":"\ufffd\ufffd\ud83d\ude00"})");
  CHECK(mend_json(R"({"a":"\\ud83d","b":"\"\u00e9\ud83"})") == R"({"a":"\\ud83d","b":"\"\u00e9\ud83"})");
  CHECK(mend_json("[123456789012345678901234567890,-123456789012345678901,12,1.5e7]") ==
        "[123456789012345678901234567890e0,-123456789012345678901e0,12,1.5e7]");
  CHECK(mend_json(R"(["123456789012345678901234567890", 123456789012345678901.5])") ==
        R"(["123456789012345678901234567890", 123456789012345678901.5])");
  CHECK(mend_json("{\"a\":\"\\") == "{\"a\":\"\\");
}

TEST_CASE("a batch is cut by its brackets and quotes", "[ingest]") {
  const std::string body = R"({"sentAt":"x]", "batch" : [ {"a":"}\"]"} , 1e999,[{}] ] ,"writeKey":"k"})";
  const auto cut = cut_batch(body);
  REQUIRE(cut);
  CHECK(cut->rest == R"({"sentAt":"x]", "batch" : [],"writeKey":"k"})");
  CHECK(cut->elements == std::vector<std::string_view>{R"({"a":"}\"]"})", "1e999", "[{}]"});
  for (const char* broken : {"", "{", "[]", R"({"batch":[{"a":1})", R"({"batch":[{"a":1]}])",
                             R"({"batch":["a]})", R"({"batch":3})", R"({"a":1)", R"({"batch":)"}) {
    INFO(broken);
    CHECK_FALSE(cut_batch(broken));
  }
}

TEST_CASE("one event that nobody can read does not take its batch with it", "[ingest]") {
  Bench b;
  const std::string deep = R"({"type":"page","userId":"u","properties":)" + std::string(3'000, '[') +
                           std::string(3'000, ']') + "}";
  for (const std::string& bad :
       {std::string(R"({"type":"track","event":"E","userId":"u","properties":{"n":1e999}})"),
        std::string(R"({"type":"track","event":"E","userId":"u","properties":{"n":Infinity}})"),
        std::string("{\"type\":\"page\",\"userId\":\"caf\xE9\"}"),
        std::string("{\"type\":\"page\",\"userId\":\"a\x01\"}"), deep}) {
    const std::size_t before = b.journal.kept.size();
    const auto answer = b.post("/v1/batch",
                               R"({"writeKey":"key-1","context":{"app":{}},"batch":[)" + user_event + "," +
                                   bad + "," + user_event + "]}",
                               {});
    INFO(bad.substr(0, 80));
    CHECK(answer.status == 200);
    CHECK(answer.body.find(R"("accepted":2,"rejected":[{"index":1,"messageId":null,"code":"bad_json")") !=
          std::string::npos);
    REQUIRE(b.journal.kept.size() == before + 2);
    CHECK(b.journal.event(before).text == user_event);
    CHECK(b.journal.event(before + 1).context == R"({"app":{}})");
    CHECK(b.post("/v1/t", bad, Bench::basic("key-1:")).status == 400);
  }
}

TEST_CASE("a text cut in the middle of an emoji and a number of 30 digits are events all the same",
          "[ingest]") {
  Bench b;
  const std::string event =
      R"({"type":"track","event":"E","userId":"u","properties":{"t":"\ud83d","n":123456789012345678901234567890}})";
  CHECK(b.post("/v1/batch", batch_of(event)).body == R"({"success":true})");
  CHECK(
      b.journal.event(0).text ==
      R"({"type":"track","event":"E","userId":"u","properties":{"t":"\ufffd","n":123456789012345678901234567890e0}})");
  CHECK(b.post("/v1/t", "\xEF\xBB\xBF" + user_event).status == 200);
  CHECK(b.journal.event(1).text == user_event);
}

}  // namespace
}  // namespace sluice::ingest
