// Registers the hub's routes with vendors whose connectors offer it (subscribe), and takes back what the
// configuration no longer has (unsubscribe). On a thread of its own: a vendor that is down costs nobody
// anything, and is asked again.
//
// What is registered is kept in the database, so that it is done once. A source or destination that went
// while no hub ran cannot be taken back, since its settings are gone: the log says so.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "hub/webhooks.hpp"
#include "store/database.hpp"

namespace sluice::hub {

inline constexpr DurationUs subscribe_again_first = 5 * us_per_s;  // doubling
inline constexpr DurationUs subscribe_again_max = 10 * us_per_min;
inline constexpr unsigned unsubscribe_tries_max = 5;  // then somebody has to do it by hand

class Subscriptions {
 public:
  Subscriptions(const Clock& clock, store::Database& database);
  ~Subscriptions();  // stop()

  // [applier] The endpoints that are open, and where they can be called; empty: nowhere, and nothing is
  // registered. Those that were open before and are not among them are taken back.
  void set(std::vector<std::shared_ptr<Endpoint>> endpoints, std::string public_url);
  void stop();  // [main]

  struct Counts {
    std::uint64_t registered = 0;  // with vendors, now
    std::uint64_t failures = 0;    // tries that failed, since the start
  };
  Counts counts() const;  // [any]

 private:
  struct Kept {  // in the database
    std::string url, remote_id;
    std::uint64_t print = 0;
  };
  struct Task {
    std::shared_ptr<Endpoint> endpoint;
    std::string route, url, remote_id;  // remote_id: of what is taken back
    bool take_back = false;
    unsigned tries = 0;
    DurationUs due = 0;  // monotonic
  };
  static std::string id_of(const Endpoint& endpoint, const std::string& route);
  void load();
  void save();
  void plan(const std::vector<std::shared_ptr<Endpoint>>& before);
  void forget_lost();
  void run(const std::stop_token& stop);
  bool perform(Task& task, const std::stop_token& stop);  // false: again later

  const Clock& clock_;
  store::Database& database_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::map<std::string, Kept> kept_;
  std::vector<std::shared_ptr<Endpoint>> endpoints_;
  std::string public_url_;
  std::vector<Task> tasks_;
  std::uint64_t failures_ = 0;
  std::jthread thread_;
};

}  // namespace sluice::hub
