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

// One evaluation may make this much and cost this much; what would need more is unknown. A unit of cost is an
// operation, a turn of a macro, an entry that is compared or copied, or 16 bytes of a text that is read or
// made: the most that an evaluation takes is some ten milliseconds.
inline constexpr std::size_t arena_bytes_max = std::size_t{4} << 20;
inline constexpr std::size_t cost_max = 1'000'000;
inline constexpr std::size_t cost_text_bytes = 16;

struct Arena::Impl {
  // Memory until the next reset; null when the evaluation has made too much.
  void* allocate(std::size_t bytes);
  // Uninitialised text, values or entries; null when it is too much.
  char* text(std::size_t bytes) { return static_cast<char*>(allocate(bytes)); }
  Value* values(std::size_t count);
  MapEntry* entries(std::size_t count);
  // Values that own copies of what they are given. Unknown when it is too much.
  Value copy_string(std::string_view text);
  Value optional(const Value& held);
  Value list(const Value* items, std::size_t count);      // borrows items, which must live in the arena
  Value map(const MapEntry* entries, std::size_t count);  // likewise

  // Counts `cost`; false when the evaluation has cost too much.
  bool spend(std::size_t cost) { return (spent += cost) <= cost_max; }
  bool spend_text(std::size_t bytes) { return spend(bytes / cost_text_bytes); }

  // What one evaluation may still use. One within another (a computed trait) has no share of its own.
  class Share {
   public:
    explicit Share(Impl& arena) : arena_(arena) {
      if (arena_.depth++ > 0) return;
      arena_.made = 0;
      arena_.spent = 0;
    }
    ~Share() { --arena_.depth; }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

   private:
    Impl& arena_;
  };
  // Where the arena stands; back() gives what was made since then free.
  struct Mark {
    std::size_t block, used;
  };
  Mark mark() const { return {block, used}; }
  void back(Mark to) {
    block = to.block;
    used = to.used;
  }

  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size = 0;
  };
  std::vector<Block> blocks;
  std::size_t block = 0;  // the one in use
  std::size_t used = 0;   // of it
  std::size_t made = 0;   // bytes and cost of the evaluation under way
  std::size_t spent = 0;
  int depth = 0;  // evaluations under way, one within another
};

// A text in the making, in the memory of an evaluation. What is too large or costs too much is unknown in the
// end.
class TextMaker {
 public:
  explicit TextMaker(Arena::Impl& arena) : arena_(arena) {}
  void add(std::string_view text);
  void add(char c) { add({&c, 1}); }
  std::string_view text() const { return {at_, size_}; }
  Value value() const;

 private:
  Arena::Impl& arena_;
  char* at_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
  bool failed_ = false;
};

}  // namespace sluice::expr
