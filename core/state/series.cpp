#include "state/series.hpp"

#include <algorithm>
#include <mutex>

#include "base/check.hpp"
#include "base/near.hpp"
#include "state/spelling.hpp"

namespace sluice::state {

namespace {

bool comparable(const StoredValue& value) {
  const auto kind = value.kind();
  return kind == StoredValue::Kind::number || kind == StoredValue::Kind::string ||
         kind == StoredValue::Kind::boolean;
}

}  // namespace

Series::Series() = default;
Series::~Series() = default;
Series::Series(Series&& other) noexcept = default;
Series& Series::operator=(Series&& other) noexcept = default;

Series::Series(const Series& other)
    : change(other.change), key(other.key), kept_(std::make_unique<Kept>(other.kept())) {}

Series& Series::operator=(const Series& other) {
  if (this != &other) *this = Series(other);
  return *this;
}

const Series::Kept& Series::nothing() {
  static const Kept nothing;
  return nothing;
}

Series::Kept& Series::changing() {
  (void)kept();
  if (kept_ == nullptr) kept_ = std::make_unique<Kept>();
  packed_ = {};
  return *kept_;
}

// Several readers may come to it at once.
void Series::unfold() const {
  static std::mutex one_at_a_time;
  static const Numbers no_numbers;  // what is read here holds no ids
  const std::lock_guard lock(one_at_a_time);
  if (!folded_) return;
  if (kept_ == nullptr) kept_ = std::make_unique<Kept>();
  PackedReader r(packed_, no_numbers);
  kept_->read(r);
  SLUICE_CHECK(r.ok() && r.at_end());
  std::atomic_ref(folded_).store(false, std::memory_order_release);
}

void Series::bring_near() const {
  if (!packed_.empty()) return __builtin_prefetch(packed_.data());
  if (kept_ != nullptr) sluice::bring_near(kept_.get(), sizeof(Kept));
}

bool Series::Kept::insert(const SeriesEntry& entry) {
  entries.insert(entry);
  if (entries.size() <= series_entries_max) return true;
  entries.drop_first(series_entries_max / 10);
  overflowed = true;
  return false;
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
    if (time > now - needs.window_max) fits = k.insert({time, seq, needs.values ? value : StoredValue{}});
  }
  if (needs.totals) k.add_totals({time, seq, std::move(value)}, needs.distinct);
  return fits;
}

void Series::merge(const Series& other, const SeriesNeeds& needs, TimeUs now) {
  change.touched = true;
  Kept& k = changing();
  const Kept& o = other.kept();
  o.entries.each({o.entries.begin(), o.entries.end()}, [&](const SeriesEntry& entry) {
    k.insert(entry);
    return true;
  });
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
  Entries& all = kept_->entries;
  // In steps: what is behind them moves, and is counted anew.
  const std::size_t dead = all.later_than(now - window_max).index;
  if (dead == all.size() || (dead >= 16 && dead * 2 >= all.size())) all.drop_first(dead);
}

Stretch Series::window(TimeUs now, const Window& within) const {
  const Entries& all = entries();
  if (all.empty()) return {};
  return {all.later_than(within.before(now)), all.later_than(now)};
}

TimeUs Series::next_change(TimeUs now, const Window& within) const {
  const Entries& all = entries();
  const auto [first, last] = window(now, within);
  TimeUs next = never;
  if (first.index < last.index) next = within.leaves(all.time_at(first));
  if (last.index < all.size()) next = std::min(next, all.time_at(last));
  return next;
}

TimeUs Series::next_existence_change(TimeUs now, const Window& within) const {
  const Entries& all = entries();
  const auto [first, last] = window(now, within);
  if (first.index == last.index) return last.index < all.size() ? all.time_at(last) : never;
  // The window turns empty when its newest entry leaves, unless one that lies ahead has come in by then.
  TimeUs empty_at = within.leaves(last.time);
  all.each({last, all.end()}, [&](const SeriesEntry& entry) {
    if (entry.time >= empty_at) return false;
    empty_at = within.leaves(entry.time);
    return true;
  });
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

enum : std::uint8_t { flag_overflowed = 1, flag_windows_alone = 2, flag_ended = 4 };

}  // namespace

bool Series::Kept::counts_over_all_time() const {
  return count != 0 || numbers != 0 || total != Decimal() || !smallest.is_none() || !largest.is_none() ||
         !first.value.is_none() || !last.value.is_none() || !distinct.empty();
}

template <typename Writer>
void Series::Kept::write(Writer& w) const {
  const bool windows_alone = Writer::packed && !counts_over_all_time();
  w.u8(static_cast<std::uint8_t>((overflowed ? flag_overflowed : 0) |
                                 (windows_alone ? flag_windows_alone : 0) |
                                 (Writer::packed && entries.has_end() ? flag_ended : 0)));
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
  if constexpr (Writer::packed) {
    entries.write(w);
  } else {
    w.varint(entries.size());
    TimeUs previous = 0;
    entries.each({entries.begin(), entries.end()}, [&](const SeriesEntry& e) {
      w.time_after(e.time, previous);
      previous = e.time;
      w.seq(e.seq);
      w.value(e.value);
      return true;
    });
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
  if constexpr (Reader::packed) {
    if (r.version() >= PackedReader::series_apart) return entries.read(r, (flags & flag_ended) != 0);
  }
  entries.clear();
  TimeUs previous = 0;
  SeriesEntry e;
  for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) {
    previous = e.time = r.time_after(previous);
    e.seq = r.seq();
    r.value(e.value);
    entries.insert(e);
  }
}

template <typename Writer>
void Series::write(Writer& w) const {
  w.id(key);
  if constexpr (Writer::packed) {
    if (!packed_.empty()) return w.text(packed_);
    thread_local std::string bytes;
    bytes.clear();
    PackedWriter alone(bytes, w.numbers());
    kept().write(alone);
    alone.finish();
    w.text(bytes);
  } else {
    kept().write(w);
  }
}

template <typename Reader>
void Series::read(Reader& r) {
  key = r.id();
  change = {};
  if constexpr (Reader::packed) {
    if (r.version() >= PackedReader::series_apart) {
      packed_ = r.text();
      folded_ = true;
      return;
    }
  }
  packed_ = {};
  folded_ = false;
  if (kept_ == nullptr) kept_ = std::make_unique<Kept>();
  kept_->read(r);
}

template void Series::write(PlainWriter&) const;
template void Series::write(PackedWriter&) const;
template void Series::read(PlainReader&);
template void Series::read(PackedReader&);

}  // namespace sluice::state
