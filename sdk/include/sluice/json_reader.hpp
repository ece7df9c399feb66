// sluice/json_reader.hpp - how json.hpp reads a text; include that one.
#pragma once

#include "sluice/json.hpp"

namespace sluice::sdk {

// RFC 8259, one value and white space around it.
class JsonReader {
 public:
  explicit JsonReader(std::string_view in) : in_(in) {}
  std::optional<Json> document() {
    Json root;
    if (!value(root, 0)) return std::nullopt;
    space();
    return at_ == in_.size() ? std::optional(std::move(root)) : std::nullopt;
  }

 private:
  static constexpr int depth_max = 64;

  char peek() const { return at_ < in_.size() ? in_[at_] : '\0'; }
  bool take(char c) {
    if (peek() != c || at_ == in_.size()) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (in_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  void space() {
    while (at_ < in_.size() && (in_[at_] == ' ' || in_[at_] == '\t' || in_[at_] == '\n' || in_[at_] == '\r'))
      ++at_;
  }
  bool value(Json& out, int depth) {
    if (depth > depth_max) return false;
    space();
    switch (peek()) {
      case '{':
        return object(out, depth);
      case '[':
        return array(out, depth);
      case '"':
        out = Json(Json::Type::string);
        return string(out.text_);
      case 't':
        out = Json::boolean(true);
        return take_word("true");
      case 'f':
        out = Json::boolean(false);
        return take_word("false");
      case 'n':
        out = Json::null();
        return take_word("null");
      default:
        return number(out);
    }
  }
  bool object(Json& out, int depth) {
    out = Json::object();
    ++at_;
    space();
    if (take('}')) return true;
    do {
      std::string key;
      space();
      if (peek() != '"' || !string(key)) return false;
      space();
      Json member;
      if (!take(':') || !value(member, depth + 1)) return false;
      out.keys_.push_back(std::move(key));
      out.elements_.push_back(std::move(member));
      space();
    } while (take(','));
    return take('}');
  }
  bool array(Json& out, int depth) {
    out = Json::array();
    ++at_;
    space();
    if (take(']')) return true;
    do {
      Json element;
      if (!value(element, depth + 1)) return false;
      out.elements_.push_back(std::move(element));
      space();
    } while (take(','));
    return take(']');
  }
  bool digits() {
    const std::size_t start = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > start;
  }
  bool number(Json& out) {
    const std::size_t start = at_;
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!digits()) return false;
    }
    out = Json(Json::Type::number, std::string(in_.substr(start, at_ - start)));
    return true;
  }
  bool string(std::string& out) {
    ++at_;
    while (at_ < in_.size()) {
      const char c = in_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') {
        out += c;
      } else if (!escape(out)) {
        return false;
      }
    }
    return false;
  }
  bool escape(std::string& out) {
    static constexpr std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
    const char c = peek();
    ++at_;
    if (c != 'u') {
      const std::size_t index = from.find(c);
      if (c == '\0' || index == std::string_view::npos) return false;
      out += to[index];
      return true;
    }
    std::uint32_t point = 0;
    if (!hex4(point)) return false;
    if (point >= 0xD800 && point < 0xDC00) {
      std::uint32_t low = 0;
      if (!take_word("\\u") || !hex4(low) || low < 0xDC00 || low > 0xDFFF) return false;
      point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    } else if (point >= 0xDC00 && point <= 0xDFFF) {
      return false;
    }
    utf8(out, point);
    return true;
  }
  bool hex4(std::uint32_t& point) {
    if (in_.size() - at_ < 4 || at_ > in_.size()) return false;
    const char* const begin = in_.data() + at_;
    at_ += 4;
    const auto [stop, error] = std::from_chars(begin, begin + 4, point, 16);
    return error == std::errc{} && stop == begin + 4;
  }
  static void utf8(std::string& out, std::uint32_t p) {
    const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (p < 0x80) return put(p);
    if (p < 0x800) {
      put(0xC0 | p >> 6);
    } else if (p < 0x10000) {
      put(0xE0 | p >> 12);
      put(0x80 | (p >> 6 & 0x3F));
    } else {
      put(0xF0 | p >> 18);
      put(0x80 | (p >> 12 & 0x3F));
      put(0x80 | (p >> 6 & 0x3F));
    }
    put(0x80 | (p & 0x3F));
  }

  std::string_view in_;
  std::size_t at_ = 0;
};

inline std::optional<Json> Json::parse(std::string_view text) {
  return JsonReader(text).document();
}

}  // namespace sluice::sdk
