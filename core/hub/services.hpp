// What the hub lends to one connector: log, clock, durable state, HTTP.
#pragma once

#include <memory>
#include <shared_mutex>
#include <string>

#include "base/clock.hpp"
#include "deliver/connector_courier.hpp"
#include "hub/connector_metrics.hpp"
#include "hub/connector_processes.hpp"
#include "net/client.hpp"
#include "plugin/host_services.hpp"
#include "store/database.hpp"
#include "store/vault.hpp"

namespace sluice::hub {

class ConnectorServices final : public plugin::HostServices {
 public:
  // `name` is the source's or destination's; what is given must outlive this.
  ConnectorServices(std::string name, const Clock& clock, store::Database& database, store::Vault& vault,
                    net::HttpClient& http, ConnectorMetrics& metrics, ConnectorProcesses& processes,
                    deliver::Redactor redactor)
      : name_(std::move(name)),
        clock_(clock),
        database_(database),
        vault_(vault),
        http_(http),
        metrics_(metrics),
        processes_(processes),
        redactor_(std::move(redactor)) {}

  void log(std::int32_t level, std::string_view text) override;
  TimeUs now_us() override { return clock_.wall_us(); }
  void metric(std::int32_t kind, std::string_view name, double value) override {
    metrics_.report(name_, kind, name, value);
  }
  Result<std::optional<std::string>> get(std::string_view key) override;
  Status put(std::string_view key, std::optional<std::string_view> value) override;
  Result<std::optional<std::string>> kept_secret(std::string_view key) override {
    return vault_.get(row(key));
  }
  Status keep_secret(std::string_view key, std::string_view value) override {
    return vault_.put(row(key), value);
  }
  std::shared_ptr<void> turn(std::string_view key) override { return vault_.turn(row(key)); }
  void process_ended(std::string_view how) override { processes_.ended(name_, std::string(how)); }
  void hide(std::string_view secret) override;
  plugin::Response http(const plugin::HttpRequest& request) override;

 private:
  std::string row(std::string_view key) const {
    return store::vault_folder_of_source(name_) + std::string(key);
  }
  std::string name_;
  const Clock& clock_;
  store::Database& database_;
  store::Vault& vault_;
  net::HttpClient& http_;
  ConnectorMetrics& metrics_;
  ConnectorProcesses& processes_;
  std::shared_mutex mutex_;  // guards redactor_
  deliver::Redactor redactor_;
};

// A connector's request as the client sends it, and the answer.
net::HttpRequest to_net(const plugin::HttpRequest& request);
plugin::Response from_net(net::HttpResponse answer);

}  // namespace sluice::hub
