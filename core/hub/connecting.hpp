// `sluice connect` in a running hub: who waits for a person's browser, and what becomes of the code that it
// brings back. An attempt is good for one answer and for authorization_age; a later one of the same source or
// destination takes its place. Nothing of it survives the process: a person begins anew.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sluice/result.hpp"

#include "base/clock.hpp"
#include "config/config.hpp"
#include "net/client.hpp"
#include "net/server.hpp"
#include "plugin/authorization.hpp"
#include "plugin/registry.hpp"
#include "store/vault.hpp"

namespace sluice::hub {

// A source or destination that a person connects: its manifest says authorization_code.
struct Connectable {
  std::string kind, name, plugin;  // kind: "source", "destination"
  plugin::HttpPolicy policy;       // secret
};
// All of the configuration, sources first. An error: the settings of one cannot be read.
Result<std::vector<Connectable>> connectables(const config::Config& config, const plugin::Registry& registry);
// `name`, or "source/NAME", "destination/NAME" where both have it. rejected, with what to do: there is none,
// or it needs nobody to connect it.
Result<Connectable> find_connectable(const config::Config& config, const plugin::Registry& registry,
                                     std::string_view name);

// What a connection's tokens are exchanged with and kept by, where its connector finds them. [any]
class ConnectServices final : public plugin::HostServices {
 public:
  // `http` may be null: then only what is kept can be looked at.
  ConnectServices(const Connectable& what, const Clock& clock, store::Vault& vault, net::HttpClient* http);
  void log(std::int32_t, std::string_view) override {}
  TimeUs now_us() override { return clock_.wall_us(); }
  void metric(std::int32_t, std::string_view, double) override {}
  Result<std::optional<std::string>> get(std::string_view) override { return std::optional<std::string>(); }
  Status put(std::string_view, std::optional<std::string_view>) override { return Done{}; }
  Result<std::optional<std::string>> kept_secret(std::string_view key) override;
  Status keep_secret(std::string_view key, std::string_view value) override;
  std::shared_ptr<void> turn(std::string_view key) override;
  plugin::Response http(const plugin::HttpRequest& request) override;

 private:
  std::string folder_;
  const Clock& clock_;
  store::Vault& vault_;
  net::HttpClient* http_;
};

Result<plugin::Connection> kept_connection(const Connectable& what, const Clock& clock, store::Vault& vault);
bool any_connectable(const config::Config& config, const plugin::Registry& registry);

// {"connections":[{"name","kind","plugin","state","since","detail"}]}: state is "connected", "not_connected"
// or "ended"; no token.
Result<std::string> connections_json(const std::vector<Connectable>& all, const Clock& clock,
                                     store::Vault* vault);  // null: nothing was kept yet

// PUBLIC_URL/oauth/callback; empty: there is no public_url.
std::string callback_url(const config::Config& config);
// "http://127.0.0.1:PORT/oauth/callback": where a browser on the same machine may be sent back to (RFC 8252).
bool is_loopback_redirect(std::string_view url);
net::Response browser_page(bool good, std::string_view title, std::string_view text);

class Connecting {  // [any] but for what says otherwise
 public:
  enum class State : std::uint8_t { waiting, exchanging, connected, failed };
  struct Report {
    State state = State::waiting;
    std::string name, error;  // error: of `failed`
  };
  struct Started {
    std::uint64_t id = 0;
    std::string url, redirect_uri;
  };
  using Connected = std::function<void(const Connectable&)>;  // [worker] its tokens are on the disk

  Connecting(const Clock& clock, store::Vault& vault, net::HttpClient& http, Connected connected);
  ~Connecting();  // stop()
  void stop();    // what is exchanged by then is ended first

  Result<Started> begin(Connectable what, std::string redirect_uri);
  bool waiting();  // somebody's browser may come
  // The answer of the vendor, as a person pasted it. rejected: it is none of this attempt, which goes on.
  Status answer(std::uint64_t id, std::string_view pasted);
  std::optional<Report> report(std::uint64_t id);  // nothing: no such attempt, or long ago
  // GET /oauth/callback. False: nobody waits, and there is no such page. Answers later. [io]
  bool callback(const net::Request& request, const net::Responder& responder);

 private:
  struct Attempt {
    std::uint64_t id = 0;
    Connectable what;
    plugin::Authorization authorization;
    Report report;
    std::string code;  // while it is exchanged
    std::optional<net::Responder> browser;
  };
  void expire();
  Status take(Attempt& attempt, const plugin::Redirect& redirect);
  void finish(Attempt& attempt, std::string error);
  void run(const std::stop_token& stop);

  const Clock& clock_;
  store::Vault& vault_;
  net::HttpClient& http_;
  Connected connected_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable_any wake_;
  std::list<Attempt> attempts_;
  std::deque<std::uint64_t> exchanges_;  // ids
  std::uint64_t ids_ = 0;
  std::jthread worker_;
};

std::string_view name_of(Connecting::State state);

}  // namespace sluice::hub
