// What Twilio says to a message: the classes of its error codes, and how a message that was sent without an
// answer is looked for.
#pragma once

#include <string>
#include <string_view>

#include "sluice/plugin.hpp"

namespace sluice::twilio {

struct Fate {
  sluice_status status = SLUICE_OK;
  std::string reason = {}, detail = {}, remote_id = {};
  std::uint32_t receiver = 0;
  std::int64_t retry_after_ms = -1;
};

Fate fate_of_send(const sdk::Response& response);

// Whether nobody can tell what became of the request.
bool is_lost(const sdk::Response& response);

// What the list of messages to a receiver says: `text` is there once, made at or after `since_us`, or nobody
// knows.
Fate fate_of_search(const sdk::Response& response, std::string_view text, std::int64_t since_us);

// What a code says of the receiver: SLUICE_OPTED_OUT, SLUICE_UNREACHABLE or 0.
std::uint32_t receiver_of(std::string_view code);

}  // namespace sluice::twilio
