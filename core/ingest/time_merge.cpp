#include "ingest/time_merge.hpp"

#include <algorithm>

namespace sluice::ingest {

std::size_t TimeMerge::add_feed() {
  feeds_.emplace_back();
  return feeds_.size() - 1;
}

void TimeMerge::push(std::size_t feed, MergeItem item) {
  FeedQueue& queue = feeds_[feed];
  const TimeUs own = item.draft.event_time;
  const TimeUs time = own != no_time ? own : queue.items.empty() ? queue.released : queue.items.back().time;
  queue.items.push_back({time, std::move(item)});
}

bool TimeMerge::empty() const {
  return std::all_of(feeds_.begin(), feeds_.end(), [](const FeedQueue& feed) { return feed.items.empty(); });
}

TimeMerge::Judgement TimeMerge::judge(const FeedQueue& feed) const {
  const TimeUs head = feed.items.front().item.draft.event_time;
  if (head == no_time) return Judgement::fine;
  if (feed.released != no_time && head <= feed.released + far_ahead_) return Judgement::fine;
  std::vector<TimeUs> around(feed.recent.begin(), feed.recent.end());
  std::size_t seen = 0, behind = 0;
  for (std::size_t i = 1; i < feed.items.size() && seen < neighbours; ++i) {
    const TimeUs time = feed.items[i].item.draft.event_time;
    if (time == no_time) continue;
    ++seen;
    around.push_back(time);
    if (time < head - far_ahead_) ++behind;
  }
  if (seen < neighbours && !feed.waiting) return Judgement::unknown;
  if (seen > 0) {
    return behind * 2 > seen && stands_apart(head, std::move(around)) ? Judgement::far : Judgement::fine;
  }
  if (feed.released == no_time || feed.steps < steps_known) return Judgement::fine;
  const DurationUs gap = head - feed.released;
  return gap > far_at_end && gap / 10 > feed.longest_step ? Judgement::far : Judgement::fine;
}

bool TimeMerge::stands_apart(TimeUs head, std::vector<TimeUs> around) const {
  if (around.size() < 2) return false;  // which of two is the bad one?
  std::sort(around.begin(), around.end());
  const std::size_t last = around.size() - 1;
  const TimeUs low = around[last / 4], high = around[last - last / 4];
  const DurationUs least = around.size() >= neighbours ? far_ahead_
                           : around.size() > 2         ? 30 * far_ahead_
                                                       : far_of_two;
  const DurationUs gap = head - high;
  return gap > least && gap / 4 > high - low;
}

TimeMerge::Released TimeMerge::release(std::size_t index, bool far) {
  FeedQueue& feed = feeds_[index];
  Released out{.feed = index, .far_ahead = far, .item = std::move(feed.items.front().item)};
  feed.items.pop_front();
  const TimeUs time = out.item.draft.event_time;
  if (far || time == no_time) return out;
  if (feed.released != no_time) {
    feed.longest_step = std::max(feed.longest_step, time - feed.released);
    ++feed.steps;
  }
  feed.released = std::max(feed.released, time);
  feed.recent.push_back(time);
  if (feed.recent.size() > neighbours) feed.recent.pop_front();
  return out;
}

std::optional<TimeMerge::Released> TimeMerge::next() {
  std::optional<std::size_t> earliest;
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    const FeedQueue& feed = feeds_[i];
    if (feed.items.empty()) {
      if (!feed.waiting) return std::nullopt;
      continue;
    }
    switch (judge(feed)) {
      case Judgement::unknown:
        return std::nullopt;
      case Judgement::far:
        return release(i, true);
      case Judgement::fine:
        break;
    }
    if (!earliest || feed.items.front().time < feeds_[*earliest].items.front().time) earliest = i;
  }
  if (!earliest) return std::nullopt;
  return release(*earliest, false);
}

}  // namespace sluice::ingest
