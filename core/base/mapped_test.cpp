#include "base/mapped.hpp"

#include <cstdint>
#include <vector>

#include <catch2/catch.hpp>

namespace sluice {

TEST_CASE("mapped memory is zeroed, lies where it was asked to, and can be written to its end", "[mapped]") {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{4'096}, 3 * huge_page_bytes + 1}) {
    for (const std::size_t alignment : {std::size_t{4'096}, huge_page_bytes}) {
      char* const at = static_cast<char*>(map_memory(bytes, alignment));
      CHECK(reinterpret_cast<std::uintptr_t>(at) % alignment == 0);
      CHECK(at[0] == 0);
      CHECK(at[bytes - 1] == 0);
      at[bytes - 1] = 'x';
      unmap_memory(at, bytes);
    }
  }
}

TEST_CASE("a vector keeps what it holds as it grows from the heap into mapped memory", "[mapped]") {
  std::vector<std::uint64_t, MappedAllocator<std::uint64_t>> numbers;
  for (std::uint64_t i = 0; i < 1'000'000; ++i) numbers.push_back(i);
  for (std::uint64_t i = 0; i < numbers.size(); ++i) REQUIRE(numbers[i] == i);
  auto moved = std::move(numbers);
  moved.resize(10);
  moved.shrink_to_fit();
  CHECK(moved.back() == 9);
}

}  // namespace sluice
