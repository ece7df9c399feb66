// Cuts a CEL text into tokens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "expr/program.hpp"

namespace sluice::expr {

enum class TokenKind : std::uint8_t {
  end,
  identifier,
  quoted_identifier,
  integer,
  unsigned_integer,
  number,
  string,
  bytes,
  symbol
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::size_t offset = 0, length = 0;
  std::string text;           // identifier's name, decoded string or bytes, the symbol
  std::uint64_t integer = 0;  // integer (magnitude) and unsigned_integer
  double number = 0;
  bool is(std::string_view symbol) const { return kind == TokenKind::symbol && text == symbol; }
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  // The next token; false when there is none that is right: then `problem` says why.
  bool next(Token& token, Problem& problem);

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  void skip_space();
  bool fail(Problem& problem, std::size_t offset, std::size_t length, std::string what,
            std::string help = {}) const;
  bool identifier(Token& token);
  bool quoted_identifier(Token& token, Problem& problem);
  bool numeral(Token& token, Problem& problem);
  bool string(Token& token, Problem& problem);
  bool escape(Token& token, Problem& problem);
  bool symbol(Token& token, Problem& problem);

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace sluice::expr
