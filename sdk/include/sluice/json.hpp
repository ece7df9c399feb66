// sluice/json.hpp - JSON for connectors that look into their payloads: a value that owns its texts, and
// writing. Standard library only. A number keeps its own text, so that long ids stay what they were. Depth is
// at most 64.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::sdk {

// Appends `text` as a JSON string, quotes included. The text is taken to be UTF-8.
inline void append_json_string(std::string& out, std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (u >= 0x20) {
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += "\\u00";
      out += digits[u >> 4];
      out += digits[u & 15];
    }
  }
  out += '"';
}

inline std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

class Json {
 public:
  enum class Type : std::uint8_t { missing, null, boolean, number, string, array, object };
  struct Member;

  Json() = default;  // missing
  static Json null() { return Json(Type::null); }
  static Json boolean(bool b) { return Json(Type::boolean, b ? "true" : "false"); }
  static Json integer(std::int64_t n) { return Json(Type::number, std::to_string(n)); }
  static Json string(std::string_view text) { return Json(Type::string, std::string(text)); }
  static Json array() { return Json(Type::array); }
  static Json object() { return Json(Type::object); }
  // Nothing when `text` is not exactly one JSON value.
  static std::optional<Json> parse(std::string_view text);

  Type type() const { return type_; }
  explicit operator bool() const { return type_ != Type::missing; }
  bool is_string() const { return type_ == Type::string; }
  bool is_object() const { return type_ == Type::object; }
  bool is_array() const { return type_ == Type::array; }
  bool is_null() const { return type_ <= Type::null; }  // or missing

  // What is asked of a value of another type is missing or empty, so look-ups chain without checks.
  const Json& operator[](std::string_view key) const;
  const Json& at(std::size_t index) const;
  std::size_t size() const;
  const std::vector<Json>& elements() const { return elements_; }
  const std::vector<Member>& members() const { return members_; }
  std::string_view text_or(std::string_view other) const {
    return is_string() ? std::string_view(text_) : other;
  }
  std::optional<bool> boolean_value() const {
    return type_ == Type::boolean ? std::optional(text_ == "true") : std::nullopt;
  }
  std::optional<double> number_value() const { return number_as<double>(); }
  std::optional<std::int64_t> integer_value() const { return number_as<std::int64_t>(); }
  // A string's text, a number's digits, true or false: for ids that come as either. Else empty.
  std::string_view scalar() const {
    return is_array() || is_object() ? std::string_view{} : std::string_view(text_);
  }

  Json& set(std::string_view key, Json value);  // makes it an object; the last of a key wins
  Json& add(Json value);                        // makes it an array
  void append_to(std::string& out) const;
  std::string text() const {
    std::string out;
    append_to(out);
    return out;
  }

 private:
  friend class JsonReader;
  explicit Json(Type type, std::string text = {}) : type_(type), text_(std::move(text)) {}
  template <typename T>
  std::optional<T> number_as() const {
    T value{};
    const char* const end = text_.data() + text_.size();
    if (type_ != Type::number) return std::nullopt;
    const auto [stop, error] = std::from_chars(text_.data(), end, value);
    return error == std::errc{} && stop == end ? std::optional(value) : std::nullopt;
  }
  static const Json& nothing() {
    static const Json none;
    return none;
  }

  Type type_ = Type::missing;
  std::string text_;
  std::vector<Json> elements_;
  std::vector<Member> members_;
};

struct Json::Member {
  std::string key;
  Json value;
};

inline const Json& Json::operator[](std::string_view key) const {
  for (auto m = members_.rbegin(); m != members_.rend(); ++m) {
    if (m->key == key) return m->value;
  }
  return nothing();
}

inline const Json& Json::at(std::size_t index) const {
  return index < elements_.size() ? elements_[index] : nothing();
}

inline std::size_t Json::size() const {
  return is_object() ? members_.size() : elements_.size();
}

inline Json& Json::set(std::string_view key, Json value) {
  type_ = Type::object;
  for (Member& m : members_) {
    if (m.key == key) return m.value = std::move(value), *this;
  }
  members_.push_back({std::string(key), std::move(value)});
  return *this;
}

inline Json& Json::add(Json value) {
  type_ = Type::array;
  elements_.push_back(std::move(value));
  return *this;
}

inline void Json::append_to(std::string& out) const {
  if (type_ == Type::string) return append_json_string(out, text_);
  if (type_ == Type::boolean || type_ == Type::number) {
    out += text_;
  } else if (type_ == Type::array) {
    out += '[';
    for (std::size_t i = 0; i < elements_.size(); ++i) {
      if (i > 0) out += ',';
      elements_[i].append_to(out);
    }
    out += ']';
  } else if (type_ == Type::object) {
    out += '{';
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (i > 0) out += ',';
      append_json_string(out, members_[i].key);
      out += ':';
      members_[i].value.append_to(out);
    }
    out += '}';
  } else {
    out += "null";
  }
}

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
      Json::Member member;
      space();
      if (peek() != '"' || !string(member.key)) return false;
      space();
      if (!take(':') || !value(member.value, depth + 1)) return false;
      out.members_.push_back(std::move(member));
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
