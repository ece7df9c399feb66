// An HTTP/1.1 server: keep-alive, pipelining, chunked and sized bodies, 100-continue. It never redirects and
// never decompresses.
//
// A connection belongs to one io thread. The handler runs on that thread and must not wait; it may keep the
// Responder and answer later from any thread. Answers leave in the order of their requests, and those that
// come together leave in one write.
//
// Limits: a head over header_bytes_max is answered 431, a body over body_bytes_max 413, a malformed request
// 400, one that takes longer than read_timeout 408; each closes the connection. Above connections_max, and
// above connections_per_peer_max of one caller, new connections are closed unread. When the bodies that were
// read and not yet answered hold more than held_bytes_max, new requests with a body get 503.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/result.hpp"

namespace sluice::net {

// One request, whole. Plain data: may be moved to another thread.
class Request {
 public:
  std::string method;      // "POST"
  std::string path;        // percent-decoded, without the query
  std::string query_text;  // behind the '?', as sent
  std::string peer;        // the caller's IP address as text; empty over a Unix socket
  std::string body;  // without chunk framing; still compressed if it was. At least 64 spare bytes of capacity

  // The value of a header, by its name in any case; empty if absent. Of a repeated header the first.
  std::string_view header(std::string_view name) const;
  // Calls each(name, value) for every header, in their order, names as they were sent.
  template <typename F>
  void each_header(F&& each) const {
    const std::string_view text = fields_text_;
    for (const Field& f : fields_)
      each(text.substr(f.name, f.value - f.name), text.substr(f.value, f.end - f.value));
  }
  // A query parameter, decoded; empty if absent. Of a repeated one the first.
  std::string query(std::string_view name) const;
  void add_header(std::string_view name, std::string_view value);

 private:
  struct Field {
    std::uint32_t name, value, end;  // offsets into fields_text_
  };
  std::string fields_text_;
  std::vector<Field> fields_;
};

struct Response {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";  // not sent when there is no body
  std::vector<std::pair<std::string, std::string>> headers;
};

// The right to answer one request, once. Copies share it; when the last one goes unused, the answer is a 500.
// [any]
class Responder {
 public:
  class Pending;
  Responder() = default;
  explicit Responder(std::shared_ptr<Pending> pending) : pending_(std::move(pending)) {}
  // Does nothing when it was answered before or the connection is gone. Never waits.
  void send(Response response) const;

 private:
  std::shared_ptr<Pending> pending_;
};

using Handler = std::function<void(Request, Responder)>;  // [io threads]; must not throw

struct ServerOptions {
  std::size_t body_bytes_max = std::size_t{4} << 20;
  std::size_t header_bytes_max = std::size_t{16} << 10;
  std::chrono::milliseconds read_timeout{30'000};   // from a request's first byte to its last
  std::chrono::milliseconds idle_timeout{75'000};   // between requests
  std::chrono::milliseconds write_timeout{30'000};  // without progress of a reader
  std::chrono::milliseconds drain_timeout{5'000};   // how long stop() waits for answers that are due
  std::size_t connections_max = 4'096;
  // Of one address in the public internet (of IPv6: one /64); 0: as many. Private and loopback addresses may
  // be a proxy, behind which everybody comes, and are not counted unless `count_private_peers`.
  std::size_t connections_per_peer_max = 0;
  bool count_private_peers = false;
  std::size_t pipelined_max = 64;  // requests of a connection that wait for their answer; then it is not read
  std::size_t held_bytes_max = std::size_t{256} << 20;
  unsigned threads = 1;
  // Added to the answers that the server gives by itself (CORS headers, say).
  std::vector<std::pair<std::string, std::string>> error_headers;
};

class HttpServer {
 public:
  // `address`: "HOST:PORT" (port 0: any free one; an IPv6 host in brackets) or "unix:PATH" (made 0600; a
  // socket left behind by a dead process is replaced, one that answers is not). Serves when it returns.
  // Errors: misconfigured (address malformed, in use, not allowed).
  static Result<std::unique_ptr<HttpServer>> listen(const std::string& address, ServerOptions options,
                                                    Handler handler);

  ~HttpServer();  // stops
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::uint16_t port() const;          // of TCP; 0 over a Unix socket
  const std::string& address() const;  // "127.0.0.1:8080" with the port in use, or "unix:PATH"
  std::size_t connections() const;     // open now [any]
  std::uint64_t refused() const;       // connections that were closed unread, since the start [any]
  // No new connections and requests; waits until what is due was answered, at most drain_timeout; then closes
  // everything and joins the threads. The handler is not called afterwards. Not from an io thread.
  void stop();

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Reads %XX, and '+' as a space when `plus_is_space`. A malformed escape stays as it is.
std::string percent_decode(std::string_view text, bool plus_is_space);

}  // namespace sluice::net
