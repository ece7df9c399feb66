// The texts of a document's parts, byte for byte as they stand in it, for what has to be kept as it was
// received.
#pragma once

#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace sluice {

struct JsonPart {
  std::string_view key;   // unescaped; borrowed from the parser
  std::string_view text;  // of the value, without white space around it; borrowed from the document's text
};

// Cuts what `parser` has parsed last, an object; `text` is what it was given. The members of the root, in
// order, go to `members`; the elements of the array named `array` (the last member of that name) to
// `elements`, and not to `members`. Walks over what the parser has noted already: some nanoseconds a value.
void cut_json(const JsonParser& parser, std::string_view text, std::string_view array,
              std::vector<JsonPart>& members, std::vector<std::string_view>& elements);

}  // namespace sluice
