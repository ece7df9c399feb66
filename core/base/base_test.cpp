#include <catch2/catch.hpp>

#include "base/bytes.hpp"
#include "base/decimal.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/normalize.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

namespace sluice {
namespace {

TEST_CASE("times are read as RFC 3339 and its common relatives, and print as UTC", "[base]") {
  CHECK(format_time(*parse_time("2026-11-22T15:30:11.722Z")) == "2026-11-22T15:30:11.722Z");
  CHECK(format_time(*parse_time("2026-11-22T15:30:11+01:00")) == "2026-11-22T14:30:11.000Z");
  CHECK(format_time(*parse_time("2010-12-01 08:26:00")) == "2010-12-01T08:26:00.000Z");
  CHECK(format_time(*parse_time("2024-02-29")) == "2024-02-29T00:00:00.000Z");
  CHECK(format_time(-1) == "1969-12-31T23:59:59.999999Z");
  for (const char* bad :
       {"", "2023-02-29", "2026-13-01", "22/11/2026", "2026-11-22T", "2026-11-22T25:00:00Z", "now"}) {
    CHECK_FALSE(parse_time(bad));
  }
}

TEST_CASE("durations need a unit; months and years are calendar units", "[base]") {
  CHECK(parse_duration("1h30m") == 90 * us_per_min);
  CHECK(parse_duration("7d") == 168 * us_per_h);
  CHECK(parse_span("25mo") == Span{25, 0});
  CHECK_FALSE(parse_duration("3y"));
  for (const char* bad : {"", "7", "d", "7x", "-1d", "1d x"}) CHECK_FALSE(parse_span(bad));
  CHECK(format_time(add_span(*parse_time("2024-03-31"), Span{1, 0}, -1)) == "2024-02-29T00:00:00.000Z");
}

TEST_CASE("a document is read in place and written again", "[base]") {
  JsonParser parser;
  const Json root =
      parser.parse(R"({"a":[1,2.5,{"b":"\u00e9\n"}],"n":null,"t":true,"big":12345678901234567890})");
  REQUIRE(root);
  CHECK(root["a"].at(1).number() == 2.5);
  CHECK(root["a"].at(2)["b"].string() == "é\n");
  CHECK(root["a"].size() == 3);
  CHECK(root["n"].is_null_or_missing());
  CHECK(root["nowhere"]["deeper"].type() == JsonType::missing);
  CHECK(root["a"].text() == R"([1,2.5,{"b":"é\n"}])");
  CHECK_FALSE(parser.parse("{\"a\":"));
  CHECK_FALSE(parser.error().empty());
}

TEST_CASE("an encoded number reads back, and a reader never runs past its end", "[base]") {
  std::string out;
  ByteWriter w(out);
  w.zigzag(INT64_MIN);
  w.varint(UINT64_MAX);
  w.text("abc");
  ByteReader r(out);
  CHECK(r.zigzag() == INT64_MIN);
  CHECK(r.varint() == UINT64_MAX);
  CHECK(r.text() == "abc");
  CHECK((r.ok() && r.at_end()));
  CHECK(r.u64() == 0);
  CHECK_FALSE(r.ok());
}

TEST_CASE("sums are exact to nine decimals, whatever their order", "[base]") {
  Decimal sum;
  for (int i = 0; i < 1000; ++i) sum += *Decimal::from_double(0.1);
  CHECK(sum.to_double() == 100.0);
  sum -= *Decimal::from_double(1e15 + 0.5);
  sum += *Decimal::from_double(1e15 + 0.5);
  CHECK(sum.to_double() == 100.0);
  CHECK_FALSE(Decimal::from_double(1e21));
}

TEST_CASE("hashes agree with their published values", "[base]") {
  CHECK(sha256_hex("john.doe@example.com") ==
        "836f82db99121b3481011f16b49dfa5fbc714a0d1b1b9f784a1ebbbf5b39577f");
  CHECK(base64("key:") == "a2V5Og==");
  std::string out;
  CHECK((base64_decode("a2V5Og", out) && out == "key:"));
  Hash128 a{~0ULL, 1};
  a += Hash128{1, 0};
  CHECK(a == Hash128{0, 2});
  a -= Hash128{1, 0};
  CHECK(a == Hash128{~0ULL, 1});
}

TEST_CASE("e-mail addresses and phone numbers have one form each", "[base]") {
  CHECK(normalize_email("  John.Doe@Example.COM ") == "john.doe@example.com");
  CHECK(normalize_email("MÜLLER@exämple.de") == "müller@exämple.de");
  for (const char* bad : {"", "a@b", "@x.de", "a b@x.de", "a@@x.de", "a@x."})
    CHECK_FALSE(normalize_email(bad));
  CHECK(normalize_phone("06 12 34 56 78", "FR") == "+33612345678");
  CHECK(normalize_phone("0033612345678", "") == "+33612345678");
  CHECK_FALSE(normalize_phone("01 42 68 53 00", "FR", PhoneKind::mobile));
  CHECK_FALSE(normalize_phone("0612345678", ""));
  CHECK_FALSE(normalize_phone("12", "FR"));
}

// Plain digits are read by us, anything else by libphonenumber.
TEST_CASE("a phone number of plain digits reads as one with a space in it", "[base]") {
  std::uint64_t random = 1;
  std::size_t valid = 0;
  for (const std::string country :
       {"1",  "31", "32",  "33",  "34",  "39", "41", "43", "44", "45", "46",  "47",
        "48", "49", "351", "353", "420", "52", "54", "55", "61", "62", "352", "358"}) {
    for (int i = 0; i < 200; ++i) {
      random = random * 6364136223846793005ULL + 1442695040888963407ULL;
      std::string national = std::to_string(random >> 10U).substr(0, 5 + (random >> 33U) % 8);
      if (i % 4 == 0) national.insert(0, "0");
      if (i % 4 == 1) national.insert(0, country == "44" || country == "49" ? "7" : "6");
      for (const PhoneKind kind : {PhoneKind::any, PhoneKind::mobile}) {
        const auto plain = normalize_phone("+" + country + national, "FR", kind);
        INFO("+" + country + " " + national);
        CHECK(plain == normalize_phone("+" + country + " " + national, "FR", kind));
        if (plain) ++valid;
      }
    }
  }
  CHECK(valid > 500);
}

TEST_CASE("the nearest name is offered when it is near", "[base]") {
  CHECK(closest("braz", {"meta", "braze"}) == "braze");
  CHECK(closest("snowflake", {"meta", "braze"}).empty());
  CHECK(glob_match("*.csv", "orders.csv"));
  CHECK_FALSE(glob_match("*.csv", "a/orders.csv"));
}

}  // namespace
}  // namespace sluice
