#include "base/normalize.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <phonenumbers/phonenumberutil.h>
#pragma GCC diagnostic pop

#include "base/text.hpp"

namespace sluice {

namespace {

// Lower case for the two-byte UTF-8 ranges that addresses really use: Latin-1, Latin Extended-A, Greek and
// Cyrillic (Unicode 15 UnicodeData, simple lower-case mappings).
std::uint32_t lower_code_point(std::uint32_t c) {
  if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return c + 32;
  if ((c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177)) return c | 1U;
  if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E)) return c + (c & 1U);
  if (c == 0x178) return 0xFF;
  if (c >= 0x391 && c <= 0x3A9 && c != 0x3A2) return c + 32;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  return c;
}

std::string lower_letters(std::string_view text) {
  std::string out = lower_ascii(text);
  for (std::size_t i = 0; i + 1 < out.size(); ++i) {
    const auto lead = static_cast<unsigned char>(out[i]);
    if (lead < 0xC3 || lead > 0xD1) continue;
    const std::uint32_t code = (lead & 0x1FU) << 6 | (static_cast<unsigned char>(out[i + 1]) & 0x3FU);
    const std::uint32_t low = lower_code_point(code);
    out[i] = static_cast<char>(0xC0U | low >> 6);
    out[i + 1] = static_cast<char>(0x80U | (low & 0x3FU));
    ++i;
  }
  return out;
}

}  // namespace

std::optional<std::string> normalize_email(std::string_view text) {
  constexpr std::size_t email_bytes_max = 254;  // RFC 5321, 4.5.3.1.3 less the angle brackets
  text = trim(text);
  const std::size_t at = text.find('@');
  if (at == 0 || at == std::string_view::npos || text.find('@', at + 1) != std::string_view::npos) return {};
  const std::string_view domain = text.substr(at + 1);
  const std::size_t dot = domain.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == domain.size()) return {};
  if (text.size() > email_bytes_max || !valid_utf8(text)) return {};
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7F || c == '<' || c == '>' || c == ',' || c == ';')
      return {};
  }
  return lower_letters(text);
}

std::optional<std::string> normalize_phone(std::string_view text, std::string_view country, PhoneKind kind) {
  namespace phones = i18n::phonenumbers;
  constexpr std::size_t phone_bytes_max = 64;
  text = trim(text);
  if (text.empty() || text.size() > phone_bytes_max) return {};
  std::string number(text);
  if (country.empty() && number.starts_with("00")) number.replace(0, 2, "+");
  const auto* util = phones::PhoneNumberUtil::GetInstance();
  phones::PhoneNumber parsed;
  const std::string region = country.empty() ? "ZZ" : std::string(country);
  if (util->Parse(number, region, &parsed) != phones::PhoneNumberUtil::NO_PARSING_ERROR) return {};
  if (kind == PhoneKind::mobile) {  // who has a type is valid: one search through the patterns does
    const auto type = util->GetNumberType(parsed);
    if (type != phones::PhoneNumberUtil::MOBILE && type != phones::PhoneNumberUtil::FIXED_LINE_OR_MOBILE)
      return {};
  } else if (!util->IsValidNumber(parsed)) {
    return {};
  }
  std::string out;
  util->Format(parsed, phones::PhoneNumberUtil::E164, &out);
  return out;
}

std::string phone_metadata_version() {
  return "8.12.57";
}

}  // namespace sluice
