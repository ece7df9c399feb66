// The tracking door: Segment's HTTP API, as the SDKs of Segment, RudderStack, Customer.io and Jitsu speak it.
// What comes in is checked, cut into events and journaled; the answer leaves when the journal has them
// durably.
//
// Served: POST /v1/{batch,b,import} with {"batch":[…]}; POST /v1/{identify,track,page,screen,group,alias} and
// their first letters, and /api/s/{type}, /api/s/s2s/{type}, with one event; each also without /v1;
// /beacon/v1/batch; OPTIONS on all; GET /v1/projects/KEY/settings and /sourceConfig, which let browser SDKs
// start; GET /v1/decide?anonymousId=…, what a page may read of its visitor; GET /healthz and /readyz.
//
// The write key comes as Basic user name, X-Write-Key, `writeKey` in the body or in the query; the first that
// is there counts. Content-Type is not looked at. gzip is told by its first bytes, whatever the headers say.
//
// Answers are JSON, {"success":true} at best. One bad event does not fail its batch:
// {"success":true,"accepted":n, "rejected":[{"index","messageId","code","message"}]}, since every SDK throws
// away the whole batch on a 400. A single call with a bad event is 400, as are what is no JSON, an event over
// 32 KiB and a batch of more than 2,500; 413: more than 4 MiB, decompressed; 401: no known write key; 429
// with Retry-After: the journal's queue is full; 503 with Retry-After: its disk is, or the hub is stopping.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "ingest/tracking_body.hpp"
#include "journal/journal.hpp"
#include "net/server.hpp"

namespace sluice::ingest {

inline constexpr std::size_t tracking_body_bytes_max = std::size_t{4} << 20;

struct TrackingSource {
  std::string name;
  std::string write_key;  // its value; never written anywhere
  // trust: public, that is browsers and apps: the caller's address is kept with its events.
  bool in_browsers = false;
  bool paused = false;  // it is about to be another source: 503 with Retry-After for a moment
};

// What happened at the door, for /metrics. All only grow. [any]
struct TrackingCounters {
  std::atomic<std::uint64_t> accepted{0};                         // events, durable
  std::array<std::atomic<std::uint64_t>, flaw_count> rejected{};  // events, by Flaw
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> decisions{0};     // requests for /v1/decide
  std::atomic<std::uint64_t> malformed{0};     // requests answered 400 or 413
  std::atomic<std::uint64_t> unauthorized{0};  // 401
  std::atomic<std::uint64_t> full{0};          // 429
  std::atomic<std::uint64_t> unavailable{0};   // 503
};

struct TrackingOptions {
  using SubmitFn = std::function<Submit(std::vector<Draft>, Journal::Answer)>;
  std::vector<TrackingSource> sources;
  SubmitFn submit;                         // Journal::submit
  std::function<unsigned()> percent_used;  // Journal::percent_used
  std::function<bool()> ready;             // for /readyz: the hub has recovered and is not stopping
  // "https://collect.shop.example": where browsers reach us; empty: as they say. [any]
  std::function<std::string()> public_url;
  // What the page of the visitor with this anonymous id may read, as JSON: told later, on any thread. Nothing
  // is told: pages may read nothing at all. False: too many wait, `told` is not called. Must not wait. [any]
  using Told = std::function<void(const std::optional<std::string>& json)>;
  std::function<bool(std::string anonymous_id, Told told)> decide = {};
};

class TrackingDoor {
 public:
  // `clock` outlives it.
  TrackingDoor(const Clock& clock, TrackingOptions options);
  ~TrackingDoor();
  TrackingDoor(const TrackingDoor&) = delete;
  TrackingDoor& operator=(const TrackingDoor&) = delete;

  // Answers every request, at once or when the journal has it. The counters have to live until submit's last
  // `done` was called: destroy the door after the journal has stopped. [any]
  void handle(net::Request request, net::Responder responder);
  // The sources of a new configuration, from the next request on: what was asked of the old ones has been
  // submitted, or refused, when this returns. [any, one at a time]
  void set_sources(std::vector<TrackingSource> sources);
  const TrackingCounters& counters() const { return counters_; }

  // For ServerOptions::error_headers, so that browsers may read those answers too.
  static std::vector<std::pair<std::string, std::string>> cors_headers();

 private:
  using Sources = std::vector<TrackingSource>;
  struct Call;   // one request on its way
  struct Route;  // what its path asks for

  static Route route_of(std::string_view path);
  void post(Call& call, const Route& route);
  Status unpack(Call& call) const;
  void submit(const Call& call, ParsedBody parsed);
  void answer(const Call& call, const Status& status, std::size_t accepted, std::string rejected);
  void refuse(const Call& call, int status, std::string_view code, std::string_view message);
  void decide(const Call& call);
  void send_settings(const Call& call, std::string_view write_key);
  void send_source_config(const Call& call);
  std::string url_of(const net::Request& request) const;
  std::shared_ptr<const Sources> sources() const;
  std::unique_ptr<TrackingBody> borrow();
  void give_back(std::unique_ptr<TrackingBody> body);

  const Clock& clock_;
  const TrackingOptions options_;
  TrackingCounters counters_;
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<const Sources> sources_;
  std::future<void> released_;                         // ready when nobody reads sources_ any more
  std::vector<std::unique_ptr<TrackingBody>> bodies_;  // parsers at rest
};

}  // namespace sluice::ingest
