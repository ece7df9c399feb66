// What the head of a request to the tracking door says: who sends, from where, and what a browser may do.
#pragma once

#include <string>
#include <string_view>

#include "net/server.hpp"

namespace sluice::ingest {

// The write key of a request, as Basic user name, X-Write-Key, in the body (`body_key`) or in the query;
// empty: none.
std::string key_of(const net::Request& request, std::string_view body_key);

// The IP address that it comes from: the peer's, or what a proxy in front of us says.
std::string caller_of(const net::Request& request);

// The answer to a browser that asks whether it may send (`is_event`) or read.
net::Response preflight(const net::Request& request, bool is_event);

}  // namespace sluice::ingest
