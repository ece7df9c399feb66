// The members of a tracking call that the hub itself reads, found in one walk over the event.
#pragma once

#include "base/json.hpp"

namespace sluice {

// What is not there is missing; of a repeated member the last counts, as in Json::operator[].
struct EventMembers {
  Json type, event, user_id, anonymous_id, previous_id, group_id, message_id, timestamp, original_timestamp,
      sent_at, write_key, traits, properties, context;
};

// Borrows from the event's document. [any]
EventMembers members_of(Json event);

}  // namespace sluice
