#include "state/history.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "state/profile.hpp"
#include "state/spelling.hpp"

namespace sluice::state {
namespace {

constexpr TimeUs t0 = 1'700'000'000 * us_per_s;

bool same(const std::vector<AudienceChange>& a, const std::vector<AudienceChange>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.audience == y.audience && x.entered == y.entered && x.time == y.time && x.cause == y.cause &&
           x.by_time == y.by_time;
  });
}

AudienceChange random_change(std::mt19937& random, TimeUs time, std::uint64_t cause) {
  return {name_id("audience " + std::to_string(random() % 20)), random() % 2 == 0, time, cause,
          random() % 2 == 0};
}

}  // namespace

TEST_CASE("a history keeps the newest changes, however often the person is packed between them") {
  std::mt19937 random(29);
  Numbers numbers;
  for (const unsigned between : {1U, 3U, 20U, 150U, 400U}) {  // changes until it is packed
    History history;
    std::vector<AudienceChange> all;
    std::string row;
    for (std::uint64_t i = 1; i <= 1'000; ++i) {
      const AudienceChange change = random_change(random, t0 + static_cast<TimeUs>(i) * us_per_s, i);
      history.push(change);
      all.push_back(change);
      if (all.size() > history_max) all.erase(all.begin());
      if (random() % between == 0) {
        std::string packed;
        PackedWriter w(packed, numbers);
        history.write(w);
        w.finish();
        row = packed;  // what it was read from before goes
        PackedReader r(row, numbers);
        history.read(r);
        REQUIRE(r.ok());
        REQUIRE(r.at_end());
      }
      REQUIRE(same(history.all(), all));
    }
    const History copy = history;
    row.assign(row.size(), '\0');  // a copy borrows from no row
    CHECK(same(copy.all(), all));
  }
}

TEST_CASE("the histories of two people who became one are in the order of time") {
  std::mt19937 random(31);
  History one, other;
  std::vector<AudienceChange> all;
  for (std::uint64_t i = 1; i <= 100; ++i) {
    const AudienceChange change = random_change(random, t0 + static_cast<TimeUs>(i), i);
    (random() % 2 == 0 ? one : other).push(change);
    all.push_back(change);
  }
  one.merge(other);
  all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(history_max));
  CHECK(same(one.all(), all));
}

}  // namespace sluice::state
