// The token endpoint: what is asked of it and what its answer means. RFC 6749 (4.1.3, 4.4, 6, 5.1, 5.2), RFC
// 7523 2.1, RFC 7636 4.5. Pure: the same arguments give the same answer.
#pragma once

#include <optional>
#include <string>

#include "sluice/result.hpp"

#include "base/time.hpp"
#include "plugin/auth.hpp"
#include "plugin/types.hpp"

namespace sluice::plugin {

inline constexpr std::size_t token_bytes_max = 16 << 10;
inline constexpr DurationUs assertion_age = 5 * us_per_min;  // how long a JWT of ours is good

struct Token {  // secret
  std::string access = {};
  TimeUs expires = never;    // as the endpoint said it; never: it did not
  std::string refresh = {};  // where the endpoint gave one
};

// A POST to auth.token_url, without our own authentication. `refresh`: the refresh token to use.
// misconfigured: the private key is none.
Result<Request> token_request(const OAuth2& auth, const std::string& refresh, TimeUs now);

// Likewise, what an authorization code is exchanged with.
Request code_request(const OAuth2& auth, const std::string& code, const std::string& redirect_uri,
                     const std::string& verifier);

std::string scope_of(const OAuth2& auth);  // the scopes, with spaces between

// The endpoint takes the refresh token, or the code, for none: invalid_grant.
bool grant_refused(const Response& response);

// transient: later again. misconfigured: an operator has to mend something; the text says what.
Result<Token> token_of(const Response& response, TimeUs now);

// "HEADER.CLAIMS.SIGNATURE", signed with RS256 (RFC 7515, RFC 7518 3.3).
Result<std::string> signed_assertion(const OAuth2& auth, TimeUs now);

}  // namespace sluice::plugin
