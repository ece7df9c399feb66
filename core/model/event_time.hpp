// When an event happened, by the hub's clock. Clients' clocks are wrong by anything from seconds to years;
// what they say of the time of sending tells by how much. Ingest and the step both ask here, so that they
// agree. [any] Pure.
#pragma once

#include "base/json.hpp"
#include "base/time.hpp"

namespace sluice {

// An event from further ahead of its receipt is taken as of its receipt.
inline constexpr DurationUs event_ahead_max = 5 * us_per_min;

// received - (sent - original), as Segment's HTTP API has it: the time between happening and sending is
// measured with one clock, the client's. Without `sent` the client's clock is believed; without `original` it
// happened when it was received. Each may be no_time but `received`.
TimeUs event_time(TimeUs original, TimeUs sent, TimeUs received);

// The same from the event's own members. `timestamp` is the client's time; but where `originalTimestamp`
// stands beside it, `timestamp` was corrected already (RudderStack's clients and replays do so) and is taken
// as it is. The event's own `sentAt` wins over the batch's. What is no time counts as absent.
TimeUs event_time(Json timestamp, Json original_timestamp, Json sent_at, TimeUs batch_sent, TimeUs received);

// A member's time; no_time when it is none.
TimeUs time_of(Json member);

}  // namespace sluice
