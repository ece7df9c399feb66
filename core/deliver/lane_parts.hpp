// Inside this room: what a lane holds while records are on their way.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "deliver/lane.hpp"

namespace sluice::deliver {

// What is held when it is not known whether it arrived goes out in small numbers, so that a crash leaves a
// handful to be decided by hand: one in a deliver(), and so many in a request, in so many requests at a time.
inline constexpr std::uint32_t careful_records_max = 8;
inline constexpr std::size_t careful_batches_max = 2;
inline constexpr DurationUs unreachable_for = 90 * us_per_d;  // then an address is tried again
inline constexpr std::uint64_t blocked_people_max = 10'000;
inline constexpr DurationUs outcome_sync_every = us_per_s;
inline constexpr DurationUs linger_default = 2 * us_per_ms;
inline constexpr DurationUs linger_more = 5;  // so many times as long while the step is about to offer more

struct Lane::Planned {
  CourierRequest request;
  DurationUs not_before = 0;
  enum class State : std::uint8_t { waiting, flying, done } state = State::waiting;
  DurationUs sent = 0;
  bool follows = false;     // on a request that has reached the destination and may have done something
  KeptStep kept = nullptr;  // it is a step of something under way
};

struct Lane::Batch {
  std::uint64_t id = 0;
  std::vector<Item*> items;  // null where the record has left the batch
  Part part = {};            // of a snapshot
  std::vector<Planned> requests;
  std::deque<std::vector<Item*>> rest;  // split off: planned when everything before has come back
  std::uint32_t careful = 0;            // records that are held when their fate is unknown
  bool serial = false;                  // a person's records stand in several requests: one after the other
  std::size_t open = 0;                 // requests that are not done
};

struct Lane::Landed {
  std::uint64_t batch;
  std::size_t request;
  CourierResponse response;
};

// Shared with send()'s callbacks, which may outlive the lane.
struct Lane::Inbox {
  std::mutex mutex;  // guards everything here
  std::condition_variable changed;
  std::vector<std::unique_ptr<Item>> arrived;
  std::vector<Landed> landed;
  std::uint64_t offers = 0;              // that are worth waking up for
  DurationUs quiet_since = 0;            // when the first came of those in `arrived` that were not; 0: none
  bool spilled = true;                   // records are in the log that are neither here nor in the queue
  bool stopping = false, ended = false;  // the thread's end is asked for; it has come
  bool renewed = false;
};

// What a response, or a failed call, means for the records it decides.
struct Lane::Landing {
  const CourierRequest* request = nullptr;
  const CourierResponse* response = nullptr;
  std::size_t records = 0;  // that it decides
  bool success = false, failure = false, throttled = false, refused = false;
  bool delivered = false, again = false;  // some were; some are to be sent again
  bool broke = false;    // the connector itself, in deliver(), and said of no record what became of it
  bool suspect = false;  // one record alone failed, and others were taken since it first did
  DurationUs retry_after = -1;
  DurationUs sent = never;  // never: just now
  std::string error;
  std::vector<Item*> split;
  std::vector<Item*> repeats;     // a step that did not get through is taken again
  bool intents_repeated = false;  // ... and the log says that it is on its way
  bool follows = false;           // as Planned::follows
  DurationUs due = -1;  // of this response's retries: one draw, so that what failed together stays together
};

// A batch that is being formed.
struct Lane::Pick {
  std::vector<Item*> items;
  std::uint64_t bytes = 0;
  std::uint32_t skipped = 0;
  std::uint64_t tried = 0;  // the line of a snapshot whose next part cannot go yet
  bool ended = false;       // some of the records looked at have ended, or wait again
};

}  // namespace sluice::deliver
