// What the hub lends to one connector. [any] Secrets are not among them: Connector takes them out of the
// configuration.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/result.hpp"

#include "base/time.hpp"
#include "plugin/types.hpp"

namespace sluice::plugin {

struct HttpRequest;

class HostServices {
 public:
  virtual ~HostServices() = default;
  virtual void log(std::int32_t level, std::string_view text) = 0;  // SLUICE_TRACE to SLUICE_ERROR
  virtual TimeUs now_us() = 0;
  virtual void metric(std::int32_t kind, std::string_view name, double value) = 0;
  // Small durable state of this connector.
  virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
  virtual Status put(std::string_view key, std::optional<std::string_view> value) = 0;  // nothing: erases
  // What the hub itself keeps secret for this connector (tokens), out of its reach: sealed, and on the disk
  // when keep_secret() returns.
  virtual Result<std::optional<std::string>> kept_secret(std::string_view) {
    return std::optional<std::string>();
  }
  virtual Status keep_secret(std::string_view, std::string_view) {
    return Error{Code::misconfigured,
                 "nothing is kept here, and the token endpoint gave what has to be kept"};
  }
  // While it is held nobody else of this source or destination has it: a refresh token is used by one at a
  // time.
  virtual std::shared_ptr<void> turn(std::string_view) { return nullptr; }
  virtual void hide(std::string_view /*secret*/) {}  // from now on: cut it out of what people read
  // Of a connector in a process of its own: that has ended before its time, and `how`; the next call has a
  // new one.
  virtual void process_ended(std::string_view /*how*/) {}
  // Sends and waits, for deliver() and read(); the URL is checked and the credentials are in it. Network
  // failures are responses with status 0.
  virtual Response http(const HttpRequest& request) = 0;
};

}  // namespace sluice::plugin
