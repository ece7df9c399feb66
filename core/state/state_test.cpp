#include "state/state.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include <catch2/catch.hpp>

#include "base/bytes.hpp"

namespace sluice::state {
namespace {

constexpr TimeUs t0 = 1'700'000'000 * us_per_s;

using Rows = std::map<std::pair<Table, std::string>, std::string>;

std::string key_of(ProfileId id) {
  std::string key;
  ByteWriter(key).u64(id);
  return key;
}

RowSink into(Rows& rows) {
  return [&rows](Table table, std::string_view key, std::string_view value, bool erased) {
    if (erased) {
      rows.erase({table, std::string(key)});
    } else {
      rows[{table, std::string(key)}] = std::string(value);
    }
  };
}

Profile& person(State& s, std::uint64_t seq, const std::string& user) {
  Profile& p = s.create(seq, 0, t0);
  p.identifiers.push_back({s.intern("user_id"), user, t0, t0, true, s.intern("shop"), 0, false});
  s.index(p, p.identifiers.back());
  return p;
}

void write_all(State& s, Rows& rows) {
  s.begin_checkpoint(true, into(rows));
  while (!s.continue_checkpoint(1)) {
  }
}

void restore(State& s, const Rows& rows) {
  for (const auto& [key, value] : rows) REQUIRE(s.restore_row(key.first, key.second, value));
  REQUIRE(s.finish_restore());
}

}  // namespace

TEST_CASE("a checkpoint holds the rows as they were when it began, whatever changes meanwhile") {
  State s(7);
  std::vector<ProfileId> ids;
  for (std::uint64_t i = 1; i <= 20; ++i) ids.push_back(person(s, i, "u" + std::to_string(i)).id);
  Rows rows;
  for (int round = 0; round < 6; ++round) {
    s.seq += 10;
    const Hash128 then = s.hash();
    s.begin_checkpoint(round == 0, into(rows));
    std::uint64_t step = 0;
    do {  // some change, one goes, one comes, in the middle
      ++step;
      Profile* p = s.find(ids[static_cast<std::size_t>(step * 3) % ids.size()]);
      s.touch(*p);
      p->last_seen += 1;
      s.set_cursor("orders/rows", std::to_string(round) + '/' + std::to_string(step));
      CHECK(s.first_sight(1, "m" + std::to_string(round) + '/' + std::to_string(step), t0 + round * us_per_h,
                          7, 1 << 20));
      if (step == 2) {
        Profile& winner = *s.find(ids[0]);
        Profile& loser = *s.find(ids[static_cast<std::size_t>(round) + 1]);
        s.absorb(winner, loser);
        ids.push_back(person(s, s.seq + step, "new" + std::to_string(round)).id);
      }
    } while (!s.continue_checkpoint(3));
    State again(7);
    restore(again, rows);
    CHECK(again.hash() == then);
  }
  State last(7);
  s.begin_checkpoint(false, into(rows));
  while (!s.continue_checkpoint(1)) {
  }
  restore(last, rows);
  CHECK(last.hash() == s.hash());
  CHECK(last.profiles() == s.profiles());
  CHECK(last.find(ids[2])->id == ids[0]);  // it became another
  CHECK_FALSE(last.first_sight(1, "m0/1", t0, 7, 1 << 20));
}

TEST_CASE("a checkpoint tells who has changed since the one before, also where it holds all rows") {
  State s(7);
  std::vector<ProfileId> ids;
  for (std::uint64_t i = 1; i <= 10; ++i) ids.push_back(person(s, i, "u" + std::to_string(i)).id);
  Rows rows;
  std::set<ProfileId> told;
  const auto checkpoint = [&](bool all, const std::function<void()>& meanwhile) {
    told.clear();
    s.begin_checkpoint(all, into(rows), [&](ProfileId person) { CHECK(told.insert(person).second); });
    meanwhile();
    while (!s.continue_checkpoint(1)) {
    }
    return told;
  };
  const auto touch = [&](std::size_t who) { s.touch(*s.find(ids[who])); };
  CHECK(checkpoint(true, [] {}) == std::set(ids.begin(), ids.end()));
  touch(3);
  touch(4);
  CHECK(checkpoint(true, [&] { touch(4), touch(5); }) == std::set{ids[3], ids[4]});
  s.absorb(*s.find(ids[0]), *s.find(ids[1]));
  CHECK(checkpoint(true, [] {}) == std::set{ids[0], ids[1], ids[4], ids[5]});
  touch(6);
  CHECK(checkpoint(false, [] {}) == std::set{ids[6]});
  State restored(7);
  restore(restored, rows);
  restored.begin_checkpoint(true, into(rows), [&](ProfileId) { FAIL("nobody has changed since"); });
  while (!restored.continue_checkpoint(1)) {
  }
}

TEST_CASE("message ids are forgotten by hour and by memory, the oldest first") {
  State s(7);
  CHECK(s.first_sight(1, "a", t0, 1, 1 << 20));
  CHECK_FALSE(s.first_sight(1, "a", t0 + us_per_d, 1, 1 << 20));
  CHECK(s.first_sight(2, "a", t0 + us_per_d, 1, 1 << 20));
  CHECK(s.first_sight(1, "b", t0 + 3 * us_per_d, 1, 1 << 20));  // a day and more later: the first hour goes
  CHECK(s.first_sight(1, "a", t0 + 3 * us_per_d, 1, 1 << 20));
  CHECK(s.dedup_reach(t0) > t0 + us_per_d);
  State small(7);
  for (int i = 0; i < 20'000; ++i) CHECK(small.first_sight(1, std::to_string(i), t0, 7, 30 * 10'000));
  CHECK_FALSE(small.first_sight(1, "19999", t0, 7, 30 * 10'000));
  CHECK(small.first_sight(1, "0", t0, 7, 30 * 10'000));
}

TEST_CASE("timers come in order of moment and person, the latest word about a person counts") {
  State s(7);
  std::vector<Profile*> people;
  for (std::uint64_t i = 1; i <= 5; ++i) people.push_back(&s.create(i, 0, t0));
  s.set_due(*people[0], t0 + 50);
  s.set_due(*people[1], t0 + 10);
  s.set_due(*people[2], t0 + 50);
  s.set_due(*people[3], t0 + 5);
  s.set_due(*people[3], t0 + 70);  // later than it was
  s.set_due(*people[4], t0 + 90);
  s.set_due(*people[4], never);
  for (int i = 0; i < 100; ++i) {  // up and down again: still one moment
    s.set_due(*people[1], t0 + 20);
    s.set_due(*people[1], t0 + 10);
  }
  CHECK(s.next_due() == t0 + 10);
  DueTimer due{};
  std::vector<std::pair<TimeUs, ProfileId>> popped;
  while (s.pop_due(t0 + 70, due)) popped.emplace_back(due.due - t0, due.person);
  const auto low = std::min(people[0]->id, people[2]->id), high = std::max(people[0]->id, people[2]->id);
  CHECK(popped == std::vector<std::pair<TimeUs, ProfileId>>{
                      {10, people[1]->id}, {50, low}, {50, high}, {70, people[3]->id}});
  CHECK(s.next_due() == never);
}

TEST_CASE("the hash depends on the rows and on nothing else") {
  State a(7), b(7);
  person(a, 1, "x").last_seen = t0 + 1;
  person(a, 2, "y");
  person(b, 2, "y");
  Profile& late = person(b, 1, "x");
  (void)b.hash();
  b.touch(late);
  late.last_seen = t0 + 1;
  CHECK(a.hash() == b.hash());
  b.touch(late);
  late.locale = "fr";
  CHECK(a.hash() != b.hash());
}

TEST_CASE("timers, audiences' sizes and refusals come back with the rows") {
  State s(7);
  Rows rows;
  std::vector<ProfileId> ids;
  for (std::uint64_t i = 1; i <= 10; ++i) {
    Profile& p = person(s, i, "u" + std::to_string(i));
    p.memberships.push_back({s.intern("buyers"), t0, i});
    s.count_member(name_id("buyers"), 1);
    if (i == 3) p.consents.push_back({s.intern("mail"), false, t0, s.intern("shop")});
    s.set_due(p, t0 + static_cast<TimeUs>(i));
    ids.push_back(p.id);
  }
  s.begin_checkpoint(true, into(rows));
  DueTimer due{};
  REQUIRE(s.pop_due(t0 + 1, due));  // what the checkpoint has still to write is as it was
  while (!s.continue_checkpoint(1)) {
  }
  State again(7);
  restore(again, rows);
  CHECK(again.timers_known());
  CHECK(again.members(name_id("buyers")) == 10);
  for (const ProfileId id : ids) {
    REQUIRE(again.pop_due(never, due));
    CHECK(due.person == id);
  }
  CHECK_FALSE(again.pop_due(never, due));
  std::vector<ProfileId> refused;
  again.each_refusal([&](const Profile& p) { refused.push_back(p.id); });
  CHECK(refused == std::vector<ProfileId>{ids[2]});
  std::vector<ProfileId> lowest = again.members_after(name_id("buyers"), nobody, 4);
  std::sort(ids.begin(), ids.end());
  CHECK(lowest == std::vector<ProfileId>(ids.begin(), ids.begin() + 4));
  CHECK(again.members_after(name_id("buyers"), ids[7], 4) == std::vector<ProfileId>{ids[8], ids[9]});
}

TEST_CASE("a row of a checkpoint that says something else gives another hash") {
  State s(7);
  Rows rows;
  const ProfileId id = person(s, 1, "x").id;
  write_all(s, rows);
  State right(7), wrong(7);
  restore(right, rows);
  CHECK(right.hash() == s.hash());
  std::string& value = rows.at({Table::profile, key_of(id)});
  value.at(value.find("x")) = 'y';
  restore(wrong, rows);
  CHECK(wrong.hash() != s.hash());
}

TEST_CASE("a row of a checkpoint from when rows had their hash is read") {
  State s(7);
  Rows rows;
  const ProfileId id = person(s, 1, "x").id;
  write_all(s, rows);
  std::string& value = rows.at({Table::profile, key_of(id)});
  value = '\2' + std::string(16, 'h') + value.substr(1);
  State again(7);
  restore(again, rows);
  CHECK(again.hash() == s.hash());
}

TEST_CASE("a hash that follows the changes is the one of who looks at everybody") {
  State s(7);
  std::vector<ProfileId> ids;
  for (std::uint64_t i = 1; i <= 20; ++i) ids.push_back(person(s, i, "u" + std::to_string(i)).id);
  for (std::uint64_t round = 0; round < 8; ++round) {
    (void)s.hash();
    Profile& changed = *s.find(ids[round]);
    s.touch(changed);
    changed.locale = std::to_string(round);
    s.absorb(*s.find(ids[round + 1]), *s.find(ids[round + 10]));
    ids[round + 10] = person(s, 100 + round, "new" + std::to_string(round)).id;
    Rows rows;
    write_all(s, rows);
    State again(7);
    restore(again, rows);
    CHECK(again.hash() == s.hash());
  }
}

TEST_CASE("rows of version 0.1 are read, and those that change are written as today's are") {
  State s(7);
  Rows rows;
  Profile& p = person(s, 1, "x");
  const ProfileId id = p.id;
  std::string plain;
  p.encode(plain);
  write_all(s, rows);
  std::erase_if(rows, [](const auto& row) { return row.first.first == Table::number; });
  rows.at({Table::profile, key_of(id)}) = plain;
  State again(7);
  restore(again, rows);
  CHECK_FALSE(again.timers_known());
  CHECK(again.hash() == s.hash());
  again.touch(*again.find(id));
  again.find(id)->locale = "fr";
  again.begin_checkpoint(false, into(rows));
  while (!again.continue_checkpoint(1)) {
  }
  CHECK(rows.at({Table::profile, key_of(id)}).front() == 3);
  State third(7);
  restore(third, rows);
  CHECK(third.hash() == again.hash());
  CHECK(third.find_by(name_id("user_id"), "x")->locale == "fr");
}

TEST_CASE("a glance at many inputs to come, of people known, merged and unknown, changes nothing") {
  State s(7);
  for (std::uint64_t seq = 1; seq <= 40; ++seq) person(s, seq, "user-" + std::to_string(seq));
  s.absorb(*s.find_by(name_id("user_id"), "user-1"), *s.find_by(name_id("user_id"), "user-2"));
  (void)s.first_sight(name_id("shop"), "m-1", t0, 7, 1'000'000);
  const Hash128 before = s.hash();
  std::vector<std::string> users;
  for (int i = 0; i < 50; ++i) users.push_back("user-" + std::to_string(i));
  std::vector<State::Glance> glances;
  for (const std::string& user : users) glances.push_back({name_id("user_id"), name_id("shop"), user, "m-2"});
  glances.push_back({});
  s.bring_near(glances);
  s.bring_near({});
  CHECK(s.hash() == before);
  CHECK(s.first_sight(name_id("shop"), "m-2", t0, 7, 1'000'000));
}

}  // namespace sluice::state
