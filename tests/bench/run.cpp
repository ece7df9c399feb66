#include "run.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "load.hpp"

namespace sluice::bench {

namespace {

std::int64_t count_if(std::int64_t first, std::int64_t last, bool (*wanted)(std::int64_t)) {
  std::int64_t count = 0;
  for (std::int64_t n = first; n < last; ++n) count += wanted(n) ? 1 : 0;
  return count;
}

}  // namespace

Run::Run(RunOptions options)
    : options_(std::move(options)),
      traffic_(options_.people),
      sent_(static_cast<std::size_t>(options_.events)),
      sink_(sent_) {}

Run::~Run() {
  hub_.reset();
  std::filesystem::remove_all(options_.folder);
}

Status Run::start() {
  std::filesystem::create_directories(options_.folder);
  const auto set = [](const char* name, const std::string& value) { setenv(name, value.c_str(), 1); };
  const auto url = [&](Place place) { return "http://127.0.0.1:" + std::to_string(sink_.port(place)); };
  set("BENCH_WRITE_KEY", write_key);
  set("BENCH_CRM", url(Place::crm));
  set("BENCH_WAREHOUSE", url(Place::warehouse));
  set("BENCH_SECRET", "whsec_YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2g=");
  return begin();
}

Status Run::begin() {
  const Command command = SLUICE_TRY(options_.command(options_.folder));
  hub_.emplace();
  return hub_->start(command);
}

// What it was given is worked off when it uses no CPU time to speak of, but for the projection: that has
// minutes to do after so many people, whenever nothing else is to be done.
HubCost Run::wait_for_quiet() {
  constexpr std::chrono::milliseconds look{200};
  const auto spent = [](const HubCost& cost) {
    const auto projector = cost.threads_s.find("projector");
    return cost.cpu_s - (projector == cost.threads_s.end() ? 0 : projector->second);
  };
  HubCost last = hub_->cost();
  for (;;) {
    std::this_thread::sleep_for(look);
    const HubCost now = hub_->cost();
    if (spent(now) - spent(last) < 0.02 || !hub_->running()) return now;
    last = now;
  }
}

Result<Figures> Run::introduce() {
  Figures f;
  f.job = "new people";
  f.events = options_.people;
  f.hub = true;
  const HubCost before = hub_->cost();
  const std::int64_t started = now_us();
  if (!introduce_people(traffic_, hub_->port(), options_.connections))
    return Error{Code::transient, "the hub does not take in people"};
  f.seconds = static_cast<double>(now_us() - started) / 1e6;
  const HubCost after = wait_for_quiet();
  introduced_ = options_.people;
  f.cpu_s = after.cpu_s - before.cpu_s;
  f.peak_mib = after.peak_mib;
  f.person_bytes = (after.now_mib - before.now_mib) * 1048576 / static_cast<double>(options_.people);
  return f;
}

Figures Run::measure(std::string job, std::int64_t events, double rate) {
  Figures f;
  f.job = std::move(job);
  f.events = events;
  f.hub = f.delivers = true;
  const std::int64_t first = next_, requests = sink_.requests(), duplicates = all_duplicates();
  next_ += events;
  sink_.take_latencies();
  const HubCost before = hub_->cost();
  const std::int64_t started = now_us();
  std::atomic<bool> stop_reading{false};
  ReadResult read, decided;
  std::thread reader, page;
  if (rate > 0 && options_.ours) {
    reader =
        std::thread([&] { read = read_profiles(traffic_, options_.folder + "/admin.sock", stop_reading); });
    page = std::thread([&] { decided = read_decisions(traffic_, hub_->port(), stop_reading); });
  }
  LoadResult load = send_load(traffic_,
                              {hub_->port(), options_.connections, first, events,
                               rate > 0 ? options_.paced_batch : batch_events, rate, options_.lines},
                              sent_);
  stop_reading = true;
  if (reader.joinable()) reader.join();
  if (page.joinable()) page.join();
  wait_for_arrivals();
  const HubCost cost = hub_->cost();
  f.seconds = static_cast<double>(std::max(sink_.last_us(), started + 1) - started) / 1e6;
  f.cpu_s = cost.cpu_s - before.cpu_s;
  f.threads_s = cost.threads_s;
  for (const auto& [name, seconds] : before.threads_s) f.threads_s[name] -= seconds;
  f.peak_mib = cost.peak_mib;
  f.retried = load.retried;
  f.requests_out = sink_.requests() - requests;
  f.duplicates = all_duplicates() - duplicates;
  std::vector<std::uint32_t> latencies = sink_.take_latencies();
  f.lost = missing(first, next_, Place::crm, is_track);
  if (options_.ours) f.lost += missing(first, next_, Place::warehouse, is_order);
  f.ack_p50 = percentile(load.ack_us, 0.5);
  f.ack_p99 = percentile(load.ack_us, 0.99);
  f.end_p50 = percentile(latencies, 0.5);
  f.end_p99 = percentile(latencies, 0.99);
  f.read_p50 = percentile(read.us, 0.5);
  f.read_p99 = percentile(read.us, 0.99);
  if (read.failed > 0) f.read_p99 = -1;
  f.decide_p50 = percentile(decided.us, 0.5);
  f.decide_p99 = percentile(decided.us, 0.99);
  if (decided.failed > 0) f.decide_p99 = -1;
  return f;
}

Result<Figures> Run::measure_change(std::string job, const std::string& config, std::int64_t events,
                                    double rate) {
  constexpr std::chrono::milliseconds look{5};
  const std::string file = options_.folder + "/hub.yaml", socket = options_.folder + "/admin.sock";
  std::ofstream(file + ".new") << config;
  std::filesystem::rename(file + ".new", file);
  const std::int64_t started = now_us();
  hub_->reload();
  while (!reads_history(socket)) {
    if (now_us() - started > 60'000'000)
      return Error{Code::transient, "the hub does not read its history after a minute"};
    std::this_thread::sleep_for(look);
  }
  const double change_s = static_cast<double>(now_us() - started) / 1e6;
  double history_s = 0;
  std::thread watch([&] {
    while (reads_history(socket)) std::this_thread::sleep_for(look);
    history_s = static_cast<double>(now_us() - started) / 1e6;
  });
  Figures f = measure(std::move(job), events, rate);
  watch.join();
  f.change_s = change_s;
  f.history_s = history_s;
  return f;
}

Result<Figures> Run::restart(std::string job, bool rebuild) {
  Figures f;
  f.job = std::move(job);
  f.events = introduced_ + next_;
  f.hub = true;
  hub_->kill_now();
  if (rebuild) std::filesystem::remove_all(options_.folder + "/data/checkpoints");
  const std::int64_t started = now_us();
  SLUICE_TRY(begin());
  f.seconds = static_cast<double>(now_us() - started) / 1e6;
  const HubCost cost = hub_->cost();
  f.cpu_s = cost.cpu_s;
  f.peak_mib = cost.peak_mib;
  return f;
}

std::int64_t Run::all_duplicates() const {
  return sink_.at(Place::crm).duplicates() + sink_.at(Place::warehouse).duplicates();
}

std::int64_t Run::missing(std::int64_t first, std::int64_t last, Place place,
                          bool (*wanted)(std::int64_t)) const {
  std::int64_t count = 0;
  for (std::int64_t n = first; n < last; ++n) count += wanted(n) && !sink_.at(place).has(n) ? 1 : 0;
  return count;
}

void Run::wait_for_arrivals() {
  constexpr std::int64_t patience_us = 15'000'000;
  const std::int64_t from = now_us();
  const std::int64_t crm = count_if(0, next_, is_track);
  const std::int64_t warehouse = options_.ours ? count_if(0, next_, is_order) : 0;
  while (sink_.at(Place::crm).arrived() < crm || sink_.at(Place::warehouse).arrived() < warehouse) {
    if (now_us() - std::max(from, sink_.last_us()) > patience_us || !hub_->running()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace sluice::bench
