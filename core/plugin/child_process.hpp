// Inside this room: a process that runs one connector, from the hub's side. [serial]
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <sys/types.h>

#include "sluice/result.hpp"

#include "base/time.hpp"
#include "plugin/bell.hpp"
#include "plugin/wire.hpp"

namespace sluice::plugin {

class ChildProcess {
 public:
  // Starts `program` (sluice-connector) with the areas, the socket and the open file `library`, an empty
  // environment, and nothing else of ours. It ends when this is destroyed, and by itself when the hub is
  // gone.
  static Result<std::unique_ptr<ChildProcess>> start(const std::string& program, int library);
  ~ChildProcess();  // lets it end by itself for a moment, then kills it
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  std::span<char> arguments();  // behind the head
  std::span<const char> emissions(std::size_t bytes) const;
  void set_cancel(bool cancel);
  wire::Bell& bell() { return *bell_; }

  DurationUs cpu() const;  // that it has used so far; 0: it has ended
  void kill();
  // After a death: "was killed by SIGSEGV (Segmentation fault)", "ended with exit code 0".
  std::string obituary();
  // What one giant call has touched of the areas goes back to the system.
  void give_back(std::size_t arguments_bytes, std::size_t emissions_bytes) const;

 private:
  ChildProcess() = default;
  pid_t pid_ = -1;
  int socket_ = -1, arguments_fd_ = -1, emissions_fd_ = -1;
  char* arguments_ = nullptr;
  const char* emissions_ = nullptr;
  std::optional<wire::Bell> bell_;
  bool reaped_ = false;
  int how_ = 0;  // it ended: waitpid's status
};

}  // namespace sluice::plugin
