#include "plugin/library.hpp"

#define BOOST_DLL_USE_STD_FS
#include <cstddef>
#include <map>
#include <mutex>
#include <span>
#include <string_view>

#include <boost/dll/shared_library.hpp>

#include "plugin/call.hpp"

namespace sluice::plugin {
namespace {

Error refused(std::string why) {
  return {Code::misconfigured, "plugin: " + std::move(why)};
}

struct Libraries {
  std::mutex mutex;  // guards what follows
  std::map<std::string, boost::dll::shared_library> by_path;
  std::map<const sluice_connector*, sluice_connector> completed;
};

// Never destroyed: what is loaded stays loaded.
Libraries& libraries() {
  static auto* const all = new Libraries;  // NOLINT(cppcoreguidelines-owning-memory)
  return *all;
}

Status check_table(const sluice_plugin& plugin) {
  // Frozen: the fields of version 1.0.
  if (plugin.size < offsetof(sluice_plugin, manifest) + sizeof(plugin.manifest))
    return refused("its table is shorter than version 1.0 says");
  if (plugin.needs_minor > SLUICE_ABI_MINOR) {
    return refused("it needs version 1." + std::to_string(plugin.needs_minor) +
                   " of the plugin ABI; this hub has 1." + std::to_string(SLUICE_ABI_MINOR));
  }
  if (plugin.connector_count == 0 || plugin.connectors == nullptr) return refused("it offers no connector");
  return Done{};
}

// The table of an older minor version with the slots that it has not as NULL: not offered.
const sluice_connector* complete(const sluice_connector* table) {
  if (table->size >= sizeof *table) return table;
  Libraries& all = libraries();
  const std::lock_guard lock(all.mutex);
  return &all.completed.try_emplace(table, whole(*table)).first->second;
}

}  // namespace

Result<const sluice_plugin*> load_library(const std::string& path) {
  Libraries& all = libraries();
  const std::lock_guard lock(all.mutex);
  try {
    boost::dll::shared_library& library = all.by_path[path];
    if (!library.is_loaded()) {
      // The throwing form: the other one loses what dlerror() says.
      library.load(path, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    }
    if (!library.has("sluice_plugin_v1")) {
      return refused("it has no sluice_plugin_v1: it is made for another major version of the plugin ABI");
    }
    const auto& plugin = library.get<const sluice_plugin>("sluice_plugin_v1");
    SLUICE_TRY(check_table(plugin));
    return &plugin;
  } catch (const std::exception& error) {
    all.by_path.erase(path);
    return refused(std::string("it cannot be loaded: ") + error.what());
  }
}

Result<const sluice_connector*> find_connector(const sluice_plugin& plugin, const std::string& id,
                                               std::uint32_t kind) {
  for (const sluice_connector* const given : std::span(plugin.connectors, plugin.connector_count)) {
    if (given == nullptr || given->id == nullptr || id != given->id) continue;
    if (given->size < offsetof(sluice_connector, check))
      return refused("the table of '" + id + "' is too short for create and destroy");
    const sluice_connector* const one = complete(given);
    if (one->kind != kind) return refused("the kind of '" + id + "' is not what its manifest says");
    if (one->create == nullptr || one->destroy == nullptr)
      return refused("'" + id + "' has no create or destroy");
    const bool gives = one->fetch != nullptr || one->read != nullptr || one->receive != nullptr;
    const bool takes = one->plan != nullptr || one->deliver != nullptr;
    if (((kind & SLUICE_SOURCE) != 0 && !gives) || ((kind & SLUICE_DESTINATION) != 0 && !takes)) {
      return refused("'" + id + "' offers no function that its kind needs");
    }
    return one;
  }
  return refused("its table has no connector '" + id + "', which its manifest names");
}

}  // namespace sluice::plugin
