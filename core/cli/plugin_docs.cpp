// `sluice plugin docs`: a page about a plugin, in Markdown, from its manifest alone: none of its code runs.
#include <cstdio>

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/plugin_facts.hpp"
#include "cli/setup.hpp"

namespace sluice::cli {

namespace {

// For a cell of a table.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string code(const std::string& text) {
  return text.empty() ? "" : "`" + cell(text) + "`";
}

void add_settings(std::string& out, Json schema, const char* title, const char* none) {
  out += std::string("\n### ") + title + "\n\n";
  const std::vector<Setting> settings = settings_of(schema);
  if (settings.empty()) {
    out += std::string(none) + "\n";
    return;
  }
  out += "| name | type | default | |\n|---|---|---|---|\n";
  for (const Setting& s : settings) {
    std::string fallback = code(s.fallback);
    if (s.required) fallback = "required";
    std::string text = s.secret ? "secret" : "";
    if (!s.description.empty()) text += (text.empty() ? "" : ": ") + s.description;
    out += "| `" + s.name + "` | " + cell(s.type) + " | " + fallback + " | " + cell(text) + " |\n";
  }
}

void add_streams(std::string& out, Json manifest) {
  const std::vector<Stream> streams = streams_of(manifest);
  if (streams.empty()) return;
  out += "\n### Streams\n\n| name | key | |\n|---|---|---|\n";
  for (const Stream& s : streams)
    out += "| `" + s.name + "` | " + code(s.key) + " | " + cell(s.title) + " |\n";
}

void add_connector(std::string& out, const plugin::Entry& entry) {
  JsonParser parser;
  const Json manifest = parser.parse(entry.info.text);
  out += "\n## " + entry.info.title + "\n\nThe " + kind_text(entry.info.kind) + " `" + entry.info.id + "`.";
  if (const std::string_view docs = manifest["docs"].string_or(""); !docs.empty())
    out += "\n\n" + std::string(docs);
  out += "\n\n| | |\n|---|---|\n";
  for (const auto& [name, text] : facts_of(entry.info)) {
    out += "| " + name + " | " + cell(text) + " |\n";
  }
  add_settings(out, manifest["config"], "Settings", "It has none.");
  if (manifest["input"]) add_settings(out, manifest["input"], "What a message holds", "Anything.");
  add_streams(out, manifest);
}

}  // namespace

int plugin_docs(const Common& common, const std::string& plugin) {
  const Result<std::vector<plugin::Entry>> found = find_plugin(common, plugin);
  if (!found) return fail(found.error().detail);
  const std::vector<plugin::Entry>& entries = found.value();
  std::string out = "# " + entries[0].plugin + " " + entries[0].version + "\n";
  for (const plugin::Entry& entry : entries) add_connector(out, entry);
  return std::fputs(out.c_str(), stdout) < 0 ? 1 : 0;
}

}  // namespace sluice::cli
