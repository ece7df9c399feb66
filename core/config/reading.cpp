#include "config/reading.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace sluice::config {

namespace {

std::string where(const Place& place) {
  return place.file + ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
}

void collect(Reading& reading, std::string_view section, Names& names) {
  for (const Member* m : reading.members(section)) {
    if (m->value.is_map() && !enabled(m->value)) {
      names.off.insert(m->key.text);
    } else {
      names.known.push_back(m->key.text);
    }
  }
}

}  // namespace

bool Names::has(const std::string& name) const {
  return std::find(known.begin(), known.end(), name) != known.end();
}

std::optional<std::string> Reading::read_file(const std::string& path, std::size_t bytes_max) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const std::string whole = fs::absolute(path, ignored).lexically_normal().string();
  std::string text;
  watch.insert(whole);
  if (options.from_memory) {
    const auto at = options.files.find(whole);
    if (at == options.files.end()) return std::nullopt;
    text = at->second;
  } else {
    std::ifstream in(whole, std::ios::binary);
    if (!fs::is_regular_file(whole, ignored) || !in) return std::nullopt;
    text.resize(bytes_max + 1);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
  }
  config.files[whole] = text;
  return text;
}

const Document& Reading::document_of(const Node& node) const {
  for (const Document& d : documents) {
    if (d.file.get() == node.file) return d;
  }
  return documents.front();
}

std::vector<const Member*> Reading::members(std::string_view section) {
  std::vector<const Member*> all;
  for (const Document& d : documents) {
    const Node* map = d.root ? d.root->find(section) : nullptr;
    if (map == nullptr || !map->is_map()) continue;
    for (const Member& m : map->members) {
      if (m.key.bad) continue;
      const auto first =
          std::find_if(all.begin(), all.end(), [&m](const Member* o) { return o->key.text == m.key.text; });
      if (first == all.end()) {
        all.push_back(&m);
      } else {
        error(report, m.key, "duplicate-name",
              "'" + m.key.text + "' is defined twice under '" + std::string(section) + "'",
              "first in " + where(place((*first)->key)));
      }
    }
  }
  return all;
}

const Node* Reading::single(std::string_view section) {
  const Node* found = nullptr;
  for (const Document& d : documents) {
    const Member* m = d.root ? d.root->member(section) : nullptr;
    if (m == nullptr) continue;
    if (found != nullptr) {
      error(report, m->key, "duplicate-name", "'" + std::string(section) + "' is defined in two files",
            "first in " + where(place(*found)));
    } else if (!m->value.bad && m->value.kind != Node::Kind::null) {
      found = &m->value;
    }
  }
  return found;
}

bool Reading::known(const Node& name, const Names& names, const std::string& kind) {
  if (names.has(name.text)) return true;
  if (names.off.contains(name.text)) {
    error(report, name, "switched-off", kind + " '" + name.text + "' is switched off (enabled: false)",
          "switch this off too, or that on");
  } else {
    std::string there;
    for (const std::string& one : names.known) there += (there.empty() ? "there are: " : ", ") + one;
    if (there.empty()) there = "this file defines none";
    if (kind == "purpose" && names.known.size() == 1) there = "write it down under consent: purposes:";
    error(report, name, "unknown-name", "no " + kind + " is named '" + name.text + "'",
          did_you_mean(name.text, names.known, there));
  }
  return false;
}

void collect_names(Reading& reading) {
  collect(reading, "audiences", reading.audiences);
  collect(reading, "destinations", reading.destinations);
  collect(reading, "computed", reading.computed);
  reading.purposes.known = {"internal"};
  const Node* consent = reading.single("consent");
  const Node* purposes = consent != nullptr && consent->is_map() ? consent->find("purposes") : nullptr;
  if (purposes == nullptr) return;
  for (const Member& m : purposes->members) {
    if (!m.key.bad && m.key.text != "internal") reading.purposes.known.push_back(m.key.text);
  }
}

}  // namespace sluice::config
