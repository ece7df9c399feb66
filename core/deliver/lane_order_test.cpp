// The order of one person's records, from the first request on.

#include <atomic>
#include <map>
#include <thread>
#include <utility>

#include <catch2/catch.hpp>

#include "deliver/scripted.hpp"

namespace sluice::deliver {
namespace {

// The first record of each request is to be repeated, the others are taken: `times` times.
void refuse_heads(LaneWorld& w, int times) {
  w.vendor.answer = [times](const std::vector<Seen>& records) mutable {
    Verdicts v = Vendor::ok();
    if (times-- <= 0) return v;
    v.each.assign(records.size(), Verdict{});
    v.each.front() = {Fate::retry, -1, "busy", "", ""};
    return v;
  };
}

TEST_CASE("the very first request that is repeated in part keeps each person's order", "[lane][order]") {
  for (const bool blocking : {false, true}) {
    CAPTURE(blocking);
    LaneWorld w;
    w.limits.blocking = blocking;
    w.open();
    refuse_heads(w, 1);
    for (std::uint64_t seq = 1; seq <= 30; ++seq) w.offer(seq, seq % 3 + 1);
    w.run();
    CHECK(w.vendor.accepted.size() == 30);
    CHECK(w.in_order());
  }
}

TEST_CASE("a person who waits for a retry holds back nobody else", "[lane][order]") {
  LaneWorld w;
  w.open();
  refuse_heads(w, 1);
  for (std::uint64_t seq = 1; seq <= 100; ++seq) w.offer(seq, 1 + seq % 10);
  w.run(0);
  CHECK(w.vendor.accepted.size() == 90);
  CHECK(w.lane->status().blocked_people == 1);
  w.run();
  CHECK(w.vendor.accepted.size() == 100);
  CHECK(w.in_order());
}

TEST_CASE("a connector that takes requests whole gets several records of a person in one", "[lane][order]") {
  LaneWorld w;
  w.limits.all_or_nothing = true;
  w.open();
  for (std::uint64_t seq = 1; seq <= 10; ++seq) w.offer(seq, 1);
  w.run();
  CHECK(w.vendor.requests.size() == 1);
}

TEST_CASE("a connector that promises whole requests and does not keep it loses that trust at once",
          "[lane][order]") {
  LaneWorld w;
  w.limits.all_or_nothing = true;
  w.open();
  refuse_heads(w, 1);
  for (std::uint64_t seq = 1; seq <= 10; ++seq) w.offer(seq, 1);
  w.run();
  const std::size_t before = w.vendor.requests.size();
  for (std::uint64_t seq = 11; seq <= 20; ++seq) w.offer(seq, 1);
  w.run();
  CHECK(w.vendor.requests.size() == before + 10);
}

TEST_CASE("a rejected record beside a repeated one is no breach: both are kept in order", "[lane][order]") {
  LaneWorld w;
  w.limits.all_or_nothing = true;
  w.open();
  bool first = true;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    Verdicts v = Vendor::ok();
    if (!std::exchange(first, false)) return v;
    v.each.assign(records.size(), {Fate::retry, 0, "http_400", "", ""});
    v.each.back() = {Fate::rejected, -1, "refused", "", ""};
    return v;
  };
  for (std::uint64_t seq = 1; seq <= 10; ++seq) w.offer(seq, 1);
  w.run();
  CHECK(w.vendor.requests.size() == 2);
  CHECK(w.in_order());
}

TEST_CASE("merges that come while the lane takes records in let nothing pass", "[lane][order]") {
  constexpr std::uint64_t people = 5'000;
  LaneWorld w;
  w.limits.blocking = true;
  w.memory_bytes = 64 << 20;
  w.open();
  bool refuse = true;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    Verdicts v = Vendor::ok();
    for (const Seen& seen : records) {
      const bool first = seen.key.seq == 1 && seen.person % 2 == 0;
      v.each.push_back({first && refuse ? Fate::retry : Fate::delivered, us_per_s, "busy", "", ""});
    }
    return v;
  };
  const auto records = [](std::uint64_t seq) {
    std::vector<Effect> all;
    for (std::uint32_t i = 1; i <= people; ++i) all.push_back(LaneWorld::effect(seq, i, i));
    return all;
  };
  w.offer(1, records(1));
  w.run(0);
  REQUIRE(w.lane->status().blocked_people == people / 2);
  refuse = false;
  w.offer(2, records(2));
  std::atomic<bool> loading{false};
  std::thread step([&] {
    while (!loading) std::this_thread::yield();
    for (ProfileId i = people; i >= 1; --i) w.gate.merge(i, 1'000'000 + i);
  });
  loading = true;
  w.lane->pump();
  step.join();
  w.run();
  CHECK(w.vendor.accepted.size() == 2 * people);
  CHECK(w.in_order());
}

TEST_CASE("merges in the midst of partly repeated requests keep the order of the two who became one",
          "[lane][order]") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    LaneWorld w(seed);
    w.limits.blocking = seed % 4 == 0;
    w.limits.records_max = 4;
    w.open();
    w.vendor.answer = [&](const std::vector<Seen>& records) {
      Verdicts v = Vendor::ok();
      for (std::size_t i = 0; i < records.size(); ++i) {
        v.each.push_back({w.random() % 3 == 0 ? Fate::retry : Fate::delivered, -1, "busy", "", ""});
      }
      return v;
    };
    // Devices 1xx, then 2xx, then the person: each merge comes before the winner's next record.
    std::uint64_t seq = 0;
    for (int step = 0; step < 20; ++step) {
      for (ProfileId p = 1; p <= 5; ++p) {
        w.offer(++seq, step < 7 ? 100 + p : step < 14 ? 200 + p : 300 + p);
      }
      if (w.random() % 3 == 0) w.run(us_per_ms);
      for (ProfileId p = 1; p <= 5; ++p) {
        if (step == 6) w.gate.merge(100 + p, 200 + p);
        if (step == 13) w.gate.merge(200 + p, 300 + p);
      }
    }
    w.run();
    REQUIRE(w.vendor.accepted.size() == seq);
    std::map<ProfileId, std::uint64_t> last;
    bool in_order = true;
    for (const Seen& seen : w.vendor.accepted) {
      std::uint64_t& before = last[seen.person % 100];
      in_order = in_order && before < seen.key.seq;
      before = seen.key.seq;
    }
    CHECK(in_order);
  }
}

}  // namespace
}  // namespace sluice::deliver
