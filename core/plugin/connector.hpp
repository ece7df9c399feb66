// One configured source or destination: a plugin's instance and the contract around it. What a call emits
// counts only when the call succeeds; inputs are copied behind 64 bytes of padding; every record ends with
// exactly one fate; nothing is thrown.
//
// Threads: [serial] - never two calls at once on one Connector, though on changing threads.
// Failures of a call: transient (retry, throttled, internal), rejected (invalid, unsupported), misconfigured
// (credentials), cancelled. The whole batch then has no fate and is the caller's to retry.
#pragma once

#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "plugin/credentials.hpp"
#include "plugin/host_services.hpp"
#include "plugin/http_request.hpp"
#include "plugin/registry.hpp"
#include "plugin/types.hpp"

namespace sluice::plugin {

struct Instance {               // what to open
  std::string name = {};        // in connectors.yaml
  std::string config = {};      // `with:` as a JSON object, secrets expanded
  std::string folder = {};      // absolute; relative paths in config start here
  std::string routes_url = {};  // public, of its routes; empty: there is none
  std::uint32_t kind = 0;       // as which it is configured: SLUICE_SOURCE or SLUICE_DESTINATION; 0: any
  std::vector<std::string> allow_hosts = {};
  // The path of sluice-connector: the connector runs in a process of its own, where it harms nobody. Empty:
  // in this one.
  std::string program = {};
  std::uint64_t memory_bytes = std::uint64_t{512} << 20;  // of that process
  std::stop_token stop = {};                              // ends the opening
};

inline constexpr DurationUs compute_max =
    10 * us_per_s;  // for what only computes, whatever the manifest says

struct CallLimits {
  DurationUs timeout = 30 * us_per_s;  // told to the connector; past it cancelled() is true
  std::stop_token stop;
};

// What a source's fetch() and interpret() emitted, but for records, which went to the sink.
struct FetchOutput {
  std::vector<Request> requests = {};
  std::vector<RateLimit> limits = {};
};

// How this instance speaks HTTP, without opening it.
Result<HttpPolicy> policy_of(const Entry& entry, const Instance& instance);

class Connector {
 public:
  // Loads the library (once a process, never unloaded), compares it with its manifest, creates the instance.
  // In a process of its own a connector that dies fails the call with Code::transient; the next call has a
  // new process. `host` must outlive the Connector.
  static Result<std::unique_ptr<Connector>> open(const Entry& entry, const Instance& instance,
                                                 HostServices& host);
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  const Entry& entry() const;
  const ManifestInfo& info() const;
  const HttpPolicy& http_policy() const;  // for resolve()
  // For who sends by himself: outlives the Connector, and answers `cancelled` from then on. [any]
  std::shared_ptr<Credentials> credentials() const;
  // Sends with credentials and waits: of a source's request, its answer. rejected: it may not be sent;
  // misconfigured: there are no credentials. [any]
  Result<Response> send(const Request& request) const;
  bool offers_plan() const;       // a destination: plan() and interpret(); else deliver()
  bool offers_interpret() const;  // else the HTTP status decides
  bool offers_check() const;
  bool offers_fetch() const;
  bool offers_read() const;
  bool offers_receive() const;
  bool offers_discover() const;
  bool offers_provision() const;
  bool offers_subscribe() const;

  // Destinations.
  // Of a part of a snapshot the last records may be left without a request and an outcome.
  Result<PlanOutput> plan(std::span<const Record> records, const CallLimits& limits = {},
                          const SnapshotPart& part = {});
  // `records`: the batch that plan() had; fates only for response.records.
  Result<InterpretOutput> interpret(std::span<const Record> records, const Response& response,
                                    const CallLimits& limits = {});
  // Blocks. One outcome a record, by index.
  Result<std::vector<Outcome>> deliver(std::span<const Record> records, const CallLimits& limits = {},
                                       const SnapshotPart& part = {});

  // Sources. fetch() and interpret_fetched() hand their records over only when the call succeeded; read() as
  // it goes, and what comes after its last checkpoint does not count.
  Result<FetchOutput> fetch(const Poll& poll, Sink& sink, const CallLimits& limits = {});
  Result<FetchOutput> interpret_fetched(const Poll& poll, const Response& response, Sink& sink,
                                        const CallLimits& limits = {});
  Status read(const Poll& poll, Sink& sink, const CallLimits& limits = {});
  // Both kinds. Send the reply after the sink's records are durable. To a destination's sink go receipts and
  // consent, as sluice_connector says.
  Result<Reply> receive(const Incoming& incoming, Sink& sink, const CallLimits& limits = {});

  // "Test connection": what to request; hand the answers to interpret_inquiry(). Nothing to request where not
  // offered.
  Result<std::vector<Request>> check(const CallLimits& limits = {});

  // What there is over there, what is to be there, and who is to call back. Pure: send the requests and hand
  // each answer to interpret_inquiry(), until nothing is left to ask; inquiry.hpp does that.
  Result<Inquiry> discover(std::string_view stream, const CallLimits& limits = {});  // empty: all streams
  Result<Inquiry> provision(const Provision& what, const CallLimits& limits = {});
  Result<Inquiry> subscribe(const Subscription& what, const CallLimits& limits = {});
  Result<Inquiry> unsubscribe(const Subscription& what, const CallLimits& limits = {});
  // By response.purpose. Where the connector says nothing of a check, provision or subscription and asks
  // nothing more, the HTTP status decides.
  Result<Inquiry> interpret_inquiry(const Response& response, const CallLimits& limits = {});

 private:
  struct Impl;
  explicit Connector(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::plugin
