// What Meta wants of each kind of value before it is hashed, and the hash. Source: Meta's guide "Customer
// File Custom Audiences", sections "Hashing and Normalization for Multi-Key" and "Hashing" (read 2026-11-28),
// and facebook-python-business-sdk, serverside/normalize.py.
#pragma once

#include <string>
#include <string_view>

namespace sluice::meta {

// SHA-256 in hex of `text` in the form named; empty where nothing is left of it. A value that is 64 hex
// digits is taken as hashed already.
enum class Form {
  email,     // trimmed, lower case
  phone,     // digits, without "+" and leading zeros
  name,      // lower case, letters of any alphabet
  place,     // city, state: as a name, without spaces
  zip,       // lower case without spaces, up to the first "-"
  country,   // two letters, lower case
  gender,    // m or f
  digits_2,  // month and day: two digits
  digits_4,  // year
};
std::string hashed(Form form, std::string_view text);
// The form itself, before it is hashed.
std::string normalized(Form form, std::string_view text);

// Of a mobile advertising id: trimmed, lower case, not hashed.
std::string mobile_id(std::string_view text);

std::string sha256_hex(std::string_view text);
std::string hmac_sha256_hex(std::string_view key, std::string_view text);
// The first 63 bits of the SHA-256: a session's number, which must be unique within an ad account.
std::uint64_t number_of(std::string_view text);

}  // namespace sluice::meta
