// Full refreshes of an audience, and what waits for a later word on the same membership.
#include <algorithm>
#include <filesystem>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "deliver/scripted.hpp"

namespace sluice::deliver {
namespace {

Effect membership(std::uint64_t seq, Operation op, ProfileId person, const std::string& list = "VIP") {
  Effect e = LaneWorld::effect(seq, 1, person);
  e.op = op;
  e.name = list;
  e.route = "vip_ads";
  return e;
}

// BEGIN, ENTER of each person, END: each record an input of its own, from `seq` on.
std::vector<Effect> snapshot(std::uint64_t seq, const std::vector<ProfileId>& people,
                             const std::string& list = "VIP") {
  std::vector<Effect> out{membership(seq, Operation::snapshot_begin, nobody, list)};
  const EffectKey mark = out.front().key;
  for (const ProfileId person : people) out.push_back(membership(++seq, Operation::enter, person, list));
  out.push_back(membership(++seq, Operation::snapshot_end, nobody, list));
  for (Effect& effect : out) {
    effect.snapshot = mark;
    effect.payload = "{}";
  }
  return out;
}

struct SnapshotWorld : LaneWorld {
  SnapshotWorld() {
    limits.all_or_nothing = true;
    limits.records_max = 4;
    folder = std::filesystem::temp_directory_path() / ("sluice-snapshot-" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    store = store::Database::open((folder / "store").string()).value();
    database = store.get();
    open();
  }
  ~SnapshotWorld() {
    lane.reset();
    std::filesystem::remove_all(folder);
  }
  void give(std::vector<Effect> effects) {
    for (Effect& effect : effects) {
      const std::uint64_t seq = effect.key.seq;
      offer(seq, {std::move(effect)});
    }
  }
  // What arrived, a line a request: "b12" begins with the mark and holds persons 1 and 2, "e" is the other
  // mark.
  std::vector<std::string> requests() const {
    std::vector<std::string> out;
    for (const auto& request : vendor.requests) {
      std::string& line = out.emplace_back();
      for (const Seen& seen : request) {
        line += seen.op == Operation::snapshot_begin ? "b"
                : seen.op == Operation::snapshot_end ? "e"
                : seen.op == Operation::leave        ? "-" + std::to_string(seen.person)
                                                     : std::to_string(seen.person);
      }
    }
    return out;
  }
  std::filesystem::path folder;
  std::unique_ptr<store::Database> store;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a snapshot goes out in parts, one at a time, the mark at its end with the last",
          "[lane][snapshot]") {
  SnapshotWorld w;
  w.give(snapshot(1, {1, 2, 3, 4, 5, 6, 7}));
  w.run();
  CHECK(w.requests() == Lines{"b123", "4567e"});
  CHECK(w.vendor.in_flight_max == 1);
  REQUIRE(w.courier->parts.size() == 2);
  CHECK((w.courier->parts[0].snapshot == "j.1.1.1" && w.courier->parts[1].snapshot == "j.1.1.1"));
  CHECK((w.courier->parts[0].number == 1 && w.courier->parts[1].number == 2));
  CHECK(w.count(OutcomeKind::delivered) == 9);
}

TEST_CASE("what the connector leaves of a part begins the next", "[lane][snapshot]") {
  SnapshotWorld w;
  w.courier->part_records_max = 3;
  w.give(snapshot(1, {1, 2, 3, 4}));
  w.run();
  CHECK(w.requests() == Lines{"b12", "34e"});
  CHECK(w.courier->parts.back().number == 2);
}

TEST_CASE("whoever enters or leaves the same audience meanwhile is sent after it, as he said last",
          "[lane][snapshot]") {
  SnapshotWorld w;
  const std::vector<Effect> all = snapshot(10, {1, 2, 3});
  w.give({membership(9, Operation::enter, 9)});
  w.give({all.begin(), all.begin() + 3});
  w.lane->pump();
  CHECK(w.courier->pending.empty());  // a part is as large as it may be
  w.give({all[3]});
  w.offer(14, {membership(14, Operation::leave, 2)});
  w.offer(15, {membership(15, Operation::leave, 1)});
  Effect end = all[4];
  end.key.seq = 16;
  w.give({end, membership(17, Operation::enter, 2)});
  w.run();
  REQUIRE(w.vendor.requests.size() >= 2);
  CHECK(w.requests().front() == "b123e");
  std::vector<std::pair<ProfileId, Operation>> after;
  for (std::size_t i = 1; i < w.vendor.requests.size(); ++i) {
    for (const Seen& seen : w.vendor.requests[i]) after.emplace_back(seen.person, seen.op);
  }
  CHECK(after.size() == 3);
  const auto said = [&](ProfileId person, Operation op) {
    return std::count(after.begin(), after.end(), std::pair{person, op});
  };
  CHECK((said(1, Operation::leave) == 1 && said(2, Operation::leave) == 0 && said(2, Operation::enter) == 1));
}

TEST_CASE("a part is repeated as it was, by its number, and one person's withdrawal makes it smaller",
          "[lane][snapshot]") {
  SnapshotWorld w;
  bool fail = true;
  w.vendor.answer = [&](const std::vector<Seen>& records) {
    return std::exchange(fail, false) ? Vendor::all(records, 503, Fate::retry) : Vendor::ok();
  };
  w.give(snapshot(1, {1, 2, 3, 4, 5}));
  w.lane->pump();
  w.courier->answer(0);
  w.gate.deny(2, "newsletter");
  w.run();
  CHECK(w.requests() == Lines{"b123", "b13", "45e"});
  CHECK((w.courier->parts[1].number == 1 && w.courier->parts[2].number == 2));
  CHECK(w.count(OutcomeKind::suppressed) == 1);
}

TEST_CASE("after a crash a snapshot goes on with the part that was under way", "[lane][snapshot]") {
  SnapshotWorld w;
  w.give(snapshot(1, {1, 2, 3, 4, 5, 6, 7, 8}));
  w.lane->pump();
  w.courier->answer(0);
  w.lane->pump();  // part 2 is on its way
  REQUIRE(w.courier->pending.size() == 1);
  w.lane->stop(0);
  w.lane.reset();
  w.limits.records_max = 100;  // another limit: the part stays as it was cut
  w.open();
  w.run();
  CHECK(w.requests() == Lines{"b123", "4567", "8e"});
  CHECK((w.courier->parts[0].number == 2 && w.courier->parts[1].number == 3));
  CHECK(w.store->snapshot_part("braze", "j.1.1.1").value().number == 0);
}

TEST_CASE("a refusal ends the snapshot: one dead letter, and what waited for it goes out",
          "[lane][snapshot]") {
  SnapshotWorld w;
  w.vendor.answer = [](const std::vector<Seen>& records) {
    return records.front().op == Operation::snapshot_begin ? Vendor::all(records, 409, Fate::rejected)
                                                           : Vendor::ok();
  };
  w.give(snapshot(1, {1, 2, 3, 4, 5}));
  w.give({membership(9, Operation::leave, 1)});
  w.run();
  CHECK(w.requests() == Lines{"b123", "-1"});
  CHECK((w.count(OutcomeKind::rejected) == 1 && w.count(OutcomeKind::superseded) == 6));
  const auto letters = w.store->dead_letters({}, 10).value();
  REQUIRE(letters.size() == 1);
  CHECK(letters[0].detail.find("sluice resync vip_ads") != std::string::npos);
}

TEST_CASE("a part that is too large is sent in smaller ones", "[lane][snapshot]") {
  SnapshotWorld w;
  w.vendor.answer = [](const std::vector<Seen>& records) {
    return records.size() > 3 ? Vendor::all(records, 413, Fate::too_big) : Vendor::ok();
  };
  w.give(snapshot(1, {1, 2, 3}));
  w.run();
  CHECK(w.requests() == Lines{"b123e", "b1", "23e"});
  CHECK(w.courier->parts[1].number == 1);
}

TEST_CASE("entering and leaving wait for a later word, and only the latest goes out", "[lane][snapshot]") {
  SnapshotWorld w;
  w.destination.settle = 60 * us_per_s;
  w.lane.reset();
  w.open();
  w.give({membership(1, Operation::enter, 1), membership(2, Operation::enter, 2)});
  w.run(30 * us_per_s);
  CHECK(w.requests().empty());
  w.clock.set(w.clock.monotonic_us() + 30 * us_per_s);
  w.give({membership(3, Operation::leave, 1), membership(4, Operation::enter, 1, "other")});
  w.run();
  Lines lines = w.requests();
  std::sort(lines.begin(), lines.end());
  CHECK(lines == Lines{"-11", "2"});
  CHECK(w.count(OutcomeKind::superseded) == 1);
  const auto times = [&](ProfileId person) {
    std::vector<DurationUs> out;
    for (const Seen& seen : w.vendor.accepted) {
      if (seen.person == person) out.push_back(seen.at);
    }
    return out;
  };
  CHECK(times(1).front() - times(2).front() >= 29 * us_per_s);
}

}  // namespace sluice::deliver
