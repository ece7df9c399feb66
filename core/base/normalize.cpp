#include "base/normalize.hpp"

#include <algorithm>
#include <array>

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

namespace phones = i18n::phonenumbers;

// Countries in which a number written as +CC and digits is the number: what may stand before a national one
// there is at most a trunk digit, `trunk`.
struct PlainCountry {
  std::string_view code;
  char trunk;  // '0' where there is none: no number of theirs begins with it that we read here
};
constexpr std::array<PlainCountry, 17> plain_countries{{{"1", '1'},
                                                        {"31", '0'},
                                                        {"32", '0'},
                                                        {"33", '0'},
                                                        {"34", '0'},
                                                        {"39", '0'},
                                                        {"41", '0'},
                                                        {"43", '0'},
                                                        {"44", '0'},
                                                        {"45", '0'},
                                                        {"46", '0'},
                                                        {"47", '0'},
                                                        {"48", '0'},
                                                        {"49", '0'},
                                                        {"351", '0'},
                                                        {"353", '0'},
                                                        {"420", '0'}}};

// Reads "+33612345678" as libphonenumber does, which takes five times as long over it; false: it has to.
bool read_plain(std::string_view number, phones::PhoneNumber& out) {
  constexpr std::size_t digits_min = 6, digits_max = 15;  // of the national number: it fits 64 bits
  if (!number.starts_with('+')) return false;
  number.remove_prefix(1);
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!std::all_of(number.begin(), number.end(), digit)) return false;
  for (const PlainCountry& country : plain_countries) {
    if (!number.starts_with(country.code)) continue;
    number.remove_prefix(country.code.size());
    if (number.size() < digits_min || number.size() > digits_max) return false;
    if (number.front() == '0' || number.front() == country.trunk) return false;
    std::uint64_t national = 0;
    for (const char c : number) national = national * 10 + static_cast<std::uint64_t>(c - '0');
    out.set_country_code(std::stoi(std::string(country.code)));
    out.set_national_number(national);
    return true;
  }
  return false;
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
  constexpr std::size_t phone_bytes_max = 64;
  text = trim(text);
  if (text.empty() || text.size() > phone_bytes_max) return {};
  std::string number(text);
  if (country.empty() && number.starts_with("00")) number.replace(0, 2, "+");
  const auto* util = phones::PhoneNumberUtil::GetInstance();
  phones::PhoneNumber parsed;
  const std::string region = country.empty() ? "ZZ" : std::string(country);
  if (!read_plain(number, parsed) &&
      util->Parse(number, region, &parsed) != phones::PhoneNumberUtil::NO_PARSING_ERROR)
    return {};
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
