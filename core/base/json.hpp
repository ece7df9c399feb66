// JSON: a reader that keeps no tree of its own (simdjson's tape, about 0.2 us for a 600-byte event) and an
// appending writer. Numbers are doubles, printed as the shortest text that reads back the same; integers up
// to 2^53 print without a fraction.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice {

enum class JsonType : std::uint8_t { missing, null, boolean, number, string, array, object };

// A place in a parsed document: 16 bytes, borrowed. Valid until its JsonParser parses again or dies. A
// default Json is `missing`, and so is whatever is asked of a Json of another type: look-ups chain without
// checks.
class Json {
 public:
  Json() = default;
  JsonType type() const;
  explicit operator bool() const { return document_ != nullptr; }
  bool is_object() const { return type() == JsonType::object; }
  bool is_string() const { return type() == JsonType::string; }
  bool is_null_or_missing() const { return type() <= JsonType::null; }

  Json operator[](std::string_view key) const;  // an object's member (the last of a repeated key)
  Json at(std::size_t index) const;             // an array's element
  std::size_t size() const;                     // members or elements; 0 for all else

  std::optional<bool> boolean() const;
  std::optional<double> number() const;
  // The number as a 64-bit integer where its text was one that fits.
  std::optional<std::int64_t> integer() const;
  std::optional<std::string_view> string() const;
  std::string_view string_or(std::string_view other) const { return string().value_or(other); }
  std::string text() const;  // this value written again, compact
  // Its two parts, for those who keep places in less room: the index fits 32 bits.
  const void* document() const { return document_; }
  std::uint32_t index() const { return static_cast<std::uint32_t>(index_); }
  static Json place(const void* document, std::uint32_t index) { return {document, index}; }
  void append_to(std::string& out) const;

  // each(key, value) for an object, in order; each(value) for an array.
  template <typename F>
  void members(F&& each) const {
    for (Cursor c = cursor(); !c.done(); c.next()) each(c.key(), c.value());
  }
  template <typename F>
  void elements(F&& each) const {
    for (Cursor c = cursor(); !c.done(); c.next()) each(c.value());
  }

 private:
  friend class JsonParser;
  struct Cursor {
    const void* document = nullptr;
    std::size_t at = 0, end = 0;
    bool object = false;
    bool done() const { return at >= end; }
    std::string_view key() const;
    Json value() const;
    void next();
  };
  Json(const void* document, std::size_t index) : document_(document), index_(index) {}
  Cursor cursor() const;
  const void* document_ = nullptr;
  std::size_t index_ = 0;
};

// Parses one document at a time and owns its tape. One parser a thread; reuse it: its memory is kept.
class JsonParser {
 public:
  JsonParser();
  ~JsonParser();
  JsonParser(JsonParser&&) noexcept;
  JsonParser& operator=(JsonParser&&) noexcept;
  // The document's root, or `missing` when `text` is no JSON (see error()). Depth is at most 1,024. Copies
  // the text.
  Json parse(std::string_view text);
  // As parse, for a text with at least 64 readable bytes behind its end: without the copy.
  Json parse_padded(std::string_view text);
  // What was parsed last: its root (`missing`: it was no JSON), and where in its text each bracket, comma and
  // colon and the first byte of each other value or key stands, in order, then the end. Valid until the next
  // parse.
  Json root() const;
  std::span<const std::uint32_t> structure() const;
  std::string_view error() const;  // why the last parse failed; of our own words, holds none of the text

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

inline constexpr std::size_t json_padding = 64;

// How many of the first bytes stand in a JSON string as they are, being ASCII.
std::size_t json_plain_bytes(std::string_view text);
// Appends `text` as a JSON string, quotes included. Invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);
// Appends a number; what is not finite becomes null.
void append_json_number(std::string& out, double number);
void append_json_integer(std::string& out, std::int64_t number);
std::string json_string(std::string_view text);

// Writes objects and arrays without counting commas. Nesting is the caller's: open and close must match.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& string(std::string_view text);
  JsonWriter& number(double n);
  JsonWriter& integer(std::int64_t n);
  JsonWriter& boolean(bool b);
  JsonWriter& null();
  JsonWriter& raw(std::string_view json);  // a value that is JSON already
  JsonWriter& member(std::string_view name, std::string_view text) { return key(name).string(text); }
  JsonWriter& member(std::string_view name, const char* text) { return key(name).string(text); }
  JsonWriter& member_integer(std::string_view name, std::int64_t n) { return key(name).integer(n); }
  JsonWriter& member_boolean(std::string_view name, bool b) { return key(name).boolean(b); }

 private:
  JsonWriter& open(char c);
  JsonWriter& close(char c);
  void comma();
  std::string& out_;
  bool fresh_ = true;  // nothing to separate from: at the start, after an opening bracket or a key
};

// Text to number by JSON's grammar, whole text; nothing else.
std::optional<double> parse_number(std::string_view text);

}  // namespace sluice
