#include "hub/epoch.hpp"

#include <algorithm>
#include <filesystem>

#include "sluice/plugin.h"

#include "base/json.hpp"
#include "base/normalize.hpp"
#include "base/zone.hpp"
#include "hub/pipeline.hpp"

namespace sluice::hub {

std::vector<config::ConnectorInfo> connectors_of(const plugin::Registry& registry) {
  std::vector<config::ConnectorInfo> out;
  for (const plugin::Entry& entry : registry.entries()) {
    out.push_back({entry.plugin, (entry.info.kind & SLUICE_SOURCE) != 0,
                   (entry.info.kind & SLUICE_DESTINATION) != 0, entry.info.text, entry.own});
  }
  return out;
}

namespace {

bool uses(const config::Config& config, const config::ConnectorInfo& connector) {
  const auto named = [&](const auto& item) { return item.plugin == connector.plugin; };
  return std::any_of(config.sources.begin(), config.sources.end(), named) ||
         std::any_of(config.destinations.begin(), config.destinations.end(), named);
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
  std::vector<const config::ConnectorInfo*> used;  // by name: where they lie is nothing to the step
  for (const config::ConnectorInfo& connector : connectors) {
    if (uses(config, connector)) used.push_back(&connector);
  }
  std::stable_sort(used.begin(), used.end(),
                   [](const auto* a, const auto* b) { return a->plugin < b->plugin; });
  for (const config::ConnectorInfo* const connector : used) {
    w.begin_object().member("plugin", connector->plugin).member_boolean("source", connector->source);
    w.member_boolean("destination", connector->destination)
        .member("manifest", connector->manifest)
        .end_object();
  }
  w.end_array()
      .key("versions")
      .begin_object()
      .member("phone_metadata", phone_metadata_version())
      .member("time_zones", zone_data_version())
      .end_object();
  w.end_object();
  return out;
}

bool same_epoch(std::string_view holds, const config::Config& before, std::string_view payload,
                const config::Config& after) {
  if (holds == payload) return true;
  if (before.resolved != after.resolved) return false;
  JsonParser old_parser, new_parser;
  const Json was = old_parser.parse(holds), is = new_parser.parse(payload);
  for (const char* part : {"step_version", "connectors", "versions"}) {
    if (was[part].text() != is[part].text()) return false;
  }
  return true;
}

namespace {

struct ReadEpoch {
  std::shared_ptr<const config::Config> config;
  std::vector<std::string> channels;
};

Result<ReadEpoch> read_epoch(std::string_view payload) {
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
  return ReadEpoch{loaded.config, channels_of(*loaded.config, options.connectors)};
}

}  // namespace

Result<std::shared_ptr<const view::Compiled>> compile_epoch(std::string_view payload) {
  ReadEpoch read = SLUICE_TRY(read_epoch(payload));
  return view::compile(std::move(read.config), std::move(read.channels));
}

Result<std::shared_ptr<const view::Compiled>> compile_shadow(std::string_view payload,
                                                             std::string_view definitions) {
  ReadEpoch then = SLUICE_TRY(read_epoch(payload));
  // Read anew for each: programs know the slots of the configuration that they were compiled into.
  const ReadEpoch now = SLUICE_TRY(read_epoch(definitions));
  auto config = std::make_shared<config::Config>(*then.config);
  config->consent = now.config->consent;
  config->computed = now.config->computed;
  config->computed_order = now.config->computed_order;
  config->audiences = now.config->audiences;
  config->audience_order = now.config->audience_order;
  config->routes = now.config->routes;  // what they read is counted, too
  config->workflows = now.config->workflows;
  return view::compile(std::move(config), std::move(then.channels));
}

Result<std::shared_ptr<const view::Compiled>> compile_rules(std::string_view payload,
                                                            std::string_view definitions) {
  ReadEpoch then = SLUICE_TRY(read_epoch(payload));
  const ReadEpoch now = SLUICE_TRY(read_epoch(definitions));
  auto config = std::make_shared<config::Config>(*then.config);
  config->identity = now.config->identity;
  config->hub.country = now.config->hub.country;
  config->computed.clear();
  config->computed_order.clear();
  config->audiences.clear();
  config->audience_order.clear();
  config->routes.clear();
  config->workflows.clear();
  return view::compile(std::move(config), std::move(then.channels));
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
