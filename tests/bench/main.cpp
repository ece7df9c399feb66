// sluice_bench: measures the hub with the job that a shop gives it, beside what bounds it. One process is the
// load and the destinations; the hub is a child. See README.md for what the figures mean.
//
//   sluice_bench --hub build/release/sluice --config tests/bench/hub.yaml --folder EMPTY-FOLDER
//                [--events 500000] [--warm-up 50000] [--rounds 2] [--connections 8] [--paced 20000]
//                [--isolation 1]
#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bounds.hpp"
#include "hub_process.hpp"
#include "isolation.hpp"
#include "load.hpp"
#include "sink.hpp"
#include "traffic.hpp"

namespace sluice::bench {

namespace {

struct Options {
  std::string hub, config, folder;
  std::int64_t events = 500'000, warm_up = 50'000, rounds = 2, connections = 8, paced = 20'000, isolation = 1;
};

struct Figures {
  std::string job;
  double seconds = 0, cpu_s = 0;
  std::int64_t events = 0, lost = 0, duplicates = 0, retried = 0, requests_out = 0;
  double peak_mib = 0, ack_p50 = 0, ack_p99 = 0, end_p50 = 0, end_p99 = 0;  // milliseconds
  bool hub = false;
};

double percentile(std::vector<std::uint32_t>& values, double share) {
  if (values.empty()) return 0;
  const auto at =
      std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return static_cast<double>(values[at]) / 1000.0;
}

double per_second(const Figures& f) {
  return static_cast<double>(f.events) / f.seconds;
}
double per_million(const Figures& f) {
  return f.cpu_s * 1e6 / static_cast<double>(f.events);
}

void print_header() {
  std::printf("%-14s %9s %9s %7s %7s %5s %9s %9s %9s %9s %8s\n", "job", "events/s", "CPU-s/M", "seconds",
              "lost", "twice", "ack p50", "ack p99", "end p50", "end p99", "peak MiB");
}

void print_row(const Figures& f) {
  std::printf("%-14s %9.0f %9.2f %7.2f", f.job.c_str(), per_second(f), per_million(f), f.seconds);
  if (f.hub) {
    std::printf(" %7lld %5lld %9.2f %9.2f %9.2f %9.2f %8.0f", static_cast<long long>(f.lost),
                static_cast<long long>(f.duplicates), f.ack_p50, f.ack_p99, f.end_p50, f.end_p99, f.peak_mib);
  }
  std::printf("\n");
  std::fflush(stdout);
}

void print_json(const Figures& f) {
  std::printf(R"({"job":"%s","events":%lld,"seconds":%.3f,"events_per_s":%.0f,"cpu_s_per_million":%.3f)",
              f.job.c_str(), static_cast<long long>(f.events), f.seconds, per_second(f), per_million(f));
  if (f.hub) {
    std::printf(
        R"(,"lost":%lld,"duplicates":%lld,"retried":%lld,"requests_out":%lld,"ack_ms":{"p50":%.3f,"p99":%.3f})",
        static_cast<long long>(f.lost), static_cast<long long>(f.duplicates),
        static_cast<long long>(f.retried), static_cast<long long>(f.requests_out), f.ack_p50, f.ack_p99);
    std::printf(R"(,"end_to_end_ms":{"p50":%.3f,"p99":%.3f},"peak_rss_mib":%.1f)", f.end_p50, f.end_p99,
                f.peak_mib);
  }
  std::printf("}\n");
}

std::int64_t count_if(std::int64_t first, std::int64_t last, bool (*wanted)(std::int64_t)) {
  std::int64_t count = 0;
  for (std::int64_t n = first; n < last; ++n) count += wanted(n) ? 1 : 0;
  return count;
}

// A hub with its sink, and the events sent so far.
class Run {
 public:
  Run(const Options& options, std::string folder, std::int64_t events)
      : options_(options),
        folder_(std::move(folder)),
        sent_(static_cast<std::size_t>(events)),
        sink_(sent_) {}
  ~Run() {
    hub_.reset();
    std::filesystem::remove_all(folder_);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Status start() {
    std::filesystem::create_directories(folder_);
    std::filesystem::copy_file(options_.config, folder_ + "/hub.yaml");
    const auto set = [](const char* name, const std::string& value) { setenv(name, value.c_str(), 1); };
    const auto url = [&](Place place) { return "http://127.0.0.1:" + std::to_string(sink_.port(place)); };
    set("BENCH_WRITE_KEY", write_key);
    set("BENCH_CRM", url(Place::crm));
    set("BENCH_WAREHOUSE", url(Place::warehouse));
    set("BENCH_SECRET", "whsec_YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2g=");
    hub_.emplace();
    return hub_->start(options_.hub, folder_);
  }

  // Sends the next `events` and waits until they have arrived, or nothing has come for a while.
  Figures measure(std::string job, std::int64_t events, double rate) {
    Figures f;
    f.job = std::move(job);
    f.events = events;
    f.hub = true;
    const std::int64_t first = next_, requests = sink_.requests(), duplicates = all_duplicates();
    next_ += events;
    sink_.take_latencies();
    const double cpu = hub_->cost().cpu_s;
    const std::int64_t started = now_us();
    LoadResult load =
        send_load({hub_->port(), static_cast<int>(options_.connections), first, events, rate}, sent_);
    wait_for_arrivals();
    const HubCost cost = hub_->cost();
    f.seconds = static_cast<double>(std::max(sink_.last_us(), started + 1) - started) / 1e6;
    f.cpu_s = cost.cpu_s - cpu;
    f.peak_mib = cost.peak_mib;
    f.retried = load.retried;
    f.requests_out = sink_.requests() - requests;
    f.duplicates = all_duplicates() - duplicates;
    std::vector<std::uint32_t> latencies = sink_.take_latencies();
    f.lost = missing(first, next_, Place::crm, is_track) + missing(first, next_, Place::warehouse, is_order);
    f.ack_p50 = percentile(load.ack_us, 0.5);
    f.ack_p99 = percentile(load.ack_us, 0.99);
    f.end_p50 = percentile(latencies, 0.5);
    f.end_p99 = percentile(latencies, 0.99);
    return f;
  }

  Status stop() { return hub_->stop(); }

 private:
  std::int64_t all_duplicates() const {
    return sink_.at(Place::crm).duplicates() + sink_.at(Place::warehouse).duplicates();
  }
  std::int64_t missing(std::int64_t first, std::int64_t last, Place place,
                       bool (*wanted)(std::int64_t)) const {
    std::int64_t count = 0;
    for (std::int64_t n = first; n < last; ++n) count += wanted(n) && !sink_.at(place).has(n) ? 1 : 0;
    return count;
  }
  void wait_for_arrivals() {
    constexpr std::int64_t patience_us = 15'000'000;
    const std::int64_t from = now_us();
    const std::int64_t crm = count_if(0, next_, is_track), warehouse = count_if(0, next_, is_order);
    while (sink_.at(Place::crm).arrived() < crm || sink_.at(Place::warehouse).arrived() < warehouse) {
      if (now_us() - std::max(from, sink_.last_us()) > patience_us || !hub_->running()) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  const Options& options_;
  std::string folder_;
  std::vector<std::atomic<std::int64_t>> sent_;
  std::int64_t next_ = 0;
  Sink sink_;
  std::optional<HubProcess> hub_;
};

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
  const std::int64_t paced_events = paced ? options.paced * 5 : 0;
  Run run(options, folder, options.warm_up + options.events + paced_events);
  SLUICE_TRY(run.start());
  if (options.warm_up > 0) run.measure("warm-up", options.warm_up, 0);
  print_row(all.emplace_back(run.measure("hub", options.events, 0)));
  if (paced_events > 0) {
    const std::string job = "hub at " + std::to_string(options.paced / 1000) + "k/s";
    print_row(all.emplace_back(run.measure(job, paced_events, static_cast<double>(options.paced))));
  }
  SLUICE_TRY(run.stop());
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
    lost += f.lost;
  }
  if (lost > 0) std::fprintf(stderr, "bench: %lld events were lost\n", static_cast<long long>(lost));
  return lost > 0 ? 1 : 0;
}

bool read_options(int argc, char** argv, Options& options) {
  const std::map<std::string, std::string*> texts{
      {"--hub", &options.hub}, {"--config", &options.config}, {"--folder", &options.folder}};
  const std::map<std::string, std::int64_t*> numbers{
      {"--events", &options.events}, {"--warm-up", &options.warm_up},
      {"--rounds", &options.rounds}, {"--connections", &options.connections},
      {"--paced", &options.paced},   {"--isolation", &options.isolation}};
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
  for (std::int64_t* events : {&options.events, &options.warm_up}) *events -= *events % batch_events;
  return argc % 2 == 1 && !options.hub.empty() && !options.config.empty() && !options.folder.empty() &&
         options.events > 0 && options.connections > 0;
}

}  // namespace

}  // namespace sluice::bench

int main(int argc, char** argv) {
  sluice::bench::Options options;
  if (!sluice::bench::read_options(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: sluice_bench --hub BINARY --config FILE --folder EMPTY-FOLDER [--events N] "
                 "[--warm-up N] [--rounds N] "
                 "[--connections N] [--paced EVENTS-PER-SECOND, 0: not] [--isolation 0|1]\n");
    return 2;
  }
  return sluice::bench::measure(options);
}
