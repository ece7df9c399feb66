// Runs simulation seeds, and says how to run one again. See README.md.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <CLI/CLI.hpp>

#include "base/log.hpp"
#include "sim/simulation.hpp"

namespace {

using sluice::sim::Counts;

void print(const Counts& c, std::uint64_t seeds) {
  std::printf(
      "%llu seeds: %llu lives (%llu power failures, %llu kills, %llu stops), %llu failed syncs, %llu full "
      "disks\n"
      "  %llu inputs, %llu records, %llu arrivals, %llu merges, %llu taken back, %llu grafts, %llu "
      "configurations, %llu "
      "refused, %llu "
      "inputs dropped, "
      "%.1f virtual days\n  outcomes:",
      static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(c.lives),
      static_cast<unsigned long long>(c.power_failures), static_cast<unsigned long long>(c.kills),
      static_cast<unsigned long long>(c.stops), static_cast<unsigned long long>(c.failed_syncs),
      static_cast<unsigned long long>(c.full_disks), static_cast<unsigned long long>(c.inputs),
      static_cast<unsigned long long>(c.records), static_cast<unsigned long long>(c.arrivals),
      static_cast<unsigned long long>(c.merges), static_cast<unsigned long long>(c.unmerges),
      static_cast<unsigned long long>(c.grafts), static_cast<unsigned long long>(c.configurations),
      static_cast<unsigned long long>(c.refused), static_cast<unsigned long long>(c.dropped),
      static_cast<double>(c.virtual_time) / static_cast<double>(sluice::us_per_d));
  for (const auto& [kind, n] : c.outcomes)
    std::printf(" %s %llu", kind.c_str(), static_cast<unsigned long long>(n));
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Simulates the hub with faults, in virtual time.");
  std::uint64_t first = 1, count = 1;
  std::string plant;
  bool trace = false;
  app.add_option("--from", first, "the first seed");
  app.add_option("--seeds", count, "how many");
  app.add_option("--plant", plant, "with a planted bug: see plant.hpp");
  app.add_flag("--trace", trace, "print what happens");
  CLI11_PARSE(app, argc, argv);
  const auto planted = plant.empty() ? sluice::sim::Plant::none : sluice::sim::plant_named(plant);
  if (!planted) {
    std::fprintf(stderr, "there is no planted bug '%s'\n", plant.c_str());
    return 2;
  }
  Counts counts;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    sluice::sim::Options options{.seed = seed, .plant = *planted, .trace = {}};
    if (trace) options.trace = [](const std::string& line) { std::printf("%s\n", line.c_str()); };
    const sluice::sim::Report report = sluice::sim::simulate(options);
    counts += report.counts;
    if (!report.violation) continue;
    print(counts, seed - first + 1);
    std::printf("seed %llu breaks promise %d: %s\n  again: %s --from %llu --trace%s%s\n",
                static_cast<unsigned long long>(seed), report.violation->promise,
                report.violation->what.c_str(), argv[0], static_cast<unsigned long long>(seed),
                plant.empty() ? "" : " --plant ", plant.c_str());
    return 1;
  }
  print(counts, count);
  return 0;
}
