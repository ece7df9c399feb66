// What an event of the bench costs the step alone: one thread, no I/O, the same inputs and moments each time,
// so that a profiler counts the same instructions in each run. Prints CPU nanoseconds an event, effects an
// event and the state's hash: two versions of the step that print the same did the same.
//   sluice_bench_step [--people N] [--events N] [--checkpoints 1] [--check]
// `--check` steps all twice, the second time without looking ahead, compares the effects, too, and ends with
// 1 where that gave something else. Under callgrind: --collect-atstart=no, the measured events switch the
// counting on.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_TOGGLE_COLLECT
#endif

#ifdef SLUICE_MIMALLOC
#include <mimalloc.h>
#endif

#include "base/hash.hpp"
#include "config/config.hpp"
#include "hub/epoch.hpp"
#include "hub/foresight.hpp"
#include "hub/step_options.hpp"
#include "hub/world.hpp"
#include "model/event.hpp"
#include "traffic.hpp"

namespace sluice::bench {
namespace {

constexpr TimeUs start = 1'795'000'000 * us_per_s;
constexpr auto checkpoint_inputs = static_cast<std::int64_t>(hub::StepOptions{}.checkpoint_inputs);
constexpr std::size_t glance = hub::Foresight::most;

struct Options {
  std::int64_t people = 100'000, events = 300'000;
  bool checkpoints = false, check = false, ahead = true;
};

struct Figures {
  double ns = 0;  // an event
  std::uint64_t effects = 0, effects_hash = 0;
  std::string state_hash;
};

double cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

std::string input_of(std::string_view text, TimeUs now) {
  EventInput input;
  input.source = "shop";
  input.received = input.sent = now;
  input.text = text;
  std::string out;
  input.encode(out);
  return out;
}

std::shared_ptr<const config::Config> configuration(std::vector<config::ConnectorInfo>& connectors) {
  connectors = {
      {"braze", false, true,
       R"({"identifiers":["user_id","email","phone"],"config":{"type":"object","additionalProperties":true}})"},
      {"webhook", false, true, R"({"config":{"type":"object","additionalProperties":true}})"}};
  std::ifstream file(SLUICE_BENCH_CONFIG);
  config::LoadOptions options;
  options.from_memory = true;
  options.check_secrets = false;
  options.connectors = connectors;
  options.files["/bench.yaml"] = {std::istreambuf_iterator<char>(file), {}};
  config::Loaded loaded = config::load("/bench.yaml", options);
  for (const config::Diagnostic& d : loaded.diagnostics) {
    if (!d.warning) std::fprintf(stderr, "%s\n", config::format(d).c_str());
  }
  return loaded.config;
}

class StepRun {
 public:
  explicit StepRun(const Options& options) : options_(options), traffic_(options.people), world_(1) {}

  bool run(Figures& out) {
    std::vector<config::ConnectorInfo> connectors;
    const auto config = configuration(connectors);
    if (!config) return false;
    const std::string epoch = hub::epoch_payload(*config, connectors);
    if (!step({1, now_, InputKind::epoch, false, epoch})) return false;
    std::vector<std::string> some;
    for (std::int64_t first = 0; first < options_.people; first += batch_events) {
      some.clear();
      const std::string time = format_time(now_);
      for (std::int64_t p = first; p < std::min(first + batch_events, options_.people); ++p)
        some.push_back(input_of(Traffic::introduction_of(p, time), now_));
      if (!batch(some)) return false;
    }
    double spent = 0;
    for (std::int64_t first = 0; first < options_.events; first += batch_events) {
      some.clear();
      const std::string lines = traffic_.lines_of(first, batch_events, format_time(now_));
      for (std::size_t at = 0; at < lines.size();) {
        const std::size_t end = lines.find('\n', at);
        some.push_back(input_of(std::string_view(lines).substr(at, end - at), now_));
        at = end + 1;
      }
      const double before = cpu_ns();
      CALLGRIND_TOGGLE_COLLECT;
      if (!batch(some)) return false;
      CALLGRIND_TOGGLE_COLLECT;
      spent += cpu_ns() - before;
    }
    out.ns = spent / static_cast<double>(options_.events);
    out.effects = effects_;
    out.effects_hash = effects_hash_;
    const Hash128 hash = world_.state.hash();
    char text[40];
    std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash.high),
                  static_cast<unsigned long long>(hash.low));
    out.state_hash = text;
    return true;
  }

 private:
  bool step(const Input& input) {
    if (!world_.step(input, out_)) return std::fprintf(stderr, "%s\n", world_.failure.c_str()), false;
    return true;
  }

  // As the step's thread does it, with effects that go nowhere.
  bool batch(const std::vector<std::string>& payloads) {
    inputs_.clear();
    for (const std::string& payload : payloads) {
      inputs_.push_back({world_.state.seq + 1 + inputs_.size(), now_, InputKind::event, false, payload});
    }
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      if (options_.ahead && i % glance == 0)
        world_.pipeline.bring_near(std::span(inputs_).subspan(i, std::min(glance, inputs_.size() - i)));
      if (!step(inputs_[i])) return false;
    }
    effects_ += out_.effects.size();
    if (options_.check) {
      for (const Effect& effect : out_.effects) {
        encoded_.clear();
        effect.encode(encoded_);
        effects_hash_ = hash64(encoded_, effects_hash_);
      }
    }
    out_.effects.clear();
    out_.gate.clear();
    if (options_.checkpoints) checkpoint(inputs_.size());
    now_ += 2 * us_per_ms * static_cast<TimeUs>(inputs_.size());
    return true;
  }

  void checkpoint(std::size_t inputs) {
    if (world_.state.checkpointing()) {
      (void)world_.state.continue_checkpoint(inputs * 2 + 64);
      return;
    }
    since_ += static_cast<std::int64_t>(inputs);
    if (since_ < checkpoint_inputs) return;
    since_ = 0;
    world_.state.begin_checkpoint(false, [this](state::Table, std::string_view, std::string_view value,
                                                bool) { written_ += value.size(); });
  }

  Options options_;
  Traffic traffic_;
  hub::World world_;
  hub::StepOutput out_;
  std::vector<Input> inputs_;
  TimeUs now_ = start;
  std::uint64_t effects_ = 0, effects_hash_ = 0, written_ = 0;
  std::int64_t since_ = 0;
  std::string encoded_;
};

int run(Options options) {
  Figures figures;
  if (!StepRun(options).run(figures)) return 2;
  std::printf("%.0f ns an event, %.3f effects, state %s, effects %016llx\n", figures.ns,
              static_cast<double>(figures.effects) / static_cast<double>(options.events),
              figures.state_hash.c_str(), static_cast<unsigned long long>(figures.effects_hash));
  if (!options.check) return 0;
  Figures again;
  options.ahead = false;
  if (!StepRun(options).run(again)) return 2;
  const bool same = again.state_hash == figures.state_hash && again.effects_hash == figures.effects_hash;
  if (!same) std::fprintf(stderr, "without looking ahead the step gave another state or other effects\n");
  return same ? 0 : 1;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
#ifdef SLUICE_MIMALLOC
  mi_option_enable(mi_option_large_os_pages);  // as the hub
#endif
  sluice::bench::Options options;
  for (int i = 1; i < argc; ++i) {
    const auto is = [&](const char* name) { return std::strcmp(argv[i], name) == 0; };
    if (is("--check")) {
      options.check = true;
    } else if (i + 1 < argc && is("--people")) {
      options.people = std::atoll(argv[++i]);
    } else if (i + 1 < argc && is("--events")) {
      options.events = std::atoll(argv[++i]);
    } else if (i + 1 < argc && is("--checkpoints")) {
      options.checkpoints = std::atoi(argv[++i]) != 0;
    }
  }
  if (options.people <= 0 || options.events < sluice::bench::batch_events) return 2;
  return sluice::bench::run(options);
}
