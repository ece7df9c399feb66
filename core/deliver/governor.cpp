#include "deliver/governor.hpp"

#include <algorithm>

namespace sluice::deliver {

std::string_view name_of(Breaker breaker) {
  switch (breaker) {
    case Breaker::closed:
      return "closed";
    case Breaker::open:
      return "open";
    case Breaker::half_open:
      return "half open";
  }
  return "unknown";
}

void Governor::go_by(std::uint32_t parallel, const std::vector<Rate>& rates, const Rate* rate,
                     DurationUs now) {
  buckets_.clear();
  for (const Rate& one : rates) buckets_.push_back({TokenBucket(one.count, one.per, now)});
  first_is_of_all_ = rate != nullptr;
  if (rate != nullptr) {
    const Bucket all{TokenBucket(rate->count, rate->per, now)};
    buckets_.empty() ? buckets_.push_back(all) : void(buckets_.front() = all);
  }
  window_max_ = threshold_ = window_ = std::max<std::uint32_t>(1, parallel);
  failures_ = refusals_ = 0;
  backed_off_ = cut_at_ = took_ = -1;
  pause_until_ = 0;
  fastest_ = fastest_before_ = never;
  fastest_from_ = now;
}

bool Governor::admits(std::uint64_t in_flight, bool paced, DurationUs now, DurationUs& next) {
  if (pause_until_ > now) {
    next = std::min(next, pause_until_);
    return false;
  }
  if (in_flight >= window()) return false;
  if (!paced || buckets_.size() != 1) return true;  // among several, each request asks its own
  const DurationUs ready = buckets_.front().tokens.ready_at(now);
  if (ready > now) next = std::min(next, ready);
  return ready <= now;
}

bool Governor::takes(std::size_t bucket, double records, DurationUs now, DurationUs& next) {
  if (buckets_.empty()) return true;
  Bucket& own = buckets_[std::min(bucket, buckets_.size() - 1)];
  Bucket& all = first_is_of_all_ ? buckets_.front() : own;
  const DurationUs ready = std::max({own.tokens.ready_at(now), own.pause_until, all.tokens.ready_at(now)});
  if (ready > now) {
    next = std::min(next, ready);
    return false;
  }
  own.tokens.take(records, now);
  if (&all != &own) all.tokens.take(records, now);
  return true;
}

void Governor::took(double records, DurationUs now) {
  if (!buckets_.empty()) buckets_.front().tokens.take(records, now);
}

std::uint32_t Governor::window() const {
  return failures_ >= failures_in_a_row || refusals_ > 0 ? 1 : static_cast<std::uint32_t>(window_);
}

void Governor::succeeded(DurationUs sent, DurationUs now) {
  failures_ = refusals_ = 0;
  ++successes_;
  slow(sent == never ? never : now - sent, now) ? cut(sent, now) : grow();
}

void Governor::failed(DurationUs sent, DurationUs retry_after, DurationUs now) {
  cut(sent, now);
  // A server that names a time means all of us, not this request alone.
  if (retry_after >= 0) pause(now + retry_after, now);
  note_failure(sent);
  if (failures_ < failures_in_a_row || sent <= backed_off_) return;
  backed_off_ = now;
  window_ = 1;
  threshold_ = std::max(1.0, window_max_ / 2);
  pause(now + backoff_.next(failures_ - failures_in_a_row + 1), now);
}

void Governor::throttled(DurationUs sent, DurationUs retry_after, DurationUs now) {
  cut(sent, now);
  note_failure(sent);
  if (retry_after >= 0) {
    pause(now + retry_after, now);
  } else if (sent > backed_off_) {
    backed_off_ = now;
    pause(now + backoff_.next(failures_), now);
  }
}

void Governor::refused(DurationUs now) {
  ++refusals_;
  pause(now + (auth_pause_first << std::min<std::uint32_t>(refusals_ - 1, 6)), now);
}

bool Governor::renew() {
  if (refusals_ == 0) return false;
  refusals_ = 0;
  pause_until_ = 0;
  return true;
}

void Governor::pause(DurationUs until, DurationUs now) {
  pause_until_ = std::max(pause_until_, std::min(until, now + pause_max));
}

void Governor::pause_bucket(std::size_t bucket, DurationUs pause, DurationUs now) {
  if (bucket >= buckets_.size()) return;
  DurationUs& until = buckets_[bucket].pause_until;
  until = std::max(until, now + std::min(pause, pause_max));
}

Breaker Governor::breaker(DurationUs now) const {
  if (failures_ < failures_in_a_row) return Breaker::closed;
  return pause_until_ > now ? Breaker::open : Breaker::half_open;
}

// What was sent before the last cut met the same trouble: it is cut once for all of that.
void Governor::cut(DurationUs sent, DurationUs now) {
  if (sent <= cut_at_) return;
  cut_at_ = now;
  threshold_ = window_ = std::max(1.0, window_ / 2);
}

void Governor::grow() {
  window_ = std::min(window_max_, window_ + (window_ < threshold_ ? 1.0 : 1.0 / window_));
}

bool Governor::slow(DurationUs took, DurationUs now) {
  if (took == never) return false;
  if (now - fastest_from_ >= fastest_kept) {
    fastest_before_ = fastest_;
    fastest_ = never;
    fastest_from_ = now;
  }
  fastest_ = std::min(fastest_, took);
  took_ = took_ < 0 ? took : took_ + (took - took_) / 8;
  const DurationUs fastest = std::min(fastest_, fastest_before_);
  return took_ > std::max(slow_factor * fastest, fastest + slow_least);
}

}  // namespace sluice::deliver
