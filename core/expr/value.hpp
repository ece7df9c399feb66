// Values of CEL, the language of conditions and mapped values. A Value is small and borrows: texts and JSON
// from what is evaluated, lists and maps from the Arena of the evaluation. It lives no longer than either.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

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
    timestamp,  // microseconds since 1970-01-01 UTC, and nanos()
    duration,   // microseconds, and nanos()
    list,
    map,
    json,  // a list or map of a JSON document
    type,  // the value of type(x): its name
    optional,
  };

  Value() : Value(Kind::unknown) {}
  static Value unknown(const char* why) {  // `why` is a literal
    Value v(Kind::unknown);
    v.why_ = why;
    return v;
  }
  static Value null() { return Value(Kind::null); }
  static Value boolean(bool b) { return whole(Kind::boolean, b ? 1 : 0); }
  static Value integer(std::int64_t i) { return whole(Kind::integer, i); }
  static Value unsigned_integer(std::uint64_t u) {
    return whole(Kind::unsigned_integer, static_cast<std::int64_t>(u));
  }
  static Value number(double d) {
    Value v(Kind::number);
    v.number_ = d;
    return v;
  }
  // Texts of 4 GiB and more are unknown.
  static Value string(std::string_view s) { return text(Kind::string, s); }
  static Value bytes(std::string_view s) { return text(Kind::bytes, s); }
  static Value type_name(std::string_view s) { return text(Kind::type, s); }
  // `nanos`: 0 to 999, beyond the microseconds and later than they.
  static Value timestamp(TimeUs t, unsigned nanos = 0) { return whole(Kind::timestamp, t, nanos); }
  static Value duration(DurationUs d, unsigned nanos = 0) { return whole(Kind::duration, d, nanos); }
  // A JSON value: scalars become their own kinds (numbers: number), arrays and objects Kind::json, missing
  // becomes unknown.
  static Value json(Json j);
  struct List;  // expr/arena.hpp
  struct Map;
  static Value list(const List* l) {
    Value v(Kind::list);
    v.list_ = l;
    return v;
  }
  static Value map(const Map* m) {
    Value v(Kind::map);
    v.map_ = m;
    return v;
  }
  static Value optional(const Value* held) {  // null: none
    Value v(Kind::optional);
    v.held_ = held;
    return v;
  }

  Kind kind() const { return static_cast<Kind>(shape_ & 0xFF); }
  bool is_unknown() const { return kind() == Kind::unknown; }
  bool is_true() const { return kind() == Kind::boolean && integer_ != 0; }
  const char* why() const { return why_; }
  bool as_boolean() const { return integer_ != 0; }
  std::int64_t as_integer() const { return integer_; }  // integer, timestamp, duration
  std::uint64_t as_unsigned() const { return static_cast<std::uint64_t>(integer_); }
  double as_number() const { return number_; }
  std::string_view as_text() const { return {text_, extent()}; }                  // string, bytes, type
  unsigned nanos() const { return static_cast<unsigned>(shape_ >> 8 & 0xFFFF); }  // timestamp, duration
  Json as_json() const { return Json::place(document_, extent()); }
  const List* as_list() const { return list_; }
  const Map* as_map() const { return map_; }
  const Value* as_optional() const { return held_; }  // null: none
  // A number of any numeric kind as a double; 0 for all else.
  double to_double() const;

  // Appends this as JSON: timestamps as RFC 3339, durations as "90s", unknown as null.
  void append_json(std::string& out) const;

 private:
  explicit Value(Kind kind, std::uint32_t extent = 0)
      : shape_(static_cast<std::uint64_t>(kind) | std::uint64_t{extent} << 32) {}
  static Value whole(Kind kind, std::int64_t i, unsigned nanos = 0) {
    Value v(kind);
    v.integer_ = i;
    v.shape_ |= std::uint64_t{nanos} << 8;
    return v;
  }
  static Value text(Kind kind, std::string_view s) {
    if (s.size() > UINT32_MAX) return unknown("the text is too large");
    Value v(kind, static_cast<std::uint32_t>(s.size()));
    v.text_ = s.data();
    return v;
  }
  std::uint32_t extent() const { return static_cast<std::uint32_t>(shape_ >> 32); }

  union {
    std::int64_t integer_ = 0;
    double number_;
    const char* why_;
    const char* text_;
    const void* document_;
    const List* list_;
    const Map* map_;
    const Value* held_;
  };
  std::uint64_t shape_;  // kind, nanos, and from bit 32 a text's size or the place in a document
};
// Two registers: evaluation hands values about by the million.
static_assert(sizeof(Value) == 16 && std::is_trivially_copyable_v<Value>);

}  // namespace sluice::expr
