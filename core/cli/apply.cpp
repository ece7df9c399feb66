// `sluice apply` and `sluice rollback`: show what a configuration would do, ask, put it in the place of the
// one that runs, and wait until the hub has taken it.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <thread>

#include "base/file.hpp"
#include "base/text.hpp"
#include "cli/planning.hpp"
#include "hub/configurations.hpp"

namespace sluice::cli {

namespace {

namespace fs = std::filesystem;
using Texts = std::map<std::string, std::string>;  // by path

constexpr auto look_every = std::chrono::milliseconds(100);
constexpr auto patience = std::chrono::minutes(2);

std::string absolute(const std::string& path) {
  return fs::absolute(path).lexically_normal().string();
}

// What the hub has done with changed files since its start.
struct Counters {
  double applied = -1, refused = -1;  // -1: no hub runs
  std::string why;                    // the newest refusal
};

double metric(const std::string& text, const std::string& name) {
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with(name + ' ')) return std::stod(std::string(line.substr(name.size() + 1)));
  }
  return -1;
}

Counters counters(const config::Config& config) {
  const Answer metrics = ask(config, "/metrics");
  if (!metrics.reached || metrics.status != 200) return {};
  return {metric(metrics.body, "sluice_config_applied_total"),
          metric(metrics.body, "sluice_config_refused_total"), ask(config, "/readyz").body};
}

// The hub looks at its file by itself. Why it has not taken it; done: it has.
Status await(const config::Config& runs, const Counters& before) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < until) {
    const Counters now = counters(runs);
    if (now.applied > before.applied) return Done{};
    if (now.refused > before.refused) return Error{Code::rejected, "the hub refused it: " + now.why};
    std::this_thread::sleep_for(look_every);  // until the hub's next look
  }
  return Error{Code::transient, "the hub has not taken it within two minutes: see its log"};
}

// Whole or not at all, with the rights that the file had: the hub may run as somebody else.
Status put(FileSystem& files, const std::string& path, const std::string& text) {
  std::error_code error;
  const fs::file_status before = fs::status(path, error);
  const std::string beside = path + ".new";
  SLUICE_TRY(replace_file(files, beside, text));
  if (fs::exists(before)) fs::permissions(beside, before.permissions(), error);
  SLUICE_TRY(files.rename(beside, path));
  return files.sync_directory(fs::path(path).parent_path().string());
}

// Whoever agrees has seen how many people are about to be written to.
std::string question(const hub::Plan& plan) {
  std::uint64_t starts = 0;
  for (const hub::PlannedWorkflow& workflow : plan.workflows) starts += workflow.start;
  if (starts == 0) return "Apply this?";
  return "Workflows start " + std::to_string(starts) + " times, see above. Apply this?";
}

// `next` is what `shown` is called, with the texts that go into its place. `runs`: by whose doors the hub is
// asked.
int change(const Setup& next, const std::string& shown, const Texts& texts, const config::Config& runs,
           const ApplyOptions& options) {
  const auto plan = plan_of(next, "wall");
  if (!plan) return fail(plan.error().detail);
  print_plan(shown, plan.value());
  const Counters before = counters(runs);
  if (before.applied >= 0 && !plan.value().restart.empty())
    return fail("nothing is changed: the hub that runs would refuse it, see above");
  if (plan.value().differences.empty()) return 0;
  if (!options.yes && !agreed(question(plan.value()))) return 1;
  const auto files = make_file_system();
  Texts old;
  for (const auto& [path, text] : texts) {
    if (auto was = read_file(*files, path)) old.emplace(path, std::move(was).value());
  }
  const auto put_all = [&](const Texts& all) -> Status {
    for (const auto& [path, text] : all) SLUICE_TRY(put(*files, path, text));
    return Done{};
  };
  if (const Status written = put_all(texts); !written) return fail(written.error().detail);
  if (before.applied < 0) {
    (void)std::puts("written; no hub runs: it holds from the next start on");
    return 0;
  }
  if (const Status taken = await(runs, before); !taken) {
    if (taken.error().code != Code::rejected) return fail(taken.error().detail);
    const Status back = put_all(old);
    return fail(taken.error().detail +
                (back ? "nothing is changed: the file is as it was" : back.error().detail));
  }
  (void)std::puts("applied");
  return 0;
}

std::string name_of(const hub::KeptConfiguration& one) {
  return std::to_string(one.seq);
}

}  // namespace

int apply(const Common& common, const ApplyOptions& options) {
  const std::string from = absolute(options.file), to = absolute(common.config);
  if (fs::path(from).parent_path() != fs::path(to).parent_path()) {
    return fail(options.file + " must lie beside " + common.config +
                ", whose place it takes: relative paths begin there");
  }
  Common next = common;
  next.config = options.file;
  const Setup setup = load(next, false);  // secrets are the hub's: this terminal may have others
  if (!report(setup, true)) return 1;
  const auto text = read_file(*make_file_system(), from);
  if (!text) return fail(text.error().detail);
  const Setup now = load(common, false);
  return change(setup, options.file, {{to, text.value()}}, now.config ? *now.config : *setup.config, options);
}

int rollback(const Common& common, const ApplyOptions& options) {
  const Setup now = load(common, false);
  if (!report(now, false)) return 1;
  const auto files = make_file_system();
  const auto kept = hub::kept_configurations(*files, now.config->hub.data);
  if (!kept) return fail(kept.error().detail);
  const auto& all = kept.value();
  if (options.list) {
    for (const hub::KeptConfiguration& one : all)
      (void)std::printf("%s  %s%s\n", name_of(one).c_str(), one.main.c_str(),
                        &one == &all.back() ? "  (holds)" : "");
    return 0;
  }
  const hub::KeptConfiguration* wanted = nullptr;
  if (options.to == 0 && all.size() > 1) wanted = &all[all.size() - 2];
  for (const hub::KeptConfiguration& one : all) {
    if (one.seq == options.to) wanted = &one;
  }
  if (wanted == nullptr) {
    return fail(options.to == 0 ? "there is no configuration before the one that holds"
                                : "none is kept as " + std::to_string(options.to) +
                                      ": `sluice rollback --list` shows them");
  }
  if (wanted->main != absolute(common.config)) {
    return fail(name_of(*wanted) + " was " + wanted->main + ", and this is " + absolute(common.config) +
                ": move it there, or name another with --to");
  }
  config::LoadOptions as_it_was;
  as_it_was.from_memory = true;
  as_it_was.files = wanted->files;
  as_it_was.check_secrets = false;
  Common there = common;
  there.config = wanted->main;
  const Setup then = load(there, std::move(as_it_was));
  if (!report(then, false)) return 1;
  return change(then, "the configuration of input " + name_of(*wanted), wanted->files, *now.config, options);
}

}  // namespace sluice::cli
