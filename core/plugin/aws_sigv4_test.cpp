// The vectors are those of AWS's Signature Version 4 test suite: credentials, time and region of its
// documentation, the service "service", the host example.amazonaws.com. "IAM" is the worked example of the
// documentation.
#include "plugin/aws_sigv4.hpp"

#include <catch2/catch.hpp>

#include "net/gzip.hpp"

namespace sluice::plugin {
namespace {

constexpr TimeUs then = 1'440'938'160 * us_per_s;  // 2015-08-30T12:36:00Z

const std::string secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const std::string session_token =
    "AQoDYXdzEPT//////////"
    "wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8"
    "YUuwthAx7mSEI/qkPpKPi/"
    "kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q"
    "6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+"
    "scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJab"
    "IQwj2ICCR/oLxBA==";

AwsKeys keys_of(std::string service = "service") {
  return {.region = "us-east-1",
          .service = std::move(service),
          .access_key = "AKIDEXAMPLE",
          .secret_key = secret_key,
          .session_token = {}};
}

struct Vector {
  const char *name, *method, *rest;
  std::vector<Header> headers;
  const char *body, *names, *signature;
};

std::string header(const HttpRequest& request, std::string_view name) {
  for (const Header& h : request.headers) {
    if (h.name == name) return h.value;
  }
  return {};
}

std::string signature_of(const HttpRequest& request) {
  const std::string text = header(request, "authorization");
  return text.substr(text.rfind('=') + 1);
}

const std::vector<Vector> vectors = {
    {"get-vanilla",
     "GET",
     "/",
     {},
     "",
     "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-vanilla-query-order-key-case",
     "GET",
     "/?Param2=value2&Param1=value1",
     {},
     "",
     "host;x-amz-date",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-vanilla-query-unreserved",
     "GET",
     "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~"
     "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
     "abcdefghijklmnopqrstuvwxyz",
     {},
     "",
     "host;x-amz-date",
     "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
    {"get-vanilla-empty-query-key",
     "GET",
     "/?Param1=value1",
     {},
     "",
     "host;x-amz-date",
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {"get-vanilla-utf8-query",
     "GET",
     "/?\u1234=bar",
     {},
     "",
     "host;x-amz-date",
     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {"get-utf8",
     "GET",
     "/\u1234",
     {},
     "",
     "host;x-amz-date",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"get-relative",
     "GET",
     "/example/..",
     {},
     "",
     "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-slash-dot-slash",
     "GET",
     "/./",
     {},
     "",
     "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-slashes",
     "GET",
     "//example//",
     {},
     "",
     "host;x-amz-date",
     "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
    {"get-slash-pointless-dot",
     "GET",
     "/./example",
     {},
     "",
     "host;x-amz-date",
     "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
    {"get-header-key-duplicate",
     "GET",
     "/",
     {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
     "",
     "host;my-header1;x-amz-date",
     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
    {"get-header-value-trim",
     "GET",
     "/",
     {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
     "",
     "host;my-header1;my-header2;x-amz-date",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {"post-vanilla",
     "POST",
     "/",
     {},
     "",
     "host;x-amz-date",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"post-vanilla-query",
     "POST",
     "/?Param1=value1",
     {},
     "",
     "host;x-amz-date",
     "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
    {"post-header-key-sort",
     "POST",
     "/",
     {{"My-Header1", "value1"}},
     "",
     "host;my-header1;x-amz-date",
     "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
    {"post-x-www-form-urlencoded",
     "POST",
     "/",
     {{"Content-Type", "application/x-www-form-urlencoded"}},
     "Param1=value1",
     "content-type;host;x-amz-date",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
};

TEST_CASE("requests are signed as AWS's test suite signs them", "[plugin]") {
  for (const Vector& v : vectors) {
    INFO(v.name);
    HttpRequest request;
    request.method = v.method;
    request.url = std::string("https://example.amazonaws.com") + v.rest;
    request.headers = v.headers;
    request.body = v.body;
    sign_aws_v4(keys_of(), then, request);
    CHECK(header(request, "x-amz-date") == "20150830T123600Z");
    CHECK(header(request, "authorization") ==
          "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" +
              std::string(v.names) + ", Signature=" + v.signature);
  }
}

TEST_CASE("the documentation's request to IAM has the documentation's signature", "[plugin]") {
  HttpRequest request;
  request.method = "GET";
  request.url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08";
  request.headers = {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"}};
  sign_aws_v4(keys_of("iam"), then, request);
  CHECK(signature_of(request) == "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

TEST_CASE("temporary credentials send and sign their session token", "[plugin]") {
  HttpRequest request;
  request.method = "POST";
  request.url = "https://example.amazonaws.com/";
  AwsKeys keys = keys_of();
  keys.session_token = session_token;
  sign_aws_v4(keys, then, request);
  CHECK(header(request, "x-amz-security-token") == session_token);
  CHECK(signature_of(request) == "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead");
}

TEST_CASE("what is signed is what is sent: a compressed body, a port of its own", "[plugin]") {
  HttpRequest plain, packed;
  packed.method = plain.method = "POST";
  packed.url = plain.url = "http://127.0.0.1:9000/";
  packed.body = "text";
  packed.gzip = true;
  sign_aws_v4(keys_of(), then, packed);
  CHECK_FALSE(packed.gzip);
  CHECK(packed.body == net::gzip("text"));
  plain.body = packed.body;
  plain.headers = {{"content-encoding", "gzip"}};
  sign_aws_v4(keys_of(), then, plain);
  CHECK(signature_of(plain) == signature_of(packed));
  HttpRequest elsewhere;
  elsewhere.method = "POST";
  elsewhere.url = "http://127.0.0.1:9001/";
  elsewhere.body = packed.body;
  elsewhere.headers = {{"content-encoding", "gzip"}};
  sign_aws_v4(keys_of(), then, elsewhere);
  CHECK(signature_of(elsewhere) != signature_of(packed));
}

}  // namespace
}  // namespace sluice::plugin
