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
      : x_per_us(count / static_cast<double>(per)),
        x_capacity(std::max(1.0, x_per_us * us_per_s)),
        x_tokens(x_capacity),
        x_at(now) {}

  // Takes `n` tokens if one is there; a call that needs more than the bucket holds leaves a debt.
  bool take(double n, DurationUs now) {
    refill(now);
    if (x_tokens < 1.0) return false;
    x_tokens -= n;
    return true;
  }
  // When take() will say yes; `now` or later.
  DurationUs ready_at(DurationUs now) {
    refill(now);
    if (x_tokens >= 1.0) return now;
    return now + static_cast<DurationUs>(std::ceil((1.0 - x_tokens) / x_per_us));
  }

 private:
  void refill(DurationUs now) {
    // A token that is there but for a rounding error is there.
    x_tokens = std::min(x_capacity, x_tokens + static_cast<double>(now - x_at) * x_per_us + 1e-9);
    x_at = now;
  }
  double x_per_us, x_capacity, x_tokens;
  DurationUs x_at;
};

inline constexpr DurationUs backoff_base = 500 * us_per_ms;
inline constexpr DurationUs backoff_max = 5 * us_per_min;

// Exponential back-off with full jitter: a random time between nothing and the exponential bound, so that
// those who failed together do not come back together (M. Brooker, "Exponential Backoff And Jitter", AWS
// Architecture Blog, 2015).
class Backoff {
 public:
  explicit Backoff(std::uint64_t seed) : x_state(seed) {}

  static DurationUs bound(std::uint32_t attempts) {  // attempts: failed ones, from 1
    const std::uint32_t doublings = std::min<std::uint32_t>(attempts == 0 ? 0 : attempts - 1, 20);
    return std::min(backoff_max, backoff_base << doublings);
  }
  DurationUs next(std::uint32_t attempts) {
    x_state = hash64_pair(x_state, 0x9E3779B97F4A7C15ULL);
    return 1 + static_cast<DurationUs>(x_state % static_cast<std::uint64_t>(bound(attempts)));
  }

 private:
  std::uint64_t x_state;
};

}  // namespace sluice::deliver
