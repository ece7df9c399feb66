// Several buckets of a rate, and the names that destinations give to people.
#include <cstdlib>
#include <filesystem>
#include <string>

#include <catch2/catch.hpp>

#include "deliver/scripted.hpp"
#include "store/database.hpp"

namespace sluice::deliver {
namespace {

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-limits-XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path;
};

// How many of the records that `belongs` names arrived in the busiest second after the first.
template <typename F>
std::size_t busiest_second(const Vendor& vendor, F&& belongs) {
  std::size_t most = 0;
  const DurationUs first = vendor.accepted.front().at;
  for (const Seen& from : vendor.accepted) {
    if (from.at < first + us_per_s) continue;  // buckets were full at the start
    std::size_t n = 0;
    for (const Seen& seen : vendor.accepted)
      n += belongs(seen) && seen.at >= from.at && seen.at < from.at + us_per_s ? std::size_t{1} : 0;
    most = std::max(most, n);
  }
  return most;
}

bool even(const Seen& seen) {
  return seen.key.seq % 2 == 0;
}
bool odd(const Seen& seen) {
  return !even(seen);
}
bool any(const Seen&) {
  return true;
}

LaneWorld& two_buckets(LaneWorld& w) {
  w.limits.records_max = 1;
  w.limits.rates = {{10, us_per_s}, {2, us_per_s}};
  w.open();
  w.courier->bucket = [](const Parcel& parcel) {
    return parcel.effect->key.seq % 2 == 0 ? std::size_t{1} : std::size_t{0};
  };
  for (std::uint64_t seq = 1; seq <= 60; ++seq) w.offer(seq, seq);
  return w;
}

TEST_CASE("each request takes from its own bucket", "[lane][rate]") {
  LaneWorld w;
  two_buckets(w).run();
  CHECK(w.vendor.accepted.size() == 60);
  CHECK(busiest_second(w.vendor, even) <= 3);
  CHECK(busiest_second(w.vendor, odd) <= 11);
  CHECK(w.in_order());
}

TEST_CASE("the operator's rate is of all requests, whatever their bucket", "[lane][rate]") {
  LaneWorld w;
  w.destination.rate = {{3, us_per_s}};
  two_buckets(w).run();
  CHECK(w.vendor.accepted.size() == 60);
  CHECK(busiest_second(w.vendor, any) <= 4);
  CHECK(busiest_second(w.vendor, even) <= 3);
}

TEST_CASE(
    "what a destination calls a person comes back with his next record, after a restart and a merge too",
    "[lane][remote]") {
  const Folder folder;
  const auto database = std::move(store::Database::open(folder.path + "/hub.db")).value();
  LaneWorld w;
  w.database = database.get();
  w.open();
  w.vendor.answer = [](const std::vector<Seen>& records) {
    Verdicts v = Vendor::ok();
    for (const Seen& seen : records) {
      // It names people once.
      const std::string id = seen.key.seq <= 2 ? "contact-" + std::to_string(seen.person) : "";
      v.each.push_back({Fate::delivered, -1, "", "", id});
    }
    return v;
  };
  w.offer(1, 1);
  w.offer(2, 2);
  w.run();
  CHECK((w.vendor.accepted[0].remote_id.empty() && w.vendor.accepted[1].remote_id.empty()));
  w.offer(3, 1);
  w.run();
  CHECK(w.vendor.accepted.back().remote_id == "contact-1");
  w.lane.reset();
  w.open();
  w.gate.merge(1, 9);
  w.offer(4, 9);
  w.offer(5, 2);
  w.offer(6, 3);
  w.run();
  REQUIRE(w.vendor.accepted.size() == 6);
  CHECK(w.vendor.accepted[3].remote_id == "contact-1");
  CHECK(w.vendor.accepted[4].remote_id == "contact-2");
  CHECK(w.vendor.accepted[5].remote_id.empty());
  REQUIRE(database->erase(2));
  w.offer(7, 2);
  w.run();
  CHECK(w.vendor.accepted.back().remote_id.empty());
}

TEST_CASE(
    "a record of somebody who has become another since carries what they were called, not what the other is",
    "[lane][remote]") {
  const Folder folder;
  const auto database = std::move(store::Database::open(folder.path + "/hub.db")).value();
  LaneWorld w;
  w.database = database.get();
  w.open();
  w.vendor.answer = [](const std::vector<Seen>& records) {
    Verdicts v = Vendor::ok();
    for (const Seen& seen : records) {
      const std::string id = seen.key.seq % 2 == 1 ? "contact-" + std::to_string(seen.person) : "";
      v.each.push_back({Fate::delivered, -1, "", "", id});
    }
    return v;
  };
  w.offer(1, 1);
  w.offer(3, 2);
  w.run();
  w.offer(4, {[] {
            Effect gone = LaneWorld::effect(4, 1, 2);
            gone.op = Operation::remove;
            return gone;
          }()});
  w.offer(5, 2);
  w.gate.merge(2, 1);
  w.offer(6, 1);
  w.run();
  REQUIRE(w.vendor.accepted.size() == 5);
  CHECK((w.vendor.accepted[2].remote_id == "contact-2" && w.vendor.accepted[3].remote_id == "contact-2"));
  CHECK(w.vendor.accepted[4].remote_id == "contact-1");
  // Who has no name over there takes the other's also where it is told only after they have become one.
  w.offer(7, 3);
  w.gate.merge(3, 4);
  w.run();
  w.offer(8, 4);
  w.run();
  CHECK(w.vendor.accepted.back().remote_id == "contact-3");
}

TEST_CASE("where nothing arrives nothing more is sent, for ninety days, by whatever life of the hub",
          "[lane][remote]") {
  const Folder folder;
  const auto database = std::move(store::Database::open(folder.path + "/hub.db")).value();
  LaneWorld w;
  w.database = database.get();
  w.destination.expires = 365 * us_per_d;
  w.open();
  w.vendor.answer = [](const std::vector<Seen>& records) {
    Verdicts v = Vendor::all(records, 400, Fate::rejected);
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (records[i].person == 1)
        v.each[i].receiver = Receiver::unreachable;
      else
        v.each[i] = {};
    }
    return v;
  };
  const auto message = [&](std::uint64_t seq, ProfileId person) {
    Effect effect = LaneWorld::effect(seq, 1, person);
    effect.op = Operation::message;
    effect.address = "+3361234567" + std::to_string(person);
    w.offer(seq, {effect});
    w.run();
  };
  message(1, 1);
  CHECK(w.count(OutcomeKind::rejected) == 1);
  message(2, 1);
  message(3, 2);
  CHECK(w.outcomes[1].second.kind == OutcomeKind::suppressed);
  CHECK(w.outcomes[1].second.reason == "unreachable");
  CHECK(w.count(OutcomeKind::delivered) == 1);
  w.lane.reset();
  w.open();
  message(4, 1);
  CHECK(w.count(OutcomeKind::suppressed) == 2);
  w.offer(5, 1);  // an event goes to no address
  w.run();
  CHECK(w.vendor.requests.size() == 3);
  w.clock.advance(90 * us_per_d);
  message(6, 1);
  CHECK(w.vendor.requests.size() == 4);
}

}  // namespace
}  // namespace sluice::deliver
