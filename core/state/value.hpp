// A trait's or an event property's value as the state keeps it: one tag byte and the value, in a string that
// mostly fits without an allocation.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"

namespace sluice::state {

class StoredValue {
 public:
  enum class Kind : char { none = '\0', null = 'z', boolean = 'b', number = 'n', string = 's', json = 'j' };

  StoredValue() = default;
  static StoredValue null();
  static StoredValue boolean(bool b);
  static StoredValue number(double n);
  static StoredValue string(std::string_view text);
  static StoredValue json_text(std::string_view text);  // an array or object
  static StoredValue of(Json json);                     // missing becomes none

  Kind kind() const { return bytes_.empty() ? Kind::none : static_cast<Kind>(bytes_.front()); }
  bool is_none() const { return bytes_.empty(); }
  bool as_boolean() const { return bytes_.size() > 1 && bytes_[1] != 0; }
  double as_number() const;
  std::string_view as_text() const { return std::string_view(bytes_).substr(1); }  // string, json
  void append_json(std::string& out) const;

  // The encoded form is the value; equal values have equal bytes.
  const std::string& bytes() const { return bytes_; }
  static StoredValue from_bytes(std::string_view bytes);
  // The same into a value that is there, whose memory is used again.
  void assign(std::string_view bytes);
  void assign(Kind kind, std::string_view text);
  void assign_number(double n);
  void clear() { bytes_.clear(); }
  bool operator==(const StoredValue&) const = default;
  // Numbers by size, texts by bytes, false before true; different kinds by tag. A total order without NaN.
  bool operator<(const StoredValue& other) const;

 private:
  std::string bytes_;
};

}  // namespace sluice::state
