#include "plugin/child_process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <spawn.h>
#include <system_error>
#include <unistd.h>
#include <vector>

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace sluice::plugin {
namespace {

constexpr int first_own_fd = 10;  // ours stay clear of the numbers that the child is given
constexpr std::size_t kept_bytes = std::size_t{4} << 20;
constexpr int goodbye_ms = 200;

Error failed(const std::string& what) {
  return {Code::transient,
          "a connector's process cannot be started: " + what + ": " + std::generic_category().message(errno)};
}

int out_of_the_way(int fd) {
  if (fd < 0) return fd;
  const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, first_own_fd);
  ::close(fd);
  return moved;
}

// An area that nobody can make smaller: a write behind its end would kill the hub.
int make_area(const char* name) {
  const int fd = out_of_the_way(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (fd < 0) return fd;
  if (::ftruncate(fd, static_cast<off_t>(wire::area_bytes)) != 0 ||
      ::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    ::close(fd);
    return -1;
  }
  return fd;
}

void* map_area(int fd, int protection) {
  void* const at = ::mmap(nullptr, wire::area_bytes, protection, MAP_SHARED | MAP_NORESERVE, fd, 0);
  return at == MAP_FAILED ? nullptr : at;
}

// The hub's own environment holds its secrets: a connector gets none of it but this.
std::vector<std::string> environment() {
  std::vector<std::string> out;
  for (const char* const name : {"TZ", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing of ours sets a variable
    if (const char* const value = std::getenv(name)) out.push_back(std::string(name) + '=' + value);
  }
  return out;
}

struct Spawn {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
  Spawn() {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
  }
  ~Spawn() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;
};

}  // namespace

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(const std::string& program, int library) {
  std::unique_ptr<ChildProcess> child(new ChildProcess);
  child->arguments_fd_ = make_area("sluice-arguments");
  child->emissions_fd_ = make_area("sluice-emissions");
  std::array<int, 2> ends{-1, -1};
  if (child->arguments_fd_ < 0 || child->emissions_fd_ < 0 ||
      ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return failed("shared memory");
  }
  child->socket_ = out_of_the_way(ends[0]);
  const int theirs = out_of_the_way(ends[1]);
  child->arguments_ = static_cast<char*>(map_area(child->arguments_fd_, PROT_READ | PROT_WRITE));
  child->emissions_ = static_cast<const char*>(map_area(child->emissions_fd_, PROT_READ));
  if (child->arguments_ == nullptr || child->emissions_ == nullptr) {
    ::close(theirs);
    return failed("shared memory");
  }
  child->bell_.emplace(wire::Bell::End::hub, child->socket_, wire::head_at(child->arguments_),
                       wire::head_at(child->emissions_));

  Spawn spawn;
  ::posix_spawn_file_actions_addopen(&spawn.files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&spawn.files, 1, "/dev/null", O_WRONLY, 0);
  // What a connector prints may hold anything: it has host->log() for what operators should read.
  ::posix_spawn_file_actions_adddup2(&spawn.files, 1, 2);
  ::posix_spawn_file_actions_adddup2(&spawn.files, theirs, wire::socket_fd);
  ::posix_spawn_file_actions_adddup2(&spawn.files, child->arguments_fd_, wire::arguments_fd);
  ::posix_spawn_file_actions_adddup2(&spawn.files, child->emissions_fd_, wire::emissions_fd);
  ::posix_spawn_file_actions_adddup2(&spawn.files, library, wire::library_fd);
  ::posix_spawn_file_actions_addclosefrom_np(&spawn.files, wire::library_fd + 1);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&spawn.attributes, &none);
  ::posix_spawnattr_setsigdefault(&spawn.attributes, &all);
  ::posix_spawnattr_setpgroup(&spawn.attributes, 0);
  ::posix_spawnattr_setflags(
      &spawn.attributes,
      static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP));
  std::string name = "sluice-connector";
  std::array<char*, 2> arguments{name.data(), nullptr};
  std::vector<std::string> variables = environment();
  std::vector<char*> pointers;
  pointers.reserve(variables.size() + 1);
  for (std::string& variable : variables) pointers.push_back(variable.data());
  pointers.push_back(nullptr);
  const int error = ::posix_spawn(&child->pid_, program.c_str(), &spawn.files, &spawn.attributes,
                                  arguments.data(), pointers.data());
  ::close(theirs);
  if (error != 0) {
    child->pid_ = -1;
    errno = error;
    return failed(program);
  }
  return child;
}

ChildProcess::~ChildProcess() {
  if (socket_ >= 0) ::close(socket_);  // it sees the end of the hub's calls
  if (pid_ > 0 && !reaped_) {
    const timespec pause{0, 1'000'000};
    for (int i = 0; i < goodbye_ms && !reaped_; ++i) {
      if (::waitpid(pid_, &how_, WNOHANG) == pid_) {
        reaped_ = true;
      } else {
        ::nanosleep(&pause, nullptr);
      }
    }
    if (!reaped_) kill();
  }
  if (arguments_ != nullptr) ::munmap(arguments_, wire::area_bytes);
  if (emissions_ != nullptr) ::munmap(const_cast<char*>(emissions_), wire::area_bytes);
  if (arguments_fd_ >= 0) ::close(arguments_fd_);
  if (emissions_fd_ >= 0) ::close(emissions_fd_);
}

std::span<char> ChildProcess::arguments() {
  return {arguments_ + wire::head_bytes, wire::area_bytes - wire::head_bytes};
}

std::span<const char> ChildProcess::emissions(std::size_t bytes) const {
  return {emissions_ + wire::head_bytes, std::min(bytes, wire::area_bytes - wire::head_bytes)};
}

void ChildProcess::set_cancel(bool cancel) {
  wire::head_at(arguments_).cancel.store(cancel ? 1 : 0, std::memory_order_relaxed);
}

DurationUs ChildProcess::cpu() const {
  clockid_t clock{};
  timespec used{};
  if (reaped_ || ::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
  return DurationUs{used.tv_sec} * us_per_s + used.tv_nsec / 1'000;
}

void ChildProcess::kill() {
  if (pid_ <= 0 || reaped_) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, &how_, 0) < 0 && errno == EINTR) {
  }
  reaped_ = true;
}

std::string ChildProcess::obituary() {
  if (!reaped_) {
    // Its end of the socket is closed: it has ended, or has only closed it.
    const timespec pause{0, 1'000'000};
    for (int i = 0; i < goodbye_ms && !reaped_; ++i) {
      reaped_ = ::waitpid(pid_, &how_, WNOHANG) == pid_;
      if (!reaped_) ::nanosleep(&pause, nullptr);
    }
    if (!reaped_) {
      kill();
      return "stopped listening and was killed";
    }
  }
  if (WIFSIGNALED(how_)) {
    const char* const name = ::sigabbrev_np(WTERMSIG(how_));
    return std::string("was killed by SIG") + (name != nullptr ? name : "?");
  }
  return "ended with exit code " + std::to_string(WEXITSTATUS(how_));
}

void ChildProcess::give_back(std::size_t arguments_bytes, std::size_t emissions_bytes) const {
  const auto punch = [](int fd, std::size_t used) {
    if (used <= kept_bytes) return;
    (void)::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(kept_bytes),
                      static_cast<off_t>(wire::area_bytes - kept_bytes));
  };
  punch(arguments_fd_, arguments_bytes + wire::head_bytes);
  punch(emissions_fd_, emissions_bytes + wire::head_bytes);
}

}  // namespace sluice::plugin
