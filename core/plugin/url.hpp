// Inside this room: URLs that may be sent, in their parts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::plugin {

struct UrlParts {                             // borrow
  std::string_view scheme, host, port, rest;  // host without brackets; rest: from '/' or '?' on
};

// Only what we send: http(s)://HOST[:PORT][/...]. A user name in it, white space or a fragment is nothing we
// send.
std::optional<UrlParts> split_url(std::string_view url);

// All but RFC 3986's unreserved characters as %XX, in capitals.
std::string percent_encode(std::string_view text);

}  // namespace sluice::plugin
