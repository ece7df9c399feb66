// `sluice plugin show`: one plugin, loaded, as lines for people or JSON for programs.
#include <cstdio>

#include "sluice/plugin.h"

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/plugin_facts.hpp"
#include "cli/setup.hpp"
#include "plugin/library.hpp"

namespace sluice::cli {

namespace {

void line(const std::string& name, const std::string& text) {
  if (!text.empty()) (void)std::printf("  %-13s %s\n", name.c_str(), text.c_str());
}

void print_settings(const std::vector<Setting>& settings) {
  std::size_t width = 0;
  for (const Setting& setting : settings) width = std::max(width, setting.name.size());
  for (const Setting& s : settings) {
    std::string text = s.type;
    if (s.required) text += ", required";
    if (s.secret) text += ", secret";
    if (!s.fallback.empty()) text += ", default " + s.fallback;
    if (!s.description.empty()) text += ": " + s.description;
    (void)std::printf("    %-*s  %s\n", static_cast<int>(width), s.name.c_str(), text.c_str());
  }
}

void print_connector(const plugin::Entry& entry, const std::string& functions) {
  (void)std::printf("\n%s, %s: %s\n", entry.info.id.c_str(), kind_text(entry.info.kind).c_str(),
                    entry.info.title.c_str());
  for (const auto& [name, text] : facts_of(entry.info)) line(name, text);
  line("functions", functions);
  JsonParser parser;
  const Json manifest = parser.parse(entry.info.text);
  const std::vector<Setting> settings = settings_of(manifest["config"]);
  (void)std::puts(settings.empty() ? "  settings      none" : "  settings");
  print_settings(settings);
}

// What its table offers; checked against the manifest on the way.
Result<std::string> functions_of(const plugin::Entry& entry) {
  const sluice_plugin* const table = SLUICE_TRY(plugin::load_library(entry.path));
  const sluice_connector& c = *SLUICE_TRY(plugin::find_connector(*table, entry.info.id, entry.info.kind));
  std::string out;
  const auto add = [&](bool there, const char* name) {
    if (there) out += (out.empty() ? "" : ", ") + std::string(name);
  };
  add(c.check != nullptr, "check");
  add(c.plan != nullptr, "plan");
  add(c.interpret != nullptr, "interpret");
  add(c.fetch != nullptr, "fetch");
  add(c.receive != nullptr, "receive");
  add(c.deliver != nullptr, "deliver");
  add(c.read != nullptr, "read");
  add(c.discover != nullptr, "discover");
  add(c.provision != nullptr, "provision");
  add(c.subscribe != nullptr, "subscribe");
  add(c.unsubscribe != nullptr, "unsubscribe");
  return out;
}

int print_json(const std::vector<plugin::Entry>& entries, const std::vector<std::string>& functions) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().member("plugin", entries[0].plugin).member("version", entries[0].version);
  w.member("path", entries[0].path).member("sha256", entries[0].sha256).key("connectors").begin_array();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    w.begin_object().member("id", entries[i].info.id).key("functions").begin_array();
    for (const std::string_view name : split(functions[i], ',')) w.string(trim(name));
    w.end_array().key("manifest").raw(entries[i].info.text).end_object();
  }
  w.end_array().end_object();
  return std::puts(out.c_str()), 0;
}

}  // namespace

int plugin_show(const Common& common, const std::string& plugin) {
  const Result<std::vector<plugin::Entry>> found = find_plugin(common, plugin);
  if (!found) return fail(found.error().detail);
  const std::vector<plugin::Entry>& entries = found.value();
  std::vector<std::string> functions;
  for (const plugin::Entry& entry : entries) {
    Result<std::string> offered = functions_of(entry);
    if (!offered) return fail(entry.path + ": " + offered.error().detail);
    functions.push_back(std::move(offered).value());
  }
  if (common.json) return print_json(entries, functions);
  (void)std::printf("%s %s\n", entries[0].plugin.c_str(), entries[0].version.c_str());
  line("file", entries[0].path);
  line("sha256", entries[0].sha256);
  line("ABI", std::to_string(SLUICE_ABI_MAJOR) + "." +
                  std::to_string(plugin::load_library(entries[0].path).value()->abi_minor) + ", loaded");
  for (std::size_t i = 0; i < entries.size(); ++i) print_connector(entries[i], functions[i]);
  return 0;
}

}  // namespace sluice::cli
