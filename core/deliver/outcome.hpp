// How a record of the outbox ends. Nothing else ever removes one.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "model/effect.hpp"

namespace sluice::deliver {

enum class OutcomeKind : std::uint8_t {  // never renumbered: they stand in files
  delivered = 1,
  rejected = 2,    // can never succeed: a dead letter
  expired = 3,     // older than the destination's `expires`
  superseded = 4,  // a later record says the same and more
  suppressed = 5,  // the gate closed while it waited
  held = 6,  // sent, and whether it arrived is unknown: a dead letter that waits for a person's decision
  no_address = 7,  // the person has no address there; no dead letter
  shadow = 8,      // mode: shadow - rendered and recorded, not sent
};
inline constexpr std::size_t outcome_kinds = 9;  // array size for counters by kind; 0 is unused
std::string_view name_of(OutcomeKind kind);      // "delivered", ..., "no address", "shadow"

inline constexpr DurationUs expires_default = 7 * us_per_d;  // of a record whose destination does not say

// What the vendor says of a message's address: nothing; its owner wants no more; nothing will ever arrive
// there.
enum class Receiver : std::uint8_t { unsaid = 0, opted_out = 1, unreachable = 2 };

struct Outcome {
  OutcomeKind kind = OutcomeKind::delivered;
  std::string reason;  // stable snake_case key, for metrics: "http_400"; empty where the kind says it all
  std::string detail;  // for people, without personal data
  std::uint32_t attempts = 0;  // sends so far, 0 where nothing was sent
  TimeUs at = 0;               // wall clock
  std::string remote_id;       // the vendor's id of what it made, where it told one
  Receiver receiver = Receiver::unsaid;
};

using OutcomeCounts = std::array<std::uint64_t, outcome_kinds>;  // by kind

}  // namespace sluice::deliver
