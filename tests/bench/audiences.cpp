// What an event costs the step with 10, 100 and 1,000 audiences: nanoseconds of CPU, and how many audiences
// were entered and left. `--check` takes few events and ends with 1 where a hundred times the audiences cost
// thirty times as much or more: that is the test.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "hub/epoch.hpp"
#include "hub/world.hpp"
#include "model/event.hpp"

namespace sluice {
namespace {

constexpr std::size_t names = 100;  // of events; audiences read them in turns
std::size_t people = 2'000;         // events are about them in turns; `--people N`
constexpr TimeUs start = 1'795'000'000 * us_per_s;

double cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

// Of ten: five windows, one of them with a sum; a sequence, calendar days, a trait, another audience, and
// time since a trait.
std::string condition(std::size_t i) {
  const auto event = [](std::size_t n) { return "events(\"E" + std::to_string(n % names) + "\")"; };
  const std::string days = std::to_string(1 + i % 30) + "d";
  const std::string most = std::to_string(2 + i % 5);
  switch (i % 10) {
    case 0:
    case 1:
      return event(i / 2) + ".within(\"" + days + "\").count() >= " + most;
    case 2:
      return event(i / 2) + ".within(\"" + days + "\").exists() && !" + event(i / 2 + 1) + ".within(\"" +
             days + "\").exists()";
    case 3:
      return event(i / 2) + ".where(e, e.properties.total > 50.0).within(\"" + days + "\").count() >= 2";
    case 4:
      return event(i / 2) + ".within(\"" + days + "\").sum(e, e.properties.total) > " + most + "00.0";
    case 5:
      return event(i / 2) + ".then(\"E" + std::to_string((i / 2 + 7) % names) + "\").within(\"" + days +
             "\").exists()";
    case 6:
      return event(i / 2) + ".within(\"" + std::to_string(1 + i % 30) + " days local\").count() >= " + most;
    case 7:
      return "traits.t" + std::to_string(i % 50) + " == \"v" + std::to_string(i % 7) + "\"";
    case 8:
      return "audiences.a" + std::to_string(i - 8) + " && traits.t" + std::to_string(i % 50) + " == \"v1\"";
    default:
      return "now - timestamp(traits.since" + std::to_string(i % 20) + ") > duration(\"" + days + "\")";
  }
}

std::string configuration(std::size_t audiences) {
  std::string text =
      "version: 1\nsources: { s: { plugin: tracking, with: { write_key: \"key\" } } }\naudiences:\n";
  for (std::size_t i = 0; i < audiences; ++i)
    text += "  a" + std::to_string(i) + ": |\n    " + condition(i) + "\n";
  return text;
}

std::string event(std::size_t i, TimeUs now) {
  const std::string who = "\"userId\":\"" + std::to_string(i * 7919 % people) + '"';
  const std::string n = std::to_string(i * 31 % 97);
  std::string json = "{\"messageId\":\"" + std::to_string(i) + "\",";
  if (i % 20 == 0) {
    json += "\"type\":\"identify\",\"traits\":{\"t" + std::to_string(i / 20 % 50) + "\":\"v" +
            std::to_string(i / 20 % 3) + "\",\"since" + std::to_string(i / 20 % 20) + "\":\"" +
            format_time(now) + "\"}," + who + '}';
  } else {
    json += "\"type\":\"track\",\"event\":\"E" + std::to_string(i * 104'729 / 13 % names) +
            "\",\"properties\":{\"total\":" + n + "}," + who + '}';
  }
  EventInput input;
  input.source = "s";
  input.received = now;
  input.text = json;
  std::string out;
  input.encode(out);
  return out;
}

// Nanoseconds for an event, of the second half of them; negative: the configuration is wrong.
double measure(std::size_t audiences, std::size_t events, hub::StepCounters& counters) {
  config::LoadOptions options;
  options.from_memory = true;
  options.check_secrets = false;
  options.files["/bench.yaml"] = configuration(audiences);
  const config::Loaded loaded = config::load("/bench.yaml", options);
  if (!loaded.config) {
    for (const config::Diagnostic& d : loaded.diagnostics) std::fprintf(stderr, "%s\n", d.what.c_str());
    return -1;
  }
  hub::World world(1);
  hub::StepOutput out;
  TimeUs now = start;
  const auto step = [&](InputKind kind, const std::string& payload) {
    out.effects.clear();
    out.gate.clear();
    return static_cast<bool>(world.step({world.state.seq + 1, now, kind, false, payload}, out));
  };
  if (!step(InputKind::epoch, hub::epoch_payload(*loaded.config, {}))) return -1;
  std::vector<std::string> inputs;
  double spent = 0;
  constexpr std::size_t some = 1'000;  // inputs are made outside of what is measured
  for (std::size_t first = 0; first < events; first += some) {
    inputs.clear();
    const TimeUs began = now;
    for (std::size_t i = first; i < first + some; ++i)
      inputs.push_back(event(i, began + static_cast<TimeUs>(i - first) * 3 * us_per_s));
    if (first == events / 2) counters = world.pipeline.counters();
    const double before = cpu_ns();
    for (const std::string& input : inputs) {
      if (!step(InputKind::event, input)) return -1;
      now += 3 * us_per_s;
    }
    if (first >= events / 2) spent += cpu_ns() - before;
  }
  const hub::StepCounters& all = world.pipeline.counters();
  counters.entered = all.entered - counters.entered;
  counters.left = all.left - counters.left;
  counters.timers = all.timers - counters.timers;
  return spent / (static_cast<double>(events) / 2);
}

int run(bool check) {
  const std::size_t events = check ? 20'000 : 400'000;
  std::vector<double> costs;
  std::printf("audiences   ns an event   entered, left and timers an event\n");
  for (const std::size_t audiences : {std::size_t{10}, std::size_t{100}, std::size_t{1'000}}) {
    hub::StepCounters counters;
    costs.push_back(measure(audiences, events, counters));
    if (costs.back() < 0) return 2;
    const double half = static_cast<double>(events) / 2;
    std::printf("%9zu %13.0f   %.2f %.2f %.2f\n", audiences, costs.back(),
                static_cast<double>(counters.entered) / half, static_cast<double>(counters.left) / half,
                static_cast<double>(counters.timers) / half);
  }
  if (!check || costs.back() < 30 * costs.front()) return 0;
  std::fprintf(stderr, "a hundred times the audiences cost %.1f times as much\n",
               costs.back() / costs.front());
  return 1;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  if (argc > 2 && std::strcmp(argv[1], "--people") == 0) sluice::people = std::strtoul(argv[2], nullptr, 10);
  return sluice::people == 0 ? 2 : sluice::run(argc > 1 && std::strcmp(argv[1], "--check") == 0);
}
