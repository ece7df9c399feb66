// OAuth by a human: what a browser is sent to, and what the code that it brings back is exchanged for. RFC
// 6749 (4.1), RFC 7636 (S256), RFC 9207. Who waits for the browser is hub/connecting.hpp or `sluice connect`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sluice/result.hpp"

#include "base/time.hpp"
#include "plugin/auth.hpp"
#include "plugin/host_services.hpp"
#include "plugin/http_request.hpp"

namespace sluice::plugin {

inline constexpr DurationUs authorization_age = 10 * us_per_min;  // how long a browser is waited for
inline constexpr std::size_t code_bytes_max = 4 << 10;
inline constexpr std::string_view redirect_path = "/oauth/callback";

struct Authorization {       // one attempt: good once
  std::string redirect_uri;  // exactly this one in both requests
  std::string state;         // of the browser that was sent out
  std::string verifier;      // secret: never leaves but to the token endpoint
  std::string url;           // where the person goes
  TimeUs until = 0;
};

// Needs Grant::authorization_code. transient: no random bytes.
Result<Authorization> begin_authorization(const OAuth2& auth, std::string redirect_uri, TimeUs now);

// What the vendor sent the browser back with.
struct Redirect {
  std::string code = {}, state = {}, error = {}, description = {}, issuer = {};
  bool pasted_code = false;  // a bare code, as some vendors show it: it has no state
};
Redirect read_redirect(std::string_view query);  // "code=…&state=…" [any]
// What a person copied: the whole address that the browser ended at, what stands behind its '?', or the code.
Redirect read_pasted(std::string_view text);

// The code to exchange. rejected: it is not of this attempt, or the vendor refused; the text says why and
// holds nothing secret. A pasted code has no state; that it is of this attempt the verifier proves.
Result<std::string> accept(const OAuth2& auth, const Authorization& attempt, const Redirect& redirect);

// Exchanges the code and keeps what it gives, on the disk when it returns; only then the connection exists.
// rejected: the endpoint refused the code; misconfigured: it refuses the client; transient: no answer, or
// nothing could be kept. After an error the code is spent: a person begins anew. [waits; any]
Status connect(HostServices& services, const HttpPolicy& policy, const Authorization& attempt,
               const std::string& code);

// What is known of a connection without asking the vendor.
struct Connection {
  TimeUs since = 0;     // 0: it was never made
  TimeUs refused = 0;   // since when the vendor takes its refresh token for none; 0: it does not
  bool usable = false;  // there is a token that may work
};
Result<Connection> kept_connection(HostServices& services, const OAuth2& auth);

// "not connected: run 'sluice connect NAME'", and its like.
std::string connect_advice(std::string_view what, std::string_view name);

}  // namespace sluice::plugin
