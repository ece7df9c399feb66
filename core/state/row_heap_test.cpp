#include "state/row_heap.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace sluice::state {
namespace {

std::string_view text_of(const Row& row) {
  return {reinterpret_cast<const char*>(&row + 1), row.size};
}

// A heap and what lies in it, as its owner would keep it.
struct Kept {
  RowHeap heap;
  std::map<ProfileId, Row*> rows;

  Row* put(ProfileId id, std::string_view text) {
    Row* const row = heap.take(id, text.size());
    std::memcpy(static_cast<void*>(row + 1), text.data(), text.size());
    return rows[id] = row;
  }
  void remove(ProfileId id) {
    heap.give_back(rows.at(id));
    rows.erase(id);
  }
  void move(Row* row) {
    put(row->id, std::string(text_of(*row)));
    heap.give_back(row);
  }
};

TEST_CASE("rows are what was put into them while others come, go and are moved", "[rows]") {
  std::mt19937_64 random(5);
  Kept kept;
  std::map<ProfileId, std::string> known;
  for (int i = 0; i < 200'000; ++i) {
    const ProfileId id = 1 + random() % 9'000;
    if (known.contains(id)) {
      kept.remove(id);
      known.erase(id);
    } else {
      const std::size_t size = random() % 2'000 == 0 ? random() % 900'000 : random() % 700;
      known[id] = std::string(size, static_cast<char>('a' + id % 26));
      kept.put(id, known[id]);
    }
    if (i % 500 == 0) kept.heap.empty_emptiest();
    if (i % 777 == 0) kept.heap.empty_oldest();
    if (Row* const row = i % 3 == 0 ? kept.heap.next_to_move() : nullptr) kept.move(row);
  }
  for (const auto& [id, row] : kept.rows) {
    REQUIRE(row->id == id);
    REQUIRE(text_of(*row) == known.at(id));
  }
  REQUIRE(kept.rows.size() == known.size());
  std::uint64_t live = 0;
  for (const auto& [id, text] : known) live += RowHeap::block_of(text.size());
  CHECK(kept.heap.bytes() - kept.heap.holes() == live);
  while (!kept.rows.empty()) kept.remove(kept.rows.begin()->first);
  while (kept.heap.next_to_move() != nullptr) {
  }
  CHECK(kept.heap.bytes() <= RowHeap::segment_bytes);  // the one that is written to is kept
}

TEST_CASE("what those take who left is given back, however few stay between them", "[rows]") {
  Kept kept;
  const std::string text(200, 'x');
  for (ProfileId id = 1; id <= 100'000; ++id) kept.put(id, text);
  const std::uint64_t full = kept.heap.bytes();
  for (ProfileId id = 1; id <= 100'000; ++id) {
    if (id % 10 != 0) kept.remove(id);
  }
  CHECK(kept.heap.bytes() == full);  // somebody stays in each segment
  while (kept.heap.holes() > kept.heap.bytes() / 8) {
    kept.heap.empty_emptiest();
    while (Row* const row = kept.heap.next_to_move()) kept.move(row);
  }
  CHECK(kept.heap.bytes() < full / 8);
  for (const auto& [id, row] : kept.rows) REQUIRE(text_of(*row) == text);
}

TEST_CASE("a hole is filled by the next row of its size, but not in the segment that is being emptied",
          "[rows]") {
  Kept kept;
  const std::string text(300, 'x');
  for (ProfileId id = 1; id <= 20'000; ++id) kept.put(id, text);
  const std::uint64_t full = kept.heap.bytes();
  Row* const place = kept.rows.at(7);
  kept.remove(7);
  CHECK(kept.put(7, std::string(299, 'y')) == place);
  CHECK(kept.heap.bytes() == full);

  kept.remove(8);
  kept.heap.empty_oldest();
  CHECK(kept.heap.emptying());
  kept.put(8, text);
  std::size_t moved = 0;
  while (Row* const row = kept.heap.next_to_move()) {
    REQUIRE(row->id != 8);
    kept.move(row);
    ++moved;
  }
  CHECK(moved > 1'000);
  CHECK_FALSE(kept.heap.emptying());
  for (const auto& [id, row] : kept.rows) REQUIRE(row->id == id);
}

TEST_CASE("a segment that holds one large row has no holes: another is emptied", "[rows]") {
  Kept kept;
  const std::string text(200, 'x'), large(700'000, 'y');
  for (ProfileId id = 1; id <= 20'000; ++id) kept.put(id, text);
  kept.put(30'000, large);
  for (ProfileId id = 1; id <= 20'000; id += 2) kept.remove(id);
  kept.heap.empty_emptiest();
  while (const Row* const row = kept.heap.next_to_move()) REQUIRE(row->id != 30'000);
  kept.remove(30'000);
  for (const auto& [id, row] : kept.rows) REQUIRE(text_of(*row) == text);
}

TEST_CASE("a row takes a sixteenth more than it holds at most", "[rows]") {
  for (std::size_t bytes = 0; bytes < 3'000'000; bytes += 1 + bytes / 50) {
    const std::size_t held = sizeof(Row) + bytes, block = RowHeap::block_of(bytes);
    REQUIRE(block >= held);
    REQUIRE(block < held + std::max<std::size_t>(16, held / 16));
  }
}

TEST_CASE("rows that are left where they are stay, and their segment has its turn again", "[rows]") {
  Kept kept;
  for (ProfileId id = 1; id <= 3; ++id) kept.put(id, "abc");
  const std::uint64_t bytes = kept.heap.bytes();
  for (int turn = 0; turn < 2; ++turn) {
    kept.heap.empty_oldest();
    std::vector<ProfileId> seen;
    while (const Row* const row = kept.heap.next_to_move()) seen.push_back(row->id);
    CHECK(seen == std::vector<ProfileId>{1, 2, 3});
    CHECK(kept.heap.bytes() == bytes);
  }
}

}  // namespace
}  // namespace sluice::state
