#include "peers.hpp"

#include <cstdlib>
#include <filesystem>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace sluice::bench {

namespace {

// A port that nobody listens on. They cannot be told to take any.
std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  const bool bound = bind(fd, plain, size) == 0 && getsockname(fd, plain, &size) == 0;
  close(fd);
  return bound ? ntohs(address.sin_port) : std::uint16_t{0};
}

Result<std::uint16_t> port_for_peer() {
  const std::uint16_t port = free_port();
  if (port == 0) return Error{Code::transient, "there is no free port on 127.0.0.1"};
  setenv("BENCH_PEER_PORT", std::to_string(port).c_str(), 1);
  return port;
}

RunOptions node_red(const std::string& configs, const std::string& installed) {
  RunOptions run;
  run.name = "node-red";
  run.ours = false;
  run.command = [configs, installed](const std::string& folder) -> Result<Command> {
    const std::uint16_t port = SLUICE_TRY(port_for_peer());
    std::filesystem::copy_file(configs + "/node-red/flows.json", folder + "/flows.json");
    return Command{{"node", installed + "/node_modules/node-red/red.js", "--userDir", folder, "--settings",
                    configs + "/node-red/settings.js", folder + "/flows.json"},
                   folder,
                   "Started flows",
                   port};
  };
  return run;
}

RunOptions syslog_ng(const std::string& configs) {
  RunOptions run;
  run.name = "syslog-ng";
  run.ours = false;
  run.lines = true;
  run.command = [configs](const std::string& folder) -> Result<Command> {
    const std::uint16_t port = SLUICE_TRY(port_for_peer());
    setenv("BENCH_PEER_FOLDER", folder.c_str(), 1);
    return Command{{"syslog-ng", "--foreground", "--stderr", "--verbose", "--no-caps", "--cfgfile",
                    configs + "/syslog-ng/syslog-ng.conf", "--persist-file", folder + "/persist", "--pidfile",
                    folder + "/pid", "--control", folder + "/control"},
                   folder,
                   "syslog-ng starting up",
                   port};
  };
  return run;
}

}  // namespace

Result<std::vector<RunOptions>> peers(const std::vector<std::string>& names, const std::string& configs,
                                      const std::string& installed) {
  std::vector<RunOptions> out;
  for (const std::string& name : names) {
    if (name == "node-red") {
      out.push_back(node_red(configs, installed));
    } else if (name == "syslog-ng") {
      out.push_back(syslog_ng(configs));
    } else {
      return Error{Code::misconfigured,
                   "--peers: there is no " + name + "; node-red and syslog-ng are known"};
    }
  }
  return out;
}

}  // namespace sluice::bench
