// The load: keep-alive connections that each send a batch, wait for its answer, and send the next (closed
// loop), or send by the clock (rate > 0: latency counts from when an event was due).
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "traffic.hpp"

namespace sluice::bench {

struct LoadResult {
  std::int64_t acknowledged = 0, retried = 0;
  std::vector<std::uint32_t> ack_us;  // of a batch
};

struct LoadOptions {
  std::uint16_t port = 0;
  int connections = 8;
  std::int64_t first = 0, events = 0;  // numbers [first, first + events), whole batches
  std::int64_t batch = batch_events;   // events of a request
  double rate = 0;                     // events a second; 0: closed loop
  bool lines = false;                  // a line for each event on a plain connection: nobody acknowledges
};

// How long each of a row of single requests took: profiles, read one after the other on the admin socket.
struct ReadResult {
  std::vector<std::uint32_t> us;
  std::int64_t failed = 0;
};

// Blocks until every event is acknowledged (or handed to the kernel: lines), or the hub is gone.
LoadResult send_load(const Traffic& traffic, const LoadOptions& options,
                     std::vector<std::atomic<std::int64_t>>& sent);

// Makes all people of the traffic known; false: a request was refused for good.
bool introduce_people(const Traffic& traffic, std::uint16_t port, int connections);

// Reads the traits of people that the traffic is about, one every two milliseconds, until `stop`.
ReadResult read_profiles(const Traffic& traffic, const std::string& socket, const std::atomic<bool>& stop);
// Likewise what a page may read of them, at the listening door.
ReadResult read_decisions(const Traffic& traffic, std::uint16_t port, const std::atomic<bool>& stop);

// Whether the hub reads its history for definitions that are new (GET /v1/backfill on the admin socket).
bool reads_history(const std::string& socket);

}  // namespace sluice::bench
