// Hash tables of keys that are hashes already.
#pragma once

#include <cstddef>
#include <cstdint>

#include <boost/unordered/unordered_flat_map.hpp>

namespace sluice::state {

struct Mixed {
  std::size_t operator()(std::uint64_t key) const { return key * 0x9E3779B97F4A7C15ULL; }
};
template <typename V>
using FlatMap = boost::unordered_flat_map<std::uint64_t, V, Mixed>;

}  // namespace sluice::state
