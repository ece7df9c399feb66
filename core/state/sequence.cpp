#include "state/sequence.hpp"

#include <algorithm>

#include "state/spelling.hpp"

namespace sluice::state {

namespace {

bool before(const SequenceEntry& a, const SequenceEntry& b) {
  return a.time != b.time ? a.time < b.time : a.seq < b.seq;
}

bool is_step(const SequenceEntry& entry, std::size_t step) {
  return (entry.steps >> step & 1) != 0;
}

}  // namespace

void Sequence::begin(const SequenceNeeds& needs) {
  if (!steps_.empty()) return;
  for (const DurationUs gap : needs.gaps) steps_.push_back({gap, no_time, no_time});
}

bool Sequence::insert(const SequenceEntry& entry) {
  if (entries_.empty() || before(entries_.back(), entry)) return entries_.push_back(entry), true;
  entries_.insert(std::upper_bound(entries_.begin(), entries_.end(), entry, before), entry);
  return false;
}

// Of the events that reached the step before, the last is the best: none is nearer, and none began later. An
// event never follows itself: its later steps are looked at first.
void Sequence::advance(const SequenceEntry& entry) {
  for (std::size_t step = steps_.size(); step-- > 0;) {
    if (!is_step(entry, step)) continue;
    Reach& reach = steps_[step];
    if (step == 0) {
      reach.start = entry.time;
    } else {
      const Reach& previous = steps_[step - 1];
      if (previous.time == no_time || (reach.gap != 0 && entry.time - previous.time > reach.gap)) continue;
      reach.start = previous.start;
    }
    reach.time = entry.time;
    if (step + 1 == steps_.size()) completions_.push_back({reach.start, entry.time, entry.seq});
  }
}

void Sequence::rebuild() {
  completions_.clear();
  for (Reach& reach : steps_) reach.time = reach.start = no_time;
  for (const SequenceEntry& entry : entries_) advance(entry);
}

bool Sequence::bound() {
  if (entries_.size() <= sequence_entries_max) return true;
  const std::size_t kept = sequence_entries_max - sequence_entries_max / 10;
  entries_.erase(entries_.begin(), entries_.end() - static_cast<std::ptrdiff_t>(kept));
  overflowed_ = true;
  return false;
}

void Sequence::trim(DurationUs window_max, TimeUs now) {
  const TimeUs oldest = now - window_max;
  // In steps: dropping one entry a time would move the whole vector each time.
  const auto drop = [](auto& items, auto first) {
    const auto dead = static_cast<std::size_t>(first - items.begin());
    if (dead == items.size() || (dead >= 16 && dead * 2 >= items.size())) items.erase(items.begin(), first);
  };
  drop(entries_, std::partition_point(entries_.begin(), entries_.end(),
                                      [&](const SequenceEntry& e) { return e.time <= oldest; }));
  drop(completions_, std::partition_point(completions_.begin(), completions_.end(),
                                          [&](const Completion& c) { return c.start <= oldest; }));
}

bool Sequence::add(const SequenceEntry& entry, const SequenceNeeds& needs, TimeUs now) {
  change.touched = true;
  begin(needs);
  trim(needs.window_max, now);
  if (entry.time <= now - needs.window_max) return true;
  const bool last = insert(entry);
  const bool fits = bound();
  if (last && fits) {
    advance(entry);
  } else {
    rebuild();
  }
  return fits;
}

void Sequence::merge(const Sequence& other, const SequenceNeeds& needs, TimeUs now) {
  change.touched = true;
  begin(needs);
  for (const SequenceEntry& entry : other.entries_) insert(entry);
  overflowed_ = overflowed_ || other.overflowed_;
  trim(needs.window_max, now);
  bound();
  rebuild();
}

std::pair<std::size_t, std::size_t> Sequence::window(TimeUs now, const Window& within) const {
  const auto place = [&](auto at) { return static_cast<std::size_t>(at - completions_.begin()); };
  if (completions_.empty()) return {0, 0};
  const TimeUs oldest = within.before(now);
  const auto first = std::partition_point(completions_.begin(), completions_.end(),
                                          [&](const Completion& c) { return c.start <= oldest; });
  const auto last = std::partition_point(completions_.begin(), completions_.end(),
                                         [&](const Completion& c) { return c.time <= now; });
  return {place(std::min(first, last)), place(last)};
}

TimeUs Sequence::next_change(TimeUs now, const Window& within) const {
  const auto [first, last] = window(now, within);
  TimeUs next = never;
  if (first < last) next = within.leaves(completions_[first].start);
  if (last < completions_.size()) next = std::min(next, completions_[last].time);
  return next;
}

TimeUs Sequence::next_existence_change(TimeUs now, const Window& within) const {
  const auto [first, last] = window(now, within);
  if (first == last) return last < completions_.size() ? completions_[last].time : never;
  TimeUs empty_at = within.leaves(completions_[last - 1].start);
  for (std::size_t i = last; i < completions_.size() && completions_[i].time < empty_at; ++i)
    empty_at = within.leaves(completions_[i].start);
  return empty_at;
}

std::vector<SequenceEntry> Sequence::steps_of(const Completion& completion) const {
  std::vector<SequenceEntry> out;
  const auto end = std::upper_bound(entries_.begin(), entries_.end(),
                                    SequenceEntry{completion.time, completion.seq, 0}, before);
  // Backwards the last event of each step before is the one that counts; a nearer one that had not reached
  // its step would have no first event, so the way back is asked for as advance() goes forward.
  std::vector<std::vector<SequenceEntry>> ways(steps_.size());
  for (auto at = entries_.begin(); at != end; ++at) {
    for (std::size_t step = steps_.size(); step-- > 0;) {
      if (!is_step(*at, step)) continue;
      if (step == 0) {
        ways[0] = {*at};
        continue;
      }
      const std::vector<SequenceEntry>& previous = ways[step - 1];
      const DurationUs gap = steps_[step].gap;
      if (previous.empty() || (gap != 0 && at->time - previous.back().time > gap)) continue;
      ways[step] = previous;
      ways[step].push_back(*at);
      if (step + 1 == steps_.size() && at->seq == completion.seq) return ways[step];
    }
  }
  return out;
}

template <typename Writer>
void Sequence::write(Writer& w) const {
  w.id(key);
  w.u8(overflowed_ ? 1 : 0);
  w.varint(steps_.size());
  for (const Reach& reach : steps_) w.zigzag(reach.gap);
  w.varint(entries_.size());
  TimeUs previous = 0;
  for (const SequenceEntry& e : entries_) {
    w.time_after(e.time, previous);
    previous = e.time;
    w.seq(e.seq);
    w.u8(e.steps);
  }
}

template <typename Reader>
void Sequence::read(Reader& r) {
  key = r.id();
  change = {};
  overflowed_ = r.u8() != 0;
  for (Reach& reach : sized(r, steps_)) reach.gap = r.zigzag();
  TimeUs previous = 0;
  for (SequenceEntry& e : sized(r, entries_)) {
    previous = e.time = r.time_after(previous);
    e.seq = r.seq();
    e.steps = r.u8();
  }
  rebuild();
}

template void Sequence::write(PlainWriter&) const;
template void Sequence::write(PackedWriter&) const;
template void Sequence::read(PlainReader&);
template void Sequence::read(PackedReader&);

}  // namespace sluice::state
