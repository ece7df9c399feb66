// Writing JSON, and numbers as it writes them.
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/json.hpp"

namespace sluice {

namespace {

// The length of the valid UTF-8 sequence at the front of `text`, 0 if there is none (Unicode 15, table 3-7).
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return follows(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool in_range = lead == 0xE0 ? byte(1) >= 0xA0 : lead == 0xED ? byte(1) <= 0x9F : true;
    return follows(1) && in_range && follows(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool in_range = lead == 0xF0 ? byte(1) >= 0x90 : lead == 0xF4 ? byte(1) <= 0x8F : true;
    return follows(1) && in_range && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

void append_escaped(std::string& out, unsigned char c) {
  static constexpr char digits[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    default:
      out += "\\u00";
      out += digits[c >> 4];
      out += digits[c & 15];
  }
}

}  // namespace

// Eight bytes are looked at together: what is below 0x20, a quote, a backslash or above 0x7F has its highest
// bit set in `special`.
std::size_t json_plain_bytes(std::string_view text) {
  constexpr std::uint64_t ones = 0x0101010101010101U, tops = 0x8080808080808080U;
  const auto zero = [](std::uint64_t word) { return (word - ones) & ~word; };
  std::size_t i = 0;
  for (; i + sizeof(std::uint64_t) <= text.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + i, sizeof word);
    const std::uint64_t special =
        (word | (word - ones * 0x20) | zero(word ^ (ones * '"')) | zero(word ^ (ones * '\\'))) & tops;
    if (special != 0) return i + static_cast<std::size_t>(std::countr_zero(special)) / 8;
  }
  const auto plain = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
  };
  while (i < text.size() && plain(text[i])) ++i;
  return i;
}

void append_json_string(std::string& out, std::string_view text) {
  const std::size_t first = json_plain_bytes(text);
  if (first == text.size()) {  // most
    const std::size_t at = out.size();
    out.resize(at + first + 2);
    out[at] = out.back() = '"';
    text.copy(&out[at + 1], first);
    return;
  }
  out += '"';
  std::size_t plain = 0;  // where the run that needs no change begins
  for (std::size_t i = first; i < text.size(); i += json_plain_bytes(text.substr(i))) {
    const auto c = static_cast<unsigned char>(text[i]);
    const std::size_t length = c < 0x80 ? 0 : utf8_sequence(text.substr(i));
    if (length > 0) {
      i += length;
      continue;
    }
    out.append(text, plain, i - plain);
    if (c < 0x80) {
      append_escaped(out, c);
    } else {
      out += "\xEF\xBF\xBD";
    }
    plain = ++i;
  }
  out.append(text, plain, text.size() - plain);
  out += '"';
}

void append_json_number(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  constexpr double exact = 9007199254740992.0;  // 2^53
  if (number >= -exact && number <= exact &&
      number == static_cast<double>(static_cast<std::int64_t>(number))) {
    append_json_integer(out, static_cast<std::int64_t>(number));
    return;
  }
  std::array<char, 40> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  out.append(buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data()));
}

void append_json_integer(std::string& out, std::int64_t number) {
  std::array<char, 24> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  out.append(buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data()));
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

void JsonWriter::comma() {
  if (!fresh_) out_ += ',';
  fresh_ = false;
}

JsonWriter& JsonWriter::open(char c) {
  comma();
  out_ += c;
  fresh_ = true;
  return *this;
}

JsonWriter& JsonWriter::close(char c) {
  out_ += c;
  fresh_ = false;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  comma();
  append_json_string(out_, name);
  out_ += ':';
  fresh_ = true;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
  comma();
  append_json_string(out_, text);
  return *this;
}

JsonWriter& JsonWriter::number(double n) {
  comma();
  append_json_number(out_, n);
  return *this;
}

JsonWriter& JsonWriter::integer(std::int64_t n) {
  comma();
  append_json_integer(out_, n);
  return *this;
}

JsonWriter& JsonWriter::boolean(bool b) {
  comma();
  out_ += b ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::null() {
  comma();
  out_ += "null";
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  comma();
  out_ += json;
  return *this;
}

std::optional<double> parse_number(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::size_t i = !text.empty() && text[0] == '-' ? 1 : 0;
  if (i >= text.size() || !is_digit(text[i])) return {};
  if (text[i] == '0' && i + 1 < text.size() && is_digit(text[i + 1])) return {};
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.back() == '.') return {};
  return value;
}

}  // namespace sluice
