#include "state/value.hpp"

#include <cstring>

namespace sluice::state {

StoredValue StoredValue::null() {
  return from_bytes("z");
}

StoredValue StoredValue::boolean(bool b) {
  StoredValue v;
  v.bytes_ = {'b', b ? '\1' : '\0'};
  return v;
}

StoredValue StoredValue::number(double n) {
  StoredValue v;
  v.assign_number(n);
  return v;
}

StoredValue StoredValue::string(std::string_view text) {
  StoredValue v;
  v.bytes_.reserve(1 + text.size());
  v.bytes_ += 's';
  v.bytes_ += text;
  return v;
}

StoredValue StoredValue::json_text(std::string_view text) {
  StoredValue v;
  v.bytes_ += 'j';
  v.bytes_ += text;
  return v;
}

StoredValue StoredValue::of(Json json) {
  switch (json.type()) {
    case JsonType::missing:
      return {};
    case JsonType::null:
      return null();
    case JsonType::boolean:
      return boolean(*json.boolean());
    case JsonType::number:
      return number(*json.number());
    case JsonType::string:
      return string(*json.string());
    case JsonType::array:
    case JsonType::object:
      return json_text(json.text());
  }
  return {};
}

double StoredValue::as_number() const {
  double n = 0;
  if (kind() == Kind::number) std::memcpy(&n, bytes_.data() + 1, sizeof n);
  return n;
}

void StoredValue::append_json(std::string& out) const {
  switch (kind()) {
    case Kind::none:
    case Kind::null:
      out += "null";
      return;
    case Kind::boolean:
      out += as_boolean() ? "true" : "false";
      return;
    case Kind::number:
      append_json_number(out, as_number());
      return;
    case Kind::string:
      append_json_string(out, as_text());
      return;
    case Kind::json:
      out += as_text();
      return;
  }
}

StoredValue StoredValue::from_bytes(std::string_view bytes) {
  StoredValue v;
  v.assign(bytes);
  return v;
}

void StoredValue::assign(std::string_view bytes) {
  bytes_ = bytes;
  const bool number_cut = kind() == Kind::number && bytes.size() != 1 + sizeof(double);
  if (number_cut) bytes_.clear();
}

void StoredValue::assign(Kind kind, std::string_view text) {
  bytes_.assign(1, static_cast<char>(kind));
  bytes_ += text;
}

void StoredValue::assign_number(double n) {
  if (n == 0) n = 0;  // one zero: -0.0 and 0.0 are the same value and must have the same bytes
  bytes_.resize(1 + sizeof n);
  bytes_[0] = 'n';
  std::memcpy(bytes_.data() + 1, &n, sizeof n);
}

bool StoredValue::operator<(const StoredValue& other) const {
  if (kind() != other.kind()) return kind() < other.kind();
  if (kind() == Kind::number) return as_number() < other.as_number();
  return bytes_ < other.bytes_;
}

}  // namespace sluice::state
