#include "base/seal.hpp"

#include <array>
#include <memory>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/hash.hpp"

namespace sluice {
namespace {

constexpr std::string_view key_head = "sluice-key 1 ", sealed_head = "sluice-sealed 1 ";
constexpr std::size_t id_digits = 16, nonce_bytes = 12, tag_bytes = 16;

struct ContextFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextFree>;

unsigned char* bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}
const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
int size(std::string_view text) {
  return static_cast<int>(text.size());
}

int digit(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

Result<std::string> random_bytes(std::size_t n) {
  std::string out(n, '\0');
  if (RAND_bytes(bytes(out), static_cast<int>(n)) != 1) {
    return Error{Code::transient, "the system gives no random bytes"};
  }
  return out;
}

SealKey::SealKey(std::string key) : bytes_(std::move(key)), id_(hex(sha256(bytes_)).substr(0, id_digits)) {}

Result<SealKey> SealKey::make() {
  return SealKey(SLUICE_TRY(random_bytes(seal_key_bytes)));
}

Result<SealKey> SealKey::parse(std::string_view text) {
  const Error none{Code::corrupt, "it holds no key of this version"};
  if (text.ends_with('\n')) text.remove_suffix(1);
  const std::size_t digits = key_head.size() + id_digits + 1;
  if (!text.starts_with(key_head) || text.size() != digits + 2 * seal_key_bytes) return none;
  std::string key;
  for (std::size_t i = digits; i < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return none;
    key += static_cast<char>(high << 4 | low);
  }
  SealKey out(std::move(key));
  if (text.substr(key_head.size(), id_digits) != out.id_) return none;
  return out;
}

std::string SealKey::text() const {
  return std::string(key_head) + id_ + ' ' + hex(bytes_) + '\n';
}

Result<std::string> SealKey::seal(std::string_view name, std::string_view secret) const {
  if (secret.size() > sealed_bytes_max) return Error{Code::rejected, "a secret is too long to be kept"};
  std::string out = SLUICE_TRY(random_bytes(nonce_bytes));
  std::string cipher(secret.size(), '\0'), tag(tag_bytes, '\0');
  const Context context(EVP_CIPHER_CTX_new());
  int written = 0;
  EVP_CIPHER_CTX* const c = context.get();
  const bool done = c != nullptr &&
                    EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), nullptr, bytes(bytes_), bytes(out)) == 1 &&
                    EVP_EncryptUpdate(c, nullptr, &written, bytes(name), size(name)) == 1 &&
                    EVP_EncryptUpdate(c, bytes(cipher), &written, bytes(secret), size(secret)) == 1 &&
                    EVP_EncryptFinal_ex(c, bytes(tag), &written) == 1 &&
                    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, tag_bytes, tag.data()) == 1;
  if (!done) return Error{Code::transient, "a secret could not be sealed: OpenSSL has no AES-256-GCM"};
  return std::string(sealed_head) + id_ + ' ' + base64(out + cipher + tag);
}

Result<std::string> SealKey::open(std::string_view name, std::string_view sealed) const {
  const Error broken{Code::corrupt, "it is not what was sealed under this name"};
  if (!sealed.starts_with(sealed_head)) return broken;
  sealed.remove_prefix(sealed_head.size());
  if (sealed.size() < id_digits + 1) return broken;
  if (sealed.substr(0, id_digits) != id_) {
    return Error{Code::misconfigured, "it was sealed with the key " +
                                          std::string(sealed.substr(0, id_digits)) + ", and this one is " +
                                          id_};
  }
  std::string raw;
  if (!base64_decode(sealed.substr(id_digits + 1), raw) || raw.size() < nonce_bytes + tag_bytes)
    return broken;
  std::string tag = raw.substr(raw.size() - tag_bytes);
  const std::string_view cipher =
      std::string_view(raw).substr(nonce_bytes, raw.size() - nonce_bytes - tag_bytes);
  std::string out(cipher.size(), '\0');
  const Context context(EVP_CIPHER_CTX_new());
  int written = 0;
  EVP_CIPHER_CTX* const c = context.get();
  std::array<unsigned char, tag_bytes> rest{};
  const bool done = c != nullptr &&
                    EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), nullptr, bytes(bytes_), bytes(raw)) == 1 &&
                    EVP_DecryptUpdate(c, nullptr, &written, bytes(name), size(name)) == 1 &&
                    EVP_DecryptUpdate(c, bytes(out), &written, bytes(cipher), size(cipher)) == 1 &&
                    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, tag_bytes, tag.data()) == 1 &&
                    EVP_DecryptFinal_ex(c, rest.data(), &written) == 1;
  if (!done) return broken;
  return out;
}

}  // namespace sluice
