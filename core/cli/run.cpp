#include <csignal>
#include <cstdio>
#include <optional>
#include <thread>
#include <unistd.h>

#include "sluice/plugin.h"

#include "api/admin.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "cli/commands.hpp"
#include "cli/lane_watch.hpp"
#include "cli/setup.hpp"
#include "hub/hub.hpp"

namespace sluice::cli {

namespace {

// Waits for signals on a thread of its own; all other threads have them blocked. SIGHUP applies the
// configuration again, SIGTERM or SIGINT ends the hub, a second one the process.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR2}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    (void)std::signal(SIGPIPE, SIG_IGN);
  }
  void watch(hub::Hub& hub) {
    thread_ = std::thread([this, &hub] {
      int signal = 0;
      for (sigwait(&set_, &signal); signal == SIGHUP; sigwait(&set_, &signal)) hub.reload();
      if (signal == SIGUSR2) return;
      log_info("hub", "stopping: sending what is queued; once more to stop at once");
      hub.request_stop();
      do {
        sigwait(&set_, &signal);
      } while (signal == SIGHUP);
      if (signal != SIGUSR2) std::_Exit(1);
    });
  }
  ~Signals() {
    if (!thread_.joinable()) return;
    pthread_kill(thread_.native_handle(), SIGUSR2);
    thread_.join();
  }

 private:
  sigset_t set_{};
  std::thread thread_;
};

void print_summary(hub::Hub& hub) {
  state::Totals totals;
  std::uint64_t people = 0;
  hub.read([&](const hub::World& world) {
    totals = world.state.totals;
    people = world.state.profiles();
  });
  log_info("hub", std::to_string(totals.events) + " events, " + std::to_string(totals.duplicates) +
                      " of them duplicates, " + std::to_string(people) + " people");
  for (const ingest::FeedStatus& feed : hub.feeds()) {
    if (feed.rejected > 0) {
      log_warn("sources", feed.source + ": " + std::to_string(feed.rejected) +
                              (feed.rejected == 1 ? " row was" : " rows were") + " rejected: see " +
                              hub::rejects_folder(hub.config()->hub.data) + "/" + feed.source + ".jsonl");
    }
    if (!feed.error.empty()) log_error("sources", feed.source + ": " + feed.error);
  }
}

}  // namespace

int run(const Common& common, const RunOptions& options) {
  start_log(options.quiet ? LogLevel::warn : LogLevel::info);
  Signals signals;
  Setup setup = load(common, true);
  try_connectors(setup);
  if (!report(setup, true)) return 1;
  if (options.clock == "events") {
    for (const config::Route& route : setup.config->routes) {
      if (route.resync > 0)
        return fail("the route '" + route.name +
                    "' has 'resync': with --clock events time comes with the events alone, and nothing would "
                    "drive it; leave it out for this run");
    }
  }
  hub::HubOptions wanted;
  wanted.config = setup.config;
  wanted.watch = setup.watch;
  wanted.connectors = setup.connectors;
  wanted.registry = &setup.registry;
  wanted.plugin_folders = plugin_folders(common.plugins);
  wanted.until_idle = options.until_idle;
  wanted.clock_events = options.clock == "events";
  wanted.checkpoint_inputs = options.checkpoint_inputs;
  auto opened = hub::Hub::open(std::move(wanted));
  if (!opened) return fail(opened.error().detail);
  hub::Hub& hub = *opened.value();
  const Status started = hub.start();
  if (!started) {
    hub.stop();
    return fail(started.error().detail);
  }
  auto door = api::AdminDoor::open(hub);
  if (!door) {
    hub.stop();
    return fail(door.error().detail);
  }
  log_info("hub", "admin on " + door.value()->address());
  signals.watch(hub);
  std::optional<LaneWatch> watch(std::in_place, hub);
  const Status ended = hub.wait();
  door.value()->stop();
  hub.stop();
  watch.reset();
  print_summary(hub);
  return ended ? 0 : fail(ended.error().detail);
}

int check(const Common& common, const std::string& format, bool online) {
  Setup setup = load(common, true);
  try_connectors(setup);
  if (online) check_online(setup);
  if (format == "text") {
    const bool good = report(setup, true);
    if (good) (void)std::printf("%s is fine\n", common.config.c_str());
    return good ? 0 : 1;
  }
  std::string out;
  JsonWriter w(out);
  w.begin_array();
  for (const config::Diagnostic& d : setup.diagnostics) {
    if (format == "github") {
      (void)std::printf("::%s file=%s,line=%d,col=%d::%s%s%s\n", d.warning ? "warning" : "error",
                        d.place.file.c_str(), d.place.line, d.place.column, d.what.c_str(),
                        d.help.empty() ? "" : ": ", d.help.c_str());
      continue;
    }
    w.begin_object()
        .member("file", d.place.file)
        .member_integer("line", d.place.line)
        .member_integer("column", d.place.column);
    w.member("severity", d.warning ? "warning" : "error").member("code", d.code).member("message", d.what);
    w.member("help", d.help).end_object();
  }
  w.end_array();
  if (format == "json") (void)std::puts(out.c_str());
  return setup.config ? 0 : 1;
}

int schema(const Common& common) {
  const Setup setup = load({.config = "", .plugins = common.plugins}, false);
  (void)std::puts(config::schema(setup.connectors).c_str());
  return 0;
}

int plugin_list(const Common& common) {
  const plugin::Registry registry = plugin::Registry::scan(plugin_folders(common.plugins));
  std::string out;
  JsonWriter w(out);
  w.begin_array();
  const auto list = [&](const std::string& name, const std::string& id, const char* kind,
                        const std::string& version, const std::string& title, const std::string& path,
                        const char* isolation) {
    if (common.json) {
      w.begin_object().member("plugin", name).member("id", id).member("kind", kind);
      w.member("version", version).member("title", title).member("path", path);
      w.member("isolation", isolation).end_object();
    } else {
      (void)std::printf("%-16s %-12s %-10s %-8s %s\n", name.c_str(), kind, version.c_str(), isolation,
                        title.c_str());
    }
  };
  for (const plugin::Entry& entry : registry.entries()) {
    const bool source = (entry.info.kind & SLUICE_SOURCE) != 0;
    const bool destination = (entry.info.kind & SLUICE_DESTINATION) != 0;
    const char* kind = source && destination ? "source, destination" : source ? "source" : "destination";
    list(entry.plugin, entry.info.id, kind, entry.version, entry.info.title, entry.path,
         entry.own ? "none" : "process");
  }
  list("tracking", "tracking", "source", SLUICE_VERSION, "Segment's HTTP API (the hub's own, no file)", "",
       "none");
  w.end_array();
  if (common.json) (void)std::puts(out.c_str());
  for (const plugin::Refused& refused : registry.refused()) {
    (void)std::fprintf(stderr, "refused: %s: %s\n", refused.path.c_str(), refused.reason.c_str());
  }
  return 0;
}

}  // namespace sluice::cli
