#include "forms.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <span>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <utf8proc.h>

namespace sluice::meta {
namespace {

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string hex(std::span<const unsigned char> digest) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(digest.size() * 2);
  for (const unsigned char byte : digest) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

Digest sha256(std::string_view text) {
  Digest digest{};
  SHA256(bytes(text), text.size(), digest.data());
  return digest;
}

// NFC, trimmed, lower case, and of that the code points that `keep` keeps. Text that is no UTF-8 gives
// nothing.
template <typename Keep>
std::string lower(std::string_view text, Keep&& keep) {
  utf8proc_uint8_t* composed = nullptr;
  const auto length = utf8proc_map(bytes(text), static_cast<utf8proc_ssize_t>(text.size()), &composed,
                                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(composed, &std::free);
  std::string out;
  for (utf8proc_ssize_t at = 0; at < length;) {
    utf8proc_int32_t point = 0;
    const auto step = utf8proc_iterate(composed + at, length - at, &point);
    if (step <= 0) return {};
    at += step;
    if (!keep(point)) continue;
    std::array<utf8proc_uint8_t, 4> encoded{};
    const auto size = utf8proc_encode_char(utf8proc_tolower(point), encoded.data());
    out.append(reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(size));
  }
  return out;
}

bool is_space(utf8proc_int32_t point) {
  const auto category = utf8proc_category(point);
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
         category == UTF8PROC_CATEGORY_ZP || (point >= 9 && point <= 13) || point == 0x85;
}

// A letter of any alphabet, or a mark on one.
bool is_letter(utf8proc_int32_t point) {
  const auto category = utf8proc_category(point);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
         (category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// White space at both ends, of whatever alphabet, after lower().
std::string trimmed(std::string text) {
  const auto space_at = [&](std::size_t at, std::size_t& step) {
    utf8proc_int32_t point = 0;
    step = static_cast<std::size_t>(std::max<utf8proc_ssize_t>(
        1, utf8proc_iterate(bytes(text) + at, static_cast<utf8proc_ssize_t>(text.size() - at), &point)));
    return is_space(point);
  };
  std::size_t begin = 0, end = 0, step = 0;
  while (begin < text.size() && space_at(begin, step)) begin += step;
  for (std::size_t at = begin; at < text.size(); at += step) {
    if (!space_at(at, step)) end = at + step;
  }
  return end > begin ? text.substr(begin, end - begin) : std::string();
}

std::string digits_of(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_digit(c)) out += c;
  }
  return out;
}

// "7" of a month becomes "07"; another length is none.
std::string padded(std::string digits, std::size_t length) {
  if (digits.size() + 1 == length) digits.insert(0, 1, '0');
  return digits.size() == length ? digits : std::string();
}

bool is_hash(std::string_view text) {
  return text.size() == 2 * SHA256_DIGEST_LENGTH && std::ranges::all_of(text, [](char c) {
           return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

}  // namespace

std::string normalized(Form form, std::string_view text) {
  switch (form) {
    case Form::email:
      return trimmed(lower(text, [](auto) { return true; }));
    case Form::phone: {
      const std::string digits = digits_of(text);
      return digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
    }
    case Form::name:
      return trimmed(lower(text, [](auto point) { return is_letter(point) || is_space(point); }));
    case Form::place:
      return lower(text, is_letter);
    case Form::zip: {
      const std::string all = lower(text, [](auto point) { return !is_space(point); });
      return all.substr(0, all.find('-'));
    }
    case Form::country: {
      const std::string letters = lower(text, is_letter);
      return letters.size() == 2 ? letters : std::string();
    }
    case Form::gender: {
      const std::string letters = lower(text, is_letter);
      return letters.starts_with('m') || letters.starts_with('f') ? letters.substr(0, 1) : std::string();
    }
    case Form::digits_2:
      return padded(digits_of(text), 2);
    case Form::digits_4:
      return padded(digits_of(text), 4);
  }
  return {};
}

std::string hashed(Form form, std::string_view text) {
  if (is_hash(text)) return lower(text, [](auto) { return true; });
  const std::string plain = normalized(form, text);
  return plain.empty() ? std::string() : sha256_hex(plain);
}

std::string mobile_id(std::string_view text) {
  return lower(text, [](auto point) { return !is_space(point); });
}

std::string sha256_hex(std::string_view text) {
  return hex(sha256(text));
}

std::string hmac_sha256_hex(std::string_view key, std::string_view text) {
  Digest digest{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes(text), text.size(), digest.data(),
       &size);
  return hex(digest);
}

std::uint64_t number_of(std::string_view text) {
  const Digest digest = sha256(text);
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < sizeof out; ++i) out = out << 8 | digest[i];
  return out >> 1;
}

}  // namespace sluice::meta
