#include "hub_process.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>
#include <unistd.h>

#include <sys/wait.h>

namespace sluice::bench {

namespace {

constexpr std::chrono::seconds start_patience{600}, stop_patience{120};
constexpr std::chrono::milliseconds look_again{5};

// What can be read of it: a thread may end between the opening and the reading.
std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Seconds, user and system, of the contents of a `stat` file. Fields are counted behind the name, which
// stands in parentheses: state is the third, utime and stime are 14 and 15.
double cpu_of(const std::string& stat) {
  if (stat.rfind(')') == std::string::npos) return 0;
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

HubProcess::~HubProcess() {
  kill_now();
}

void HubProcess::reload() {
  if (pid_ > 0) kill(pid_, SIGHUP);
}

void HubProcess::kill_now() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

Status HubProcess::start(const Command& command) {
  log_ = command.folder + "/hub.log";
  name_ = command.words.front();
  std::ofstream(log_, std::ios::trunc).close();  // what an earlier hub said is no sign of this one
  pid_ = fork();
  if (pid_ == 0) {
    const int log = open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    std::vector<char*> words;
    for (const std::string& word : command.words) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    if (chdir(command.folder.c_str()) == 0) execvp(words.front(), words.data());
    _exit(127);
  }
  const auto until = std::chrono::steady_clock::now() + start_patience;
  while (std::chrono::steady_clock::now() < until) {
    const std::string log = text_of(log_);
    if (const std::size_t at = log.find(command.sign); at != std::string::npos) {
      port_ = command.port;
      if (port_ == 0) port_ = static_cast<std::uint16_t>(std::atoi(log.c_str() + at + command.sign.size()));
      return Done{};
    }
    if (!running()) return Error{Code::transient, name_ + " did not start; its log says:\n" + log};
    std::this_thread::sleep_for(look_again);
  }
  return Error{Code::transient,
               name_ + " does not listen after ten minutes; its log says:\n" + text_of(log_)};
}

bool HubProcess::running() {
  if (pid_ <= 0) return false;
  if (waitpid(pid_, nullptr, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

HubCost HubProcess::cost() const {
  HubCost cost;
  const std::string folder = "/proc/" + std::to_string(pid_);
  cost.cpu_s = cpu_of(text_of(folder + "/stat"));
  std::error_code ended;
  for (const auto& task : std::filesystem::directory_iterator(folder + "/task", ended)) {
    std::string name = text_of(task.path().string() + "/comm");
    if (!name.empty()) name.pop_back();
    cost.threads_s[name] += cpu_of(text_of(task.path().string() + "/stat"));
  }
  const std::string status = text_of(folder + "/status");
  const auto mib = [&](std::string_view name) {
    const std::size_t at = status.find(name);
    return at == std::string::npos ? 0 : std::atof(status.c_str() + at + name.size()) / 1024.0;
  };
  cost.peak_mib = mib("VmHWM:");
  cost.now_mib = mib("VmRSS:");
  return cost;
}

Status HubProcess::stop() {
  if (!running())
    return Error{Code::transient, name_ + " has ended by itself; its log says:\n" + text_of(log_)};
  kill(pid_, SIGTERM);
  const auto until = std::chrono::steady_clock::now() + stop_patience;
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > until)
      return Error{Code::transient, name_ + " has not ended two minutes after SIGTERM"};
    std::this_thread::sleep_for(look_again);
  }
  pid_ = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Done{};
  return Error{Code::transient, name_ + " ended badly; its log says:\n" + text_of(log_)};
}

}  // namespace sluice::bench
