// Sealing of small secrets at rest: AES-256-GCM (NIST SP 800-38D) with a key of its own and a fresh nonce
// each time, bound to a name so that a sealed text opens nowhere else.
#pragma once

#include <string>
#include <string_view>

#include "sluice/result.hpp"

namespace sluice {

inline constexpr std::size_t seal_key_bytes = 32;
inline constexpr std::size_t sealed_bytes_max = 1 << 20;  // of what is sealed

Result<std::string> random_bytes(std::size_t n);  // transient: the system gives none [any]

// A key and its id, the first 8 bytes of its SHA-256 in hex: which key sealed a text, without saying the key.
class SealKey {  // [any] plain data
 public:
  static Result<SealKey> make();  // random. transient: the system gives no random bytes
  // As text() wrote it. corrupt: it is none.
  static Result<SealKey> parse(std::string_view text);
  std::string text() const;  // one line: "sluice-key 1 ID HEX"
  const std::string& id() const { return id_; }

  // "sluice-sealed 1 ID BASE64": nonce (12 bytes), ciphertext, tag (16 bytes).
  Result<std::string> seal(std::string_view name, std::string_view secret) const;
  // misconfigured: another key sealed it; corrupt: it is no sealed text, was changed, or has another name.
  Result<std::string> open(std::string_view name, std::string_view sealed) const;

 private:
  explicit SealKey(std::string bytes);
  std::string bytes_, id_;
};

}  // namespace sluice
