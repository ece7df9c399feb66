#include "deliver/gate.hpp"

#include <thread>

#include <catch2/catch.hpp>

namespace sluice::deliver {
namespace {

TEST_CASE("the gate stores denials alone, by purpose", "[gate]") {
  Gate gate;
  CHECK(gate.allows(1, "newsletter"));
  gate.deny(1, "newsletter");
  CHECK_FALSE(gate.allows(1, "newsletter"));
  CHECK(gate.allows(1, "ads"));
  CHECK(gate.allows(2, "newsletter"));
  gate.allow(1, "newsletter");
  CHECK(gate.allows(1, "newsletter"));
  gate.deny(1, "");
  CHECK_FALSE(gate.allows(1, "ads"));
}

TEST_CASE("who is forgotten gets nothing any more but his erasure", "[gate]") {
  Gate gate;
  gate.forget(1);
  gate.allow(1, "newsletter");
  Effect effect;
  effect.person = 1;
  effect.purpose = "newsletter";
  effect.op = Operation::message;
  CHECK_FALSE(gate.allows(effect));
  effect.op = Operation::erase;
  CHECK(gate.allows(effect));
}

TEST_CASE("a merge makes the denials of either hold for both", "[gate]") {
  Gate gate;
  gate.deny(1, "ads");
  gate.deny(2, "newsletter");
  gate.merge(1, 2);
  for (const ProfileId person : {ProfileId{1}, ProfileId{2}}) {
    CHECK_FALSE(gate.allows(person, "ads"));
    CHECK_FALSE(gate.allows(person, "newsletter"));
  }
  gate.merge(2, 3);
  CHECK(gate.winner_of(1) == 3);
  CHECK_FALSE(gate.allows(3, "ads"));
  gate.merge(1, 3);
  CHECK(gate.merge_count() == 2);
  gate.deny(1, "sms");
  CHECK_FALSE(gate.allows(3, "sms"));
}

TEST_CASE("no look-up finds an open gate while a merge is under way", "[gate]") {
  Gate gate;
  constexpr ProfileId people = 2'000;
  for (ProfileId person = 1; person <= people; ++person) gate.deny(person, "ads");
  std::thread step([&] {
    for (ProfileId person = 1; person < people; ++person) gate.merge(person, person + 1);
  });
  bool open = false;
  for (ProfileId person = 1; person <= people; ++person) open |= gate.allows(person, "ads");
  step.join();
  CHECK_FALSE(open);
  CHECK(gate.winner_of(1) == people);
}

}  // namespace
}  // namespace sluice::deliver
