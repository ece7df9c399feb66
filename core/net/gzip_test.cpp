#include "net/gzip.hpp"

#include <catch2/catch.hpp>

namespace sluice::net {
namespace {

TEST_CASE("what was packed unpacks to the same, in one member or many", "[net]") {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919) + ",";
  for (const int level : {1, 6, 12}) {
    const auto back = gunzip(gzip(text, level));
    REQUIRE(back);
    CHECK(back.value() == text);
    CHECK(back.value().capacity() >= text.size() + 64);
  }
  const auto joined = gunzip(gzip("one ") + gzip("") + gzip("two"));
  REQUIRE(joined);
  CHECK(joined.value() == "one two");
  CHECK(gunzip(gzip("")).value().empty());
}

TEST_CASE("a bomb is stopped by its size and by its ratio", "[net]") {
  const std::string zeros(std::size_t{8} << 20, '\0');
  const std::string bomb = gzip(zeros);
  CHECK(gunzip(bomb, {std::size_t{64} << 20, 2'000}).value().size() == zeros.size());
  CHECK(gunzip(bomb, {zeros.size(), 2'000}));
  const auto by_size = gunzip(bomb, {zeros.size() - 1, 2'000});
  REQUIRE_FALSE(by_size);
  CHECK(by_size.error().code == Code::rejected);
  CHECK_FALSE(gunzip(bomb, {std::size_t{64} << 20, 300}));
  std::string many;
  for (int i = 0; i < 100; ++i) many += gzip(std::string(100'000, 'x'));
  CHECK_FALSE(gunzip(many, {std::size_t{4} << 20, 2'000}));
  CHECK(gunzip(gzip(std::string(1'000'000, 'x')),
               {std::size_t{4} << 20, 10}));  // small texts may be as regular as they like
}

TEST_CASE("gzip that is cut, damaged or followed by something else is refused", "[net]") {
  const std::string good = gzip(std::string(1'000, 'a') + "bcd");
  for (std::size_t n = 0; n < good.size(); ++n) CHECK_FALSE(gunzip(good.substr(0, n)));
  for (std::size_t i = 0; i < good.size(); ++i) {
    if (i >= 4 && i < 10) continue;  // time, flags of the packer and its system: nothing that is checked
    std::string damaged = good;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
    CHECK_FALSE(gunzip(damaged));
  }
  CHECK_FALSE(gunzip(good + "x"));
  CHECK_FALSE(gunzip("{\"batch\":[]}"));
  CHECK(is_gzip(good));
  CHECK_FALSE(is_gzip("{}"));
}

}  // namespace
}  // namespace sluice::net
