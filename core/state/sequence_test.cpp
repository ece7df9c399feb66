#include "state/sequence.hpp"

#include <algorithm>
#include <random>

#include <catch2/catch.hpp>

#include "state/spelling.hpp"

namespace sluice::state {
namespace {

constexpr TimeUs t0 = 1'700'000'000 * us_per_s;
constexpr std::uint8_t a = 1, b = 2;
const SequenceNeeds a_then_b{{0, 0}, us_per_d};

std::size_t count(const Sequence& s, TimeUs now, DurationUs within = us_per_d) {
  const auto [first, last] = s.window(now, within);
  return last - first;
}

std::string bytes_of(const Sequence& s) {
  std::string bytes;
  PlainWriter w(bytes);
  s.write(w);
  return bytes;
}

// Out of its packed row, over one that was somebody's.
Sequence copy_of(const Sequence& s) {
  std::string bytes;
  Numbers numbers;
  PackedWriter w(bytes, numbers);
  s.write(w);
  w.finish();
  PackedReader r(bytes, numbers);
  Sequence copy;
  copy.add({t0, 1, a | b}, {{0, 0, 0}, us_per_d}, t0);
  copy.read(r);
  REQUIRE(r.ok());
  REQUIRE(r.at_end());
  return copy;
}

// By the definition alone: an event of the last step counts if steps before it, each later than the one
// before and at most a gap after it, all lie in (now - within, now].
std::size_t counted(const std::vector<SequenceEntry>& all, const SequenceNeeds& needs, TimeUs now,
                    DurationUs within) {
  const auto earlier = [](const SequenceEntry& x, const SequenceEntry& y) {
    return x.time != y.time ? x.time < y.time : x.seq < y.seq;
  };
  std::vector<SequenceEntry> reached;
  for (std::size_t step = 0; step < needs.gaps.size(); ++step) {
    std::vector<SequenceEntry> next;
    for (const SequenceEntry& e : all) {
      if ((e.steps >> step & 1) == 0 || e.time <= now - within || e.time > now) continue;
      const bool follows =
          step == 0 || std::any_of(reached.begin(), reached.end(), [&](const auto& before) {
            return earlier(before, e) && (needs.gaps[step] == 0 || e.time - before.time <= needs.gaps[step]);
          });
      if (follows) next.push_back(e);
    }
    reached = std::move(next);
  }
  return reached.size();
}

}  // namespace

TEST_CASE("a sequence is complete with its last step, and over when its first leaves the window") {
  Sequence s;
  s.add({t0, 1, b}, a_then_b, t0);
  s.add({t0 + 1, 2, a}, a_then_b, t0 + 1);
  CHECK(count(s, t0 + 1) == 0);
  s.add({t0 + us_per_h, 3, b}, a_then_b, t0 + us_per_h);
  CHECK(count(s, t0 + us_per_h) == 1);
  s.add({t0 + 2 * us_per_h, 4, b}, a_then_b, t0 + 2 * us_per_h);
  CHECK(count(s, t0 + 2 * us_per_h) == 2);
  CHECK(count(s, t0 + us_per_d) == 2);
  CHECK(count(s, t0 + us_per_d + 1) == 0);  // (now - 1d, now]: the first step is just out
  CHECK(s.next_change(t0 + 2 * us_per_h, us_per_d) == t0 + us_per_d + 1);
  CHECK(s.next_existence_change(t0 + 2 * us_per_h, us_per_d) == t0 + us_per_d + 1);
  CHECK(s.next_change(t0 + us_per_d + 1, us_per_d) == never);
}

TEST_CASE("of several first steps the last one before the end keeps the sequence longest") {
  Sequence s;
  for (int i = 0; i < 3; ++i)
    s.add({t0 + i * us_per_h, static_cast<std::uint64_t>(i), a}, a_then_b, t0 + i * us_per_h);
  s.add({t0 + 3 * us_per_h, 3, b}, a_then_b, t0 + 3 * us_per_h);
  CHECK(s.next_change(t0 + 3 * us_per_h, us_per_d) == t0 + 2 * us_per_h + us_per_d);
  const auto steps = s.steps_of(s.completions().back());
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].seq == 2);
  CHECK(steps[1].seq == 3);
}

TEST_CASE("a first step that comes late completes what had happened after it") {
  Sequence s;
  s.add({t0, 1, b}, a_then_b, t0);
  CHECK(count(s, t0) == 0);
  s.add({t0 - us_per_h, 2, a}, a_then_b, t0);
  CHECK(count(s, t0) == 1);
  s.add({t0 - us_per_h / 2, 3, b}, a_then_b, t0);
  CHECK(count(s, t0) == 2);
  s.add({t0 - 2 * us_per_d, 4, a}, a_then_b, t0);  // too late for any window
  CHECK(s.entries().size() == 3);
}

TEST_CASE("an event does not follow itself, and of two at one moment the one that came first is first") {
  Sequence s;
  s.add({t0, 1, a | b}, a_then_b, t0);
  CHECK(count(s, t0) == 0);
  s.add({t0, 2, a | b}, a_then_b, t0);
  CHECK(count(s, t0) == 1);
}

TEST_CASE("a step that comes too long after the one before is none") {
  const SequenceNeeds within_an_hour{{0, us_per_h}, us_per_d};
  Sequence s;
  s.add({t0, 1, a}, within_an_hour, t0);
  s.add({t0 + us_per_h + 1, 2, b}, within_an_hour, t0 + us_per_h + 1);
  CHECK(count(s, t0 + us_per_h + 1) == 0);
  s.add({t0 + us_per_h, 3, b}, within_an_hour, t0 + us_per_h + 1);
  CHECK(count(s, t0 + us_per_h + 1) == 1);
}

TEST_CASE("any order of arrival, merges, restored copies and trimming count what the definition counts") {
  std::mt19937 random(3);
  for (int round = 0; round < 40; ++round) {
    SequenceNeeds needs{{0, round % 3 == 0 ? 5 * us_per_s : 0}, 40 * us_per_s};
    if (round % 2 == 0) needs.gaps.push_back(round % 4 == 0 ? 8 * us_per_s : 0);
    Sequence one, other;
    std::vector<SequenceEntry> all;
    TimeUs now = t0;
    for (std::uint64_t seq = 1; seq <= 120; ++seq) {
      now += static_cast<TimeUs>(random() % 3) * us_per_s;
      const TimeUs time = now - (random() % 3 == 0 ? static_cast<TimeUs>(random() % 60) * us_per_s : 0);
      const SequenceEntry entry{time, seq, static_cast<std::uint8_t>(1 + random() % 7)};
      all.push_back(entry);
      (seq <= 60 && random() % 2 == 0 ? other : one).add(entry, needs, now);
      if (seq == 60) one.merge(other, needs, now);
      if (seq % 17 == 0) one = copy_of(one);
      if (seq < 60) continue;
      for (const DurationUs within : {40 * us_per_s, 7 * us_per_s}) {
        INFO("round " << round << ", input " << seq);
        REQUIRE(count(one, now, within) == counted(all, needs, now, within));
        const TimeUs next = one.next_change(now, within);
        for (TimeUs t = now; t < std::min(next, now + 41 * us_per_s); t += us_per_s)
          REQUIRE(counted(all, needs, t, within) == counted(all, needs, now, within));
        const TimeUs flips = one.next_existence_change(now, within);
        if (flips != never) REQUIRE((count(one, flips, within) > 0) != (count(one, now, within) > 0));
        const auto [first, last] = one.window(now, within);
        for (std::size_t i = first; i < last; ++i) {
          const auto steps = one.steps_of(one.completions()[i]);
          REQUIRE(steps.size() == needs.gaps.size());
          REQUIRE(steps.front().time == one.completions()[i].start);
          REQUIRE(steps.back().seq == one.completions()[i].seq);
        }
      }
    }
    REQUIRE(bytes_of(copy_of(one)) == bytes_of(one));
  }
}

TEST_CASE("of a person with more steps than are kept the oldest tenth goes, and the sequence says so") {
  Sequence s;
  bool fits = true;
  for (std::uint64_t i = 0; fits && i < sequence_entries_max; ++i)
    fits = s.add({t0 + static_cast<TimeUs>(i), i, a}, a_then_b, t0 + static_cast<TimeUs>(i));
  CHECK(fits);
  CHECK_FALSE(s.overflowed());
  CHECK_FALSE(s.add({t0 + us_per_s, sequence_entries_max, b}, a_then_b, t0 + us_per_s));
  CHECK(s.overflowed());
  CHECK(s.entries().size() == sequence_entries_max - sequence_entries_max / 10);
  CHECK(count(s, t0 + us_per_s) == 1);
  CHECK(copy_of(s).overflowed());
}

TEST_CASE("a damaged sequence is refused") {
  Sequence s;
  s.add({t0, 1, a}, a_then_b, t0);
  const std::string bytes = bytes_of(s);
  PlainReader cut(std::string_view(bytes).substr(0, bytes.size() - 1));
  Sequence out;
  out.read(cut);
  CHECK_FALSE(cut.ok());
}

}  // namespace sluice::state
