// Who may be called: an endpoint for each source and destination whose connector has routes, with a connector
// of its own beside the feed's or the lane's, so that a callback never waits for a send and a send never for
// a callback.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "hub/receipts.hpp"
#include "hub/services.hpp"
#include "ingest/rejects.hpp"
#include "ingest/source_runner.hpp"
#include "ingest/webhook_door.hpp"
#include "journal/journal.hpp"
#include "plugin/connector.hpp"

namespace sluice::hub {

inline constexpr DurationUs receive_timeout = 10 * us_per_s;  // of one call of receive()

struct Endpoint {
  std::string name;
  std::uint32_t kind = 0;   // SLUICE_SOURCE or SLUICE_DESTINATION
  std::uint64_t print = 0;  // of its settings and their secrets
  std::vector<plugin::WebhookRoute> routes = {};
  std::vector<std::vector<std::string>> secrets = {};  // as routes
  ingest::Feed feed = {};                              // a source's: whose rows they are
  std::unique_ptr<ingest::RejectsFile> rejects = {};   // a source's
  std::unique_ptr<ConnectorServices> services = {};
  std::unique_ptr<plugin::Connector> connector = {};
  std::mutex calls = {};  // one call of the connector at a time
  std::shared_ptr<ingest::Receiver> receiver = {};

  std::string id() const { return (kind == SLUICE_SOURCE ? "source " : "destination ") + name; }
};

class Webhooks {
 public:
  struct Options {
    const Clock& clock;
    Receipts& receipts;
    std::function<Submit(std::vector<Draft>, Journal::Answer)> submit;
    std::function<std::string()> public_url;  // without a slash at its end; empty: none
    std::function<void()> source_called;      // rows came in
  };
  explicit Webhooks(Options options);

  ingest::WebhookDoor& door() { return door_; }
  const ingest::WebhookDoor& door() const { return door_; }
  // What is open, by id(): a configuration that takes over keeps what is the same. [applier]
  const std::vector<std::shared_ptr<Endpoint>>& endpoints() const { return endpoints_; }
  void start(Endpoint& endpoint) const;  // its receiver [applier]
  // Stops those that are not among these; callers are told to come again. [applier]
  void pause_but(const std::vector<std::shared_ptr<Endpoint>>& staying);
  void set(std::vector<std::shared_ptr<Endpoint>> endpoints);  // [applier]
  bool has_sources() const;                                    // [applier]
  void stop();                                                 // [main] no call of receive() runs afterwards

 private:
  void receive(Endpoint& endpoint, const plugin::Incoming& incoming, ingest::Receiver::Answer answer) const;
  void receive_rows(Endpoint& endpoint, const plugin::Incoming& incoming,
                    ingest::Receiver::Answer answer) const;
  void receive_callbacks(Endpoint& endpoint, const plugin::Incoming& incoming,
                         ingest::Receiver::Answer answer) const;

  const Options options_;
  ingest::WebhookDoor door_;
  std::vector<std::shared_ptr<Endpoint>> endpoints_;
};

}  // namespace sluice::hub
