#include "state/people.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <random>
#include <set>

#include <catch2/catch.hpp>

#include "base/sim_file.hpp"
#include "state/spelling.hpp"

namespace sluice::state {
namespace {

constexpr TimeUs t0 = 1'700'000'000 * us_per_s;

template <typename T>
std::string plain(const T& p) {
  std::string bytes;
  p.encode(bytes);
  return bytes;
}

StoredValue random_value(std::mt19937_64& random) {
  switch (random() % 8) {
    case 0:
      return {};
    case 1:
      return StoredValue::null();
    case 2:
      return StoredValue::boolean(random() % 2 == 0);
    case 3:
      return StoredValue::number(static_cast<double>(random() % 1'000) - 500);
    case 4:
      return StoredValue::number(static_cast<double>(random() % 100'000) / 100);
    case 5:
      return StoredValue::number(std::bit_cast<double>((random() >> 2) | 1));
    case 6:
      return StoredValue::string(std::string(random() % 40, 'x'));
    default:
      return StoredValue::json_text(R"({"a":[1,2]})");
  }
}

// With some of everything that a row can hold.
Profile random_person(std::mt19937_64& random) {
  const auto some = [&](std::size_t most) { return random() % (most + 1); };
  const auto name = [&] { return name_id("name " + std::to_string(random() % 30)); };
  const auto time = [&]() -> TimeUs {
    if (random() % 40 == 0) return random() % 2 == 0 ? never : std::numeric_limits<TimeUs>::min();
    return t0 + static_cast<TimeUs>(random() % 1'000'000) * (random() % 2 == 0 ? us_per_ms : 1);
  };
  Profile p;
  p.id = random();
  p.created = random();
  p.created_ordinal = static_cast<std::uint32_t>(some(3));
  p.first_seen = time(), p.last_seen = time();
  p.third_party = some(1) == 1, p.partial = some(1) == 1;
  p.timezone = std::string(some(20), 't'), p.locale = std::string(some(1), 'l');
  for (auto n = some(3); n > 0; --n)
    p.identifiers.push_back({name(), std::string(some(40), 'i'), time(), time(), some(1) == 1, name(),
                             some(1) == 1 ? name() : 0, some(1) == 1});
  for (auto n = some(3); n > 0; --n)
    p.traits.push_back({name(), random_value(random), time(), name(), some(1) == 1});
  for (auto n = some(2); n > 0; --n) p.consents.push_back({name(), some(1) == 1, time(), name()});
  for (auto n = some(3); n > 0; --n) {
    Series& s = p.series.emplace_back();
    s.key = random();
    const bool totals = some(1) == 1;
    for (auto k = some(4); k > 0; --k)
      s.add(t0 + static_cast<TimeUs>(some(9)), random() % 100, random_value(random),
            {us_per_d, true, totals, totals}, t0);
  }
  for (auto n = some(3); n > 0; --n) p.memberships.push_back({name(), time(), random() % 1'000});
  for (auto n = some(3); n > 0; --n)
    p.history.push({name(), some(1) == 1, time(), random() % 1'000, some(1) == 1});
  for (auto n = some(2); n > 0; --n)
    p.runs.push_back({name(), name(), time(), time(), random(), std::string(some(30), '{')});
  for (auto n = some(2); n > 0; --n) p.started.push_back({name(), time()});
  for (auto n = some(2); n > 0; --n) p.found.push_back(name());
  for (auto n = some(2); n > 0; --n)
    p.marks.push_back({name(), random(), some(1) == 1, some(1) == 1, {{name(), random()}}});
  for (auto n = some(2); n > 0; --n) p.merges.push_back({random(), name(), random() % 1'000, time()});
  for (auto n = some(2); n > 0; --n) p.entities.push_back({name(), random()});
  return p;
}

}  // namespace

TEST_CASE("a person comes out of either spelling as they went in, whoever was in that memory before") {
  std::mt19937_64 random(7);
  Numbers numbers;
  Profile decoded, unpacked, looked_at;
  for (int i = 0; i < 2'000; ++i) {
    const Profile p = random_person(random);
    const std::string bytes = plain(p);
    REQUIRE(Profile::decode(bytes, decoded));
    REQUIRE(plain(decoded) == bytes);
    std::string packed;
    p.pack(packed, numbers);
    REQUIRE(Profile::unpack(packed, numbers, unpacked));
    unpacked.id = p.id;
    REQUIRE(plain(unpacked) == bytes);
    REQUIRE(Profile::unpack_index(packed, numbers, looked_at));
    REQUIRE(looked_at.identifiers.size() == p.identifiers.size());
    REQUIRE(looked_at.memberships.size() == p.memberships.size());
    REQUIRE(looked_at.entities.size() == p.entities.size());
    if (i % 50 != 0) continue;
    for (std::size_t n = 0; n < packed.size(); ++n)
      REQUIRE_FALSE(Profile::unpack(std::string_view(packed).substr(0, n), numbers, unpacked));
  }
}

TEST_CASE("a person as packed before series were folded is read") {
  // Two series of three events each, of a shop's person: as that version wrote them, and in the plain
  // spelling.
  const auto bytes_of_hex = [](std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
      bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return bytes;
  };
  const std::string before = bytes_of_hex(
      "01180080c0d6fcf3c50180f4ee060000000100fea0e0061201010e614073686f702e6578616d706c65fed20e80f4ee06010200"
      "0000"
      "0203000303f8c301e4f801e49102e4f801fef3ee0601e4910280a61d040003fea51d03e4f80180d30e02a4850280d30e02e491"
      "0204"
      "0203fea51d030080d30e020080d30e020000000000");
  Profile p;
  p.created = 12, p.first_seen = t0, p.last_seen = t0 + us_per_h;
  p.identifiers.push_back(
      {name_id("email"), "a@shop.example", t0, t0 + us_per_h, true, name_id("shop"), 0, false});
  for (const bool orders : {true, false}) {
    Series& s = p.series.emplace_back();
    s.key = name_id(orders ? "orders" : "views");
    for (std::uint64_t i = 0; i < 3; ++i)
      s.add(t0 + static_cast<TimeUs>(i) * us_per_min, 20 + i,
            orders ? StoredValue::number(19.9 + static_cast<double>(i)) : StoredValue{},
            {us_per_d, orders, false, orders}, t0 + us_per_h);
  }
  p.memberships.push_back({name_id("buyers"), t0 + us_per_min, 21});
  Numbers numbers;
  for (const char* name : {"buyers", "email", "shop", "orders", "views"}) (void)numbers.of(name_id(name));
  Profile unpacked;
  REQUIRE(Profile::unpack(before, numbers, unpacked));
  CHECK(plain(unpacked) == plain(p));
}

TEST_CASE("a trait that is an identifier, too, stands in a packed row once") {
  Profile p;
  const std::string email = "somebody.with.a.long.name@shop.example";
  p.identifiers.push_back({name_id("user_id"), "u-1", t0, t0, true, name_id("shop"), 0, false});
  p.identifiers.push_back({name_id("email"), email, t0, t0, true, name_id("shop"), 0, false});
  Numbers numbers;
  std::string without, with;
  p.pack(without, numbers);
  p.traits.push_back({name_id("email"), StoredValue::string(email), t0, name_id("shop"), true});
  p.pack(with, numbers);
  CHECK(with.size() < without.size() + 8);
  Profile unpacked;
  REQUIRE(Profile::unpack(with, numbers, unpacked));
  CHECK(plain(unpacked) == plain(p));
  // Of an identifier that is not there: damaged.
  std::string damaged = with;
  const char points_at_it = static_cast<char>((1 + 1) << 3), behind = static_cast<char>((2 + 1) << 3);
  damaged.at(damaged.rfind(points_at_it)) = behind;
  CHECK_FALSE(Profile::unpack(damaged, numbers, unpacked));
}

TEST_CASE("a packed person with numbers that are not known is not read") {
  Profile p;
  p.memberships.push_back({name_id("buyers"), t0, 1});
  Numbers numbers, others;
  std::string packed;
  p.pack(packed, numbers);
  CHECK_FALSE(Profile::unpack(packed, others, p));
}

TEST_CASE("people who leave the pool and come back are who they were") {
  std::mt19937_64 random(11);
  People people;
  std::vector<std::pair<ProfileId, std::string>> known;
  for (int i = 0; i < 300; ++i) {
    const ProfileId id = random() | 1;
    Profile& p = people.add(id);
    Row* const row = p.row;
    p = random_person(random);
    p.id = id;
    p.row = row;
    known.emplace_back(id, plain(p));
    people.rest(10);
  }
  for (int i = 0; i < 2'000; ++i) {
    auto& [id, bytes] = known[random() % known.size()];
    Row* const row = people.row(id);
    Profile other;
    REQUIRE(plain(people.read(*row, other)) == bytes);
    Profile& p = people.unpacked(*row);
    REQUIRE(plain(p) == bytes);
    if (random() % 2 == 0) {
      people.touch(*row);
      p.locale = std::to_string(random() % 1'000'000);
      p.traits.clear();
      bytes = plain(p);
    }
    if (random() % 3 == 0) people.rest(random() % 10);
  }
}

TEST_CASE("whoever goes through all people part by part meets each once, whoever comes and goes meanwhile") {
  std::mt19937_64 random(17);
  People people;
  std::set<ProfileId> there;
  const auto comes = [&] {
    const ProfileId id = random() | 1;
    people.add(id);
    people.rest(0);
    there.insert(id);
  };
  for (int i = 0; i < 70'000; ++i) comes();
  ProfileId after = nobody;
  for (;;) {
    const std::vector<ProfileId> part = people.ids_after(after, UINT64_MAX, 700);
    std::vector<ProfileId> expected;
    for (auto at = there.upper_bound(after); at != there.end() && expected.size() < 700; ++at)
      expected.push_back(*at);
    REQUIRE(part == expected);
    if (part.size() < 700) break;
    CHECK(people.ids_after(after, part[9], SIZE_MAX) ==
          std::vector<ProfileId>(part.begin(), part.begin() + 10));
    after = part.back();
    for (int i = 0; i < 30; ++i) comes();
    for (int i = 0; i < 30; ++i) {
      const auto gone = there.lower_bound(random());
      if (gone == there.end()) continue;
      people.remove(*gone);
      there.erase(gone);
    }
  }
}

TEST_CASE("people whose rows lie on disk are who they were, and what memory holds stays within its bound") {
  std::mt19937_64 random(13);
  SimFileSystem files(1);
  People people;
  auto cold = ColdRows::open(files, "cold", 16 * 1024);
  REQUIRE(cold);
  constexpr std::uint64_t bound = 20'000;
  people.keep_within(std::move(cold).value(), bound);
  std::map<ProfileId, std::string> known;
  std::vector<ProfileId> ids;
  std::uint64_t most_cold = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (ids.size() < 400) {
      const ProfileId id = random() | 1;
      Profile& p = people.add(id);
      Row* const row = p.row;
      p = random_person(random);
      p.id = id;
      p.row = row;
      known[id] = plain(p);
      ids.push_back(id);
    }
    const ProfileId id = ids[random() % ids.size()];
    Row* const row = people.row(id);
    Profile other;
    REQUIRE(plain(people.read(*row, other)) == known[id]);
    if (random() % 2 == 0) {
      Profile& p = people.unpacked(*row);
      people.touch(*row);
      p.locale = std::string(random() % 200, 'l');
      known[id] = plain(p);
    } else if (random() % 50 == 0) {
      people.remove(id);
      std::erase(ids, id);
      known.erase(id);
    }
    people.rest();
    people.shed(0);
    if (i > 1'000) REQUIRE(people.memory() <= bound + 400 * (sizeof(Row) + 16));
    most_cold = std::max(most_cold, people.cold_bytes());
  }
  CHECK(most_cold > 40'000);
  CHECK(most_cold < 400'000);  // holes are closed
  for (const auto& [id, bytes] : known) {
    Profile other;
    REQUIRE(plain(people.read(*people.row(id), other)) == bytes);
  }
}

TEST_CASE("where the disk is full, people stay in memory") {
  std::mt19937_64 random(17);
  SimFileSystem files(1);
  People people;
  people.keep_within(ColdRows::open(files, "cold").value(), 10'000);
  files.set_capacity(5'000);
  std::map<ProfileId, std::string> known;
  for (int i = 0; i < 300; ++i) {
    const ProfileId id = random() | 1;
    Profile& p = people.add(id);
    Row* const row = p.row;
    p = random_person(random);
    p.id = id;
    p.row = row;
    known[id] = plain(p);
    people.rest();
    people.shed(0);
  }
  CHECK(people.memory() > 20'000);
  for (const auto& [id, bytes] : known) {
    Profile other;
    REQUIRE(plain(people.read(*people.row(id), other)) == bytes);
  }
}

}  // namespace sluice::state
