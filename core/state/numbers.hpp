// Short numbers for the ids of names, series, steps and routes: packed rows hold these in place of eight
// bytes each. They are given as rows need them and never taken back. They are no part of the state: which id
// has which number changes no result and no hash, so two hubs with the same state may number differently.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "state/flat_map.hpp"

namespace sluice::state {

class Numbers {
 public:
  // [step] The number of an id, from 0; a new one where it has none yet.
  std::uint64_t of(std::uint64_t id) {
    const auto [at, fresh] = numbers_.try_emplace(id, ids_.size());
    if (fresh) ids_.push_back(id);
    return at->second;
  }
  std::size_t size() const { return ids_.size(); }
  bool has(std::uint64_t number) const { return number < ids_.size(); }
  std::uint64_t id(std::uint64_t number) const { return ids_[number]; }  // has(number)

  // As a checkpoint says; false: damaged, since numbers follow each other.
  bool restore(std::uint64_t number, std::uint64_t id) {
    if (has(number)) return ids_[number] == id;
    return number == ids_.size() && of(id) == number;
  }

 private:
  FlatMap<std::uint64_t> numbers_;
  std::vector<std::uint64_t> ids_;
};

}  // namespace sluice::state
