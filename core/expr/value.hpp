// Values of CEL, the language of conditions and mapped values. A Value is small and borrows: texts and JSON
// from what is evaluated, lists and maps from the Arena of the evaluation. It lives no longer than either.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/time.hpp"

namespace sluice::expr {

class Value {
 public:
  enum class Kind : std::uint8_t {
    unknown,  // what is missing, and CEL's errors: `why()` says which
    null,
    boolean,
    integer,  // 64-bit signed
    unsigned_integer,
    number,  // double
    string,  // UTF-8
    bytes,
    timestamp,  // microseconds since 1970-01-01 UTC
    duration,   // microseconds
    list,
    map,
    json,  // a list or map of a JSON document
    type,  // the value of type(x): its name
  };

  Value() = default;
  static Value unknown(const char* why) {
    Value v;
    v.why_ = why;
    return v;
  }  // `why` is a literal
  static Value null() { return of(Kind::null); }
  static Value boolean(bool b) {
    Value v = of(Kind::boolean);
    v.integer_ = b ? 1 : 0;
    return v;
  }
  static Value integer(std::int64_t i) {
    Value v = of(Kind::integer);
    v.integer_ = i;
    return v;
  }
  static Value unsigned_integer(std::uint64_t u) {
    Value v = of(Kind::unsigned_integer);
    v.integer_ = static_cast<std::int64_t>(u);
    return v;
  }
  static Value number(double d) {
    Value v = of(Kind::number);
    v.number_ = d;
    return v;
  }
  static Value string(std::string_view s) {
    Value v = of(Kind::string);
    v.text_ = s;
    return v;
  }
  static Value bytes(std::string_view s) {
    Value v = of(Kind::bytes);
    v.text_ = s;
    return v;
  }
  static Value timestamp(TimeUs t) {
    Value v = of(Kind::timestamp);
    v.integer_ = t;
    return v;
  }
  static Value duration(DurationUs d) {
    Value v = of(Kind::duration);
    v.integer_ = d;
    return v;
  }
  static Value type_name(std::string_view s) {
    Value v = of(Kind::type);
    v.text_ = s;
    return v;
  }
  // A JSON value: scalars become their own kinds (numbers: number), arrays and objects Kind::json, missing
  // becomes unknown.
  static Value json(Json j);
  struct List;  // expr/arena.hpp
  struct Map;
  static Value list(const List* l) {
    Value v = of(Kind::list);
    v.list_ = l;
    return v;
  }
  static Value map(const Map* m) {
    Value v = of(Kind::map);
    v.map_ = m;
    return v;
  }

  Kind kind() const { return kind_; }
  bool is_unknown() const { return kind_ == Kind::unknown; }
  bool is_true() const { return kind_ == Kind::boolean && integer_ != 0; }
  const char* why() const { return why_; }
  bool as_boolean() const { return integer_ != 0; }
  std::int64_t as_integer() const { return integer_; }  // integer, timestamp, duration
  std::uint64_t as_unsigned() const { return static_cast<std::uint64_t>(integer_); }
  double as_number() const { return number_; }
  std::string_view as_text() const { return text_; }  // string, bytes, type
  Json as_json() const { return json_; }
  const List* as_list() const { return list_; }
  const Map* as_map() const { return map_; }
  // A number of any numeric kind as a double; 0 for all else.
  double to_double() const;

  // Appends this as JSON: timestamps as RFC 3339, durations as "90s", unknown as null.
  void append_json(std::string& out) const;

 private:
  static Value of(Kind kind) {
    Value v;
    v.kind_ = kind;
    return v;
  }
  Kind kind_ = Kind::unknown;
  union {
    std::int64_t integer_ = 0;
    double number_;
    const char* why_;
    const List* list_;
    const Map* map_;
  };
  std::string_view text_{};
  Json json_{};
};

}  // namespace sluice::expr
