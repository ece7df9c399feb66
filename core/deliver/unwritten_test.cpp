#include "deliver/unwritten.hpp"

#include <malloc.h>
#include <vector>

#include <catch2/catch.hpp>

#include "deliver/lane_parts.hpp"
#include "deliver/scripted.hpp"

namespace sluice::deliver {
namespace {

TEST_CASE("a record that has its outcome before a checkpoint asks for it never stands in the log",
          "[lane][crash]") {
  LaneWorld w;
  w.open();
  const auto written = [&] {
    std::vector<std::uint64_t> keys;
    const auto log = LaneLog::open_read_only(w.files, "/data/lanes/braze").value();
    REQUIRE(log->read(1, [&](const LaneLog::Stored&, const Effect& effect) {
      keys.push_back(effect.key.seq);
      return true;
    }));
    return std::pair(log->next_frame(), keys);
  };
  w.lane->pump();  // the log is read to its end: from here on records come to memory
  for (std::uint64_t seq = 1; seq <= 50; ++seq) w.offer(seq, seq);
  w.run(0);
  REQUIRE(w.count(OutcomeKind::delivered) == 50);
  w.vendor.answer = [](const std::vector<Seen>& records) { return Vendor::all(records, 503, Fate::retry); };
  for (std::uint64_t seq = 51; seq <= 53; ++seq) w.offer(seq, seq);
  CHECK(written().first == 1);
  REQUIRE(w.lane->sync());
  CHECK(written() == std::pair(std::uint64_t{2}, std::vector<std::uint64_t>{51, 52, 53}));
  SECTION("after a crash the step need not offer again what came before the checkpoint") {
    w.crash();
    w.vendor.answer = [](const std::vector<Seen>&) { return Vendor::ok(); };
    w.open();
    w.offer(53, 53);
    w.run();
    CHECK(w.ended.size() == 53);
    CHECK(w.lane->idle());
  }
  SECTION("nor does a second checkpoint write it again") {
    w.run(0);
    REQUIRE(w.lane->sync());
    CHECK(written().first == 2);
  }
}

TEST_CASE("records of as many moments take the memory of their bytes, and come back with their moments",
          "[lane][memory]") {
  SimFileSystem files(1);
  const LaneLogOptions options{.files = files, .directory = "/lane"};
  const auto log = LaneLog::open(options).value();
  constexpr std::size_t many = 20'000;
  std::vector<Effect> effects(many);
  std::vector<LaneLog::Record> records;
  for (std::size_t i = 0; i < many; ++i) {
    effects[i].key.seq = i + 1;
    records.push_back({&effects[i], static_cast<TimeUs>(1'000 + i), LaneLog::encoded_bytes(effects[i])});
  }
  const auto taken = [] {
    const struct mallinfo2 now = mallinfo2();
    return now.uordblks + now.hblkhd;
  };
  const std::size_t before = taken();
  log->encode(many, records);
  CHECK(taken() - before < many * 512);
  REQUIRE(log->append_encoded());
  std::size_t read = 0;
  REQUIRE(log->read(1, [&](const LaneLog::Stored& stored, const Effect& effect) {
    CHECK(effect.key.seq == ++read);
    CHECK(stored.offered == static_cast<TimeUs>(999 + read));
    return true;
  }));
  CHECK(read == many);
}

}  // namespace
}  // namespace sluice::deliver
