// What Twilio calls us with: the status of a message, and messages that people send.
#pragma once

#include "sluice/plugin.hpp"

namespace sluice::twilio {

void take_status(const sdk::Incoming& incoming, sdk::Call& call);   // throws sdk::Fail
void take_inbound(const sdk::Incoming& incoming, sdk::Call& call);  // throws sdk::Fail

}  // namespace sluice::twilio
