#include "encoding.hpp"

#include <array>

namespace csv {
namespace {

// WHATWG Encoding Standard, index windows-1252, 0x80 to 0x9F.
constexpr std::array<std::uint16_t, 32> windows_1252_high{
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

std::uint32_t code_point(unsigned char byte, Encoding encoding) {
  if (encoding == Encoding::windows_1252 && byte >= 0x80 && byte < 0xA0)
    return windows_1252_high[byte - 0x80U];
  if (encoding == Encoding::iso_8859_15) {
    switch (byte) {  // where it differs from ISO 8859-1
      case 0xA4:
        return 0x20AC;
      case 0xA6:
        return 0x0160;
      case 0xA8:
        return 0x0161;
      case 0xB4:
        return 0x017D;
      case 0xB8:
        return 0x017E;
      case 0xBC:
        return 0x0152;
      case 0xBD:
        return 0x0153;
      case 0xBE:
        return 0x0178;
      default:
        break;
    }
  }
  return byte;
}

// The bytes of the well-formed sequence at the front (Unicode, table 3-7); 0 when there is none.
std::size_t sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned a = byte(0);
  if (a < 0x80) return 1;
  if (a >= 0xC2 && a <= 0xDF) return tail(1) ? 2 : 0;
  if (a >= 0xE0 && a <= 0xEF) {
    const bool low = a == 0xE0 && byte(1) < 0xA0, surrogate = a == 0xED && byte(1) > 0x9F;
    return tail(1) && tail(2) && !low && !surrogate ? 3 : 0;
  }
  if (a >= 0xF0 && a <= 0xF4) {
    const bool low = a == 0xF0 && byte(1) < 0x90, high = a == 0xF4 && byte(1) > 0x8F;
    return tail(1) && tail(2) && tail(3) && !low && !high ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::optional<Encoding> encoding_of(std::string_view name) {
  std::string lower;
  for (const char c : name) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (lower == "utf-8" || lower == "utf8") return Encoding::utf_8;
  if (lower == "windows-1252" || lower == "cp1252") return Encoding::windows_1252;
  if (lower == "iso-8859-1" || lower == "latin1") return Encoding::iso_8859_1;
  if (lower == "iso-8859-15" || lower == "latin9") return Encoding::iso_8859_15;
  return std::nullopt;
}

bool valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t bytes = sequence(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

bool append_utf8(std::string& out, std::string_view text, Encoding encoding) {
  if (encoding == Encoding::utf_8) {
    if (!valid_utf8(text)) return false;
    out.append(text);
    return true;
  }
  for (const char c : text) {
    const std::uint32_t point = code_point(static_cast<unsigned char>(c), encoding);
    if (point < 0x80) {
      out += static_cast<char>(point);
    } else if (point < 0x800) {
      out += static_cast<char>(0xC0 | point >> 6);
      out += static_cast<char>(0x80 | (point & 0x3F));
    } else {
      out += static_cast<char>(0xE0 | point >> 12);
      out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
      out += static_cast<char>(0x80 | (point & 0x3F));
    }
  }
  return true;
}

}  // namespace csv
