#include "plugin/authorization.hpp"

#include <map>

#include <catch2/catch.hpp>

#include "base/hash.hpp"
#include "plugin/manifest.hpp"

namespace sluice::plugin {
namespace {

OAuth2 auth() {
  return {.grant = Grant::authorization_code,
          .token_url = "https://api.test/token",
          .client_id = "h&b",
          .client_secret = "s",
          .authorize_url = "https://login.test/authorize?tenant=a",
          .scopes = {"a", "b"},
          .authorize_params = {{"prompt", "consent"}}};
}

const std::string back = "https://hub.test/oauth/callback";

Redirect answer_to(const Authorization& attempt, const std::string& query) {
  return read_redirect(query + "&state=" + attempt.state);
}

}  // namespace

TEST_CASE("a browser is sent out with a challenge of S256 and what the vendor needs to know", "[plugin]") {
  // RFC 7636, appendix B.
  CHECK(base64url(sha256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")) ==
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
  const Authorization one = begin_authorization(auth(), back, 5).value();
  const Authorization other = begin_authorization(auth(), back, 5).value();
  CHECK(one.verifier.size() == 43);
  CHECK(one.verifier != other.verifier);
  CHECK(one.state != other.state);
  CHECK(one.until == 5 + authorization_age);
  CHECK(one.url ==
        "https://login.test/authorize?tenant=a&response_type=code&client_id=h%26b&redirect_uri=https%3A%2F%2F"
        "hub.test%2Foauth%2Fcallback&scope=a%20b&state=" +
            one.state + "&code_challenge=" + base64url(sha256(one.verifier)) +
            "&code_challenge_method=S256&prompt=consent");
  CHECK(one.url.find(one.verifier) == std::string::npos);
}

TEST_CASE("the code is taken from what the browser or the person brings, if it is of this attempt",
          "[plugin]") {
  const Authorization attempt = begin_authorization(auth(), back, 0).value();
  const auto code_of = [&](const Redirect& redirect) { return accept(auth(), attempt, redirect).value(); };
  CHECK(code_of(answer_to(attempt, "code=4%2F0a")) == "4/0a");
  CHECK(code_of(read_pasted("  " + back + "?x=1&code=c1&state=" + attempt.state + "#_=_ \n")) == "c1");
  CHECK(code_of(read_pasted("code=c2&state=" + attempt.state)) == "c2");
  CHECK(code_of(read_pasted(" 4/0abc-_~ ")) == "4/0abc-_~");
  for (const char* wrong : {"code=c", "code=c&state=", "code=c&state=other"}) {
    INFO(wrong);
    CHECK(accept(auth(), attempt, read_redirect(wrong)).error().detail.find("'state'") != std::string::npos);
    CHECK_FALSE(accept(auth(), attempt, read_pasted(wrong)));
  }
  for (const char* none : {"code=", "code=a%0Ab", "x=y"}) {
    INFO(none);
    CHECK(accept(auth(), attempt, answer_to(attempt, none)).error().detail.find("no code") !=
          std::string::npos);
  }
  CHECK_FALSE(accept(auth(), attempt, read_pasted("")));
  CHECK_FALSE(accept(auth(), attempt, read_pasted(std::string(code_bytes_max + 1, 'x'))));
}

TEST_CASE("a vendor's refusal is told in words, with what to do, and without line breaks of its own",
          "[plugin]") {
  const Authorization attempt = begin_authorization(auth(), back, 0).value();
  const Result<std::string> refused =
      accept(auth(), attempt, answer_to(attempt, "error=access_denied&error_description=Ada+said%0Ano"));
  CHECK(refused.error().detail ==
        "the vendor answered 'access_denied': access was denied there; who may allow it has to do so (Ada "
        "said no)");
}

TEST_CASE("where the manifest names the issuer, an answer of another is not used", "[plugin]") {
  OAuth2 strict = auth();
  strict.issuer = "https://login.test";
  const Authorization attempt = begin_authorization(strict, back, 0).value();
  CHECK(accept(strict, attempt, answer_to(attempt, "code=c&iss=https%3A%2F%2Flogin.test")));
  CHECK_FALSE(accept(strict, attempt, answer_to(attempt, "code=c&iss=https%3A%2F%2Fevil.test")));
  CHECK_FALSE(accept(strict, attempt, answer_to(attempt, "code=c")));
}

TEST_CASE("a manifest whose people connect names where they go, over https", "[plugin]") {
  const auto policy = [](const std::string& url) {
    ManifestInfo info;
    info.base_url = "https://api.test";
    info.auth.kind = AuthKind::oauth2;
    info.auth.oauth2 = auth();
    info.auth.oauth2.authorize_url = url;
    return make_http_policy(info, "{}", {}, {});
  };
  CHECK(policy("https://login.test/authorize"));
  CHECK_FALSE(policy("http://login.test/authorize"));
  CHECK_FALSE(policy("/authorize"));
  JsonParser parser;
  CHECK_FALSE(parse_auth(parser.parse(
      R"({"type": "oauth2", "grant": "authorization_code", "token_url": "https://a.test/t", "client_id": "h"})")));
}

}  // namespace sluice::plugin
