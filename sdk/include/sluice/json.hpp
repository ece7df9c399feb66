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
  std::size_t plain = 0;  // where the run that needs no escape begins
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    out += '\\';
    if (u >= 0x20) {
      out += c;
    } else if (c == '\n') {
      out += 'n';
    } else if (c == '\t') {
      out += 't';
    } else if (c == '\r') {
      out += 'r';
    } else {
      out += "u00";
      out += digits[u >> 4];
      out += digits[u & 15];
    }
  }
  out.append(text, plain, text.size() - plain);
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
  std::size_t size() const { return elements_.size(); }
  const std::vector<Json>& elements() const {
    return elements_;
  }  // of an object: its values, in the order of keys()
  const std::vector<std::string>& keys() const { return keys_; }  // of an object; else empty
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
  std::vector<std::string> keys_;
};

inline const Json& Json::operator[](std::string_view key) const {
  for (std::size_t i = keys_.size(); i-- > 0;) {
    if (keys_[i] == key) return elements_[i];
  }
  return nothing();
}

inline const Json& Json::at(std::size_t index) const {
  return index < elements_.size() ? elements_[index] : nothing();
}

inline Json& Json::set(std::string_view key, Json value) {
  type_ = Type::object;
  for (std::size_t i = keys_.size(); i-- > 0;) {
    if (keys_[i] == key) return elements_[i] = std::move(value), *this;
  }
  keys_.emplace_back(key);
  elements_.push_back(std::move(value));
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
  } else if (is_array() || is_object()) {
    out += is_array() ? '[' : '{';
    for (std::size_t i = 0; i < elements_.size(); ++i) {
      if (i > 0) out += ',';
      if (is_object()) {
        append_json_string(out, keys_[i]);
        out += ':';
      }
      elements_[i].append_to(out);
    }
    out += is_array() ? ']' : '}';
  } else {
    out += "null";
  }
}

}  // namespace sluice::sdk

#include "sluice/json_reader.hpp"  // Json::parse
