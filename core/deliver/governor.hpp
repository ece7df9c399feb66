// When a lane may send, and how much at a time: plain arithmetic on the monotonic time that the caller gives,
// without threads or I/O.
//
// Limits: token buckets pace requests; a vendor's Retry-After or used-up limit pauses all, or one bucket.
//
// Window: how many requests may be in flight, from 1 to the smaller of the connector's `parallel` and the
// operator's. It is halved when the destination says 429 or 5xx, does not answer, or takes much longer than
// it did lately; each windowful of other answers lets it grow by one (additive increase, multiplicative
// decrease). Behind an open breaker it begins at 1, and doubles up to half.
//
// Breaker: failures_in_a_row failures of the destination open it: nothing goes out. After a back-off with
// full jitter it is half open: one probe goes out, and the others wait for what it brings.
//
// Credentials that are refused pause all, each time longer; then one request asks whether they are taken.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "deliver/bucket.hpp"
#include "deliver/courier.hpp"

namespace sluice::deliver {

inline constexpr std::uint32_t failures_in_a_row = 3;
inline constexpr DurationUs auth_pause_first = 30 * us_per_s;
inline constexpr DurationUs pause_max = us_per_h;  // whatever a vendor announces
// Slow is what takes so many times as long as the fastest of the last minute or two, and at least so much
// more.
inline constexpr int slow_factor = 3;
inline constexpr DurationUs slow_least = 100 * us_per_ms;
inline constexpr DurationUs fastest_kept = us_per_min;

enum class Breaker : std::uint8_t { closed, open, half_open };
std::string_view name_of(Breaker breaker);  // "closed", "open", "half open"

class Governor {  // one thread at a time
 public:
  explicit Governor(std::uint64_t seed) : backoff_(seed) {}

  // Other settings: what made the way before wait says nothing about this one. `rate` of the operator is of
  // all requests; it stands in for the connector's first, and beside the others. May be null.
  void go_by(std::uint32_t parallel, const std::vector<Rate>& rates, const Rate* rate, DurationUs now);

  // Whether anything may go out beside what is in flight. If not, `next` becomes at most the time at which it
  // may; it stays where a landing decides.
  bool admits(std::uint64_t in_flight, bool paced, DurationUs now, DurationUs& next);
  // Takes from a bucket, and from the one that is of all requests. False: not before `next`.
  bool takes(std::size_t bucket, double records, DurationUs now, DurationUs& next);
  void took(double records, DurationUs now);  // of the first bucket, even if that leaves a debt
  bool several_buckets() const { return buckets_.size() > 1; }
  std::uint32_t window() const;  // requests that may be in flight: 1 while the breaker is not closed

  // What came back, once for each request. `sent`: when it went out; `never`: just now, and how long it took
  // is not known. `retry_after` from now; -1: the vendor named none. What was sent before a back-off began
  // says nothing new when it fails: eight requests that meet one bad moment are one failure.
  void succeeded(DurationUs sent, DurationUs now);
  void failed(DurationUs sent, DurationUs retry_after, DurationUs now);
  void throttled(DurationUs sent, DurationUs retry_after, DurationUs now);
  void refused(DurationUs now);  // the credentials
  bool renew();                  // they may be others now; false: none were refused
  void pause(DurationUs until, DurationUs now);
  void pause_bucket(std::size_t bucket, DurationUs pause, DurationUs now);

  Breaker breaker(DurationUs now) const;
  bool credentials_refused() const { return refusals_ > 0; }
  bool waits(DurationUs now) const { return pause_until_ > now || failures_ >= failures_in_a_row; }
  std::uint64_t successes() const { return successes_; }
  DurationUs draw(std::uint32_t attempts) { return backoff_.next(attempts); }  // a record's back-off

 private:
  struct Bucket {
    TokenBucket tokens;
    DurationUs pause_until = 0;
  };
  void note_failure(DurationUs sent) { failures_ += sent > backed_off_ ? 1 : 0; }
  void cut(DurationUs sent, DurationUs now);
  void grow();
  bool slow(DurationUs took, DurationUs now);

  std::vector<Bucket> buckets_;   // none: no rate
  bool first_is_of_all_ = false;  // the operator's
  Backoff backoff_;
  std::uint32_t failures_ = 0, refusals_ = 0;
  DurationUs backed_off_ = -1;  // when failures_ last grew into a longer pause
  DurationUs pause_until_ = 0;
  std::uint64_t successes_ = 0;
  double window_ = 1, threshold_ = 1, window_max_ = 1;
  DurationUs cut_at_ = -1;                               // what was sent before says nothing new
  DurationUs took_ = -1;                                 // smoothed; -1: not known
  DurationUs fastest_ = never, fastest_before_ = never;  // of this minute, and of the one before
  DurationUs fastest_from_ = 0;                          // when this minute began
};

}  // namespace sluice::deliver
