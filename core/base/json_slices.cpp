#include "base/json_slices.hpp"

#include "base/check.hpp"
#include "base/text.hpp"

namespace sluice {

namespace {

// Walks from value to value over the places of a document's brackets, commas, colons and first bytes of
// values.
class Walk {
 public:
  Walk(const JsonParser& parser, std::string_view text) : places_(parser.structure()), text_(text) {}

  char here() const { return text_[places_[at_]]; }
  void step() { ++at_; }
  // The text of the value that begins here; then stands at what follows it.
  std::string_view value() {
    const std::size_t begin = places_[at_];
    std::size_t depth = 0;
    do {
      const char c = here();
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      step();
    } while (depth > 0);
    return trim(text_.substr(begin, places_[at_] - begin));
  }

 private:
  std::span<const std::uint32_t> places_;
  std::string_view text_;
  std::size_t at_ = 0;
};

void cut_elements(Walk& walk, std::vector<std::string_view>& elements) {
  walk.step();  // the bracket
  while (walk.here() != ']') {
    elements.push_back(walk.value());
    if (walk.here() == ',') walk.step();
  }
  walk.step();
}

}  // namespace

void cut_json(const JsonParser& parser, std::string_view text, std::string_view array,
              std::vector<JsonPart>& members, std::vector<std::string_view>& elements) {
  members.clear();
  elements.clear();
  const Json root = parser.root();
  SLUICE_CHECK(root.is_object());
  Walk walk(parser, text);
  walk.step();  // the brace
  root.members([&](std::string_view key, Json) {
    walk.step(), walk.step();  // the key and its colon
    if (!array.empty() && key == array) {
      elements.clear();
      walk.here() == '[' ? cut_elements(walk, elements) : void(walk.value());
    } else {
      members.push_back({key, walk.value()});
    }
    if (walk.here() == ',') walk.step();
  });
}

}  // namespace sluice
