#include "ingest/tracking_request.hpp"

#include "base/hash.hpp"
#include "base/text.hpp"
#include "net/client.hpp"

namespace sluice::ingest {

namespace {

// The user name of `Authorization: Basic`; the colon may be missing (RFC 7617 asks for it, some clients
// forget it).
std::string basic_user(std::string_view authorization) {
  constexpr std::string_view scheme = "basic ";
  if (!equals_ignoring_case(authorization.substr(0, scheme.size()), scheme)) return {};
  std::string decoded;
  if (!base64_decode(trim(authorization.substr(scheme.size())), decoded)) return {};
  return decoded.substr(0, decoded.find(':'));
}

}  // namespace

// The first that is there counts: an SDK that sends several means the same by all.
std::string key_of(const net::Request& request, std::string_view body_key) {
  std::string key = basic_user(request.header("authorization"));
  if (key.empty()) key = request.header("x-write-key");
  if (key.empty()) key = body_key;
  if (key.empty()) key = request.query("writeKey");
  return key;
}

// Behind a proxy of ours the caller stands in X-Forwarded-For, last: what comes before it anyone may have
// written. From elsewhere the header is not believed.
std::string caller_of(const net::Request& request) {
  const std::string_view forwarded = request.header("x-forwarded-for");
  if (forwarded.empty() || net::is_public_address(request.peer)) return request.peer;
  const std::size_t comma = forwarded.rfind(',');
  return std::string(
      trim(comma == std::string_view::npos ? forwarded : forwarded.substr(comma + 1)).substr(0, 45));
}

// What asks for more headers than today's SDKs send is answered too: none of them means anything to us.
net::Response preflight(const net::Request& request, bool is_event) {
  const std::string_view asked = request.header("access-control-request-headers");
  net::Response response{204, {}, {}, {}};
  response.headers.emplace_back("Access-Control-Allow-Methods", is_event ? "POST, OPTIONS" : "GET, OPTIONS");
  response.headers.emplace_back("Access-Control-Allow-Headers",
                                asked.empty()
                                    ? "authorization, content-type, content-encoding, anonymousid, sentat, "
                                      "x-retry-count, x-write-key"
                                    : asked);
  response.headers.emplace_back("Access-Control-Max-Age", "86400");
  return response;
}

}  // namespace sluice::ingest
