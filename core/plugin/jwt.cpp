// Assertions of the grant jwt_bearer.
#include <memory>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/hash.hpp"
#include "plugin/oauth2.hpp"

namespace sluice::plugin {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// The key as PEM; where a variable of the environment holds it on one line, "\n" stands for its line breaks.
std::string pem_of(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text[i] == '\\' && i + 1 < text.size() && text[i + 1] == 'n';
    out += escaped ? '\n' : text[i];
    i += escaped ? 1 : 0;
  }
  return out;
}

// No question is asked of a terminal for a key with a password.
int no_password(char*, int, int, void*) {
  return -1;
}

Result<std::string> sign_rs256(const std::string& private_key, std::string_view text) {
  const std::string pem = pem_of(private_key);
  const std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const std::unique_ptr<EVP_PKEY, Free> key(
      bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr) : nullptr);
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) {
    return Error{
        Code::misconfigured,
        "the private key in 'with:' is no RSA key in PEM without a password: give the key that the vendor "
        "made, from BEGIN to END"};
  }
  const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  std::size_t size = 0;
  const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
  bool done = context && EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
              EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) == 1;
  std::string out(size, '\0');
  done = done && EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, bytes,
                                text.size()) == 1;
  if (!done) return Error{Code::misconfigured, "the private key in 'with:' signs nothing"};
  out.resize(size);
  return out;
}

}  // namespace

Result<std::string> signed_assertion(const OAuth2& auth, TimeUs now) {
  std::string head, claims, scope;
  JsonWriter header(head);
  header.begin_object().member("alg", "RS256").member("typ", "JWT");
  if (!auth.key_id.empty()) header.member("kid", auth.key_id);
  header.end_object();
  for (const std::string& one : auth.scopes) scope += (scope.empty() ? "" : " ") + one;
  const std::string& issuer = auth.issuer.empty() ? auth.client_id : auth.issuer;
  JsonWriter writer(claims);
  writer.begin_object().member("iss", issuer);
  writer.member("sub", auth.subject.empty() ? issuer : auth.subject);
  writer.member("aud", auth.audience.empty() ? auth.token_url : auth.audience);
  if (!scope.empty()) writer.member("scope", scope);  // where Google reads it
  writer.member_integer("iat", now / us_per_s).member_integer("exp", (now + assertion_age) / us_per_s);
  writer.end_object();
  const std::string text = base64url(head) + '.' + base64url(claims);
  return text + '.' + base64url(SLUICE_TRY(sign_rs256(auth.private_key, text)));
}

}  // namespace sluice::plugin
