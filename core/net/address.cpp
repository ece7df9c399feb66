#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include <arpa/inet.h>

#include "net/client.hpp"

namespace sluice::net {

namespace {

// IANA's special-purpose registries (RFC 6890 and its updates, read from iana.org in 2026) with multicast:
// what is not a destination on the public Internet.
struct Block {
  std::array<std::uint8_t, 16> prefix;
  unsigned bits;
};

constexpr std::array<Block, 15> v4_blocks{{
    {{0}, 8},
    {{10}, 8},
    {{100, 64}, 10},
    {{127}, 8},
    {{169, 254}, 16},
    {{172, 16}, 12},
    {{192, 0, 0}, 24},
    {{192, 0, 2}, 24},
    {{192, 88, 99}, 24},
    {{192, 168}, 16},
    {{198, 18}, 15},
    {{198, 51, 100}, 24},
    {{203, 0, 113}, 24},
    {{224}, 4},
    {{240}, 4},
}};

// All that lies outside 2000::/3 is refused as a whole; within it these.
constexpr std::array<Block, 4> v6_blocks{{
    {{0x20, 0x01, 0x00}, 23},        // 2001::/23: Teredo, ORCHID, benchmarking
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation
    {{0x20, 0x02}, 16},              // 6to4, holds an IPv4 address
    {{0x3f, 0xff}, 20},              // documentation
}};

bool within(const std::uint8_t* address, const Block& block) {
  for (unsigned bit = 0; bit < block.bits; bit += 8) {
    const unsigned left = std::min(8U, block.bits - bit);
    const unsigned mask = 0xFFU << (8 - left) & 0xFFU;
    if (((address[bit / 8] ^ block.prefix.at(bit / 8)) & mask) != 0) return false;
  }
  return true;
}

bool is_public_v4(const std::uint8_t* address) {
  return std::none_of(v4_blocks.begin(), v4_blocks.end(), [&](const Block& b) { return within(address, b); });
}

}  // namespace

bool is_public_address(std::string_view address) {
  const std::string text(address.substr(0, address.find('%')));  // without an IPv6 zone
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return is_public_v4(bytes.data());
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return false;
  // ::ffff:0:0/96 maps and 64:ff9b::/96 translates an IPv4 address (RFC 4291, RFC 6052): it decides.
  static constexpr Block mapped{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};
  static constexpr Block translated{{0x00, 0x64, 0xff, 0x9b}, 96};
  if (within(bytes.data(), mapped) || within(bytes.data(), translated))
    return is_public_v4(bytes.data() + 12);
  static constexpr Block global{{0x20}, 3};
  return within(bytes.data(), global) &&
         std::none_of(v6_blocks.begin(), v6_blocks.end(),
                      [&](const Block& b) { return within(bytes.data(), b); });
}

}  // namespace sluice::net
