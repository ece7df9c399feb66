// How an answer looks on the wire. Used by server.cpp.
#pragma once

#include <string>
#include <string_view>

#include "net/server.hpp"

namespace sluice::net {

// Appends the answer in HTTP/1.1 (RFC 9112). `close`: with "Connection: close". `head`: without the body
// itself.
void append_response(std::string& out, const Response& response, bool close, bool head);

std::string_view reason_phrase(int status);

// Sets path and query_text from a request's target in origin or absolute form (RFC 9112, 3.2).
void set_target(Request& request, std::string_view target);

}  // namespace sluice::net
