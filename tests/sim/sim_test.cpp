#include <algorithm>

#include <catch2/catch.hpp>

#include "sim/simulation.hpp"

namespace sluice::sim {

TEST_CASE("a seed does the same each time", "[sim]") {
  for (const std::uint64_t seed : {3U, 4U, 5U}) {
    const Report once = simulate({.seed = seed, .trace = {}}), again = simulate({.seed = seed, .trace = {}});
    CHECK(once.trace == again.trace);
    CHECK(once.counts.arrivals == again.counts.arrivals);
    CHECK(once.trace != simulate({.seed = seed + 10, .trace = {}}).trace);
  }
}

TEST_CASE("the simulation finds a bug planted against each promise", "[sim]") {
  std::set<int> promises;
  for (const Planted& bug : planted) {
    std::optional<Violation> found;
    for (std::uint64_t seed = 1; seed <= 150 && !found; ++seed)
      found = simulate({.seed = seed, .plant = bug.plant, .trace = {}}).violation;
    INFO(bug.name << ": " << (found ? found->what : "not found"));
    REQUIRE(found);
    CHECK(found->promise == bug.promise);
    promises.insert(found->promise);
  }
  CHECK(promises.size() == 8);
}

namespace {

DurationUs p99(std::vector<DurationUs> took) {
  REQUIRE(took.size() >= 30);
  const auto at = took.begin() + static_cast<std::ptrdiff_t>(took.size() * 99 / 100);
  std::nth_element(took.begin(), at, took.end());
  return *at;
}

}  // namespace

TEST_CASE("an hour with a dead, a slow and a lying destination leaves the others as fast as without",
          "[sim]") {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const Hour alone = simulate_hour({.seed = seed}, false), beside = simulate_hour({.seed = seed}, true);
    REQUIRE_FALSE(alone.violation);
    REQUIRE_FALSE(beside.violation);
    CHECK(beside.took.count("vendor") == 0);
    for (const char* sick : {"letters", "archive"}) {
      const auto& took = beside.took.at(sick);
      CHECK(std::count_if(took.begin(), took.end(), [](DurationUs t) { return t > us_per_s; }) > 10);
    }
    for (const char* well : {"lake", "mail"}) {
      INFO(well << ", seed " << seed);
      CHECK(beside.took.at(well).size() > alone.took.at(well).size() * 7 / 10);
      CHECK(p99(beside.took.at(well)) <= p99(alone.took.at(well)) * 11 / 10);
    }
  }
  // A hub whose lanes share a thread is found out.
  Hour shared = simulate_hour({.seed = 1, .plant = Plant::shared_thread}, true);
  CHECK(shared.took["lake"].size() < 1'000);
}

}  // namespace sluice::sim
