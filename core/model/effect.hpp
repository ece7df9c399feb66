// What the step wants delivered: the records of the outbox. Frozen: everything that a destination plugin will
// see.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace sluice {

using ProfileId =
    std::uint64_t;  // permanent; 0 is nobody. Derived from the journal's seed and the input that made it
inline constexpr ProfileId nobody = 0;
std::string format_profile_id(ProfileId id);        // "p" and 13 letters of Crockford's base 32, lower case
ProfileId parse_profile_id(std::string_view text);  // nobody when it is none

enum class Operation : std::uint8_t {
  event = 1,
  upsert = 2,
  remove = 3,
  enter = 4,
  leave = 5,
  message = 6,
  merge = 7,
  erase = 8,
  consent = 9,
  snapshot_begin = 10,  // of all members of an audience ...
  snapshot_end = 11
};
std::string_view name_of(Operation op);  // "event", "upsert", "delete", "enter", "leave", "message", ...

// The idempotency key is `<journal id>.<generation>.<seq>.<ordinal>`; seq and ordinal are the part that a
// lane counts by.
struct EffectKey {
  std::uint64_t seq = 0;
  std::uint32_t ordinal = 0;  // within the input
  auto operator<=>(const EffectKey&) const = default;
};

struct Effect {
  EffectKey key;
  std::string destination;  // name
  Operation op = Operation::event;
  ProfileId person = nobody;
  std::string purpose;  // asked again at the gate before sending; empty: nothing to ask
  TimeUs time = 0;      // when it happened
  std::string name;     // event; audience, or its `list` over there; template
  std::string route;    // the route or workflow that made it, for metrics and explanations
  std::string address;  // a message's receiver; else empty
  std::string
      identifiers;      // JSON object {"user_id": ["…"], "email": ["…"], …} of the person when it was made
  std::string payload;  // JSON object: mapped fields; an event's without `fields` is the event itself
  std::string
      supersede;  // records of one destination with the same non-empty text: only the latest needs to go out
  EffectKey snapshot = {};  // of the mark that begins it, which has its own; seq 0: it belongs to none

  void encode(std::string& out) const;                      // without the destination
  static bool decode(std::string_view bytes, Effect& out);  // copies
};

}  // namespace sluice
