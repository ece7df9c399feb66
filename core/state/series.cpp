#include "state/series.hpp"

#include <algorithm>

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

void Series::insert(SeriesEntry entry) {
  const Decimal amount = decimal_of(entry.value);
  auto at = entries_.end();
  if (!entries_.empty() && before(entry, entries_.back())) {
    at = std::upper_bound(entries_.begin(), entries_.end(), entry, before);
  }
  if (at == entries_.end()) {
    if (!entries_.empty()) {
      entry.sum_before = entries_.back().sum_before;
      entry.sum_before += decimal_of(entries_.back().value);
    }
    entries_.push_back(std::move(entry));
  } else {  // late: the sums behind it move
    entry.sum_before = at->sum_before;
    at = entries_.insert(at, std::move(entry));
    for (++at; at != entries_.end(); ++at) at->sum_before += amount;
  }
  if (entries_.size() > series_entries_max) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(series_entries_max / 10));
    overflowed_ = true;
  }
}

void Series::count_distinct(const StoredValue& value, std::uint64_t count) {
  const auto found =
      std::find_if(distinct_.begin(), distinct_.end(), [&](const Distinct& d) { return d.value == value; });
  if (found != distinct_.end()) {
    found->count += count;
  } else if (distinct_.size() < distinct_values_max) {
    distinct_.push_back({value, count});
  } else {
    overflowed_ = true;
  }
}

void Series::add_totals(const Extreme& event, bool distinct) {
  const StoredValue& value = event.value;
  ++count_;
  if (value.kind() == StoredValue::Kind::number) {
    ++numbers_;
    total_ += decimal_of(value);
  }
  if (comparable(value)) {
    if (smallest_.is_none() || value < smallest_) smallest_ = value;
    if (largest_.is_none() || largest_ < value) largest_ = value;
  }
  if (value.is_none() || value.kind() == StoredValue::Kind::null) return;
  if (distinct) count_distinct(value, 1);
  const auto earlier = [](const Extreme& a, const Extreme& b) {
    return a.time != b.time ? a.time < b.time : a.seq < b.seq;
  };
  if (first_.value.is_none() || earlier(event, first_)) first_ = event;
  if (last_.value.is_none() || !earlier(event, last_)) last_ = event;
}

void Series::add(TimeUs time, std::uint64_t seq, StoredValue value, const SeriesNeeds& needs, TimeUs now) {
  if (needs.window_max > 0) {
    trim(needs.window_max, now);
    if (time > now - needs.window_max) insert({time, seq, needs.values ? value : StoredValue{}, {}});
  }
  if (needs.totals) add_totals({time, seq, std::move(value)}, needs.distinct);
}

void Series::merge(const Series& other, const SeriesNeeds& needs, TimeUs now) {
  for (const SeriesEntry& entry : other.entries_) insert({entry.time, entry.seq, entry.value, {}});
  trim(needs.window_max, now);
  count_ += other.count_;
  numbers_ += other.numbers_;
  total_ += other.total_;
  overflowed_ = overflowed_ || other.overflowed_;
  if (!other.smallest_.is_none() && (smallest_.is_none() || other.smallest_ < smallest_))
    smallest_ = other.smallest_;
  if (!other.largest_.is_none() && (largest_.is_none() || largest_ < other.largest_))
    largest_ = other.largest_;
  const auto earlier = [](const Extreme& a, const Extreme& b) {
    return a.time != b.time ? a.time < b.time : a.seq < b.seq;
  };
  if (!other.first_.value.is_none() && (first_.value.is_none() || earlier(other.first_, first_)))
    first_ = other.first_;
  if (!other.last_.value.is_none() && (last_.value.is_none() || earlier(last_, other.last_)))
    last_ = other.last_;
  for (const Distinct& d : other.distinct_) count_distinct(d.value, d.count);
}

void Series::trim(DurationUs window_max, TimeUs now) {
  const TimeUs oldest = now - window_max;
  // In steps: dropping one entry a time would move the whole vector each time.
  const auto first = std::partition_point(entries_.begin(), entries_.end(),
                                          [&](const SeriesEntry& e) { return e.time <= oldest; });
  const auto dead = static_cast<std::size_t>(first - entries_.begin());
  if (dead == entries_.size() || (dead >= 16 && dead * 2 >= entries_.size()))
    entries_.erase(entries_.begin(), first);
}

std::pair<std::size_t, std::size_t> Series::window(TimeUs now, DurationUs within) const {
  const auto later_than = [&](TimeUs moment) {
    // Mostly all or none of them, which the ends tell.
    if (entries_.empty() || entries_.front().time > moment) return std::size_t{0};
    if (entries_.back().time <= moment) return entries_.size();
    const auto at = std::upper_bound(entries_.begin(), entries_.end(), moment,
                                     [](TimeUs m, const SeriesEntry& e) { return m < e.time; });
    return static_cast<std::size_t>(at - entries_.begin());
  };
  return {later_than(now - within), later_than(now)};
}

Decimal Series::sum(std::size_t first, std::size_t last) const {
  if (first >= last) return {};
  Decimal sum = entries_[last - 1].sum_before;
  sum += decimal_of(entries_[last - 1].value);
  sum -= entries_[first].sum_before;
  return sum;
}

TimeUs Series::next_change(TimeUs now, DurationUs within) const {
  const auto [first, last] = window(now, within);
  TimeUs next = never;
  if (first < last) next = entries_[first].time + within;
  if (last < entries_.size()) next = std::min(next, entries_[last].time);
  return next;
}

TimeUs Series::next_existence_change(TimeUs now, DurationUs within) const {
  const auto [first, last] = window(now, within);
  if (first == last) return last < entries_.size() ? entries_[last].time : never;
  // The window turns empty when its newest entry leaves, unless one that lies ahead has come in by then.
  TimeUs empty_at = entries_[last - 1].time + within;
  for (std::size_t i = last; i < entries_.size() && entries_[i].time < empty_at; ++i)
    empty_at = entries_[i].time + within;
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

bool Series::counts_over_all_time() const {
  return count_ != 0 || numbers_ != 0 || total_ != Decimal() || !smallest_.is_none() || !largest_.is_none() ||
         !first_.value.is_none() || !last_.value.is_none() || !distinct_.empty();
}

template <typename Writer>
void Series::write(Writer& w) const {
  w.id(key);
  const bool windows_alone = Writer::packed && !counts_over_all_time();
  w.u8(static_cast<std::uint8_t>((overflowed_ ? flag_overflowed : 0) |
                                 (windows_alone ? flag_windows_alone : 0)));
  if (!windows_alone) {
    w.varint(count_);
    w.varint(numbers_);
    w.sum(total_);
    w.value(smallest_);
    w.value(largest_);
    write_extreme(w, first_);
    write_extreme(w, last_);
    w.varint(distinct_.size());
    for (const Distinct& d : distinct_) {
      w.value(d.value);
      w.varint(d.count);
    }
  }
  w.varint(entries_.size());
  TimeUs previous = 0;
  for (const SeriesEntry& e : entries_) {
    w.time_after(e.time, previous);
    previous = e.time;
    w.seq(e.seq);
    w.value(e.value);
  }
}

template <typename Reader>
void Series::read(Reader& r) {
  key = r.id();
  const std::uint8_t flags = r.u8();
  overflowed_ = (flags & flag_overflowed) != 0;
  if ((flags & flag_windows_alone) != 0) {
    count_ = numbers_ = 0;
    total_ = Decimal();
    smallest_.clear();
    largest_.clear();
    first_.value.clear();
    last_.value.clear();
    distinct_.clear();
  } else {
    count_ = r.varint();
    numbers_ = r.varint();
    total_ = r.sum();
    r.value(smallest_);
    r.value(largest_);
    read_extreme(r, first_);
    read_extreme(r, last_);
    for (Distinct& d : sized(r, distinct_)) {
      r.value(d.value);
      d.count = r.varint();
    }
  }
  TimeUs previous = 0;
  Decimal sum;
  for (SeriesEntry& e : sized(r, entries_)) {
    previous = e.time = r.time_after(previous);
    e.seq = r.seq();
    r.value(e.value);
    e.sum_before = sum;
    sum += decimal_of(e.value);
  }
}

template void Series::write(PlainWriter&) const;
template void Series::write(PackedWriter&) const;
template void Series::read(PlainReader&);
template void Series::read(PackedReader&);

}  // namespace sluice::state
