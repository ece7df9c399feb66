#include <catch2/catch.hpp>

#include "unify/identity.hpp"

namespace sluice::unify {
namespace {

std::shared_ptr<const view::Compiled> with_phones() {
  auto config = std::make_shared<config::Config>();
  config::IdentityRule mobile, any;
  mobile.id = "phone";
  mobile.normalize = any.normalize = config::Normalize::phone;
  mobile.only = PhoneKind::mobile;
  any.id = "landline";
  config->identity = {mobile, any};
  return view::compile(std::move(config), {});
}

std::vector<std::string> values(const Identity& identity, std::vector<ExternalId> ids) {
  Event event;
  event.ids = std::move(ids);
  std::vector<std::string> out;
  for (const Claim& claim : identity.claims(event, "FR")) out.push_back(claim.value);
  return out;
}

TEST_CASE("a phone number reads the same the first and the hundredth time", "[unify]") {
  const auto compiled = with_phones();
  const Identity identity(*compiled);
  for (int i = 0; i < 100; ++i) {
    CHECK(values(identity, {{"phone", "06 12 34 56 78"}}) == std::vector<std::string>{"+33612345678"});
    CHECK(values(identity, {{"phone", "+33 (0)6 12 34 56 78"}}) == std::vector<std::string>{"+33612345678"});
    CHECK(values(identity, {{"phone", "no number"}}).empty());
  }
}

TEST_CASE("what one rule has read of a phone number is not what another rule reads", "[unify]") {
  const auto compiled = with_phones();
  const Identity identity(*compiled);
  for (int i = 0; i < 2; ++i) {
    CHECK(values(identity, {{"phone", "01 42 68 53 00"}}).empty());
    CHECK(values(identity, {{"landline", "01 42 68 53 00"}}) == std::vector<std::string>{"+33142685300"});
  }
}

// Some of them share a place among those remembered.
TEST_CASE("many phone numbers do not take each other's place", "[unify]") {
  const auto compiled = with_phones();
  const Identity identity(*compiled);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 3'000; ++i) {
      const std::string number = "+336" + std::to_string(12'000'000 + i * 2'503);
      CHECK(values(identity, {{"phone", number}}) == std::vector<std::string>{number});
    }
  }
}

// Asked of a rule that would not take it: only what was said since the rules hold is taken as read.
TEST_CASE("a number that somebody has is read again when the rules are new", "[unify]") {
  const auto compiled = with_phones();
  state::State state(1);
  state.now = 1'000;
  state::Profile& person = state.create(1, 0, 1'000);
  const auto has = [&](TimeUs seen) {
    person.identifiers = {{compiled->identity_ids[0], "+33142685300", 0, seen, true, 0, 0, false}};
    state.index(person, person.identifiers.front());
  };
  const Identity identity(*compiled, &state);
  has(1'000);
  CHECK(values(identity, {{"phone", "+33142685300"}}).empty());
  has(1'001);
  CHECK(values(identity, {{"phone", "+33142685300"}}) == std::vector<std::string>{"+33142685300"});
}

}  // namespace
}  // namespace sluice::unify
