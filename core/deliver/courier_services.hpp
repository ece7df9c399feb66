// Inside this room: what the hub lends to one destination's connector, and its requests as the HTTP client
// has them.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "deliver/connector_courier.hpp"
#include "plugin/host_services.hpp"
#include "plugin/http_request.hpp"
#include "store/vault.hpp"

namespace sluice::deliver {

net::HttpRequest to_http(plugin::HttpRequest request);
plugin::Response to_response(net::HttpResponse response);

// A connector's request as a lane keeps it, but for its records. Nothing: another version wrote it.
std::string encode_request(const plugin::Request& request);
std::optional<plugin::Request> decode_request(std::string_view text);

// X-RateLimit-* and their relatives, where the manifest has no rate_headers. Until when the limit is used up,
// from now; -1: they do not say.
DurationUs until_reset(const net::HttpResponse& response, TimeUs now);
bool limit_used_up(const net::HttpResponse& response);

class CourierServices final : public plugin::HostServices {  // [any]
 public:
  CourierServices(const Connections& connections, std::string name, Redactor redactor)
      : connections_(connections), name_(std::move(name)), redactor_(std::move(redactor)) {}
  std::atomic<bool> reached{false};  // a request of http() may have reached somebody

  std::string redact(std::string_view text) const;
  void log(std::int32_t level, std::string_view text) override;
  TimeUs now_us() override { return connections_.clock.wall_us(); }
  void metric(std::int32_t kind, std::string_view name, double value) override;
  Result<std::optional<std::string>> get(std::string_view key) override;
  Status put(std::string_view key, std::optional<std::string_view> value) override;
  Result<std::optional<std::string>> kept_secret(std::string_view key) override;
  Status keep_secret(std::string_view key, std::string_view value) override;
  std::shared_ptr<void> turn(std::string_view key) override;
  void process_ended(std::string_view how) override {
    if (connections_.process_ended) connections_.process_ended(name_, std::string(how));
  }
  void hide(std::string_view secret) override;
  plugin::Response http(const plugin::HttpRequest& request) override;

 private:
  std::string full(std::string_view key) const {
    return store::vault_folder_of_destination(name_) + std::string(key);
  }
  const Connections& connections_;
  std::string name_;
  std::mutex mutex_;  // guards values_
  std::map<std::string, std::string> values_;
  mutable std::shared_mutex redactor_mutex_;  // guards redactor_
  Redactor redactor_;
};

}  // namespace sluice::deliver
