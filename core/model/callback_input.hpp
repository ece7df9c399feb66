// The payload of a journal frame of kind `outcome`: what a destination said, after it had taken a record,
// became of it or what its person wants. As an event's, it is one person's: what erases their events erases
// it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "model/effect.hpp"

namespace sluice {

struct CallbackInput {
  std::string_view destination;  // its name
  std::string_view key;          // drops duplicates; unique within the destination
  std::string_view name;         // of a receipt: "delivered", ...; or "granted", "refused"
  TimeUs time = no_time;
  ProfileId person = nobody;  // whose message it was; nobody: whom `identifiers` name
  std::string_view
      identifiers;  // JSON object {"phone": ["+33612345678"]}, as the vendor writes them; or empty
  std::string_view message, route;  // of the message: its name and the workflow that sent it; or empty
  std::string_view facts;           // JSON object of the vendor's; of a consent with its "proof"; or empty

  bool is_consent() const { return name == "granted" || name == "refused"; }
  void encode(std::string& out) const;
  static bool decode(std::string_view payload,
                     CallbackInput& out);  // borrows; false: not what encode() writes
};

}  // namespace sluice
