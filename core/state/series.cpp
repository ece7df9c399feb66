#include "state/series.hpp"

#include <algorithm>
#include <mutex>

#include "base/check.hpp"
#include "state/spelling.hpp"

namespace sluice::state {

namespace {

bool before(const SeriesEntry& a, const SeriesEntry& b) {
  return a.time != b.time ? a.time < b.time : a.seq < b.seq;
}

Decimal decimal_of(const StoredValue& value) {
  if (value.kind() != StoredValue::Kind::number) return {};
  return Decimal::from_double(value.as_number()).value_or(Decimal{});
}

bool comparable(const StoredValue& value) {
  const auto kind = value.kind();
  return kind == StoredValue::Kind::number || kind == StoredValue::Kind::string ||
         kind == StoredValue::Kind::boolean;
}

}  // namespace

Series::Kept& Series::changing() {
  (void)kept();
  packed_.clear();
  return kept_;
}

// Several readers may come to it at once.
void Series::unfold() const {
  static std::mutex one_at_a_time;
  static const Numbers no_numbers;  // what is read here holds no ids
  const std::lock_guard lock(one_at_a_time);
  if (!folded_) return;
  PackedReader r(packed_, no_numbers);
  kept_.read(r);
  SLUICE_CHECK(r.ok() && r.at_end());
  std::atomic_ref(folded_).store(false, std::memory_order_release);
}

bool Series::Kept::insert(SeriesEntry entry) {
  const Decimal amount = decimal_of(entry.value);
  if (entry.value.kind() != StoredValue::Kind::number) ++others;
  auto at = entries.end();
  if (!entries.empty() && before(entry, entries.back())) {
    at = std::upper_bound(entries.begin(), entries.end(), entry, before);
  }
  if (at == entries.end()) {
    if (!entries.empty()) {
      entry.sum_before = entries.back().sum_before;
      entry.sum_before += decimal_of(entries.back().value);
    }
    entries.push_back(std::move(entry));
  } else {  // late: the sums behind it move
    entry.sum_before = at->sum_before;
    at = entries.insert(at, std::move(entry));
    for (++at; at != entries.end(); ++at) at->sum_before += amount;
  }
  if (entries.size() <= series_entries_max) return true;
  drop_first(series_entries_max / 10);
  overflowed = true;
  return false;
}

void Series::Kept::drop_first(std::size_t n) {
  const auto end = entries.begin() + static_cast<std::ptrdiff_t>(n);
  others -= static_cast<std::size_t>(std::count_if(entries.begin(), end, [](const SeriesEntry& e) {
    return e.value.kind() != StoredValue::Kind::number;
  }));
  entries.erase(entries.begin(), end);
}

void Series::Kept::count_distinct(const StoredValue& value, std::uint64_t more) {
  const auto found =
      std::find_if(distinct.begin(), distinct.end(), [&](const Distinct& d) { return d.value == value; });
  if (found != distinct.end()) {
    found->count += more;
  } else if (distinct.size() < distinct_values_max) {
    distinct.push_back({value, more});
  } else {
    overflowed = true;
  }
}

void Series::Kept::add_totals(const Extreme& event, bool each) {
  const StoredValue& value = event.value;
  ++count;
  if (value.kind() == StoredValue::Kind::number) {
    ++numbers;
    total += decimal_of(value);
  }
  if (comparable(value)) {
    if (smallest.is_none() || value < smallest) smallest = value;
    if (largest.is_none() || largest < value) largest = value;
  }
  if (value.is_none() || value.kind() == StoredValue::Kind::null) return;
  if (each) count_distinct(value, 1);
  const auto earlier = [](const Extreme& a, const Extreme& b) {
    return a.time != b.time ? a.time < b.time : a.seq < b.seq;
  };
  if (first.value.is_none() || earlier(event, first)) first = event;
  if (last.value.is_none() || !earlier(event, last)) last = event;
}

bool Series::add(TimeUs time, std::uint64_t seq, StoredValue value, const SeriesNeeds& needs, TimeUs now) {
  change.touched = true;
  Kept& k = changing();
  bool fits = true;
  if (needs.window_max > 0) {
    trim(needs.window_max, now);
    if (time > now - needs.window_max) fits = k.insert({time, seq, needs.values ? value : StoredValue{}, {}});
  }
  if (needs.totals) k.add_totals({time, seq, std::move(value)}, needs.distinct);
  return fits;
}

void Series::merge(const Series& other, const SeriesNeeds& needs, TimeUs now) {
  change.touched = true;
  Kept& k = changing();
  const Kept& o = other.kept();
  for (const SeriesEntry& entry : o.entries) k.insert({entry.time, entry.seq, entry.value, {}});
  trim(needs.window_max, now);
  k.count += o.count;
  k.numbers += o.numbers;
  k.total += o.total;
  k.overflowed = k.overflowed || o.overflowed;
  if (!o.smallest.is_none() && (k.smallest.is_none() || o.smallest < k.smallest)) k.smallest = o.smallest;
  if (!o.largest.is_none() && (k.largest.is_none() || k.largest < o.largest)) k.largest = o.largest;
  const auto earlier = [](const Extreme& a, const Extreme& b) {
    return a.time != b.time ? a.time < b.time : a.seq < b.seq;
  };
  if (!o.first.value.is_none() && (k.first.value.is_none() || earlier(o.first, k.first))) k.first = o.first;
  if (!o.last.value.is_none() && (k.last.value.is_none() || earlier(k.last, o.last))) k.last = o.last;
  for (const Distinct& d : o.distinct) k.count_distinct(d.value, d.count);
}

// Drops entries that no window can see any more.
void Series::trim(DurationUs window_max, TimeUs now) {
  const TimeUs oldest = now - window_max;
  std::vector<SeriesEntry>& all = kept_.entries;
  // In steps: dropping one entry a time would move the whole vector each time.
  const auto first =
      std::partition_point(all.begin(), all.end(), [&](const SeriesEntry& e) { return e.time <= oldest; });
  const auto dead = static_cast<std::size_t>(first - all.begin());
  if (dead == all.size() || (dead >= 16 && dead * 2 >= all.size())) kept_.drop_first(dead);
}

std::pair<std::size_t, std::size_t> Series::window(TimeUs now, const Window& within) const {
  const auto& all = entries();
  if (all.empty()) return {0, 0};
  const auto later_than = [&](TimeUs moment) {
    // Mostly all or none of them, which the ends tell.
    if (all.front().time > moment) return std::size_t{0};
    if (all.back().time <= moment) return all.size();
    const auto at = std::upper_bound(all.begin(), all.end(), moment,
                                     [](TimeUs m, const SeriesEntry& e) { return m < e.time; });
    return static_cast<std::size_t>(at - all.begin());
  };
  return {later_than(within.before(now)), later_than(now)};
}

// Mostly all are.
std::size_t Series::numbers(std::size_t first, std::size_t last) const {
  const Kept& k = kept();
  if (k.others == 0) return last - first;
  const auto from = k.entries.begin();
  return static_cast<std::size_t>(
      std::count_if(from + static_cast<std::ptrdiff_t>(first), from + static_cast<std::ptrdiff_t>(last),
                    [](const SeriesEntry& e) { return e.value.kind() == StoredValue::Kind::number; }));
}

Decimal Series::sum(std::size_t first, std::size_t last) const {
  if (first >= last) return {};
  const auto& all = entries();
  Decimal sum = all[last - 1].sum_before;
  sum += decimal_of(all[last - 1].value);
  sum -= all[first].sum_before;
  return sum;
}

TimeUs Series::next_change(TimeUs now, const Window& within) const {
  const auto& all = entries();
  const auto [first, last] = window(now, within);
  TimeUs next = never;
  if (first < last) next = within.leaves(all[first].time);
  if (last < all.size()) next = std::min(next, all[last].time);
  return next;
}

TimeUs Series::next_existence_change(TimeUs now, const Window& within) const {
  const auto& all = entries();
  const auto [first, last] = window(now, within);
  if (first == last) return last < all.size() ? all[last].time : never;
  // The window turns empty when its newest entry leaves, unless one that lies ahead has come in by then.
  TimeUs empty_at = within.leaves(all[last - 1].time);
  for (std::size_t i = last; i < all.size() && all[i].time < empty_at; ++i)
    empty_at = within.leaves(all[i].time);
  return empty_at;
}

namespace {

template <typename Writer>
void write_extreme(Writer& w, const Extreme& e) {
  w.value(e.value);
  if (e.value.is_none()) return;
  w.time(e.time);
  w.seq(e.seq);
}

template <typename Reader>
void read_extreme(Reader& r, Extreme& e) {
  r.value(e.value);
  const bool none = e.value.is_none();
  e.time = none ? 0 : r.time();
  e.seq = none ? 0 : r.seq();
}

enum : std::uint8_t { flag_overflowed = 1, flag_windows_alone = 2 };

}  // namespace

bool Series::Kept::counts_over_all_time() const {
  return count != 0 || numbers != 0 || total != Decimal() || !smallest.is_none() || !largest.is_none() ||
         !first.value.is_none() || !last.value.is_none() || !distinct.empty();
}

template <typename Writer>
void Series::Kept::write(Writer& w) const {
  const bool windows_alone = Writer::packed && !counts_over_all_time();
  w.u8(static_cast<std::uint8_t>((overflowed ? flag_overflowed : 0) |
                                 (windows_alone ? flag_windows_alone : 0)));
  if (!windows_alone) {
    w.varint(count);
    w.varint(numbers);
    w.sum(total);
    w.value(smallest);
    w.value(largest);
    write_extreme(w, first);
    write_extreme(w, last);
    w.varint(distinct.size());
    for (const Distinct& d : distinct) {
      w.value(d.value);
      w.varint(d.count);
    }
  }
  w.varint(entries.size());
  TimeUs previous = 0;
  for (const SeriesEntry& e : entries) {
    w.time_after(e.time, previous);
    previous = e.time;
    w.seq(e.seq);
    w.value(e.value);
  }
}

template <typename Reader>
void Series::Kept::read(Reader& r) {
  const std::uint8_t flags = r.u8();
  overflowed = (flags & flag_overflowed) != 0;
  if ((flags & flag_windows_alone) != 0) {
    count = numbers = 0;
    total = Decimal();
    smallest.clear();
    largest.clear();
    first.value.clear();
    last.value.clear();
    distinct.clear();
  } else {
    count = r.varint();
    numbers = r.varint();
    total = r.sum();
    r.value(smallest);
    r.value(largest);
    read_extreme(r, first);
    read_extreme(r, last);
    for (Distinct& d : sized(r, distinct)) {
      r.value(d.value);
      d.count = r.varint();
    }
  }
  others = 0;
  TimeUs previous = 0;
  Decimal sum;
  for (SeriesEntry& e : sized(r, entries)) {
    previous = e.time = r.time_after(previous);
    e.seq = r.seq();
    r.value(e.value);
    if (e.value.kind() != StoredValue::Kind::number) ++others;
    e.sum_before = sum;
    sum += decimal_of(e.value);
  }
}

template <typename Writer>
void Series::write(Writer& w) const {
  w.id(key);
  if constexpr (Writer::packed) {
    if (packed_.empty()) {
      thread_local std::string bytes;
      bytes.clear();
      PackedWriter alone(bytes, w.numbers());
      kept_.write(alone);
      alone.finish();
      packed_ = bytes;
    }
    w.text(packed_);
  } else {
    kept().write(w);
  }
}

template <typename Reader>
void Series::read(Reader& r) {
  key = r.id();
  change = {};
  if constexpr (Reader::packed) {
    if (r.folds()) {
      packed_ = r.text();
      folded_ = true;
      return;
    }
  }
  packed_.clear();
  folded_ = false;
  kept_.read(r);
}

template void Series::write(PlainWriter&) const;
template void Series::write(PackedWriter&) const;
template void Series::read(PlainReader&);
template void Series::read(PackedReader&);

}  // namespace sluice::state
