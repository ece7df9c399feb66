#include "state/entries.hpp"

#include <algorithm>
#include <random>
#include <vector>

#include <catch2/catch.hpp>

#include "state/spelling.hpp"

namespace sluice::state {
namespace {

constexpr TimeUs t0 = 1'700'000'000 * us_per_s;

Decimal sum_of(const std::vector<SeriesEntry>& all, std::size_t first, std::size_t last) {
  Decimal sum;
  for (std::size_t i = first; i < last; ++i) {
    if (all[i].value.kind() == StoredValue::Kind::number)
      sum += *Decimal::from_double(all[i].value.as_number());
  }
  return sum;
}

StoredValue random_value(std::mt19937& random) {
  switch (random() % 6) {
    case 0:
      return {};
    case 1:
      return StoredValue::string("sku-" + std::to_string(random() % 100));
    case 2:
      return StoredValue::number(static_cast<double>(random() % 10'000'000) - 5'000'000);
    case 3:
      return StoredValue::number(static_cast<double>(random()) / 7);
    case 4:
      return StoredValue::number(1e15 + static_cast<double>(random() % 9));
    default:
      return StoredValue::number(static_cast<double>(random() % 100'000) / 100);
  }
}

void check_same(const Entries& entries, const std::vector<SeriesEntry>& all, std::mt19937& random) {
  REQUIRE(entries.size() == all.size());
  if (all.empty()) return;
  REQUIRE(entries.first_time() == all.front().time);
  REQUIRE(entries.last_time() == all.back().time);
  for (int i = 0; i < 4; ++i) {
    const TimeUs from = all[random() % all.size()].time - static_cast<TimeUs>(random() % 2);
    const TimeUs to = all[random() % all.size()].time;
    const auto later = [](TimeUs moment, const SeriesEntry& e) { return moment < e.time; };
    const auto first =
        static_cast<std::size_t>(std::upper_bound(all.begin(), all.end(), from, later) - all.begin());
    const auto last =
        static_cast<std::size_t>(std::upper_bound(all.begin(), all.end(), to, later) - all.begin());
    const Place place = entries.later_than(from);
    REQUIRE(place.index == first);
    REQUIRE(entries.at(first).offset == place.offset);
    if (first < all.size()) REQUIRE(entries.time_at(place) == all[first].time);
    if (last < first) continue;
    const Stretch some{place, entries.later_than(to)};
    REQUIRE(some.size() == last - first);
    REQUIRE(some.sum() == sum_of(all, first, last));
    std::size_t at = first, numbers = 0;
    entries.each(some, [&](const SeriesEntry& entry) {
      REQUIRE(entry.time == all[at].time);
      REQUIRE(entry.seq == all[at].seq);
      REQUIRE(entry.value == all[at].value);
      if (entry.value.kind() == StoredValue::Kind::number) ++numbers;
      ++at;
      return true;
    });
    REQUIRE(at == last);
    REQUIRE(some.numbers() == numbers);
  }
}

}  // namespace

TEST_CASE(
    "entries as bytes are what a list of them would be, however late one comes and how many there are") {
  std::mt19937 random(23);
  Numbers numbers;
  for (const std::size_t most : {5U, 12U, 40U, 70U, 300U}) {
    Entries entries;
    std::vector<SeriesEntry> all;
    TimeUs now = t0;
    for (std::uint64_t seq = 1; seq <= 2'000; ++seq) {
      now += static_cast<TimeUs>(random() % 3) * (random() % 2 == 0 ? us_per_s : 1);
      const bool late = random() % 5 == 0;
      const SeriesEntry entry{late ? now - static_cast<TimeUs>(random() % 200) * us_per_s : now, seq,
                              random_value(random)};
      entries.insert(entry);
      const auto before = [](const SeriesEntry& a, const SeriesEntry& b) {
        return a.time != b.time ? a.time < b.time : a.seq < b.seq;
      };
      all.insert(std::upper_bound(all.begin(), all.end(), entry, before), entry);
      if (all.size() > most) {
        const std::size_t gone = 1 + random() % all.size();
        entries.drop_first(gone);
        all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(gone));
      }
      if (random() % 10 == 0) {  // through a row and back
        std::string bytes;
        PackedWriter w(bytes, numbers);
        w.time(t0 - static_cast<TimeUs>(seq));  // what stands before them
        w.seq(seq);
        entries.write(w);
        w.finish();
        PackedReader r(bytes, numbers);
        r.time();
        r.seq();
        const bool has_end = entries.has_end();
        entries.read(r, has_end);
        REQUIRE(r.ok());
        REQUIRE(r.at_end());
      }
      check_same(entries, all, random);
    }
  }
}

TEST_CASE("entries that are damaged are not read") {
  Entries entries;
  for (std::uint64_t i = 0; i < 5; ++i)
    entries.insert({t0 + static_cast<TimeUs>(i), i, StoredValue::string("value " + std::to_string(i))});
  Numbers numbers;
  std::string bytes;
  PackedWriter w(bytes, numbers);
  entries.write(w);
  w.finish();
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    PackedReader r(std::string_view(bytes).substr(0, n), numbers);
    Entries read;
    read.read(r, false);
    CHECK_FALSE(r.ok());
  }
}

}  // namespace sluice::state
