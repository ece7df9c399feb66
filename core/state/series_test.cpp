#include "state/series.hpp"

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "state/spelling.hpp"

namespace sluice::state {
namespace {

constexpr TimeUs t0 = 1'700'000'000 * us_per_s;
constexpr SeriesNeeds everything{.window_max = us_per_d, .values = true, .distinct = true, .totals = true};

StoredValue number(double n) {
  return StoredValue::number(n);
}

double window_sum(const Series& s, TimeUs now, DurationUs within) {
  return s.window(now, within).sum().to_double();
}

std::string bytes_of(const Series& s) {
  std::string bytes;
  PlainWriter w(bytes);
  s.write(w);
  return bytes;
}

std::string packed(const Series& s, Numbers& numbers) {
  std::string bytes;
  PackedWriter w(bytes, numbers);
  s.write(w);
  w.finish();
  return bytes;
}

}  // namespace

TEST_CASE("a window holds what came after its beginning, up to now") {
  Series s;
  s.add(t0, 1, number(1), everything, t0);
  s.add(t0 + us_per_h, 2, number(2), everything, t0 + us_per_h);
  CHECK(window_sum(s, t0 + us_per_h, us_per_h) == 2);  // (now - 1h, now]: the first is just out
  CHECK(window_sum(s, t0 + us_per_h, us_per_h + 1) == 3);
  CHECK(window_sum(s, t0 + us_per_h - 1, us_per_h) == 1);  // the second is still ahead
  CHECK(s.next_change(t0, us_per_h) == t0 + us_per_h);
  CHECK(s.next_change(t0 + us_per_h, us_per_h) == t0 + 2 * us_per_h);
  CHECK(s.next_change(t0 + 2 * us_per_h, us_per_h) == never);
  CHECK(s.next_existence_change(t0, us_per_h + 1) ==
        t0 + 2 * us_per_h + 1);  // the second comes before the first goes
  CHECK(s.next_existence_change(t0, us_per_h / 2) == t0 + us_per_h / 2);
  CHECK(s.next_existence_change(t0 + us_per_h - 1, us_per_h / 2) == t0 + us_per_h);
}

TEST_CASE("an event that is late counts where it belongs, one that is too late only in the totals") {
  Series s;
  s.add(t0, 1, number(10), everything, t0);
  s.add(t0 - us_per_h, 2, number(0.1), everything, t0);
  s.add(t0 - 2 * us_per_d, 3, number(5), everything, t0);
  CHECK(s.entries().size() == 2);
  CHECK(s.entries().first_time() == t0 - us_per_h);
  CHECK(window_sum(s, t0, us_per_d) == 10.1);
  CHECK(window_sum(s, t0, us_per_h) == 10);
  CHECK(s.count() == 3);
  CHECK(s.total().to_double() == 15.1);
  CHECK(s.first().seq == 3);
  CHECK(s.last().seq == 1);
  CHECK(s.smallest() == number(0.1));
  CHECK(s.largest() == number(10));
}

TEST_CASE("random events give what a sum over all of them gives, encoded and merged too") {
  std::mt19937 random(3);
  Numbers numbers;
  for (int round = 0; round < 50; ++round) {
    Series whole, parts[2];
    struct Entry {
      TimeUs time;
      double value;
    };
    std::vector<Entry> all;
    TimeUs now = t0;
    for (std::uint64_t seq = 1; seq <= 200; ++seq) {
      now += static_cast<TimeUs>(random() % 3) * us_per_h;
      const TimeUs time = now - static_cast<TimeUs>(random() % 30) * us_per_h / 2;
      const double value = static_cast<double>(random() % 1'000) / 100;
      whole.add(time, seq, number(value), everything, now);
      parts[random() % 2].add(time, seq, number(value), everything, now);
      all.push_back({time, value});
      if (seq % 50 == 0) {  // through bytes and back
        const std::string bytes = bytes_of(whole);
        Series again;
        PlainReader in(bytes);
        again.read(in);
        REQUIRE(in.ok());
        REQUIRE(in.at_end());
        REQUIRE(bytes_of(again) == bytes);
        const std::string short_bytes = packed(again, numbers);
        REQUIRE(short_bytes.size() < bytes.size());
        PackedReader short_in(short_bytes, numbers);
        whole.read(short_in);
        REQUIRE(short_in.ok());
        REQUIRE(short_in.at_end());
        REQUIRE(bytes_of(whole) == bytes);
      }
    }
    parts[0].merge(parts[1], everything, now);
    for (const DurationUs within : {us_per_h, 5 * us_per_h, us_per_d}) {
      Decimal expected;
      for (const Entry& e : all) {
        if (e.time > now - within && e.time <= now) expected += *Decimal::from_double(e.value);
      }
      CHECK(window_sum(whole, now, within) == expected.to_double());
      CHECK(window_sum(parts[0], now, within) == expected.to_double());
    }
    CHECK(parts[0].total() == whole.total());
    CHECK(parts[0].count() == whole.count());
    CHECK(parts[0].last().seq == whole.last().seq);
    CHECK(parts[0].first().seq == whole.first().seq);
    CHECK(parts[0].distinct().size() == whole.distinct().size());
  }
}

TEST_CASE("a window knows how many of its values are numbers, whatever else is among them and has gone") {
  std::mt19937 random(5);
  Series s;
  TimeUs now = t0;
  for (std::uint64_t seq = 1; seq <= 500; ++seq) {
    now += static_cast<TimeUs>(random() % 2) * us_per_h;
    const TimeUs time = now - static_cast<TimeUs>(random() % 3) * us_per_h;
    s.add(time, seq, random() % 3 == 0 ? StoredValue::string("n/a") : number(1), everything, now);
    const Stretch inside = s.window(now, 12 * us_per_h);
    REQUIRE(static_cast<double>(inside.numbers()) == inside.sum().to_double());
  }
  for (int i = 0; i < 40; ++i) {  // the others go
    now += us_per_h;
    s.add(now, 600, number(1), everything, now);
  }
  const Stretch inside = s.window(now, us_per_d);
  CHECK(inside.numbers() == inside.size());
}

TEST_CASE("a series that nobody asks goes back as the bytes that it came as; one that changes does not") {
  Series s;
  for (std::uint64_t i = 0; i < 5; ++i)
    s.add(t0 + static_cast<TimeUs>(i), i, number(static_cast<double>(i)), everything, t0);
  Numbers numbers;
  const std::string bytes = packed(s, numbers), plain = bytes_of(s);
  Series again;
  for (int round = 0; round < 2; ++round) {  // over what stood there before, too
    PackedReader in(bytes, numbers);
    again.read(in);
    CHECK(packed(again, numbers) == bytes);
    CHECK(bytes_of(again) == plain);
    CHECK(packed(again, numbers) == bytes);
    again.add(t0 + 9, 9, number(9), everything, t0 + 9);
    const std::string changed = packed(again, numbers);
    CHECK(changed != bytes);
    PackedReader back(changed, numbers);
    Series read_back;
    read_back.read(back);
    CHECK(bytes_of(read_back) == bytes_of(again));
    CHECK(read_back.entries().size() == 6);
  }
}

TEST_CASE("several may ask a series at once that nobody has asked before") {
  Series s;
  for (std::uint64_t i = 0; i < 100; ++i)
    s.add(t0 + static_cast<TimeUs>(i), i, number(1), everything, t0 + static_cast<TimeUs>(i));
  Numbers numbers;
  const std::string bytes = packed(s, numbers);
  for (int round = 0; round < 50; ++round) {
    Series again;
    PackedReader in(bytes, numbers);
    again.read(in);
    std::vector<std::thread> readers;
    std::atomic<int> right{0};
    for (int i = 0; i < 3; ++i) {
      readers.emplace_back([&] {
        if (window_sum(again, t0 + 99, us_per_d) == 100 && again.count() == 100) ++right;
      });
    }
    for (std::thread& reader : readers) reader.join();
    REQUIRE(right == 3);
  }
}

TEST_CASE("a series cut short is not read") {
  Series s;
  for (std::uint64_t i = 0; i < 5; ++i)
    s.add(t0 + static_cast<TimeUs>(i), i, StoredValue::string("é" + std::to_string(i)), everything, t0);
  const std::string bytes = bytes_of(s);
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    Series again;
    PlainReader in(std::string_view(bytes).substr(0, n));
    again.read(in);
    CHECK_FALSE(in.ok());
  }
  Numbers numbers;
  const std::string short_bytes = packed(s, numbers);
  for (std::size_t n = 0; n < short_bytes.size(); ++n) {
    Series again;
    PackedReader in(std::string_view(short_bytes).substr(0, n), numbers);
    again.read(in);
    CHECK_FALSE(in.ok());
  }
}

TEST_CASE("values keep their kind, and one number has one form") {
  CHECK(number(-0.0).bytes() == number(0.0).bytes());
  CHECK(StoredValue::null().kind() == StoredValue::Kind::null);
  CHECK(StoredValue().is_none());
  CHECK(number(2) < number(10));
  CHECK(StoredValue::string("10") < StoredValue::string("2"));
  CHECK_FALSE(StoredValue::boolean(true) < StoredValue::boolean(false));
  CHECK(StoredValue::from_bytes(number(1.5).bytes()) == number(1.5));
  CHECK(StoredValue::from_bytes("n123").is_none());  // a number cut short
  std::string json;
  StoredValue::string("a\"b\n").append_json(json);
  CHECK(json == R"("a\"b\n")");
}

}  // namespace sluice::state
