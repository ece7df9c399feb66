#include <memory>

#include <catch2/catch.hpp>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/hash.hpp"
#include "plugin/oauth2.hpp"

namespace sluice::plugin {
namespace {

struct Key {
  Key() : key(EVP_RSA_gen(2048)) {
    BIO* const bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    pem.assign(data, static_cast<std::size_t>(size));
    BIO_free(bio);
  }
  ~Key() { EVP_PKEY_free(key); }
  Key(const Key&) = delete;
  bool signed_by(std::string_view text, std::string_view signature) const {
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    return EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
           EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                            signature.size(), reinterpret_cast<const unsigned char*>(text.data()),
                            text.size()) == 1;
  }
  EVP_PKEY* key;
  std::string pem;
};

std::string from_url(std::string text) {
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  std::string out;
  REQUIRE(base64_decode(text, out));
  return out;
}

TEST_CASE("an assertion says who asks whom for what, and is signed with the key of with:", "[plugin]") {
  const Key key;
  OAuth2 auth{.grant = Grant::jwt_bearer, .token_url = "https://login.test/token", .client_id = "app"};
  auth.private_key = key.pem;
  auth.subject = "someone@shop.test";
  auth.scopes = {"a", "b"};
  const std::string text = signed_assertion(auth, 1'000 * us_per_s).value();
  const std::size_t first = text.find('.'), last = text.rfind('.');
  CHECK(from_url(text.substr(0, first)) == R"({"alg":"RS256","typ":"JWT"})");
  CHECK(
      from_url(text.substr(first + 1, last - first - 1)) ==
      R"({"iss":"app","sub":"someone@shop.test","aud":"https://login.test/token","scope":"a b","iat":1000,"exp":1300})");
  CHECK(key.signed_by(text.substr(0, last), from_url(text.substr(last + 1))));
  CHECK_FALSE(key.signed_by(text.substr(0, last) + "x", from_url(text.substr(last + 1))));
  // An environment variable may hold the key on one line.
  std::string line;
  for (const char c : key.pem) line += c == '\n' ? std::string("\\n") : std::string(1, c);
  auth.private_key = line;
  CHECK(signed_assertion(auth, 1'000 * us_per_s).value() == text);
  auth.private_key = "no key";
  CHECK(signed_assertion(auth, 0).error().code == Code::misconfigured);
}

}  // namespace
}  // namespace sluice::plugin
