#include "plugin/credentials.hpp"

#include <atomic>
#include <map>

#include <catch2/catch.hpp>

namespace sluice::plugin {
namespace {

const std::string config = R"({"url": "https://api.test"})";
const std::map<std::string, std::string> secrets = {{"secret", "s&cret"}, {"refresh", "first"}};

// A token endpoint as a script, a clock that a test moves, and what was kept.
class Services final : public HostServices {
 public:
  void log(std::int32_t, std::string_view) override {}
  TimeUs now_us() override { return now; }
  void metric(std::int32_t, std::string_view, double) override {}
  Result<std::optional<std::string>> get(std::string_view) override { return std::optional<std::string>(); }
  Status put(std::string_view, std::optional<std::string_view>) override { return Done{}; }
  Result<std::optional<std::string>> kept_secret(std::string_view key) override {
    const auto found = kept.find(std::string(key));
    return found == kept.end() ? std::nullopt : std::optional(found->second);
  }
  Status keep_secret(std::string_view key, std::string_view value) override {
    if (full) return Error{Code::transient, "the disk is full"};
    kept[std::string(key)] = value;
    return Done{};
  }
  Response http(const HttpRequest& request) override {
    ++requests;
    last = request;
    Response out = answer;
    if (out.status == 200 && out.body.empty()) {
      const std::string n = std::to_string(requests);
      out.body =
          R"({"access_token":"access)" + n + R"(","expires_in":100,"refresh_token":"refresh)" + n + "\"}";
    }
    return out;
  }
  std::atomic<TimeUs> now = us_per_h;
  std::atomic<int> requests = 0;
  bool full = false;
  Response answer{.status = 200};
  HttpRequest last;
  std::map<std::string, std::string> kept;
};

ManifestInfo manifest(Grant grant) {
  ManifestInfo info;
  info.base_url = "{config.url}";
  info.auth.kind = AuthKind::oauth2;
  info.auth.name = "authorization";
  info.auth.value = "Bearer {token}";
  info.auth.oauth2 = {.grant = grant,
                      .token_url = "https://api.test/token",
                      .client_id = "hub",
                      .client_secret = "{secret.secret}",
                      .refresh_token = "{secret.refresh}",
                      .scopes = {"a", "b"}};
  return info;
}

HttpPolicy policy(Grant grant = Grant::client_credentials) {
  return make_http_policy(manifest(grant), config, secrets, {}).value();
}

}  // namespace

TEST_CASE("a token is fetched once, used until shortly before its end, and then fetched anew", "[plugin]") {
  Services services;
  Credentials credentials(services, policy());
  CHECK(credentials.wait_token().token == "access1");
  CHECK(services.last.body == "grant_type=client_credentials&scope=a%20b");
  CHECK(services.last.headers.back().value == "Basic aHViOnMlMjZjcmV0");  // hub:s%26cret
  services.now += 89 * us_per_s;
  CHECK(credentials.wait_token().token == "access1");
  services.now += 2 * us_per_s;
  CHECK(credentials.wait_token().token == "access2");
  CHECK(services.requests == 2);
  HttpRequest request;
  credentials.add("access2", request);
  CHECK(request.headers.at(0).value == "Bearer access2");
}

TEST_CASE("a token that was refused is not given again, whoever else still refuses the one before",
          "[plugin]") {
  Services services;
  Credentials credentials(services, policy());
  CHECK(credentials.wait_token().token == "access1");
  credentials.refused("access1");
  CHECK(credentials.wait_token().token == "access2");
  credentials.refused("access1");
  CHECK(credentials.wait_token().token == "access2");
  CHECK(services.requests == 2);
}

TEST_CASE("the newest refresh token is kept before its access token is used, and goes on elsewhere",
          "[plugin]") {
  Services services;
  {
    Credentials credentials(services, policy(Grant::refresh_token));
    services.full = true;
    CHECK(credentials.wait_token().error->code == Code::transient);  // not used: it is not kept
    services.full = false;
    services.now += us_per_s;
    CHECK(credentials.wait_token().token == "access1");
    CHECK(services.requests == 1);
  }
  Credentials next(services, policy(Grant::refresh_token));
  CHECK(next.wait_token().token == "access1");
  next.refused("access1");
  CHECK(next.wait_token().token == "access2");
  CHECK(services.last.body.find("refresh_token=refresh1") != std::string::npos);
  ManifestInfo other = manifest(Grant::refresh_token);
  other.auth.oauth2.refresh_token = "another";
  Credentials renewed(services, make_http_policy(other, config, secrets, {}).value());
  CHECK(renewed.wait_token().token == "access3");
  CHECK(services.last.body.find("refresh_token=another") != std::string::npos);
}

TEST_CASE("after a failure the endpoint is left alone for a while, as long as it asks for", "[plugin]") {
  Services services;
  services.answer = {.status = 503, .retry_after_ms = 5'000};
  Credentials credentials(services, policy());
  CHECK(credentials.wait_token().error->code == Code::transient);
  services.answer = {.status = 200};
  CHECK(credentials.wait_token().retry_after == 5 * us_per_s);
  CHECK(services.requests == 1);
  services.now += 5 * us_per_s;
  CHECK(credentials.wait_token().token == "access2");
}

TEST_CASE("what the endpoint refuses is told with its mend, without secrets", "[plugin]") {
  const auto told = [](int status, const std::string& body) {
    Services services;
    services.answer = {.status = status, .body = body};
    Credentials credentials(services, policy());
    const TokenAnswer answer = credentials.wait_token();
    REQUIRE_FALSE(answer.ok());
    return (answer.error->code == Code::transient ? "later: " : "") + answer.error->detail;
  };
  CHECK(told(401, R"({"error":"invalid_client","error_description":"no s&cret"})").find("(no ***)") !=
        std::string::npos);
  CHECK(told(400, R"({"error":"invalid_grant"})").find("connect again") != std::string::npos);
  CHECK(told(400, R"({"error":"invalid_scope"})").find("allow them") != std::string::npos);
  CHECK(told(302, "").find("no redirect") != std::string::npos);
  CHECK(told(200, "<html>").find("is this the address of a token endpoint?") != std::string::npos);
  CHECK(told(200, R"({"access_token":"x","token_type":"mac"})").find("only bearer") != std::string::npos);
  for (const int status : {408, 429, 500, 503}) CHECK(told(status, "").starts_with("later: "));
  CHECK(told(400, R"({"error":"temporarily_unavailable"})").starts_with("later: "));
}

TEST_CASE("a token URL is one of the manifest's hosts, over TLS unless the operator named it", "[plugin]") {
  ManifestInfo info = manifest(Grant::client_credentials);
  info.auth.oauth2.token_url = "https://login.test/token";
  CHECK_FALSE(make_http_policy(info, config, secrets, {}));
  CHECK(make_http_policy(info, config, secrets, {"login.test"}));
  info.hosts = {"login.test"};
  CHECK(make_http_policy(info, config, secrets, {}));
  info.auth.oauth2.token_url = "http://login.test/token";
  CHECK_FALSE(make_http_policy(info, config, secrets, {}));
  CHECK(make_http_policy(info, config, secrets, {"login.test"}));
}

TEST_CASE("who waits when the connection ends is told so", "[plugin]") {
  Services services;
  Credentials credentials(services, policy());
  credentials.close();
  CHECK(credentials.wait_token().error->code == Code::cancelled);
}

TEST_CASE("limits that a vendor announces are read from the headers that the manifest names", "[plugin]") {
  JsonParser parser;
  const auto parsed = [&](const char* text) { return parse_rate_headers(parser.parse(text)); };
  const auto names =
      parsed(R"([{"remaining": "X-Left", "reset": "X-Reset", "reset_unit": "epoch_milliseconds"},
                                {"bucket": "b", "remaining": "x-left", "reset": "x-in"}])");
  REQUIRE(names);
  const std::vector<Header> headers = {{"x-left", "0, 5;w=1"}, {"x-reset", "1700000000500"}, {"x-in", "7"}};
  const auto at = announced_limit(names.value()[0], headers, 3);
  REQUIRE(at);
  CHECK((at->remaining == 0 && at->reset == 1'700'000'000'500'000));
  const auto in = announced_limit(names.value()[1], headers, 3);
  CHECK((in->bucket == "b" && in->reset == 3 + 7 * us_per_s));
  CHECK_FALSE(announced_limit(names.value()[0], {{"x-left", "0"}}, 3));
  CHECK_FALSE(announced_limit(names.value()[0], {{"x-left", "0"}, {"x-reset", "soon"}}, 3));
  CHECK_FALSE(parsed(R"([{"remaining": "a"}])"));
  CHECK_FALSE(parsed(R"([{"remaining": "a", "reset": "b", "reset_unit": "days"}])"));
}

}  // namespace sluice::plugin
