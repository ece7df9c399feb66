// Where vendors call: /in/NAME/ROUTE of each source or destination whose connector has routes. A request is
// verified as its manifest says before the connector sees anything of it, then waits for the connector in a
// queue of its own: the connectors' calls never hold up the server's threads, nor one another.
//
// Answers: the connector's, once what it emitted is durable; 401: not signed by who holds the secret, and
// nothing more is said; 404: nothing here; 405 with Allow; 413: over 1 MiB; 429 with Retry-After: this
// connector has too much waiting; 400: the connector cannot read it; 503 with Retry-After: it failed, or the
// journal takes nothing now.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "net/server.hpp"
#include "plugin/types.hpp"
#include "plugin/webhook_route.hpp"

namespace sluice::ingest {

inline constexpr std::size_t webhook_body_bytes_max = std::size_t{1} << 20;
inline constexpr std::size_t webhooks_waiting_max = 256;       // of one source or destination
inline constexpr DurationUs webhook_patience = 10 * us_per_s;  // what waited longer is answered 503

enum class Taken : std::uint8_t { accepted, unreadable, failed };  // by the connector and the journal

// Calls one connector, on a thread of its own, one request after the other.
class Receiver {
 public:
  using Answer = std::function<void(Taken, plugin::Reply)>;
  // Calls `answer` once, on whatever thread, when what came of the request is durable or refused.
  using Work = std::function<void(const plugin::Incoming&, Answer answer)>;

  Receiver(const Clock& clock, Work work);
  ~Receiver();  // stop()
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  bool offer(plugin::Incoming incoming, Answer answer);  // [any] false: too many wait, or it has stopped
  void stop();  // what waits is answered `failed`; the call that runs ends first [any but its own thread]

 private:
  struct Waiting {
    plugin::Incoming incoming;
    Answer answer;
    TimeUs since;
  };
  void run();
  const Clock& clock_;
  const Work work_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

struct WebhookEndpoint {  // a source or destination with routes
  std::string name;
  std::vector<plugin::WebhookRoute> routes;
  std::vector<std::vector<std::string>> secrets;  // as routes: the values that may have signed
  std::shared_ptr<Receiver> receiver;
};

enum class WebhookResult : std::uint8_t {
  accepted,
  no_signature,
  bad_signature,
  stale,
  wrong_method,
  too_large,
  busy,
  unreadable,
  failed,
};
inline constexpr std::size_t webhook_results = 9;
std::string_view name_of(WebhookResult result);

struct WebhookCount {
  std::string name, route;
  std::array<std::uint64_t, webhook_results> requests{};
};

class WebhookDoor {
 public:
  // `public_url` without a slash at its end; empty: routes whose signature covers the URL take nothing. [any]
  WebhookDoor(const Clock& clock, std::function<std::string()> public_url);

  static bool is_at(std::string_view path) { return path.starts_with("/in/"); }
  void handle(net::Request request, net::Responder responder);  // [any]
  void set_endpoints(std::vector<WebhookEndpoint> endpoints);   // [any] from the next request on
  std::vector<WebhookCount> counts() const;                     // [any] by name and route; all only grow
  std::uint64_t unknown() const { return unknown_; }            // [any] requests to no route: 404

 private:
  using Endpoints = std::vector<WebhookEndpoint>;
  struct Match {
    const WebhookEndpoint* endpoint = nullptr;
    std::size_t route = 0;
    std::string path;  // behind the name, from its slash on
  };
  static Match match(const Endpoints& endpoints, std::string_view path);
  plugin::Incoming incoming_of(net::Request request, const Match& match) const;
  void count(const std::string& name, const std::string& route, WebhookResult result);

  const Clock& clock_;
  const std::function<std::string()> public_url_;
  std::atomic<std::uint64_t> unknown_{0};
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<const Endpoints> endpoints_;
  std::map<std::pair<std::string, std::string>, std::array<std::uint64_t, webhook_results>> counts_;
};

}  // namespace sluice::ingest
