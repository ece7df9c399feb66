#include "plugin/identifiers.hpp"

#include <catch2/catch.hpp>

#include "base/json.hpp"

using namespace sluice;
using namespace sluice::plugin;

namespace {

Result<std::vector<AskedIdentifier>> parsed(std::string_view list) {
  JsonParser parser;
  return parse_identifiers(parser.parse(list));
}

std::string seen(std::string_view list, std::string_view identifiers) {
  return asked_identifiers(parsed(list).value(), identifiers);
}

bool refused(std::string_view list, std::string_view because) {
  const auto result = parsed(list);
  return !result && result.error().detail.find(because) != std::string::npos;
}

constexpr std::string_view person =
    R"({"user_id":["u1"],"email":["jane.doe+shop@gmail.com","j@acme.test"],"phone":["+15551234567"],"cookie":["c1"]})";

}  // namespace

TEST_CASE("identifiers that are written in any other way are seen the same") {
  CHECK(seen(R"(["user_id", "cookie"])", R"({ "user_id" : [ "u1" ], "cookie":["c1","c2"]})") ==
        R"({"user_id":["u1"],"cookie":["c1","c2"]})");
  CHECK(seen(R"(["user_id"])", R"({"user_id":["a\"b","\u00e9"],"cookie":["c"]})") ==
        "{\"user_id\":[\"a\\\"b\",\"\xc3\xa9\"]}");
  CHECK(seen(R"(["user_id"])", R"({"cookie":["c\"],\"user_id\":[\"x"],"user_id":["u1"]})") ==
        R"({"user_id":["u1"]})");
  for (const char* broken :
       {R"({"user_id":["u1"])", R"({"user_id":["u1"]}x)", R"({"user_id":["u1",]})", R"({"user_id":["u1]})"}) {
    CHECK(seen(R"(["user_id"])", broken) == "{}");
  }
}

TEST_CASE("a connector sees the identifiers that its manifest asks for, and no others") {
  CHECK(seen(R"(["user_id"])", person) == R"({"user_id":["u1"]})");
  CHECK(seen(R"(["cookie", {"type": "user_id"}])", person) == R"({"user_id":["u1"],"cookie":["c1"]})");
  CHECK(seen(R"(["*"])", person) == person);
  CHECK(seen("[]", person) == "{}");
  CHECK(seen(R"(["idfa"])", person) == "{}");
  CHECK(seen(R"(["user_id"])", "") == "{}");
  CHECK(seen(R"(["user_id"])", "no json") == "{}");
}

// The hashes are those that vendors' documentation and tools give for these addresses.
TEST_CASE("identifiers are written and hashed as the vendor does it") {
  CHECK(seen(R"([{"type": "phone", "form": "digits"}])", person) == R"({"phone":["15551234567"]})");
  CHECK(seen(R"([{"type": "phone", "form": "digits", "hash": "sha256"}])", person) ==
        R"({"phone":["d6736136ea896c1bfdc553e0e86e702c70d060d805696ca3e4e9e0961353860a"]})");
  CHECK(seen(R"([{"type": "phone", "hash": "sha256"}])", person) ==
        R"({"phone":["8a59780bb8cd2ba022bfa5ba2ea3b6e07af17a7d8b30c1f9b3390e36f69019e4"]})");
  CHECK(seen(R"([{"type": "email", "form": "gmail"}])", person) ==
        R"({"email":["janedoe@gmail.com","j@acme.test"]})");
  CHECK(in_form({.type = "email", .form = AskedIdentifier::Form::gmail, .sha256 = true},
                "jane.doe+shop@gmail.com") ==
        "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69");
  CHECK(in_form({.type = "email", .sha256 = true}, "jane.doe+shop@gmail.com") ==
        "12122421314e3c02d8acd5467f1266e839588a1ea2e4da1c2ab81036b7cd62e5");
}

TEST_CASE("a star takes every type that is not named itself") {
  CHECK(seen(R"(["*", {"type": "phone", "form": "digits"}])", R"({"phone":["+331"],"cookie":["c1"]})") ==
        R"({"phone":["331"],"cookie":["c1"]})");
}

TEST_CASE("what is hashed already is not hashed again") {
  const std::string upper = "836F82DB99121B3481011F16B49DFA5FBC714A0D1B1B9F784A1EBBBF5B39577F";
  CHECK(in_form({.type = "email_hash", .sha256 = true}, upper) ==
        "836f82db99121b3481011f16b49dfa5fbc714a0d1b1b9f784a1ebbbf5b39577f");
  CHECK(in_form({.type = "email_hash"}, upper) == upper);
}

TEST_CASE("a wrong list of identifiers is refused with what is wrong") {
  CHECK(refused(R"("email")", "no list"));
  CHECK(refused("[1]", "neither a text nor an object"));
  CHECK(refused(R"([{"form": "digits"}])", "with 'type'"));
  CHECK(refused(R"([{"type": "phone", "form": "roman"}])", "the form of 'phone'"));
  CHECK(refused(R"([{"type": "email", "hash": "md5"}])", "the hash of 'email'"));
  CHECK(refused(R"(["email", {"type": "email"}])", "'email' twice"));
}
