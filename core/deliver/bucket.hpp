// Pacing and back-off: the two clocks of a lane, as plain arithmetic on the monotonic time that the caller
// gives.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "base/hash.hpp"
#include "base/time.hpp"

namespace sluice::deliver {

// A token bucket. It holds at most one second's worth of its rate (at least one token), so that a quiet hour
// does not become a burst that the vendor refuses.
class TokenBucket {
 public:
  TokenBucket(double count, DurationUs per, DurationUs now)
      : per_us_(count / static_cast<double>(per)),
        capacity_(std::max(1.0, per_us_ * us_per_s)),
        tokens_(capacity_),
        at_(now) {}

  // Takes `n` tokens if one is there; a call that needs more than the bucket holds leaves a debt.
  bool take(double n, DurationUs now) {
    refill(now);
    if (tokens_ < 1.0) return false;
    tokens_ -= n;
    return true;
  }
  // When take() will say yes; `now` or later.
  DurationUs ready_at(DurationUs now) {
    refill(now);
    if (tokens_ >= 1.0) return now;
    return now + static_cast<DurationUs>(std::ceil((1.0 - tokens_) / per_us_));
  }

 private:
  void refill(DurationUs now) {
    // A token that is there but for a rounding error is there.
    tokens_ = std::min(capacity_, tokens_ + static_cast<double>(now - at_) * per_us_ + 1e-9);
    at_ = now;
  }
  double per_us_, capacity_, tokens_;
  DurationUs at_;
};

inline constexpr DurationUs backoff_base = 500 * us_per_ms;
inline constexpr DurationUs backoff_max = 5 * us_per_min;

// Exponential back-off with full jitter: a random time between nothing and the exponential bound, so that
// those who failed together do not come back together (M. Brooker, "Exponential Backoff And Jitter", AWS
// Architecture Blog, 2015).
class Backoff {
 public:
  explicit Backoff(std::uint64_t seed) : state_(seed) {}

  static DurationUs bound(std::uint32_t attempts) {  // attempts: failed ones, from 1
    const std::uint32_t doublings = std::min<std::uint32_t>(attempts == 0 ? 0 : attempts - 1, 20);
    return std::min(backoff_max, backoff_base << doublings);
  }
  DurationUs next(std::uint32_t attempts) {
    state_ = hash64_pair(state_, 0x9E3779B97F4A7C15ULL);
    return 1 + static_cast<DurationUs>(state_ % static_cast<std::uint64_t>(bound(attempts)));
  }

 private:
  std::uint64_t state_;
};

}  // namespace sluice::deliver
