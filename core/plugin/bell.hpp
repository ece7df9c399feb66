// Inside this room: how one end of a connector's call wakes the other. Private to one build of the hub.
//
// Each end writes its messages into a place at the head of an area that the other only reads, one at a time:
// a call, its questions and their answers take turns. The socket between them carries no message, only rings,
// and only to an end that sleeps. While calls come densely an end looks at the place for some microseconds
// before it sleeps: to wake a core that idles costs ten times what a call does. An end that has nothing to do
// sleeps, and costs nothing.
//
// Nothing that stands in the other's area is believed: a message is copied once and judged by whoever hears
// it; who lies about sleeping waits for a ring in vain, or is rung in vain; more rings than messages are
// garbage, so that nobody is kept awake by them.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "plugin/wire.hpp"

namespace sluice::plugin::wire {

// At the head of an area. Lies in shared memory: atomic, and valid when all is zero.
struct Head {
  std::atomic<std::uint32_t> cancel;             // of `arguments`: not 0: stop
  std::atomic<std::uint32_t> sleeps;             // whoever writes this head waits for a ring
  std::atomic<std::uint32_t> core;               // on which it runs
  alignas(64) std::atomic<std::uint64_t> count;  // of messages so far
  std::array<std::atomic<std::uint64_t>, sizeof(Message) / sizeof(std::uint64_t)> message;
};
static_assert(sizeof(Head) == head_bytes && std::atomic<std::uint64_t>::is_always_lock_free);
inline Head& head_at(char* area) {
  return *static_cast<Head*>(static_cast<void*>(area));
}
inline const Head& head_at(const char* area) {
  return *static_cast<const Head*>(static_cast<const void*>(area));
}

// [serial]
class Bell {
 public:
  enum class End : std::uint8_t { hub, connector };
  // The socket and the heads stay the caller's.
  Bell(End end, int socket, Head& ours, const Head& theirs);

  bool send(const Message& message);  // false: nobody is there any more
  enum class Heard : std::uint8_t { message, nothing, death, garbage };
  Heard hear(Message& message, int timeout_ms);  // -1: however long it takes

 private:
  using Clock = std::chrono::steady_clock;
  bool take(Message& message);
  bool look_for_a_moment(Message& message);
  Heard sleep(Message& message, int timeout_ms);

  End end_;
  int socket_;
  Head& ours_;
  const Head& theirs_;
  std::uint64_t heard_ = 0;                 // their count, as it was last seen
  std::uint64_t messages_ = 0, rings_ = 0;  // that were heard
  Clock::time_point last_;                  // that one was heard
  int dense_ = 0;                           // that came soon after another, in a row ...
  int wanted_ = 4;                          // ... and how many there must be before it looks
};

}  // namespace sluice::plugin::wire
