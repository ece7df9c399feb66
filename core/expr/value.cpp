#include "expr/value.hpp"

#include "expr/arena.hpp"
#include "expr/functions.hpp"

namespace sluice::expr {

Value Value::json(Json j) {
  switch (j.type()) {
    case JsonType::missing:
      return unknown("it is missing");
    case JsonType::null:
      return null();
    case JsonType::boolean:
      return boolean(*j.boolean());
    case JsonType::number:
      return number(*j.number());
    case JsonType::string:
      return string(*j.string());
    case JsonType::array:
    case JsonType::object:
      break;
  }
  Value v(Kind::json, j.index());
  v.document_ = j.document();
  return v;
}

double Value::to_double() const {
  switch (kind()) {
    case Kind::integer:
      return static_cast<double>(integer_);
    case Kind::unsigned_integer:
      return static_cast<double>(as_unsigned());
    case Kind::number:
      return number_;
    default:
      return 0;
  }
}

namespace {

// A map's key as the name of a JSON member.
void append_key(std::string& out, const Value& key) {
  if (key.kind() == Value::Kind::string) return append_json_string(out, key.as_text());
  out += '"';
  key.append_json(out);
  out += '"';
}

}  // namespace

void Value::append_json(std::string& out) const {
  switch (kind()) {
    case Kind::unknown:
    case Kind::null:
      out += "null";
      return;
    case Kind::boolean:
      out += is_true() ? "true" : "false";
      return;
    case Kind::integer:
      return append_json_integer(out, integer_);
    case Kind::unsigned_integer:
      out += std::to_string(as_unsigned());
      return;
    case Kind::number:
      return append_json_number(out, number_);
    case Kind::string:
    case Kind::bytes:
    case Kind::type:
      return append_json_string(out, as_text());
    case Kind::timestamp:
      return append_json_string(out, format_time(integer_));
    case Kind::duration:
      return append_json_string(out, seconds_text(integer_));
    case Kind::json:
      return as_json().append_to(out);
    case Kind::optional:
      if (held_ == nullptr) {
        out += "null";
        return;
      }
      return held_->append_json(out);
    case Kind::list:
      out += '[';
      for (std::size_t i = 0; i < list_->size; ++i) {
        if (i > 0) out += ',';
        list_->items[i].append_json(out);
      }
      out += ']';
      return;
    case Kind::map:
      out += '{';
      for (std::size_t i = 0; i < map_->size; ++i) {
        if (i > 0) out += ',';
        append_key(out, map_->entries[i].key);
        out += ':';
        map_->entries[i].value.append_json(out);
      }
      out += '}';
      return;
  }
}

}  // namespace sluice::expr
