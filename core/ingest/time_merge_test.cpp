#include "ingest/time_merge.hpp"

#include <catch2/catch.hpp>

using namespace sluice;
using namespace sluice::ingest;

namespace {

constexpr TimeUs day = us_per_d;

void push(TimeMerge& merge, std::size_t feed, const std::vector<TimeUs>& times) {
  for (const TimeUs time : times) {
    merge.push(feed, {.draft = {.kind = InputKind::record, .event_time = time, .payload = {}},
                      .place = {},
                      .has_cursor = false});
  }
}

std::vector<TimeUs> released(TimeMerge& merge, std::vector<TimeUs>* rejected = nullptr) {
  std::vector<TimeUs> out;
  while (const std::optional<TimeMerge::Released> next = merge.next()) {
    if (next->far_ahead && rejected != nullptr) rejected->push_back(next->item.draft.event_time);
    if (!next->far_ahead) out.push_back(next->item.draft.event_time);
  }
  return out;
}

using Times = std::vector<TimeUs>;

}  // namespace

TEST_CASE("several feeds come out in one order by time") {
  TimeMerge merge(day);
  for (int i = 0; i < 3; ++i) merge.set_waiting(merge.add_feed(), true);
  push(merge, 0, {1, 4, 9});
  push(merge, 1, {2, 3, 10});
  push(merge, 2, {5});
  CHECK(released(merge) == Times{1, 2, 3, 4, 5, 9, 10});
  CHECK(merge.empty());
}

TEST_CASE("a feed keeps its own order, even where its times go back") {
  TimeMerge merge(day);
  merge.set_waiting(merge.add_feed(), true);
  merge.set_waiting(merge.add_feed(), true);
  push(merge, 0, {5, 1, 6});
  push(merge, 1, {2, 7});
  CHECK(released(merge) == Times{2, 5, 1, 6, 7});
}

TEST_CASE("a feed that has not read yet holds the others back, one that waits does not") {
  TimeMerge merge(day);
  const std::size_t a = merge.add_feed(), b = merge.add_feed();
  merge.set_waiting(a, true);
  push(merge, a, {1, 2});
  CHECK(released(merge).empty());
  push(merge, b, Times(1 + TimeMerge::neighbours, 1));            // the first one can be judged
  CHECK(released(merge) == Times(2 + TimeMerge::neighbours, 1));  // until b has nothing known again
  merge.set_waiting(b, true);
  CHECK(released(merge) == Times{2});
}

TEST_CASE("one row far ahead of its neighbours is rejected, a pause in the data is not") {
  TimeMerge merge(day);
  merge.set_waiting(merge.add_feed(), true);
  Times rejected;
  push(merge, 0, {1, 2, 30'000 * day, 3, 4, 5});
  CHECK(released(merge, &rejected) == Times{1, 2, 3, 4, 5});
  CHECK(rejected == Times{30'000 * day});
  push(merge, 0, {12 * day, 12 * day + 1, 12 * day + 2});
  rejected.clear();
  CHECK(released(merge, &rejected) == Times{12 * day, 12 * day + 1, 12 * day + 2});
  CHECK(rejected.empty());
}

TEST_CASE("a few bad rows in a row, or at the very start, are rejected too") {
  TimeMerge merge(day);
  merge.set_waiting(merge.add_feed(), true);
  Times rejected;
  push(merge, 0, {900 * day, 1, 2, 800 * day, 801 * day, 3, 4, 5, 6, 7, 8});
  CHECK(released(merge, &rejected) == Times{1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(rejected == Times{900 * day, 800 * day, 801 * day});
}

TEST_CASE("a last row far beyond any step before it is rejected, a steady weekly feed is not") {
  TimeMerge merge(day);
  merge.set_waiting(merge.add_feed(), true);
  Times rejected;
  Times weekly;
  for (TimeUs i = 0; i < 12; ++i) weekly.push_back(i * 7 * day);
  for (const TimeUs time : weekly) {
    push(merge, 0, {time});
    CHECK(released(merge, &rejected) == Times{time});
  }
  push(merge, 0, {30'000 * day});
  CHECK(released(merge, &rejected).empty());
  CHECK(rejected == Times{30'000 * day});
}

TEST_CASE("a file in no order of time is read whole") {
  const std::vector<Times> files{{60 * day, 2 * day},                         // a CRM's, by number
                                 {60 * day, 300 * day, 5 * day},              //
                                 {1 * day, 10 * day, 3 * day},                // a late row
                                 {day, day, 4 * day, 4 * day + 5, day, day},  // person by person
                                 {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 90 * day}};   // a last one that moves time
  for (const Times& file : files) {
    TimeMerge merge(day);
    merge.set_waiting(merge.add_feed(), true);
    push(merge, 0, file);
    CHECK(released(merge) == file);
  }
  Times random;
  for (std::uint64_t i = 0, x = 1; i < 500;
       ++i, x = x * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U)
    random.push_back(static_cast<TimeUs>(x >> 33) % (365 * day));
  TimeMerge merge(day);
  merge.set_waiting(merge.add_feed(), true);
  push(merge, 0, random);
  CHECK(released(merge).size() == 500);
}

TEST_CASE("among many neighbours a day is far") {
  TimeMerge merge(day);
  merge.set_waiting(merge.add_feed(), true);
  Times rejected, file;
  for (TimeUs i = 0; i < 40; ++i) file.push_back(i == 20 ? i + 2 * day : i);
  push(merge, 0, file);
  CHECK(released(merge, &rejected).size() == 39);
  CHECK(rejected == Times{20 + 2 * day});
}

TEST_CASE("a doubtful row waits until its neighbours are known") {
  TimeMerge merge(day);
  const std::size_t feed = merge.add_feed();
  push(merge, feed, {1});
  CHECK(released(merge).empty());  // the first may be the bad one
  push(merge, feed, Times(TimeMerge::neighbours, 2));
  CHECK(released(merge).size() == 1 + TimeMerge::neighbours);
  push(merge, feed, {500 * day});
  CHECK(released(merge).empty());
  push(merge, feed, Times(TimeMerge::neighbours, 501 * day));
  CHECK(released(merge).size() == 1 + TimeMerge::neighbours);
}
