// The destinations: a server on two ports that answers as the CRM and the warehouse do, and counts which
// events have come.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace sluice::bench {

std::int64_t now_us();  // of the steady clock

enum class Place : std::uint8_t { crm = 0, warehouse = 1 };

// Which events have arrived at one destination, and how long after they were sent.
class Arrivals {
 public:
  explicit Arrivals(std::size_t events) : times_(events) {}
  void note(std::int64_t n, std::int64_t waited_us);  // [sink]
  std::int64_t arrived() const { return arrived_; }
  std::int64_t duplicates() const { return duplicates_; }
  bool has(std::int64_t n) const { return times_[static_cast<std::size_t>(n)] > 0; }
  std::vector<std::uint32_t> latencies;  // [sink] microseconds, since clear_latencies()

 private:
  std::vector<std::uint8_t> times_;
  std::atomic<std::int64_t> arrived_{0}, duplicates_{0};
};

class Sink {
 public:
  // `sent[n]` is when event n was sent (now_us()); written by the load, read here.
  explicit Sink(const std::vector<std::atomic<std::int64_t>>& sent);
  ~Sink();
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  std::uint16_t port(Place place) const { return ports_[static_cast<std::size_t>(place)]; }
  const Arrivals& at(Place place) const { return arrivals_[static_cast<std::size_t>(place)]; }
  std::int64_t requests() const { return requests_; }
  std::int64_t last_us() const { return last_us_; }
  // The latencies of both destinations since the last call.
  std::vector<std::uint32_t> take_latencies();

 private:
  struct Peer {
    Place place;
    std::string in;
  };
  void run();
  void accept_all(int listener, Place place);
  void read_from(int fd);
  void count(Place place, const char* body, std::size_t size);

  const std::vector<std::atomic<std::int64_t>>& sent_;
  std::array<Arrivals, 2> arrivals_;
  std::array<int, 2> listeners_{};
  std::array<std::uint16_t, 2> ports_{};
  int poll_ = -1;
  std::unordered_map<int, Peer> peers_;
  std::vector<char> buffer_;
  std::mutex mutex_;  // guards the latencies
  std::atomic<std::int64_t> requests_{0}, last_us_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace sluice::bench
