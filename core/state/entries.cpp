#include "state/entries.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "state/spelling.hpp"

namespace sluice::state {

namespace {

const Numbers no_numbers;  // entries hold no ids

// The bytes of one entry, coded from the one before it.
std::string_view coded(const SeriesEntry& entry, TimeUs time, std::uint64_t seq) {
  thread_local std::string bytes;
  thread_local Numbers numbers;
  bytes.clear();
  PackedWriter w(bytes, numbers);
  w.go_on({time, seq});
  w.time(entry.time);
  w.seq(entry.seq);
  w.value(entry.value);
  w.finish();
  return bytes;
}

}  // namespace

// Steps over entries from a place on, with a look at their values where it is asked for.
class Entries::Walk {
 public:
  Walk(std::string_view bytes, const Place& from)
      : bytes_(bytes.size()), reader_(bytes.substr(from.offset), no_numbers), at_(from) {
    reader_.go_on({from.time, from.seq});
  }
  const Place& place() const { return at_; }
  bool ok() const { return reader_.ok(); }

  // Over the next entry, whose time and seq the place has then. Not ok() afterwards: there was none, and what
  // was read is not what was written.
  void step() {
    at_.time = reader_.time();
    at_.seq = reader_.seq();
    const bool number = reader_.amount(at_.sum);
    if (!number) ++at_.others;
    arrive();
  }
  void step(SeriesEntry& entry) {
    entry.time = at_.time = reader_.time();
    entry.seq = at_.seq = reader_.seq();
    reader_.value(entry.value);
    at_.sum += decimal_of(entry.value);
    if (entry.value.kind() != StoredValue::Kind::number) ++at_.others;
    arrive();
  }

 private:
  void arrive() {
    ++at_.index;
    at_.offset = bytes_ - reader_.left();
  }
  std::size_t bytes_;
  PackedReader reader_;
  Place at_;
};

Place Entries::at(std::size_t index) const {
  if (index == end_.index) return end_;
  const std::size_t mark = std::min(index / step, marks_.size());
  Walk walk(bytes_, mark == 0 ? begin_ : marks_[mark - 1]);
  while (walk.place().index < index) walk.step();
  SLUICE_CHECK(walk.ok());
  return walk.place();
}

Place Entries::later_than(TimeUs moment) const {
  // Mostly all or none of them, which the ends tell.
  if (empty() || end_.time <= moment) return end_;
  if (first_time_ > moment) return begin_;
  // A mark has the time of the entry before it: the last one that is no later stands before whom we look for.
  const auto mark = std::partition_point(marks_.begin(), marks_.end(),
                                         [&](const Place& place) { return place.time <= moment; });
  Walk walk(bytes_, mark == marks_.begin() ? begin_ : *(mark - 1));
  for (;;) {
    const Place before = walk.place();
    walk.step();
    SLUICE_CHECK(walk.ok());
    if (walk.place().time > moment) return before;
  }
}

TimeUs Entries::time_at(const Place& place) const {
  if (place.index == 0) return first_time_;
  Walk walk(bytes_, place);
  walk.step();
  return walk.place().time;
}

void Entries::each(const Stretch& some, const std::function<bool(const SeriesEntry&)>& each) const {
  SeriesEntry entry;
  for (Walk walk(bytes_, some.first); walk.place().index < some.last.index;) {
    walk.step(entry);
    SLUICE_CHECK(walk.ok());
    if (!each(entry)) return;
  }
}

void Entries::append(const SeriesEntry& entry) {
  if (empty()) first_time_ = entry.time;
  if (end_.index > 0 && end_.index % step == 0) mark_end();
  bytes_ += coded(entry, end_.time, end_.seq);
  ++end_.index;
  end_.offset = bytes_.size();
  end_.time = entry.time;
  end_.seq = entry.seq;
  end_.sum += decimal_of(entry.value);
  if (entry.value.kind() != StoredValue::Kind::number) ++end_.others;
}

void Entries::mark_end() {
  if (marks_.size() + 1 < end_.index / step) {  // nobody has gone over them yet
    Walk walk(bytes_, begin_);
    count_from(walk);
  }
  marks_.push_back(end_);
}

// One that comes late stands between two; the one behind it is coded anew, and those behind that stay as they
// are.
void Entries::insert(const SeriesEntry& entry) {
  const auto after = [&](TimeUs time, std::uint64_t seq) {
    return time != entry.time ? time > entry.time : seq > entry.seq;
  };
  if (empty() || !after(end_.time, end_.seq)) return append(entry);
  Place place = later_than(entry.time - 1);
  Walk walk(bytes_, place);
  SeriesEntry next;
  for (walk.step(next); walk.ok() && !after(next.time, next.seq); walk.step(next)) place = walk.place();
  SLUICE_CHECK(walk.ok());
  std::string both(coded(entry, place.time, place.seq));
  both += coded(next, entry.time, entry.seq);
  bytes_.replace(place.offset, walk.place().offset - place.offset, both);
  if (place.index == 0) first_time_ = entry.time;
  marks_.resize(std::min(marks_.size(), place.index / step));
  const std::size_t size = end_.index + 1;
  Walk rest(bytes_, place);
  end_.index = size;
  count_from(rest);
}

// Counts those from the walk's place to the end, and sets the marks among them.
void Entries::count_from(Walk& walk) {
  while (walk.place().index < end_.index && walk.ok()) {
    const std::size_t index = walk.place().index;
    if (index > 0 && index % step == 0 && marks_.size() + 1 == index / step) marks_.push_back(walk.place());
    walk.step();
    if (index == 0) first_time_ = walk.place().time;
  }
  end_ = walk.place();
}

void Entries::drop_first(std::size_t entries) {
  if (entries == end_.index) return clear();
  const Place first = at(entries);
  bytes_.erase(0, first.offset);
  const std::size_t size = end_.index - entries;
  begin_ = {.index = 0, .offset = 0, .time = first.time, .seq = first.seq, .sum = {}, .others = 0};
  marks_.clear();
  Walk walk(bytes_, begin_);
  end_.index = size;
  count_from(walk);
}

void Entries::clear() {
  bytes_.clear();
  marks_.clear();
  begin_ = end_ = {};
}

void Entries::write(PackedWriter& w) const {
  w.varint(size());
  if (has_end()) {
    w.time(end_.time);
    w.seq(end_.seq);
    w.sum(end_.sum);
    w.varint(end_.others);
  }
  if (empty()) return;
  SeriesEntry first;
  Walk walk(bytes_, begin_);
  walk.step(first);
  w.time(first.time);
  w.seq(first.seq);
  w.value(first.value);
  w.bytes(std::string_view(bytes_).substr(walk.place().offset));
}

// Few are read over for marks: they are soon gone over when somebody looks for one of them.
void Entries::read(PackedReader& r, bool has_end) {
  clear();
  const std::uint64_t size = r.varint();
  Place end;
  end.index = size;
  if (has_end) {
    end.time = r.time();
    end.seq = r.seq();
    end.sum = r.sum();
    end.others = r.varint();
  }
  const Chain chain = r.chain();
  bytes_ = r.bytes(r.left());
  begin_.time = chain.time;
  begin_.seq = chain.seq;
  end.offset = bytes_.size();
  if (has_end && size <= 2 * step) {
    Walk first(bytes_, begin_);
    first.step();
    first_time_ = first.place().time;
    end_ = end;
    return;
  }
  end_.index =
      std::min<std::uint64_t>(size, bytes_.size());  // what a damaged row says is bounded by its size
  Walk walk(bytes_, begin_);
  count_from(walk);
  if (!walk.ok() || end_.index != size || end_.offset != bytes_.size()) r.fail();
}

}  // namespace sluice::state
