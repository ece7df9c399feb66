// What the bench sends: a shop's events, numbered, so that each is known again where it arrives.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::bench {

inline constexpr std::int64_t batch_events = 100;  // of a request, where nothing else is said
inline constexpr const char* write_key = "bench-write-key";

// What becomes of event number n: all tracked events go to the CRM, orders to the warehouse too.
bool is_track(std::int64_t n);
bool is_order(std::int64_t n);

// Some people come often and most seldom: person number k in the order of frequency with a share of k^-0.99.
// Events happen now: what windows look at is there.
class Traffic {  // [any]
 public:
  explicit Traffic(std::int64_t people) : people_(people) {}

  std::int64_t people() const { return people_; }
  // Whom event n is about: 0 to people() - 1, the same each time.
  std::int64_t person_of(std::int64_t n) const;
  // The body of a request with events [first, first + count): 20 % page, 10 % identify, 70 % track.
  std::string body_of(std::int64_t first, std::int64_t count = batch_events) const;
  // The same events, a line each; at `time` (as format_time() writes it) or now.
  std::string lines_of(std::int64_t first, std::int64_t count) const;
  std::string lines_of(std::int64_t first, std::int64_t count, const std::string& time) const;
  // A whole request with them, with its HTTP head.
  std::string request_of(std::int64_t first, std::int64_t count, const std::string& host) const;
  // A request that makes people [first, min(first + batch_events, people())) known: one identify each.
  std::string introduce(std::int64_t first, const std::string& host) const;
  // The identify of one person, as introduce() sends it.
  static std::string introduction_of(std::int64_t person, const std::string& time);

 private:
  void append_event(std::string& body, std::int64_t n, const std::string& time) const;
  std::int64_t people_;
};

}  // namespace sluice::bench
