// What lies on the disk is read again while all runs: the configuration's files, and the connectors'
// libraries. A library that is another now is a change like any other: its new process is there before the
// old one ends.
#include <algorithm>
#include <utility>

#include "sluice/plugin.h"

#include "base/log.hpp"
#include "hub/difference.hpp"
#include "hub/epoch.hpp"
#include "hub/hub.hpp"

namespace sluice::hub {

namespace {

bool uses(const config::Config& config, std::string_view plugin) {
  const auto named = [&](const auto& item) { return item.plugin == plugin; };
  return std::any_of(config.sources.begin(), config.sources.end(), named) ||
         std::any_of(config.destinations.begin(), config.destinations.end(), named);
}

bool uses_here(const config::Config& config, std::string_view plugin) {
  const auto here = [&](const auto& item) { return item.plugin == plugin && !item.isolation.process; };
  return std::any_of(config.sources.begin(), config.sources.end(), here) ||
         std::any_of(config.destinations.begin(), config.destinations.end(), here);
}

// A plugin's library; null: there is none.
const plugin::Entry* entry_of(const plugin::Registry& registry, std::string_view plugin) {
  const auto& all = registry.entries();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& e) { return e.plugin == plugin; });
  return found == all.end() ? nullptr : &*found;
}

bool is_another(const plugin::Registry& now, const plugin::Registry& before, std::string_view plugin) {
  const plugin::Entry* const is = entry_of(now, plugin);
  const plugin::Entry* const was = entry_of(before, plugin);
  return is != nullptr && was != nullptr && is->sha256 != was->sha256;
}

std::string goes_on(const plugin::Entry& running) {
  return ": the connector '" + running.plugin + "' " + running.version + " goes on";
}

}  // namespace

// What the folders hold now. A library that runs and cannot be read any more stays as it was.
plugin::Registry Hub::look_for_connectors(std::vector<std::string>& refused) {
  plugin::Registry found = plugin::Registry::scan(options_.plugin_folders);
  const auto config = this->config();
  std::set<std::string> in_use;
  for (const plugin::Entry& entry : registry_.entries()) {
    if (uses(*config, entry.plugin) && in_use.insert(entry.plugin).second &&
        entry_of(found, entry.plugin) == nullptr) {
      const auto& no = found.refused();
      const auto why =
          std::find_if(no.begin(), no.end(), [&](const auto& r) { return r.path == entry.path; });
      refused.push_back(entry.path + (why == no.end() ? " is gone" : " is refused: " + why->reason) +
                        goes_on(entry));
      found.take(entry.plugin, registry_);
    }
  }
  for (const plugin::Refused& one : found.refused()) {
    const auto runs = [&](const plugin::Entry& e) { return e.path == one.path && in_use.contains(e.plugin); };
    const auto& all = registry_.entries();
    if (std::none_of(all.begin(), all.end(), runs) && told_.insert(one.path + one.reason).second)
      log_warn("hub", one.path + " is not loaded: " + one.reason);
  }
  return found;
}

// A library in the hub's process stays there until the process ends. True: one is kept.
bool Hub::keep_what_runs_here(const config::Config& next, plugin::Registry& found) {
  std::set<std::string> kept;
  const auto config = this->config();
  for (const plugin::Entry& entry : registry_.entries()) {
    const bool here = uses_here(*config, entry.plugin) && uses_here(next, entry.plugin);
    if (!here || !is_another(found, registry_, entry.plugin) || !kept.insert(entry.plugin).second) continue;
    const plugin::Entry& newer = *entry_of(found, entry.plugin);
    if (told_.insert(newer.sha256).second) {
      log_warn("hub", newer.path + " is another library now, '" + newer.plugin + "' " + newer.version +
                          ": it runs in the hub's process, where version " + entry.version +
                          " goes on; restart the hub to use it");
    }
  }
  for (const std::string& plugin : kept) found.take(plugin, registry_);
  return !kept.empty();
}

// A library whose connector cannot be opened is refused, and the rest is applied without it.
Hub::Outcome Hub::apply_what_is_there() {
  const std::shared_ptr<const config::Config> before = config();
  Outcome out;
  plugin::Registry found = look_for_connectors(out.libraries);
  for (;;) {
    config::LoadOptions options;
    options.connectors = connectors_of(found);
    out.loaded = config::load(before->file, options);
    if (!out.loaded.config) return out;
    if (keep_what_runs_here(*out.loaded.config, found)) continue;
    out.mistakes = needs_restart(before->hub, out.loaded.config->hub, server_ != nullptr);
    for (std::string& mistake : out.mistakes) mistake.insert(0, before->file + ": ");
    if (!out.mistakes.empty()) return out;
    opening_failed_.clear();
    const Result<bool> applied = apply(out.loaded.config, found);
    if (applied) {
      out.news = applied.value();
      return out;
    }
    const std::string plugin = std::exchange(opening_failed_, {});
    if (plugin.empty() || !is_another(found, registry_, plugin)) {
      out.mistakes.push_back(before->file + ": " + applied.error().detail);
      return out;
    }
    out.libraries.push_back(entry_of(found, plugin)->path + " is refused: " + applied.error().detail +
                            goes_on(*entry_of(registry_, plugin)));
    found.take(plugin, registry_);
  }
}

// [watcher] A folder that `include` looks in changes for many reasons: what is no news is neither told nor
// counted.
std::vector<std::string> Hub::read_again(bool asked) {
  const std::shared_ptr<const config::Config> before = config();
  Outcome is = apply_what_is_there();
  const bool other = !is.loaded.config || is.loaded.config->files != before->files;
  std::vector<std::string> mistakes;
  for (const config::Diagnostic& d : is.loaded.diagnostics) {
    std::string text = config::format(d);
    while (text.ends_with('\n')) text.pop_back();
    if (!d.warning) {
      mistakes.push_back(std::move(text));
    } else if (asked || other) {
      log_warn("config", text);
    }
  }
  mistakes.insert(mistakes.end(), is.mistakes.begin(), is.mistakes.end());
  const bool news = asked || other || is.news || !mistakes_.empty() || libraries_ != is.libraries;
  if (!mistakes.empty() || !is.libraries.empty()) {
    if (asked || mistakes != mistakes_ || is.libraries != libraries_) refuse(mistakes, is.libraries);
  } else if (news) {
    const std::lock_guard lock(mutex_);
    ++reload_status_.applied;
    reload_status_.mistakes = 0;
    reload_status_.first.clear();
    reload_status_.libraries.clear();
  }
  mistakes_ = std::move(mistakes);
  libraries_ = std::move(is.libraries);
  std::vector<std::string> watch = std::move(is.loaded.watch);
  for (std::string& place : plugin::places_of_libraries(options_.plugin_folders))
    watch.push_back(std::move(place));
  return watch;
}

void Hub::refuse(const std::vector<std::string>& mistakes, const std::vector<std::string>& libraries) {
  for (const std::string& library : libraries) log_error("hub", library);
  for (const std::string& mistake : mistakes) log_error("config", mistake);
  if (!mistakes.empty())
    log_error("config", "the changed configuration is refused: the one before it goes on");
  const std::lock_guard lock(mutex_);
  ++(mistakes.empty() ? reload_status_.applied : reload_status_.refused);
  reload_status_.mistakes = mistakes.size();
  reload_status_.first = mistakes.empty() ? "" : mistakes.front().substr(0, mistakes.front().find('\n'));
  reload_status_.libraries = libraries;
}

}  // namespace sluice::hub
