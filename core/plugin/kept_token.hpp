// Inside this room: what is kept of a connection's tokens, as the text that the vault seals.
#pragma once

#include <string>
#include <string_view>

#include "base/time.hpp"
#include "plugin/auth.hpp"

namespace sluice::plugin {

inline constexpr DurationUs token_timeout = 10 * us_per_s;  // of a request to the endpoint
inline constexpr DurationUs token_margin_max = us_per_min;  // before its end; a tenth of a short life

struct KeptToken {  // secret
  std::string refresh = {}, access = {};
  TimeUs until = 0;          // when `access` is no longer used
  std::string scopes = {};   // that were asked for
  TimeUs connected = 0;      // by a person; 0: the configuration gave the first refresh token
  TimeUs refused = 0;        // since when the endpoint answers invalid_grant; 0: it does not
  std::string text() const;  // JSON
  static KeptToken parse(std::string_view text);  // what is missing is empty
};

// The row that holds it. Another refresh token, client or endpoint in the configuration is another
// connection: what was kept for the one before says nothing about it.
std::string kept_token_name(const OAuth2& auth);

TimeUs last_use(TimeUs expires, TimeUs now);

}  // namespace sluice::plugin
