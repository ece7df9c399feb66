// The credentials of one connection that have to be fetched: one access token, fetched once however many
// requests wait for it, used until shortly before it ends, and fetched anew when the vendor refuses it.
//
// A refresh token that the endpoint gives is kept (HostServices::keep_secret: sealed and on the disk) before
// the access token that came with it is used. So whenever the process dies, the last one that is kept works,
// as long as the vendor takes the one before until the new one is used, which is what they promise.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "sluice/result.hpp"

#include "base/time.hpp"
#include "plugin/host_services.hpp"
#include "plugin/http_request.hpp"
#include "plugin/kept_token.hpp"
#include "plugin/oauth2.hpp"

namespace sluice::plugin {

inline constexpr DurationUs token_pause_first = us_per_s;  // after a failure, doubling
inline constexpr DurationUs token_pause_max = us_per_min;  // ... up to this, or what the endpoint asks for

struct TokenAnswer {
  std::string token = {};           // secret; empty: the manifest's auth needs none, or there is an error
  std::optional<Error> error = {};  // transient: later again; misconfigured; cancelled: the connector ends
  DurationUs retry_after = -1;      // of a failure
  bool ok() const { return !error; }
};

class Credentials {  // [any]
 public:
  using Use = std::function<void(TokenAnswer)>;

  // Borrows `services` until close(). `policy` is copied.
  Credentials(HostServices& services, const HttpPolicy& policy);
  ~Credentials();
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;

  bool fetched() const { return policy_.auth.kind == AuthKind::oauth2; }  // else there is nothing to wait for
  // Calls `use` once: at once, or when the token is there, on a thread of this object, which it must not hold
  // up.
  void token(Use use);
  TokenAnswer wait_token();  // likewise, waiting. Never from `use`
  // The vendor answered 401 to it: it is not given again.
  void refused(const std::string& token);
  void add(const std::string& token, HttpRequest& request) const;
  // Why there is none, where a person has to connect first; else empty, though the vendor may refuse. Asks
  // nobody.
  std::string unready();
  // A person has connected: what was fetched and refused before is forgotten.
  void renew();
  // Ends what is under way, after at most token_timeout; from then on every answer is `cancelled`.
  void close();

 private:
  void run(const std::stop_token& stop);
  TokenAnswer fetch();
  Result<bool> take_kept(std::string& refresh);
  Result<Token> ask(const std::string& refresh, DurationUs& retry_after);
  void note_refused();
  bool connects() const { return policy_.auth.oauth2.grant == Grant::authorization_code; }
  bool usable(TimeUs now) const;

  HostServices* services_;  // null once closed; touched by token() under the mutex and by the worker
  const HttpPolicy policy_;
  const std::string kept_name_;  // of the refresh token, by what the configuration says

  std::mutex mutex_;  // guards what follows
  std::condition_variable_any wanted_;
  std::vector<Use> waiting_;
  bool closed_ = false;
  std::string access_;       // empty: none
  std::string refused_;      // by the vendor, the last of them
  TimeUs until_ = 0;         // when it is no longer given
  TokenAnswer failure_;      // of the last fetch
  TimeUs failed_until_ = 0;  // until then the failure is the answer
  DurationUs pause_ = 0;

  std::optional<std::string> unsaved_;  // [worker] what has to be kept before it may be used
  KeptToken kept_;                      // [worker] as it was read last
  std::jthread worker_;                 // started when first a token is wanted
};

}  // namespace sluice::plugin
