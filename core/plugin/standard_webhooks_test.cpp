#include "plugin/standard_webhooks.hpp"

#include <catch2/catch.hpp>

namespace sluice::plugin {
namespace {

const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

TEST_CASE("a request is signed as the specification's own example is", "[plugin]") {
  HttpRequest request;
  request.headers = {{"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"}};
  request.body = R"({"test": 2432232314})";
  sign_standard_webhook(webhook_secret(secret).value(), 1'614'265'330 * us_per_s, request);
  REQUIRE(request.headers.size() == 3);
  CHECK(request.headers[1].value == "1614265330");
  CHECK(request.headers[2].value == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST_CASE("a signing secret is whsec_ and 24 to 64 bytes of base64", "[plugin]") {
  CHECK(webhook_secret(secret));
  for (const char* wrong :
       {"", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!"}) {
    CHECK_FALSE(webhook_secret(wrong));
  }
}

TEST_CASE("a webhook is signed anew for each attempt, and only where there is a secret", "[plugin]") {
  ManifestInfo info;
  info.base_url = "{config.url}";
  info.auth.kind = AuthKind::standard_webhooks;
  info.auth.value = "{secret.secret}";
  const std::string config = R"({"url":"https://shop.acme.test/hook"})";
  const HttpPolicy signing = make_http_policy(info, config, {{"secret", secret}}, {}).value();
  Request request;
  request.method = "POST";
  request.url = "https://shop.acme.test/hook";
  request.headers = {{"webhook-id", "msg_1"}};
  const auto headers = [&](const HttpPolicy& policy, TimeUs now) {
    return resolve(policy, request, now).value().headers;
  };
  CHECK(headers(signing, us_per_s).at(1).value == "1");
  CHECK(headers(signing, us_per_s).at(2).value == headers(signing, us_per_s).at(2).value);
  CHECK(headers(signing, us_per_s).at(2).value != headers(signing, 2 * us_per_s).at(2).value);
  CHECK(headers(make_http_policy(info, config, {}, {}).value(), us_per_s).size() == 1);
  CHECK_FALSE(make_http_policy(info, config, {{"secret", "hunter2"}}, {}));
}

}  // namespace
}  // namespace sluice::plugin
