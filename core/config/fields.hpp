// The language of connectors.yaml as data: which keys there are, what they hold, what they are for. The
// checker and the JSON Schema for editors are both made from these tables.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::config {

enum class Type : std::uint8_t {
  text,
  name,  // of something in this file; whether it exists is checked by its reader
  boolean,
  integer,   // from `least` up
  duration,  // without calendar units
  span,      // with them
  rate,
  size,
  choice,  // one of `choices`
  time_zone,
  country,
  address,  // HOST:PORT
  admin,    // HOST:PORT or unix:PATH
  url,
  hosts,      // list of host patterns
  condition,  // CEL, true or false
  value,      // CEL, anything
  texts,      // a text or a list of them
  mapping,    // NAME: CEL or { value: LITERAL }
  labels,     // NAME: text
  messages,   // NAME: text with {{ }}
  settings,   // `with:` of a connector, by its manifest
  object,     // `of`
  map,        // NAME: `of`
  list,       // of `of`
};

struct Section;

struct Field {
  std::string_view name;
  Type type = Type::text;
  std::string_view doc;
  bool required = false;
  bool later = false;             // known, and not supported yet
  std::string_view choices = {};  // "keep|delete"; words that may stand in place of an object
  std::string_view choices_later = {};
  const Section* of = nullptr;  // of a map, list or object; of a scalar: its long form, not supported yet
  std::int64_t least = 0;
};

// A group of keys. With `shorthand`, a bare text in its place is that field's value.
struct Section {
  std::string_view title;  // "a source"
  std::span<const Field> fields;
  std::string_view shorthand = {};
  bool can_disable = false;  // `enabled: false`

  const Field* field(std::string_view name) const;
};

// `description`, `owner` (and `enabled` where something can be switched off) stand in every section.
std::span<const Field> common_fields();

const Section& root_section();

}  // namespace sluice::config
