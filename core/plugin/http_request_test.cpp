#include "plugin/http_request.hpp"

#include <catch2/catch.hpp>

using namespace sluice;
using namespace sluice::plugin;

namespace {

HttpPolicy policy_of(ManifestInfo info, std::vector<std::string> allow_hosts = {},
                     std::string_view config = R"({"endpoint": "https://rest.braze.test/"})") {
  return make_http_policy(info, config, {{"key", "k&1"}}, std::move(allow_hosts)).value();
}

ManifestInfo braze() {
  ManifestInfo info;
  info.id = "braze.track";
  info.base_url = "{config.endpoint}";
  info.hosts = {"*.braze.com", "files.example.com:8443"};
  return info;
}

// The URL that is sent, or the error.
std::string sent(const HttpPolicy& policy, std::string url) {
  const Result<HttpRequest> ready = resolve(policy, {.method = "POST", .url = std::move(url)}, 0);
  return ready ? ready.value().url : ready.error().detail;
}

bool refuses(const HttpPolicy& policy, std::string url) {
  return sent(policy, std::move(url)).starts_with("request: ");
}

}  // namespace

TEST_CASE("a path goes to the base, which the operator named and so may be private") {
  const HttpPolicy policy = policy_of(braze());
  const HttpRequest ready = resolve(policy, {.method = "POST", .url = "/users/track"}, 0).value();
  CHECK(ready.url == "https://rest.braze.test/users/track");
  CHECK(ready.host_trusted);
  CHECK(sent(policy, "https://REST.braze.test/a?b=c") == "https://REST.braze.test/a?b=c");
}

TEST_CASE("other hosts must be the manifest's or the operator's") {
  const HttpPolicy policy = policy_of(braze(), {"127.0.0.1:9000", "https://only.example.com"});
  CHECK_FALSE(resolve(policy, {.method = "GET", .url = "https://eu.braze.com/x"}, 0).value().host_trusted);
  CHECK(sent(policy, "https://files.example.com:8443/x") == "https://files.example.com:8443/x");
  CHECK(resolve(policy, {.method = "GET", .url = "http://127.0.0.1:9000/x"}, 0).value().host_trusted);
  CHECK(sent(policy, "https://only.example.com/x") == "https://only.example.com/x");
  CHECK(refuses(policy, "http://only.example.com/x"));
  CHECK(refuses(policy, "http://rest.braze.test/x"));
  CHECK(refuses(policy, "https://files.example.com/x"));
  CHECK(refuses(policy, "http://127.0.0.1:9001/x"));
  CHECK(refuses(policy, "https://braze.com/x"));
  CHECK(refuses(policy, "https://a.b.braze.com/x"));
  CHECK(refuses(policy, "https://eu.braze.com.evil.test/x"));
  CHECK(refuses(policy, "https://evil.test/eu.braze.com"));
}

TEST_CASE("what is no plain http address is refused") {
  const HttpPolicy policy = policy_of(braze());
  for (const char* const url :
       {"ftp://eu.braze.com/x", "https://user@eu.braze.com/x", "https://eu.braze.com\\@evil.test/",
        "https://eu.braze.com/a b", "https:///x", "https://eu.braze.com:8o/x", "//eu.braze.com/x#y",
        "https://evil.test#.braze.com/", "file:///etc/passwd", "eu.braze.com"}) {
    INFO(url);
    CHECK(refuses(policy, url));
  }
}

TEST_CASE("a path cannot leave the base for another host") {
  ManifestInfo info;
  info.base_url = "https://api.example.com";
  const HttpPolicy policy = policy_of(info);
  CHECK(sent(policy, "//evil.test/x") == "https://api.example.com//evil.test/x");
  CHECK_FALSE(resolve(policy, {.method = "GET", .url = "/x"}, 0).value().host_trusted);
  CHECK(refuses(policy, "@evil.test/x"));
  CHECK(refuses(policy, ".evil.test/x"));
}

TEST_CASE("credentials are added as the manifest says, and not where a request asks for none") {
  ManifestInfo info = braze();
  info.auth = {.kind = AuthKind::header, .name = "authorization", .value = "Bearer {secret.key}"};
  CHECK(resolve(policy_of(info), {.method = "GET", .url = "/"}, 0).value().headers.at(0).value ==
        "Bearer k&1");
  CHECK(resolve(policy_of(info), {.method = "GET", .url = "/", .no_auth = true}, 0).value().headers.empty());
  info.auth = {.kind = AuthKind::query, .name = "api key", .value = "{secret.key}"};
  CHECK(sent(policy_of(info), "/a") == "https://rest.braze.test/a?api%20key=k%261");
  CHECK(sent(policy_of(info), "/a?b=c") == "https://rest.braze.test/a?b=c&api%20key=k%261");
  info.auth = {.kind = AuthKind::basic, .user = "Aladdin", .password = "open sesame"};
  // RFC 7617, section 2
  CHECK(resolve(policy_of(info), {.method = "GET", .url = "/"}, 0).value().headers.at(0).value ==
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST_CASE("a header that would end early is refused, in a request and in a secret") {
  const HttpPolicy policy = policy_of(braze());
  CHECK_FALSE(resolve(policy, {.method = "GET", .url = "/", .headers = {{"a", "b\r\nc: d"}}}, 0));
  CHECK_FALSE(resolve(policy, {.method = "GET", .url = "/", .headers = {{"a:", "b"}}}, 0));
  CHECK_FALSE(resolve(policy, {.method = "GET /x\r\n", .url = "/"}, 0));
  ManifestInfo info = braze();
  info.auth = {.kind = AuthKind::header, .name = "authorization", .value = "{secret.key}"};
  const auto made = make_http_policy(info, R"({"endpoint": "https://a.test"})", {{"key", "a\nb"}}, {});
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Code::misconfigured);
}

TEST_CASE("a setting or secret that a template needs and nobody gave is named") {
  const auto why = [](ManifestInfo info, std::string_view config) {
    const auto made = make_http_policy(info, config, {}, {});
    return made ? std::string() : made.error().detail;
  };
  CHECK(why(braze(), "{}") == "'endpoint' is missing in 'with:'");
  CHECK(why(braze(), R"({"endpoint": "rest.braze.com"})").find("write https://HOST") != std::string::npos);
  ManifestInfo info = braze();
  info.auth = {.kind = AuthKind::header, .name = "a", .value = "{secret.key}"};
  CHECK(why(info, R"({"endpoint": "https://a.test"})") == "the secret 'key' is missing in 'with:'");
}
