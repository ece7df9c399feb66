// A source or destination of the file, opened to ask its vendor: with the network, and with the tokens that
// the hub keeps. A running hub goes on; while it runs, tokens are read and not renewed.
#pragma once

#include <memory>
#include <string>

#include "sluice/result.hpp"

#include "cli/setup.hpp"
#include "plugin/connector.hpp"

namespace sluice::cli {

class OnlineServices;

struct Online {
  std::unique_ptr<OnlineServices> services;  // before the connector: outlives it
  std::unique_ptr<plugin::Connector> connector;

  Online();
  Online(Online&&) noexcept;
  ~Online();
  plugin::HostServices& host() const;
  std::string shown(const std::string& text) const;  // without secrets
};

struct Named {  // what to open
  std::string name, plugin, with;
  std::uint32_t kind = 0;  // SLUICE_SOURCE, SLUICE_DESTINATION
  std::vector<std::string> allow_hosts;
  config::Isolation isolation;
};

// misconfigured: no such connector, its settings, or its secrets.
Result<Online> go_online(const Setup& setup, const Named& named);

}  // namespace sluice::cli
