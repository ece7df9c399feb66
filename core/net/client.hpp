// An HTTP/1.1 client on one thread of its own: many requests in flight, connections reused, TLS verified, no
// redirects followed, no proxy unless asked for. libcurl's multi interface behind it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/result.hpp"

namespace sluice::net {

inline constexpr std::size_t response_bytes_max = std::size_t{4} << 20;

struct HttpRequest {
  std::string method = "POST";
  std::string url;  // http or https
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::int64_t timeout_ms = 30'000;  // whole request
  std::int64_t connect_timeout_ms = 10'000;
  // False: loopback, private, link-local and other addresses that are not of the public Internet are refused
  // after the name was resolved. True is for hosts that the operator wrote himself.
  bool allow_private = false;
  std::string unix_socket;  // a path: connects there; the URL's host is a name only
  std::string proxy;  // "http://HOST:PORT"; empty: none, whatever the environment says. Needs allow_private
};

// What is known about the request when no answer came: decides whether it may be sent again.
enum class Reached : std::uint8_t {
  no,       // not one byte of it was sent
  unknown,  // some of it was sent, or all
  yes,      // it was answered
};

struct HttpResponse {
  int status = 0;                                            // 0: no answer; see error
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, in order
  std::string body;  // decompressed never; at least 64 spare bytes of capacity
  Reached reached = Reached::no;
  std::string error;  // one line, for operators, without the URL's query and without bodies; empty when there
                      // is an answer
  std::int64_t retry_after_ms = -1;  // of Retry-After in seconds or as a date; -1: absent or unreadable

  std::string_view header(std::string_view lower_case_name) const;  // the first; empty if absent
};

struct ClientOptions {
  std::string user_agent = "Sluice";
  std::string ca_file;  // certificates to trust in place of the system's; empty: the system's
  std::size_t connections_per_host_max = 64;  // more requests wait for a connection
  std::size_t idle_connections_max = 256;
};

class HttpClient {
 public:
  using Callback = std::function<void(HttpResponse)>;

  static Result<std::unique_ptr<HttpClient>> create(ClientOptions options = {});
  ~HttpClient();  // stops
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `done` is called exactly once, on the client's thread (on the caller's, when the client was stopped
  // before); it must not wait and may call send(). [any]
  void send(HttpRequest request, Callback done);
  // Sends and waits for the answer. For commands and tests; never from a callback. [any]
  HttpResponse fetch(HttpRequest request);
  std::size_t in_flight() const;  // [any]
  // Ends all requests in flight with an error and joins the thread. Not from a callback.
  void stop();

 private:
  struct Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Whether an address (text, IPv4 or IPv6) is one of the public Internet: not loopback, private, link-local,
// shared, multicast, reserved, or an IPv6 form that holds such an IPv4 address. False for what is no address.
bool is_public_address(std::string_view address);

}  // namespace sluice::net
