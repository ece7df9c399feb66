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

}  // namespace sluice::sim
