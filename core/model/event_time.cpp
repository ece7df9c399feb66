#include "model/event_time.hpp"

namespace sluice {

namespace {
TimeUs clamp_ahead(TimeUs time, TimeUs received) {
  return time > received + event_ahead_max ? received : time;
}
}  // namespace

TimeUs time_of(Json member) {
  const auto text = member.string();
  return text ? parse_time(*text).value_or(no_time) : no_time;
}

TimeUs event_time(TimeUs original, TimeUs sent, TimeUs received) {
  if (original == no_time) return received;
  if (sent == no_time) return clamp_ahead(original, received);
  return clamp_ahead(received - (sent - original), received);
}

TimeUs event_time(Json timestamp, Json original_timestamp, Json sent_at, TimeUs batch_sent, TimeUs received) {
  const TimeUs stamped = time_of(timestamp);
  const TimeUs original = time_of(original_timestamp);
  if (stamped != no_time && original != no_time) return clamp_ahead(stamped, received);
  const TimeUs own_sent = time_of(sent_at);
  return event_time(stamped != no_time ? stamped : original, own_sent != no_time ? own_sent : batch_sent,
                    received);
}

}  // namespace sluice
