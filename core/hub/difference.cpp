#include "hub/difference.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/json.hpp"

namespace sluice::hub {

namespace {

struct Section {
  const char* key;   // in Config::resolved
  const char* noun;  // of one item
};
constexpr std::array<Section, 7> lists{{{"sources", "source"},
                                        {"computed", "computed trait"},
                                        {"traits", "trait"},
                                        {"audiences", "audience"},
                                        {"routes", "route"},
                                        {"workflows", "workflow"},
                                        {"destinations", "destination"}}};
constexpr std::array<const char*, 5> wholes{"hub", "identity", "consent", "retention", "decide"};

using Items = std::vector<std::pair<std::string, std::string>>;  // name and text

Items items_of(Json section) {
  Items out;
  section.elements([&](Json item) { out.emplace_back(item["name"].string_or(""), item.text()); });
  return out;
}

const std::string* find(const Items& items, std::string_view name) {
  const auto at = std::find_if(items.begin(), items.end(), [&](const auto& i) { return i.first == name; });
  return at == items.end() ? nullptr : &at->second;
}

}  // namespace

std::vector<std::string> differences(const config::Config& before, const config::Config& after) {
  std::vector<std::string> out;
  JsonParser old_parser, new_parser;
  const Json was = old_parser.parse(before.resolved), is = new_parser.parse(after.resolved);
  for (const char* whole : wholes) {
    if (was[whole].text() != is[whole].text()) out.push_back(std::string(whole) + " changed");
  }
  for (const Section& section : lists) {
    const Items old_items = items_of(was[section.key]), new_items = items_of(is[section.key]);
    const auto say = [&](const std::string& name, const char* what) {
      out.push_back(std::string(section.noun) + " '" + name + "' " + what);
    };
    for (const auto& [name, text] : new_items) {
      const std::string* known = find(old_items, name);
      if (known == nullptr || *known != text) say(name, known == nullptr ? "added" : "changed");
    }
    for (const auto& [name, text] : old_items) {
      if (find(new_items, name) == nullptr) say(name, "removed");
    }
  }
  return out;
}

std::string text_of_item(const config::Config& config, std::string_view section, std::string_view name) {
  JsonParser parser;
  const Items items = items_of(parser.parse(config.resolved)[section]);
  const std::string* text = find(items, name);
  return text == nullptr ? std::string{} : *text;
}

std::vector<std::string> needs_restart(const config::Hub& before, const config::Hub& after, bool listening) {
  std::vector<std::string> out;
  const auto compare = [&](const char* key, const std::string& was, const std::string& is) {
    if (was == is) return;
    out.push_back(std::string("hub.") + key + " is '" + was + "' and would become '" + is +
                  "': restart to change");
  };
  compare("data", before.data, after.data);
  if (listening) compare("listen", before.listen, after.listen);
  compare("admin", before.admin, after.admin);
  const auto bound = [](const config::Hub& hub) {
    return hub.memory_bytes == 0 ? std::string("no bound") : std::to_string(hub.memory_bytes) + " bytes";
  };
  compare("memory", bound(before), bound(after));
  return out;
}

}  // namespace sluice::hub
