// What an Arena holds, and the shapes of the lists and maps in it. For the rooms that make such values
// (aggregates) and for the evaluator; conditions alone need only value.hpp. An arena belongs to one thread at
// a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "expr/program.hpp"
#include "expr/value.hpp"

namespace sluice::expr {

struct Value::List {
  const Value* items = nullptr;
  std::size_t size = 0;
};

struct MapEntry;
struct Value::Map {
  const MapEntry* entries = nullptr;  // in the order of writing; no key twice
  std::size_t size = 0;
};
struct MapEntry {
  Value key, value;
};

// One evaluation may make this much; what would need more is unknown.
inline constexpr std::size_t arena_bytes_max = std::size_t{4} << 20;

struct Arena::Impl {
  // Memory until the next reset; null when the evaluation has made too much.
  void* allocate(std::size_t bytes);
  // Uninitialised text, values or entries; null when it is too much.
  char* text(std::size_t bytes) { return static_cast<char*>(allocate(bytes)); }
  Value* values(std::size_t count);
  MapEntry* entries(std::size_t count);
  // Values that own copies of what they are given. Unknown when it is too much.
  Value copy_string(std::string_view text);
  Value list(const Value* items, std::size_t count);      // borrows items, which must live in the arena
  Value map(const MapEntry* entries, std::size_t count);  // likewise

  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size = 0;
  };
  std::vector<Block> blocks;
  std::size_t block = 0;  // the one in use
  std::size_t used = 0;   // of it
  std::size_t total = 0;  // since reset
};

}  // namespace sluice::expr
