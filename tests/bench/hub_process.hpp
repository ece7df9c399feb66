// The hub under measurement: a child process, and what /proc says of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <sys/types.h>

#include "sluice/result.hpp"

namespace sluice::bench {

struct HubCost {
  double cpu_s = 0;                         // all threads, user and system
  double peak_mib = 0, now_mib = 0;         // of resident memory
  std::map<std::string, double> threads_s;  // CPU time by the names of threads
};

class HubProcess {
 public:
  HubProcess() = default;
  ~HubProcess();  // kills what still runs
  HubProcess(const HubProcess&) = delete;
  HubProcess& operator=(const HubProcess&) = delete;

  // Starts `binary run hub.yaml` in `folder` and waits until it listens, at most ten minutes.
  Status start(const std::string& binary, const std::string& folder);
  std::uint16_t port() const { return port_; }
  bool running();
  HubCost cost() const;
  void kill_now();  // as a crash: SIGKILL
  Status stop();    // SIGTERM, and waits for a good end

 private:
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  std::string log_;
};

}  // namespace sluice::bench
