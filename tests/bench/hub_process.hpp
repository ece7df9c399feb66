// The hub, or another one, under measurement: a child process, and what /proc says of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

#include "sluice/result.hpp"

namespace sluice::bench {

struct HubCost {
  double cpu_s = 0;                         // all threads, user and system
  double peak_mib = 0, now_mib = 0;         // of resident memory
  std::map<std::string, double> threads_s;  // CPU time by the names of threads
};

struct Command {
  std::vector<std::string> words;  // the program and its arguments
  std::string folder;              // it runs there, and its log lies there
  std::string sign;                // what its log says when it is there
  std::uint16_t port = 0;          // where it listens; 0: the number behind the sign
};

class HubProcess {
 public:
  HubProcess() = default;
  ~HubProcess();  // kills what still runs
  HubProcess(const HubProcess&) = delete;
  HubProcess& operator=(const HubProcess&) = delete;

  // Starts it and waits until it listens, at most ten minutes.
  Status start(const Command& command);
  std::uint16_t port() const { return port_; }
  bool running();
  HubCost cost() const;
  void reload();    // SIGHUP: it reads its configuration again
  void kill_now();  // as a crash: SIGKILL
  Status stop();    // SIGTERM, and waits for an end: a good one

 private:
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  std::string name_, log_;
};

}  // namespace sluice::bench
