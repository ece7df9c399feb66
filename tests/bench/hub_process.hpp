// The hub under measurement: a child process, and what /proc says of it.
#pragma once

#include <cstdint>
#include <string>

#include <sys/types.h>

#include "sluice/result.hpp"

namespace sluice::bench {

struct HubCost {
  double cpu_s = 0;     // all threads, user and system
  double peak_mib = 0;  // of resident memory
};

class HubProcess {
 public:
  HubProcess() = default;
  ~HubProcess();  // kills what still runs
  HubProcess(const HubProcess&) = delete;
  HubProcess& operator=(const HubProcess&) = delete;

  // Starts `binary run hub.yaml` in `folder` and waits until it listens.
  Status start(const std::string& binary, const std::string& folder);
  std::uint16_t port() const { return port_; }
  bool running();
  HubCost cost() const;
  Status stop();  // SIGTERM, and waits for a good end

 private:
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  std::string log_;
};

}  // namespace sluice::bench
