// What the bench sends: a shop's events, numbered, so that each is known again where it arrives.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::bench {

inline constexpr std::int64_t batch_events = 100;
inline constexpr const char* write_key = "bench-write-key";

// What becomes of event number n: all tracked events go to the CRM, orders to the warehouse too.
bool is_track(std::int64_t n);
bool is_order(std::int64_t n);

// The body of a request with events [first, first + batch_events): 20 % page, 10 % identify, 70 % track; of
// 50,000 people.
std::string body_of(std::int64_t first);
// The same with its HTTP head.
std::string request_of(std::int64_t first, const std::string& host);

}  // namespace sluice::bench
