#include "state/dense_map.hpp"

#include <map>
#include <random>

#include <catch2/catch.hpp>

namespace sluice::state {

TEST_CASE("a dense map holds what a map would, hashes and small numbers alike") {
  for (const std::uint64_t spread : {UINT64_MAX, std::uint64_t{5'000}}) {
    std::mt19937_64 random(3);
    DenseMap dense;
    std::map<std::uint64_t, std::uint64_t> known;
    for (int i = 0; i < 60'000; ++i) {
      const std::uint64_t key = spread == UINT64_MAX && random() % 2 == 0 ? random() : 1 + random() % 5'000;
      switch (random() % 4) {
        case 0:
          dense.erase(key);
          known.erase(key);
          break;
        case 1: {
          const auto at = known.find(key);
          const std::uint64_t* const found = dense.find(key);
          REQUIRE((found != nullptr) == (at != known.end()));
          if (found != nullptr) REQUIRE(*found == at->second);
          break;
        }
        default:
          dense.set(key, known[key] = random());
      }
      REQUIRE(dense.size() == known.size());
    }
    for (const auto& [key, value] : known) {
      REQUIRE(dense.find(key) != nullptr);
      REQUIRE(*dense.find(key) == value);
    }
    CHECK(dense.bytes() < known.size() * 16 * 2 + 2'000);
  }
}

TEST_CASE("a dense map without room for its entries makes it once") {
  DenseMap dense;
  CHECK(dense.find(1) == nullptr);
  dense.erase(1);
  dense.reserve(1'000);
  const std::uint64_t bytes = dense.bytes();
  for (std::uint64_t key = 1; key <= 1'000; ++key) dense.set(key, key);
  CHECK(dense.bytes() == bytes);
}

}  // namespace sluice::state
