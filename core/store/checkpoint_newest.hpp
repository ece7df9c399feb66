// Inside this room: which rows of a base and its deltas no later one of them replaces.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

#include "base/bytes.hpp"
#include "base/mapped.hpp"

namespace sluice {

class NewestRows {  // one thread at a time
 public:
  explicit NewestRows(std::size_t files) : newest_(files), asked_(files) {}

  // The next row of a delta, files by their place in the chain. The last file is noted first.
  void note(std::size_t file, std::uint8_t table, std::string_view key) {
    newest_.at(file).push_back(changed_.insert(table, key));
  }
  // No file counts that was noted so far.
  void forget() {
    changed_ = {};
    for (std::vector<bool>& of : newest_) of.clear();
  }
  // Of the next row of a file, in the order in which they were noted; of the base, which is not noted, in
  // any.
  bool is_newest(std::size_t file, std::uint8_t table, std::string_view key) {
    return file == 0 ? !changed_.contains(table, key) : newest_.at(file).at(asked_.at(file)++);
  }

 private:
  class Keys {  // most are eight bytes long
   public:
    bool insert(std::uint8_t table, std::string_view key) {  // true: it was not among them
      if (key.size() == sizeof(std::uint64_t)) return short_.at(table).insert(ByteReader(key).u64()).second;
      return long_.emplace(table, key).second;
    }
    bool contains(std::uint8_t table, std::string_view key) const {
      if (key.size() == sizeof(std::uint64_t)) return short_.at(table).contains(ByteReader(key).u64());
      return long_.contains({table, std::string(key)});
    }

   private:
    using Short = boost::unordered_flat_set<std::uint64_t, boost::hash<std::uint64_t>, std::equal_to<>,
                                            MappedAllocator<std::uint64_t>>;
    std::array<Short, 256> short_;
    std::set<std::pair<std::uint8_t, std::string>> long_;
  };

  Keys changed_;
  std::vector<std::vector<bool>> newest_;  // of each file's rows
  std::vector<std::size_t> asked_;
};

}  // namespace sluice
