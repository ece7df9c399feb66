#include "base/json.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <simdjson.h>

namespace sluice {

namespace dom = simdjson::dom;

static_assert(sizeof(dom::element) <= 16, "Json stands for a dom::element");

struct JsonParser::Impl {
  dom::parser parser{std::size_t{64} << 20};
  simdjson::error_code error = simdjson::SUCCESS;
};

namespace {

using simdjson::internal::tape_type;

const dom::document& tape_of(const void* document) {
  return *static_cast<const dom::document*>(document);
}

std::uint64_t word(const void* document, std::size_t index) {
  return tape_of(document).tape[index];
}
char kind(const void* document, std::size_t index) {
  return static_cast<char>(word(document, index) >> 56);
}
std::uint64_t payload(const void* document, std::size_t index) {
  return word(document, index) & 0x00FFFFFFFFFFFFFFULL;
}

// simdjson's tape (doc/tape.md of its sources): '[' and '{' hold the index behind their end in the low 32
// bits and a count in the next 24; numbers take two words; a string's payload is an offset of a 32-bit length
// and the bytes.
std::size_t behind(const void* document, std::size_t index) {
  switch (kind(document, index)) {
    case '[':
    case '{':
      return static_cast<std::size_t>(word(document, index) & 0xFFFFFFFFU);
    case 'l':
    case 'u':
    case 'd':
      return index + 2;
    default:
      return index + 1;
  }
}

std::string_view text_at(const void* document, std::size_t index) {
  const std::uint8_t* at = tape_of(document).string_buf.get() + payload(document, index);
  std::uint32_t length = 0;
  std::memcpy(&length, at, sizeof length);
  return {reinterpret_cast<const char*>(at + sizeof length), length};
}

}  // namespace

JsonParser::JsonParser() : impl_(std::make_unique<Impl>()) {}
JsonParser::~JsonParser() = default;
JsonParser::JsonParser(JsonParser&&) noexcept = default;
JsonParser& JsonParser::operator=(JsonParser&&) noexcept = default;

Json JsonParser::parse(std::string_view text) {
  const char* const bytes = text.empty() ? "" : text.data();  // an absent text is no address to copy from
  impl_->error = impl_->parser.parse(bytes, text.size(), true).error();
  return root();
}

Json JsonParser::parse_padded(std::string_view text) {
  impl_->error = impl_->parser.parse(text.data(), text.size(), false).error();
  return root();
}

Json JsonParser::root() const {
  return impl_->error == simdjson::SUCCESS ? Json(&impl_->parser.doc, 1) : Json();
}

// The index of simdjson's first stage (of 3.0, Debian's; the tests of json_slices hold it), which ends with
// the length of the text.
std::span<const std::uint32_t> JsonParser::structure() const {
  const auto& stage = *impl_->parser.implementation;
  return {stage.structural_indexes.get(), std::size_t{stage.n_structural_indexes} + 1};
}

std::string_view JsonParser::error() const {
  switch (impl_->error) {
    case simdjson::SUCCESS:
      return {};
    case simdjson::EMPTY:
      return "it is empty";
    case simdjson::CAPACITY:
      return "it is too large";
    case simdjson::DEPTH_ERROR:
      return "it is nested too deep";
    case simdjson::UTF8_ERROR:
      return "it is not valid UTF-8";
    case simdjson::STRING_ERROR:
      return "a string in it has a bad escape";
    case simdjson::UNCLOSED_STRING:
      return "a string in it is not closed";
    case simdjson::NUMBER_ERROR:
      return "a number in it is malformed or out of range";
    case simdjson::UNESCAPED_CHARS:
      return "a string in it has a raw control character";
    default:
      return "its structure is not JSON";
  }
}

JsonType Json::type() const {
  if (document_ == nullptr) return JsonType::missing;
  switch (kind(document_, index_)) {
    case 'n':
      return JsonType::null;
    case 't':
    case 'f':
      return JsonType::boolean;
    case 'l':
    case 'u':
    case 'd':
      return JsonType::number;
    case '"':
      return JsonType::string;
    case '[':
      return JsonType::array;
    case '{':
      return JsonType::object;
    default:
      return JsonType::missing;
  }
}

Json::Cursor Json::cursor() const {
  Cursor c;
  const JsonType t = type();
  if (t != JsonType::object && t != JsonType::array) return c;
  c.document = document_;
  c.object = t == JsonType::object;
  c.at = index_ + 1;
  c.end = behind(document_, index_) - 1;
  return c;
}

std::string_view Json::Cursor::key() const {
  return object ? text_at(document, at) : std::string_view{};
}
Json Json::Cursor::value() const {
  return {document, object ? at + 1 : at};
}
void Json::Cursor::next() {
  at = behind(document, object ? at + 1 : at);
}

Json Json::operator[](std::string_view key) const {
  if (type() != JsonType::object) return {};
  const std::size_t end = behind(document_, index_) - 1;
  std::size_t found = 0;  // no value stands there
  for (std::size_t at = index_ + 1; at < end; at = behind(document_, at + 1)) {
    if (text_at(document_, at) == key) found = at + 1;
  }
  return found == 0 ? Json() : Json(document_, found);
}

Json Json::at(std::size_t index) const {
  if (type() != JsonType::array) return {};
  for (Cursor c = cursor(); !c.done(); c.next()) {
    if (index-- == 0) return c.value();
  }
  return {};
}

std::size_t Json::size() const {
  if (type() != JsonType::object && type() != JsonType::array) return 0;
  constexpr std::uint64_t saturated = 0xFFFFFF;
  const std::uint64_t counted = payload(document_, index_) >> 32;
  if (counted < saturated) return counted;
  std::size_t n = 0;
  for (Cursor c = cursor(); !c.done(); c.next()) ++n;
  return n;
}

std::optional<bool> Json::boolean() const {
  if (type() != JsonType::boolean) return {};
  return kind(document_, index_) == 't';
}

std::optional<double> Json::number() const {
  if (type() != JsonType::number) return {};
  const std::uint64_t bits = word(document_, index_ + 1);
  switch (kind(document_, index_)) {
    case 'l':
      return static_cast<double>(static_cast<std::int64_t>(bits));
    case 'u':
      return static_cast<double>(bits);
    default: {
      double d = 0;
      std::memcpy(&d, &bits, sizeof d);
      return d;
    }
  }
}

std::optional<std::int64_t> Json::integer() const {
  if (type() != JsonType::number || kind(document_, index_) != 'l') return {};
  return static_cast<std::int64_t>(word(document_, index_ + 1));
}

std::optional<std::string_view> Json::string() const {
  if (type() != JsonType::string) return {};
  return text_at(document_, index_);
}

std::string Json::text() const {
  std::string out;
  append_to(out);
  return out;
}

void Json::append_to(std::string& out) const {
  switch (type()) {
    case JsonType::missing:
    case JsonType::null:
      out += "null";
      return;
    case JsonType::boolean:
      out += *boolean() ? "true" : "false";
      return;
    case JsonType::string:
      append_json_string(out, *string());
      return;
    case JsonType::number:
      if (const auto i = integer()) {
        append_json_integer(out, *i);
      } else {
        append_json_number(out, *number());
      }
      return;
    case JsonType::array: {
      out += '[';
      bool first = true;
      elements([&](Json v) {
        if (!first) out += ',';
        first = false;
        v.append_to(out);
      });
      out += ']';
      return;
    }
    case JsonType::object: {
      out += '{';
      bool first = true;
      members([&](std::string_view k, Json v) {
        if (!first) out += ',';
        first = false;
        append_json_string(out, k);
        out += ':';
        v.append_to(out);
      });
      out += '}';
      return;
    }
  }
}

}  // namespace sluice
