#include "ingest/tracking_salvage.hpp"

#include "base/text.hpp"

namespace sluice::ingest {

namespace {

constexpr std::size_t digits_exact_max = 18;  // what is longer may not fit 64 bits
constexpr std::string_view replacement = "\\ufffd";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The UTF-16 unit of an escape `\uXXXX` at the front; nothing if there is none.
std::optional<unsigned> unit_of(std::string_view text) {
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return {};
  unsigned unit = 0;
  for (const char c : text.substr(2, 4)) {
    const char lower = static_cast<char>(c | 0x20);
    if (!is_digit(c) && (lower < 'a' || lower > 'f')) return {};
    unit = unit * 16 + static_cast<unsigned>(is_digit(c) ? c - '0' : lower - 'a' + 10);
  }
  return unit;
}

bool is_high(unsigned unit) {
  return unit >= 0xD800 && unit < 0xDC00;
}
bool is_low(unsigned unit) {
  return unit >= 0xDC00 && unit < 0xE000;
}

// At a backslash within a string: appends the escape, mended; returns its length in `text`.
std::size_t append_escape(std::string& out, std::string_view text) {
  constexpr std::size_t escape = 6, pair = 12;
  const auto unit = unit_of(text);
  if (!unit) {
    out += text.substr(0, 2);
    return std::min<std::size_t>(2, text.size());
  }
  const auto second = is_high(*unit) ? unit_of(text.substr(escape)) : std::nullopt;
  if (second && is_low(*second)) {
    out += text.substr(0, pair);
    return pair;
  }
  out += is_high(*unit) || is_low(*unit) ? replacement : text.substr(0, escape);
  return escape;
}

// At a digit outside a string: appends the rest of the number.
std::size_t append_number(std::string& out, std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && is_digit(text[end])) ++end;
  out += text.substr(0, end);
  const char next = end < text.size() ? text[end] : '\0';
  if (end > digits_exact_max && next != '.' && next != 'e' && next != 'E') out += "e0";
  while (end < text.size() && std::string_view("0123456789.eE+-").find(text[end]) != std::string_view::npos)
    out += text[end++];
  return end;
}

// Walks over a text by its brackets and quotes.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  std::size_t at() const { return at_; }
  void space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  bool eat(char c) {
    space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  // Behind the string that opens here.
  bool string() {
    if (!eat('"')) return false;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '"') {
        ++at_;
        return true;
      }
    }
    return false;
  }
  // Behind the value that begins here, whatever it is: before the comma or bracket that ends it.
  bool value() {
    std::string closers;
    space();
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        if (!string()) return false;
        continue;
      }
      if (c == '{' || c == '[') {
        closers += c == '{' ? '}' : ']';
      } else if (closers.empty() && (c == ',' || c == '}' || c == ']')) {
        return true;
      } else if (c == '}' || c == ']') {
        if (closers.back() != c) return false;
        closers.pop_back();
      }
      ++at_;
    }
    return false;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::string mend_json(std::string_view body) {
  std::string out;
  out.reserve(body.size() + body.size() / 16);
  bool in_string = false;
  while (!body.empty()) {
    const char c = body.front();
    std::size_t used = 1;
    if (in_string && c == '\\') {
      used = append_escape(out, body);
    } else if (!in_string && is_digit(c)) {
      used = append_number(out, body);
    } else {
      in_string = in_string != (c == '"');
      out += c;
    }
    body.remove_prefix(used);
  }
  return out;
}

std::optional<LooseBatch> cut_batch(std::string_view body) {
  Walker walk(body);
  LooseBatch out;
  if (!walk.eat('{')) return {};
  do {
    walk.space();
    const std::size_t name = walk.at();
    if (!walk.string()) return {};
    const bool is_batch = body.substr(name, walk.at() - name) == "\"batch\"";
    if (!walk.eat(':')) return {};
    walk.space();
    const std::size_t begin = walk.at();
    if (!walk.value()) return {};
    if (!is_batch || begin >= body.size() || body[begin] != '[') continue;
    out.rest.assign(body.substr(0, begin)).append("[]").append(body.substr(walk.at()));
    const std::string_view array = trim(body.substr(begin, walk.at() - begin));
    Walker inside(array);
    (void)inside.eat('[');
    do {
      inside.space();
      const std::size_t from = inside.at();
      if (!inside.value()) return {};
      out.elements.push_back(trim(array.substr(from, inside.at() - from)));
    } while (inside.eat(','));
    return out;
  } while (walk.eat(','));
  return {};
}

}  // namespace sluice::ingest
