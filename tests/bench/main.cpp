// sluice_bench: measures the hub with the job that a shop gives it, beside what bounds it. One process is the
// load and the destinations; the hub is a child. See README.md for what the figures mean.
//
//   sluice_bench --hub build/release/sluice --config tests/bench/hub.yaml --folder EMPTY-FOLDER
//                [--people 50000] [--events 500000] [--warm-up 50000] [--rounds 2] [--connections 8]
//                [--paced 5000,20000] [--paced-batch 100] [--seconds 5] [--change 0] [--restart 0]
//                [--isolation 1]
//                [--peers node-red,syslog-ng --installed FOLDER-OF-NPM]
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "bounds.hpp"
#include "figures.hpp"
#include "isolation.hpp"
#include "peers.hpp"
#include "run.hpp"
#include "traffic.hpp"

namespace sluice::bench {

namespace {

struct Options {
  std::string hub, config, folder;
  std::int64_t events = 500'000, warm_up = 50'000, people = 50'000, rounds = 2, connections = 8, seconds = 5,
               restart = 0, isolation = 1, change = 0, paced_batch = batch_events;
  std::string paces = "5000,20000";  // events a second, one after the other; "0": none
  std::string peers, installed;      // other hubs to measure beside, by name; where npm has put its packages
  std::vector<std::int64_t> paced;
};

RunOptions sluice(const Options& options) {
  RunOptions run;
  run.command = [&options](const std::string& folder) -> Result<Command> {
    std::filesystem::copy_file(options.config, folder + "/hub.yaml",
                               std::filesystem::copy_options::overwrite_existing);
    return Command{{options.hub, "run", folder + "/hub.yaml"}, folder, "listening on 127.0.0.1:"};
  };
  return run;
}

// The configuration with more definitions: a count of all time, and windows longer than those that are kept.
Result<std::string> changed(const std::string& config) {
  constexpr std::string_view traits = R"(
  added:    events("Product Added").count()
)",
                             audiences = R"(
  c01: traits.added >= 10
  c02: traits.added >= 3 && traits.plan == "pro"
  c03: events("Product Viewed").within("90d").count() >= 20
  c04: events("Checkout Started").within("90d").count() >= 5 && traits.country == "FR"
  c05: events("Product Added").within("60d").exists() && !events("Order Paid").within("60d").exists()
)";
  std::ifstream file(config);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  for (const auto& [key, more] : {std::pair{"\ncomputed:", traits}, std::pair{"\naudiences:", audiences}}) {
    const std::size_t at = text.find(key);
    if (at == std::string::npos) return Error{Code::misconfigured, config + " has no" + key};
    text.insert(at + std::string_view(key).size(), more);
  }
  return text;
}

// One hub, ours or a peer, from its start to its end.
Status measure_hub(const Options& options, RunOptions what, const std::string& folder, bool paced,
                   std::vector<Figures>& all) {
  const std::vector<std::int64_t> paces = paced ? options.paced : std::vector<std::int64_t>{};
  what.folder = folder;
  what.people = options.people;
  what.connections = static_cast<int>(options.connections);
  what.paced_batch = options.paced_batch;
  what.events = options.warm_up + options.events;
  for (const std::int64_t pace : paces) what.events += pace * options.seconds;
  const bool change = what.ours && !paces.empty() && options.change != 0;
  if (change) what.events += paces.front() * options.seconds;
  const bool ours = what.ours;
  const std::string name = what.name;
  Run run(std::move(what));
  SLUICE_TRY(run.start());
  if (ours) print_row(all.emplace_back(SLUICE_TRY(run.introduce())));
  if (options.warm_up > 0) run.measure("warm-up", options.warm_up, 0);
  print_row(all.emplace_back(run.measure(name, options.events, 0)));
  for (const std::int64_t pace : paces) {
    const std::string job = name + " at " + std::to_string(pace / 1000) + "k/s";
    print_row(all.emplace_back(run.measure(job, pace * options.seconds, static_cast<double>(pace))));
  }
  if (change) {
    const std::string job = name + " at " + std::to_string(paces.front() / 1000) + "k/s, changed";
    const std::string config = SLUICE_TRY(changed(options.config));
    print_row(all.emplace_back(SLUICE_TRY(run.measure_change(job, config, paces.front() * options.seconds,
                                                             static_cast<double>(paces.front())))));
  }
  if (ours && paced && options.restart != 0) {
    print_row(all.emplace_back(SLUICE_TRY(run.restart("restart", false))));
    print_row(all.emplace_back(SLUICE_TRY(run.restart("rebuild", true))));
  }
  return run.stop();
}

Result<std::vector<Figures>> measure_round(const Options& options, std::int64_t round, bool paced) {
  const std::string folder = options.folder + "/round-" + std::to_string(round);
  std::vector<Figures> all;
  const auto bound = [&](const char* job, const Bound& b) {
    Figures f;
    f.job = job;
    f.events = options.events;
    f.seconds = b.seconds;
    f.cpu_s = b.cpu_s;
    print_row(all.emplace_back(std::move(f)));
  };
  bound("parse-only", SLUICE_TRY(parse_only(options.events)));
  bound("journal-only",
        SLUICE_TRY(journal_only(options.events, static_cast<int>(options.connections), folder + "-journal")));
  SLUICE_TRY(measure_hub(options, sluice(options), folder, paced, all));
  std::vector<std::string> names;
  for (const std::string_view name : split(options.peers, ',')) {
    if (!name.empty()) names.emplace_back(name);
  }
  const std::string configs = std::filesystem::path(options.config).parent_path().string() + "/peers";
  for (RunOptions& peer : SLUICE_TRY(peers(names, configs, options.installed)))
    SLUICE_TRY(measure_hub(options, std::move(peer), folder, paced, all));
  return all;
}

bool print_isolation(const Options& options) {
  const auto costs = isolation_cost(std::filesystem::path(options.hub).parent_path().string());
  if (!costs) {
    std::fprintf(stderr, "bench: %s\n", costs.error().detail.c_str());
    return false;
  }
  std::printf(
      "\nplan(), isolated or not: microseconds a call, the median of rounds (their range), and the CPU "
      "time\n");
  std::printf("%-8s %8s %29s %8s %29s %8s %15s\n", "", "records", "in process", "CPU", "apart", "CPU",
              "more ns/record");
  for (const IsolationCost& c : costs.value()) {
    std::printf("%-8s %8zu", c.connector.c_str(), c.records);
    for (const CallCost& one : {c.in_process, c.apart}) {
      std::printf(" %9.2f (%7.2f - %7.2f) %8.2f", one.wall_us, one.wall_least_us, one.wall_most_us,
                  one.cpu_us);
    }
    std::printf(" %15.0f\n",
                (c.apart.wall_us - c.in_process.wall_us) * 1000 / static_cast<double>(c.records));
  }
  return true;
}

int measure(const Options& options) {
  std::vector<Figures> all;
  if (options.rounds > 0) print_header();
  for (std::int64_t round = 1; round <= options.rounds; ++round) {
    Result<std::vector<Figures>> figures = measure_round(options, round, round == options.rounds);
    if (!figures) {
      std::fprintf(stderr, "bench: %s\n", figures.error().detail.c_str());
      return 1;
    }
    for (Figures& f : figures.value()) all.push_back(std::move(f));
  }
  if (options.isolation != 0 && !print_isolation(options)) return 1;
  std::int64_t lost = 0;
  for (const Figures& f : all) {
    print_json(f);
    if (f.job.starts_with("hub")) lost += f.lost;
  }
  if (lost > 0) std::fprintf(stderr, "bench: %lld events were lost\n", static_cast<long long>(lost));
  return lost > 0 ? 1 : 0;
}

bool read_options(int argc, char** argv, Options& options) {
  const std::map<std::string, std::string*> texts{
      {"--hub", &options.hub},     {"--config", &options.config}, {"--folder", &options.folder},
      {"--paced", &options.paces}, {"--peers", &options.peers},   {"--installed", &options.installed}};
  const std::map<std::string, std::int64_t*> numbers{
      {"--events", &options.events},           {"--warm-up", &options.warm_up},
      {"--people", &options.people},           {"--rounds", &options.rounds},
      {"--connections", &options.connections}, {"--seconds", &options.seconds},
      {"--restart", &options.restart},         {"--isolation", &options.isolation},
      {"--change", &options.change},           {"--paced-batch", &options.paced_batch}};
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (const auto text = texts.find(name); text != texts.end()) {
      *text->second = value;
    } else if (const auto number = numbers.find(name); number != numbers.end()) {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), *number->second);
      if (error != std::errc{} || *end != '\0' || *number->second < 0) return false;
    } else {
      return false;
    }
  }
  for (const std::string_view pace : split(options.paces, ',')) {
    std::int64_t rate = 0;
    const auto [end, error] = std::from_chars(pace.data(), pace.data() + pace.size(), rate);
    if (error != std::errc{} || end != pace.data() + pace.size() || rate < 0) return false;
    rate -= rate % batch_events;
    if (rate > 0) options.paced.push_back(rate);
  }
  for (std::int64_t* events : {&options.events, &options.warm_up}) *events -= *events % batch_events;
  return argc % 2 == 1 && !options.hub.empty() && !options.config.empty() && !options.folder.empty() &&
         options.events > 0 && options.connections > 0 && options.people > 0 && options.paced_batch > 0 &&
         batch_events % options.paced_batch == 0;
}

}  // namespace

}  // namespace sluice::bench

int main(int argc, char** argv) {
  sluice::bench::Options options;
  if (!sluice::bench::read_options(argc, argv, options)) {
    std::fprintf(
        stderr,
        "usage: sluice_bench --hub BINARY --config FILE --folder EMPTY-FOLDER [--events N] "
        "[--warm-up N] [--rounds N] "
        "[--people N] [--connections N] [--paced EVENTS-PER-SECOND,...; 0: not] [--paced-batch N, events of "
        "a "
        "request; divides 100] [--seconds N, of each pace] "
        "[--change 0|1] [--restart 0|1] [--isolation 0|1] [--peers node-red,syslog-ng --installed FOLDER]\n");
    return 2;
  }
  return sluice::bench::measure(options);
}
