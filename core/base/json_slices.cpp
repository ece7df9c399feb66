#include "base/json_slices.hpp"

#include <simdjson.h>

#include "base/json.hpp"
#include "base/text.hpp"

namespace sluice {

namespace ondemand = simdjson::ondemand;
static_assert(simdjson::SIMDJSON_PADDING <= json_padding);

struct JsonSlicer::Impl {
  ondemand::parser parser;
};

JsonSlicer::JsonSlicer() : impl_(std::make_unique<Impl>()) {}
JsonSlicer::~JsonSlicer() = default;
JsonSlicer::JsonSlicer(JsonSlicer&&) noexcept = default;
JsonSlicer& JsonSlicer::operator=(JsonSlicer&&) noexcept = default;

namespace {

bool cut_elements(ondemand::value& value, std::vector<std::string_view>& elements) {
  elements.clear();
  ondemand::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS) return true;
  for (auto element : array) {
    ondemand::value item;
    std::string_view text;
    if (std::move(element).get(item) != simdjson::SUCCESS) return false;
    if (simdjson::to_json_string(item).get(text) != simdjson::SUCCESS) return false;
    elements.push_back(trim(text));
  }
  return true;
}

}  // namespace

bool JsonSlicer::cut(std::string_view padded, std::string_view array, std::vector<Member>& members,
                     std::vector<std::string_view>& elements) {
  members.clear();
  elements.clear();
  ondemand::document document;
  ondemand::object root;
  const simdjson::padded_string_view text(padded.data(), padded.size(), padded.size() + json_padding);
  if (impl_->parser.iterate(text).get(document) != simdjson::SUCCESS) return false;
  if (document.get_object().get(root) != simdjson::SUCCESS) return false;
  for (auto result : root) {
    ondemand::field field;
    std::string_view key;
    if (std::move(result).get(field) != simdjson::SUCCESS) return false;
    if (field.unescaped_key().get(key) != simdjson::SUCCESS) return false;
    ondemand::value value = field.value();
    if (!array.empty() && key == array) {
      if (!cut_elements(value, elements)) return false;
      continue;
    }
    std::string_view slice;
    if (simdjson::to_json_string(value).get(slice) != simdjson::SUCCESS) return false;
    members.push_back({std::string(key), trim(slice)});
  }
  return true;
}

}  // namespace sluice
