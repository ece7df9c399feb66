#include "expr/lexer.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace sluice::expr {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto byte = [&](std::uint32_t b) { out += static_cast<char>(static_cast<unsigned char>(b)); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xC0 | (c >> 6));
    byte(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    byte(0xE0 | (c >> 12));
    byte(0x80 | ((c >> 6) & 0x3F));
    byte(0x80 | (c & 0x3F));
  } else {
    byte(0xF0 | (c >> 18));
    byte(0x80 | ((c >> 12) & 0x3F));
    byte(0x80 | ((c >> 6) & 0x3F));
    byte(0x80 | (c & 0x3F));
  }
}

// What word processors make of quotes and operators, and what to write instead.
struct Lookalike {
  std::string_view text, name, help;
};
constexpr std::array<Lookalike, 9> lookalikes{
    {{"\u201C", "a typographic quote", "write \" (straight quotes)"},
     {"\u201D", "a typographic quote", "write \" (straight quotes)"},
     {"\u2018", "a typographic quote", "write ' (straight quotes)"},
     {"\u2019", "a typographic quote", "write ' (straight quotes)"},
     {"\u00AB", "a typographic quote", "write \" (straight quotes)"},
     {"\u00BB", "a typographic quote", "write \" (straight quotes)"},
     {"\u2260", "no operator", "write !="},
     {"\u2264", "no operator", "write <="},
     {"\u2265", "no operator", "write >="}}};

constexpr std::array<std::string_view, 25> symbols{"&&", "||", "==", "!=", "<=", ">=", "(", ")", "[",
                                                   "]",  "{",  "}",  ".",  ",",  ":",  "?", "+", "-",
                                                   "*",  "/",  "%",  "!",  "<",  ">",  "="};

}  // namespace

bool Lexer::fail(Problem& problem, std::size_t offset, std::size_t length, std::string what,
                 std::string help) const {
  problem = {offset, length, std::move(what), std::move(help), false};
  return false;
}

void Lexer::skip_space() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
      ++at_;
    } else if (c == '/' && peek(1) == '/') {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    } else {
      return;
    }
  }
}

bool Lexer::next(Token& token, Problem& problem) {
  skip_space();
  token = Token{};
  token.offset = at_;
  bool ok = true;
  if (at_ == text_.size()) return true;
  const char c = peek();
  const char c1 = peek(1);
  const auto quote = [](char q) { return q == '"' || q == '\''; };
  const auto raw = [](char r) { return r == 'r' || r == 'R'; };
  const auto byte = [](char b) { return b == 'b' || b == 'B'; };
  if (quote(c) || ((raw(c) || byte(c)) && quote(c1)) ||
      (((raw(c) && byte(c1)) || (byte(c) && raw(c1))) && quote(peek(2)))) {
    ok = string(token, problem);
  } else if (is_letter(c)) {
    ok = identifier(token);
  } else if (c == '`') {
    ok = quoted_identifier(token, problem);
  } else if (is_digit(c) || (c == '.' && is_digit(c1))) {
    ok = numeral(token, problem);
  } else {
    ok = symbol(token, problem);
  }
  token.length = at_ - token.offset;
  return ok;
}

bool Lexer::identifier(Token& token) {
  token.kind = TokenKind::identifier;
  while (is_letter(peek()) || is_digit(peek())) token.text += text_[at_++];
  return true;
}

bool Lexer::quoted_identifier(Token& token, Problem& problem) {
  token.kind = TokenKind::quoted_identifier;
  const std::size_t first = at_++;
  while (at_ < text_.size() && peek() != '`' && peek() != '\n') token.text += text_[at_++];
  if (peek() != '`' || token.text.empty())
    return fail(problem, first, at_ - first, "a name in ` is not closed");
  ++at_;
  return true;
}

bool Lexer::numeral(Token& token, Problem& problem) {
  const std::size_t first = at_;
  token.kind = TokenKind::integer;
  int base = 10;
  std::size_t digits = at_;
  if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X')) {
    base = 16;
    at_ += 2;
    digits = at_;
    while (hex_digit(peek()) >= 0) ++at_;
  } else {
    while (is_digit(peek())) ++at_;
    if (peek() == '.' && is_digit(peek(1))) {
      token.kind = TokenKind::number;
      ++at_;
      while (is_digit(peek())) ++at_;
    }
    const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 2 : 1;
    if ((peek() == 'e' || peek() == 'E') && is_digit(peek(sign))) {
      token.kind = TokenKind::number;
      at_ += sign;
      while (is_digit(peek())) ++at_;
    }
  }
  const std::string_view spelled = text_.substr(digits, at_ - digits);
  std::errc error{};
  if (token.kind == TokenKind::number) {
    error = std::from_chars(spelled.data(), spelled.data() + spelled.size(), token.number).ec;
    const bool tiny =
        spelled.find('-') != std::string_view::npos || spelled.find_first_of("123456789") > spelled.find('.');
    if (error == std::errc::result_out_of_range && tiny) error = std::errc{};  // too small to tell from zero
  } else {
    error = std::from_chars(spelled.data(), spelled.data() + spelled.size(), token.integer, base).ec;
    if (peek() == 'u' || peek() == 'U') {
      token.kind = TokenKind::unsigned_integer;
      ++at_;
    }
  }
  if (error == std::errc::result_out_of_range)
    return fail(problem, first, at_ - first, "this number is too large");
  if (error != std::errc{}) return fail(problem, first, at_ - first, "this is no number");
  if (is_letter(peek()) || is_digit(peek())) {
    return fail(problem, first, at_ - first + 1, "a number may not run into a name",
                "put an operator or a space between");
  }
  return true;
}

bool Lexer::string(Token& token, Problem& problem) {
  const std::size_t first = at_;
  token.kind = TokenKind::string;
  bool raw = false;
  for (; peek() != '"' && peek() != '\''; ++at_) {
    raw = raw || peek() == 'r' || peek() == 'R';
    if (peek() == 'b' || peek() == 'B') token.kind = TokenKind::bytes;
  }
  const char quote = peek();
  const bool triple = peek(1) == quote && peek(2) == quote;
  at_ += triple ? 3 : 1;
  while (true) {
    if (at_ >= text_.size() || (!triple && (peek() == '\n' || peek() == '\r'))) {
      return fail(problem, first, 1, "this text is not closed", std::string("end it with ") + quote);
    }
    if (peek() == quote && (!triple || (peek(1) == quote && peek(2) == quote))) break;
    if (peek() != '\\' || raw) {
      token.text += text_[at_++];
    } else if (!escape(token, problem)) {
      return false;
    }
  }
  at_ += triple ? 3 : 1;
  return true;
}

bool Lexer::escape(Token& token, Problem& problem) {
  static constexpr std::string_view letters = "abfnrtv\\?\"'`";
  static constexpr std::string_view meanings = "\a\b\f\n\r\t\v\\?\"'`";
  const std::size_t first = at_++;
  const char kind = peek();
  if (const auto i = letters.find(kind); i != std::string_view::npos && at_ < text_.size()) {
    token.text += meanings[i];
    ++at_;
    return true;
  }
  const bool bytes = token.kind == TokenKind::bytes;
  std::uint32_t code = 0;
  std::size_t digits = 0;
  std::uint32_t base = 16;
  if (kind == 'x' || kind == 'X') digits = 2;
  if (kind == 'u' && !bytes) digits = 4;
  if (kind == 'U' && !bytes) digits = 8;
  if (kind >= '0' && kind <= '3') {
    digits = 3;
    base = 8;
  } else {
    ++at_;
  }
  for (std::size_t i = 0; i < digits; ++i, ++at_) {
    const int digit = hex_digit(peek());
    if (digit < 0 || static_cast<std::uint32_t>(digit) >= base) {
      digits = 0;
      break;
    }
    code = code * base + static_cast<std::uint32_t>(digit);
  }
  if (digits == 0) {
    return fail(problem, first, 2, "this escape is not known",
                "write \\\\ for a backslash, or r\"…\" for a raw text");
  }
  if (bytes) {
    token.text += static_cast<char>(static_cast<unsigned char>(code));
    return true;
  }
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
    return fail(problem, first, at_ - first, "this escape is no character of Unicode");
  }
  append_utf8(token.text, code);
  return true;
}

bool Lexer::symbol(Token& token, Problem& problem) {
  const std::string_view rest = text_.substr(at_);
  if (rest.starts_with("<>")) return fail(problem, at_, 2, "<> is no operator", "write != for unequal");
  if (rest.starts_with("===") || rest.starts_with("!==")) {
    return fail(problem, at_, 3, std::string(rest.substr(0, 3)) + " is no operator",
                std::string("write ") + std::string(rest.substr(0, 2)));
  }
  for (const std::string_view s : symbols) {
    if (!rest.starts_with(s)) continue;
    if (s == "=") return fail(problem, at_, 1, "a single = does not compare", "write == to compare");
    token.kind = TokenKind::symbol;
    token.text = s;
    at_ += s.size();
    return true;
  }
  if (rest.front() == '&') return fail(problem, at_, 1, "& is no operator", "write && for and");
  if (rest.front() == '|') return fail(problem, at_, 1, "| is no operator", "write || for or");
  for (const Lookalike& l : lookalikes) {
    if (rest.starts_with(l.text))
      return fail(problem, at_, l.text.size(), std::string(l.text) + " is " + std::string(l.name),
                  std::string(l.help));
  }
  std::size_t length = 1;
  while (length < rest.size() && (static_cast<unsigned char>(rest[length]) & 0xC0U) == 0x80U) ++length;
  const bool visible = static_cast<unsigned char>(rest.front()) > 0x20 && rest.front() != 0x7F;
  return fail(problem, at_, length,
              visible ? "'" + std::string(rest.substr(0, length)) + "' may not stand here"
                      : "a control character may not stand here",
              static_cast<unsigned char>(rest.front()) >= 0x80
                  ? "write names with other letters as traits[\"…\"]"
                  : "");
}

}  // namespace sluice::expr
