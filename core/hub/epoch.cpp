#include "hub/epoch.hpp"

#include <algorithm>
#include <filesystem>

#include "sluice/plugin.h"

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/normalize.hpp"
#include "hub/pipeline.hpp"

namespace sluice::hub {

std::vector<config::ConnectorInfo> connectors_of(const plugin::Registry& registry) {
  std::vector<config::ConnectorInfo> out;
  for (const plugin::Entry& entry : registry.entries()) {
    out.push_back({entry.plugin, (entry.info.kind & SLUICE_SOURCE) != 0,
                   (entry.info.kind & SLUICE_DESTINATION) != 0, entry.info.text});
  }
  return out;
}

namespace {

bool uses(const config::Config& config, const config::ConnectorInfo& connector) {
  const auto named = [&](const auto& item) { return item.plugin == connector.plugin; };
  return std::any_of(config.sources.begin(), config.sources.end(), named) ||
         std::any_of(config.destinations.begin(), config.destinations.end(), named);
}

struct Difference {
  std::string summary;       // "audience 'vip' added, route 'r' removed"; empty: nothing that has a name
  std::string without_past;  // "'vip'": new or changed, and reads events, of which it sees those to come
};

Difference difference(std::string_view payload_before, const config::Config& now) {
  Difference out;
  const Result<std::shared_ptr<const view::Compiled>> compiled = compile_epoch(payload_before);
  if (!compiled) return out;
  const config::Config& before = *compiled.value()->config;
  const auto list = [](std::string& to, const std::string& what) { to += (to.empty() ? "" : ", ") + what; };
  const auto compare = [&](const char* kind, const auto& old_ones, const auto& new_ones, auto text_of) {
    const auto named = [](const auto& all, const std::string& name) {
      return std::find_if(all.begin(), all.end(), [&name](const auto& one) { return one.name == name; });
    };
    for (const auto& one : new_ones) {
      const auto old = named(old_ones, one.name);
      const std::string text = text_of(one);
      if (old != old_ones.end() && text_of(*old) == text) continue;
      const std::string quoted = "'" + one.name + "'";
      list(out.summary, std::string(kind) + " " + quoted + (old == old_ones.end() ? " added" : " changed"));
      if (text.find("events(") != std::string::npos) list(out.without_past, quoted);
    }
    for (const auto& one : old_ones) {
      if (named(new_ones, one.name) == new_ones.end())
        list(out.summary, std::string(kind) + " '" + one.name + "' removed");
    }
  };
  const auto none = [](const auto&) { return std::string(); };
  compare("source", before.sources, now.sources, none);
  compare("computed trait", before.computed, now.computed, [](const auto& t) { return t.program->text(); });
  compare("audience", before.audiences, now.audiences, [](const auto& a) { return a.condition->text(); });
  compare("route", before.routes, now.routes, none);
  compare("workflow", before.workflows, now.workflows, none);
  compare("destination", before.destinations, now.destinations, none);
  return out;
}

}  // namespace

std::string epoch_payload(const config::Config& config,
                          const std::vector<config::ConnectorInfo>& connectors) {
  std::string out;
  JsonWriter w(out);
  w.begin_object()
      .member_integer("step_version", step_version)
      .member("main", std::filesystem::absolute(config.file).lexically_normal().string());
  w.key("files").begin_object();
  for (const auto& [path, text] : config.files) w.member(path, text);
  w.end_object().key("connectors").begin_array();
  for (const config::ConnectorInfo& connector : connectors) {
    if (!uses(config, connector)) continue;
    w.begin_object().member("plugin", connector.plugin).member_boolean("source", connector.source);
    w.member_boolean("destination", connector.destination)
        .member("manifest", connector.manifest)
        .end_object();
  }
  w.end_array()
      .key("versions")
      .begin_object()
      .member("phone_metadata", phone_metadata_version())
      .end_object();
  w.end_object();
  return out;
}

Result<std::shared_ptr<const view::Compiled>> compile_epoch(std::string_view payload) {
  JsonParser parser;
  const Json root = parser.parse(payload);
  if (!root.is_object()) return Error{Code::corrupt, "an epoch of the journal is no JSON object"};
  config::LoadOptions options;
  options.check_secrets = false;
  options.from_memory = true;
  root["files"].members(
      [&](std::string_view path, Json text) { options.files.emplace(path, text.string_or("")); });
  root["connectors"].elements([&](Json c) {
    options.connectors.push_back(
        {std::string(c["plugin"].string_or("")), c["source"].boolean().value_or(false),
         c["destination"].boolean().value_or(false), std::string(c["manifest"].string_or(""))});
  });
  const config::Loaded loaded = config::load(std::string(root["main"].string_or("")), options);
  if (!loaded.config) {
    std::string why = "the configuration of an epoch of the journal is not valid for this binary";
    const auto& all = loaded.diagnostics;
    const auto first = std::find_if(all.begin(), all.end(), [](const auto& d) { return !d.warning; });
    if (first != all.end()) why += ": " + first->what;
    return Error{Code::corrupt, why};
  }
  return view::compile(loaded.config, channels_of(*loaded.config, options.connectors));
}

void log_applied(std::string_view payload_before, const config::Config& now) {
  const Difference found = difference(payload_before, now);
  log_info("hub", "configuration applied: " + now.file + (found.summary.empty() ? "" : ": " + found.summary));
  if (found.without_past.empty()) return;
  log_warn("hub", found.without_past +
                      ": events of the past are not counted; reading the history again is not supported yet");
}

std::vector<std::string> channels_of(const config::Config& config,
                                     const std::vector<config::ConnectorInfo>& connectors) {
  std::vector<std::string> channels;
  JsonParser parser;
  for (const config::Destination& destination : config.destinations) {
    const auto connector = std::find_if(connectors.begin(), connectors.end(), [&](const auto& c) {
      return c.destination && c.plugin == destination.plugin;
    });
    channels.emplace_back();
    if (connector == connectors.end()) continue;
    channels.back() = parser.parse(connector->manifest)["channel"].string_or("");
  }
  return channels;
}

}  // namespace sluice::hub
