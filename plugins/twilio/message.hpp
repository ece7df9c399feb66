// A message as Twilio's Messages resource takes it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sluice/values.hpp"

namespace sluice::twilio {

struct Settings {  // of `with:`, without its secrets
  std::string account;
  std::string from, messaging_service;  // one of them, unless each message names its own
  std::string number_sid;
  std::string validity_s;
  std::string messaging_endpoint;
  std::string routes_url;  // empty: nobody can call back
};

Settings settings_of(const sdk::Open& open);  // throws sdk::Fail

struct Refused {
  sluice_status status = SLUICE_INVALID;
  std::string reason, detail;
};

struct Message {
  std::string form;  // the body of POST Messages.json
  std::string text;  // by which it is found again; empty: it has none of its own
};

// What is wrong with it comes back in `refused`; then there is no message.
std::optional<Message> compose(const Settings& settings, const sdk::Record& record, Refused& refused);

}  // namespace sluice::twilio
