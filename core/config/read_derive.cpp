// `derive:` of a tracking source.
#include <filesystem>

#include "config/reading.hpp"
#include "config/scalars.hpp"

namespace sluice::config {

namespace {

void read_patterns(Reading& reading, const Node& categories, Derive& derive) {
  for (const Member& m : categories.members) {
    if (m.key.bad || m.value.bad) continue;
    const std::string& pattern = m.key.text;
    if (pattern.find("://") != std::string::npos || pattern.find_first_of("?#") != std::string::npos) {
      error(reading.report, m.key, "bad-pattern", "a page's pattern is a path, or a host with a path",
            "write \"/shoes/*\" or \"shop.example/shoes/*\"; * stands for any text");
      continue;
    }
    derive.categories.emplace_back(pattern, m.value.text);
  }
}

void read_location(Reading& reading, const Node& location, Derive& derive) {
  namespace fs = std::filesystem;
  derive.location_place = reading.place(location);
  if (leaves_folder(location.text)) {
    error(reading.report, location, "bad-path",
          "'" + location.text + "' is not under the folder of this file",
          "put the database there, or write its path from the root");
    return;
  }
  std::error_code ignored;
  const fs::path path = fs::path(reading.document_of(location).folder) / location.text;
  derive.location = fs::absolute(path, ignored).lexically_normal().string();
  if (reading.options.from_memory || fs::is_regular_file(derive.location, ignored)) return;
  error(reading.report, location, "no-file", "there is no file '" + location.text + "'",
        "a database in MaxMind's format: GeoLite2-City.mmdb; paths are relative to this file");
}

}  // namespace

std::optional<Derive> read_derive(Reading& reading, const Node& section, bool tracking) {
  const Member* const m = section.member("derive");
  if (m == nullptr || m->value.bad || !m->value.is_map()) return {};
  if (!tracking) {
    error(reading.report, m->key, "conflict",
          "'derive' is for tracking: there are no pages and visitors here",
          "map what the rows have, with traits and properties");
    return {};
  }
  Derive derive;
  if (const Node* categories = m->value.find("categories")) read_patterns(reading, *categories, derive);
  if (const Node* location = m->value.find("location")) read_location(reading, *location, derive);
  derive.device = boolean_of(m->value, "device");
  derive.campaign = boolean_of(m->value, "campaign");
  return derive;
}

}  // namespace sluice::config
