#include <filesystem>
#include <fstream>

#include "sluice/plugin.h"

#include "base/clock.hpp"
#include "base/text.hpp"
#include "cli/setup.hpp"
#include "deliver/connector_courier.hpp"
#include "plugin/connector.hpp"
#include "plugin/installation.hpp"

namespace sluice::cli {

namespace {

// What a connector is lent while it is only tried: nothing that lasts or leaves.
class NoServices final : public plugin::HostServices {
 public:
  void log(std::int32_t, std::string_view) override {}
  TimeUs now_us() override { return clock_.wall_us(); }
  void metric(std::int32_t, std::string_view, double) override {}
  Result<std::optional<std::string>> get(std::string_view) override { return std::optional<std::string>(); }
  Status put(std::string_view, std::optional<std::string_view>) override { return Done{}; }
  plugin::Response http(const plugin::HttpRequest&) override {
    plugin::Response out;
    out.error = "no request is sent while the configuration is checked";
    return out;
  }

 private:
  SystemClock clock_;
};

// The line up to the name of what is refused: behind it may stand what is secret.
std::string shown_line(const config::Place& place, std::size_t name_bytes) {
  std::ifstream file(place.file);
  std::string line;
  for (int i = 0; i < place.line; ++i) {
    if (!std::getline(file, line)) return {};
  }
  const std::size_t end = static_cast<std::size_t>(std::max(0, place.column - 1)) + name_bytes;
  return end < line.size() ? line.substr(0, end + 1) : line;
}

void try_one(Setup& setup, const std::string& name, const std::string& plugin, const std::string& with,
             std::uint32_t kind, const std::vector<std::string>& allow_hosts,
             const config::Isolation& isolation, const config::Place& place) {
  const plugin::Entry* entry = setup.registry.find(plugin, kind);
  if (entry == nullptr) return;  // the door is no plugin; of others the loader has told
  const std::string settings = with.empty() ? "{}" : with;
  plugin::Instance instance;
  instance.name = name;
  instance.folder = std::filesystem::absolute(setup.config->file).parent_path().lexically_normal().string();
  instance.allow_hosts = allow_hosts;
  const auto expanded = config::expand_secrets(settings, instance.folder);
  if (!expanded) return;
  instance.config = expanded.value();
  NoServices services;
  const auto open = [&]() -> Status {
    if (isolation.process) {
      instance.program = SLUICE_TRY(plugin::connector_program());
      instance.memory_bytes = isolation.memory_bytes;
    }
    SLUICE_TRY(plugin::Connector::open(*entry, instance, services));
    return Done{};
  };
  const Status made = open();
  if (made) return;
  config::Diagnostic diagnostic;
  diagnostic.place = place;
  diagnostic.code = "connector-refuses";
  diagnostic.what = "the connector '" + plugin + "' refuses this: " +
                    deliver::Redactor(settings, instance.config, entry->info.secrets)(made.error().detail);
  diagnostic.source_line = shown_line(place, name.size());
  diagnostic.length = static_cast<int>(name.size());
  setup.diagnostics.push_back(std::move(diagnostic));
}

}  // namespace

void try_connectors(Setup& setup) {
  if (!setup.config) return;
  const std::size_t before = setup.diagnostics.size();
  for (const config::Source& source : setup.config->sources) {
    try_one(setup, source.name, source.plugin, source.with, SLUICE_SOURCE, {}, source.isolation,
            source.place);
  }
  for (const config::Destination& destination : setup.config->destinations) {
    try_one(setup, destination.name, destination.plugin, destination.with, SLUICE_DESTINATION,
            destination.allow_hosts, destination.isolation, destination.place);
  }
  if (setup.diagnostics.size() > before) setup.config.reset();
}

}  // namespace sluice::cli
