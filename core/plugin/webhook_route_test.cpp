#include "plugin/webhook_route.hpp"

#include <catch2/catch.hpp>

#include "base/hash.hpp"
#include "plugin/manifest.hpp"

namespace sluice::plugin {
namespace {

constexpr TimeUs now = 1'614'265'330 * us_per_s;

// Twilio's documented example; see its "Validating requests".
const std::string twilio_url = "https://mycompany.com/myapp.php?foo=1&bar=2";
const std::string twilio_form =
    "Digits=1234&To=%2B18005551212&From=%2B12349013030&Caller=%2B12349013030&CallSid=CA1234567890ABCDE";

Incoming twilio_call(const std::string& signature) {
  return {
      .method = "POST",
      .query = "foo=1&bar=2",
      .body = twilio_form,
      .headers = {{"content-type", "application/x-www-form-urlencoded"}, {"x-twilio-signature", signature}}};
}

Verify of(VerifyKind kind) {
  return {.kind = kind, .secrets = {"key"}};
}

// Standard Webhooks' own test vector.
const std::string standard_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
Incoming standard_call(const std::string& signature) {
  return {.method = "POST",
          .body = R"({"test": 2432232314})",
          .headers = {{"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"},
                      {"webhook-timestamp", "1614265330"},
                      {"webhook-signature", signature}}};
}
const std::string standard_signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

Result<std::vector<WebhookRoute>> routes(const std::string& json) {
  JsonParser parser;
  return parse_routes(parser.parse(json));
}

}  // namespace

TEST_CASE("Twilio's example is signed by its token, in whatever order the fields stand", "[webhook_route]") {
  const Verify verify = of(VerifyKind::twilio);
  const Incoming call = twilio_call("0/KCTR6DLpKmkAf8muzZqo1nDgQ=");
  CHECK(verify_request(verify, {"12345"}, call, twilio_url, now) == Refusal::none);
  CHECK(verify_request(verify, {"before", "12345"}, call, twilio_url, now) == Refusal::none);
  CHECK(verify_request(verify, {"54321"}, call, twilio_url, now) == Refusal::bad_signature);
  CHECK(verify_request(verify, {"12345"}, call, "https://mycompany.com/myapp.php?foo=1", now) ==
        Refusal::bad_signature);
  CHECK(verify_request(verify, {"12345"}, call, "https://mycompany.com:8443/myapp.php?foo=1&bar=2", now) ==
        Refusal::none);
  CHECK(verify_request(verify, {}, call, twilio_url, now) == Refusal::no_secret);
  Incoming changed = call;
  changed.body += "&Digits=1235";
  CHECK(verify_request(verify, {"12345"}, changed, twilio_url, now) == Refusal::bad_signature);
  changed.headers.pop_back();
  CHECK(verify_request(verify, {"12345"}, changed, twilio_url, now) == Refusal::no_signature);
}

TEST_CASE("a body of another type than a form counts only with its hash in the URL", "[webhook_route]") {
  const Verify verify = of(VerifyKind::twilio);
  Incoming call{.method = "POST", .body = R"({"a":1})", .headers = {{"content-type", "application/json"}}};
  const std::string bare = "https://hub.acme.test/in/sms/status";
  call.headers.push_back({"x-twilio-signature", "AAAA"});
  CHECK(verify_request(verify, {"12345"}, call, bare, now) == Refusal::bad_signature);
  const std::string hash = sha256_hex(call.body);
  call.query = "bodySHA256=" + hash;
  CHECK(verify_request(verify, {"12345"}, call, bare + "?" + call.query, now) == Refusal::bad_signature);
  // Computed with the command line of OpenSSL, of the URL alone.
  call.headers.back().value = "w/+hrbqTiCe7DL9MtsxQQ0WMyj8=";
  CHECK(verify_request(verify, {"12345"}, call, bare + "?" + call.query, now) == Refusal::none);
  call.body += ' ';
  CHECK(verify_request(verify, {"12345"}, call, bare + "?" + call.query, now) == Refusal::bad_signature);
}

TEST_CASE("Standard Webhooks: the vector is taken, among other signatures and with an older secret",
          "[webhook_route]") {
  const Verify verify = of(VerifyKind::standard_webhooks);
  CHECK(verify_request(verify, {standard_secret}, standard_call(standard_signature), "", now) ==
        Refusal::none);
  CHECK(verify_request(verify, {"whsec_" + std::string(32, 'A'), standard_secret},
                       standard_call("v1a,xyz v1,AAAA " + standard_signature), "", now) == Refusal::none);
  CHECK(verify_request(verify, {standard_secret}, standard_call("v1,AAAA"), "", now) ==
        Refusal::bad_signature);
  CHECK(verify_request(verify, {standard_secret}, standard_call(""), "", now) == Refusal::no_signature);
  CHECK(verify_request(verify, {"not_a_secret"}, standard_call(standard_signature), "", now) ==
        Refusal::bad_signature);
  const TimeUs limit = 5 * us_per_min;
  CHECK(verify_request(verify, {standard_secret}, standard_call(standard_signature), "", now + limit) ==
        Refusal::none);
  CHECK(verify_request(verify, {standard_secret}, standard_call(standard_signature), "", now + limit + 1) ==
        Refusal::stale);
  CHECK(verify_request(verify, {standard_secret}, standard_call(standard_signature), "", now - limit - 1) ==
        Refusal::stale);
}

TEST_CASE("HMAC-SHA256 of a body, in hex or base64, with a prefix and with a time", "[webhook_route]") {
  Verify verify = of(VerifyKind::hmac_sha256);
  verify.header = "x-hub-signature-256";
  verify.prefix = "sha256=";
  // GitHub's documented example.
  Incoming call{.method = "POST",
                .body = "Hello, World!",
                .headers = {{"x-hub-signature-256",
                             "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}}};
  const std::vector<std::string> secret{"It's a Secret to Everybody"};
  CHECK(verify_request(verify, secret, call, "", now) == Refusal::none);
  call.headers[0].value = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
  CHECK(verify_request(verify, secret, call, "", now) == Refusal::bad_signature);
  verify.prefix = "";
  verify.timestamp_header = "x-time";
  CHECK(verify_request(verify, secret, call, "", now) == Refusal::no_signature);
  call.headers.push_back({"x-time", "1614265330"});
  CHECK(verify_request(verify, secret, call, "", now) == Refusal::bad_signature);
  call.headers[0].value = hex(hmac_sha256(secret[0], "1614265330.Hello, World!"));
  CHECK(verify_request(verify, secret, call, "", now) == Refusal::none);
  CHECK(verify_request(verify, secret, call, "", now + us_per_h) == Refusal::stale);
  verify.base64 = true;
  call.headers[0].value = base64(hmac_sha256(secret[0], "1614265330.Hello, World!"));
  CHECK(verify_request(verify, secret, call, "", now) == Refusal::none);
}

TEST_CASE("routes are read from a manifest, and what is none is refused with its mend", "[webhook_route]") {
  const auto good = routes(R"([{"path": "/status", "verify": {"type": "twilio", "secret": ["token", "old"]}},
    {"path": "/hooks/*", "methods": ["post", "PUT"], "verify": {"type": "none"}, "subscribe": true},
    {"path": "/bare"}])");
  REQUIRE(good);
  const auto& all = good.value();
  CHECK(all[0].methods == std::vector<std::string>{"POST"});
  CHECK((all[0].verify.covers_url() && all[0].verify.secrets.size() == 2 && !all[0].subscribed));
  CHECK((all[1].methods == std::vector<std::string>{"POST", "PUT"} && all[1].subscribed));
  CHECK(all[2].verify.kind == VerifyKind::unsaid);
  CHECK((route_takes(all[0], "/status") && !route_takes(all[0], "/status/x")));
  CHECK((route_takes(all[1], "/hooks/a/b") && !route_takes(all[1], "/hooks/") &&
         !route_takes(all[1], "/hooks")));
  for (const char* const bad :
       {R"({})", R"([{"path": "status"}])", R"([{"path": "/a*"}])", R"([{"path": "/a", "methods": [1]}])",
        R"([{"path": "/a", "verify": {"type": "md5"}}])", R"([{"path": "/a", "verify": {"type": "twilio"}}])",
        R"([{"path": "/a", "verify": {"type": "hmac_sha256", "secret": "s"}}])",
        R"([{"path": "/a", "verify": {"type": "standard_webhooks", "secret": "s", "tolerance_s": 0}}])"}) {
    INFO(bad);
    CHECK_FALSE(routes(bad));
  }
}

TEST_CASE("a secret that verifies must be one that the settings keep secret", "[webhook_route]") {
  const std::string before =
      R"({"plugin": "a", "connectors": [{"id": "a", "kind": "source", "config": {"properties": {)";
  const std::string after =
      R"(}}, "routes": [{"path": "/a", "verify": {"type": "standard_webhooks", "secret": "s"}}]}]})";
  CHECK(parse_manifest(before + R"("s": {"type": "string", "x-secret": true})" + after));
  CHECK_FALSE(parse_manifest(before + R"("s": {"type": "string"})" + after));
}

}  // namespace sluice::plugin
