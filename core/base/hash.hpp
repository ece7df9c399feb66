// Hashes. hash64/hash128 (XXH3) are for tables, fingerprints and state hashes; SHA-256 and HMAC (OpenSSL) for
// what leaves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

struct Hash128 {
  std::uint64_t low = 0, high = 0;
  bool operator==(const Hash128&) const = default;
  // Addition modulo 2^128: how row hashes make a state hash, in any order.
  Hash128& operator+=(const Hash128& other);
  Hash128& operator-=(const Hash128& other);
  std::string hex() const;  // 32 digits
};

std::uint64_t hash64(std::string_view text, std::uint64_t seed = 0);  // [any] about 3 ns for 40 bytes
Hash128 hash128(std::string_view text);                               // [any]
std::uint64_t hash64_pair(std::uint64_t a, std::uint64_t b);

std::string sha256(std::string_view text);                             // 32 raw bytes
std::string sha256_hex(std::string_view text);                         // 64 lower-case hex digits
std::string hmac_sha256(std::string_view key, std::string_view text);  // 32 raw bytes
std::string hex(std::string_view bytes);
std::string base64(std::string_view bytes);
std::string base64url(std::string_view bytes);  // without padding
// Decodes with or without padding; an invalid character yields false and leaves `out` unspecified.
bool base64_decode(std::string_view text, std::string& out);
// Equal, in a time that does not depend on where they differ.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace sluice
