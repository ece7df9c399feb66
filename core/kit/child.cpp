#include "kit/child.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <seccomp.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kit/pages.hpp"

namespace sluice::kit {
namespace {

constexpr int exit_told = 77;  // the board says what happened

enum class State : int { running, ruled, fault, refused_call };

struct Board {  // shared by both processes
  State state;
  Verdict verdict;
  int signal, syscall;
  char phase[64];
  char fault[128];
};

Board* board = nullptr;  // in the child
int console = -1;

void copy(char* to, std::size_t bytes, const char* from) {  // in signal handlers too
  std::size_t i = 0;
  for (; i + 1 < bytes && from[i] != '\0'; ++i) to[i] = from[i];
  to[i] = '\0';
}

void on_signal(int signal, siginfo_t* info, void*) {
  board->signal = signal;
  board->state = signal == SIGSYS ? State::refused_call : State::fault;
  board->syscall = signal == SIGSYS ? info->si_syscall : 0;
  if (signal == SIGSEGV || signal == SIGBUS) copy(board->fault, sizeof board->fault, fault_at(info->si_addr));
  ::_exit(exit_told);
}

void catch_signals() {
  static char stack[64 << 10];
  const stack_t alternate{.ss_sp = stack, .ss_flags = 0, .ss_size = sizeof stack};
  (void)::sigaltstack(&alternate, nullptr);
  struct sigaction action{};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS}) {
    (void)::sigaction(signal, &action, nullptr);
  }
}

using Filter = std::unique_ptr<void, void (*)(scmp_filter_ctx)>;

// Whatever a connector does by itself, nothing leaves this machine.
void refuse_connections() {
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
  for (const int call : {SCMP_SYS(connect), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg)}) {
    (void)seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ECONNREFUSED), call, 0);
  }
  const scmp_arg_cmp addressed{.arg = 4, .op = SCMP_CMP_NE, .datum_a = 0, .datum_b = 0};
  (void)seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(ECONNREFUSED), SCMP_SYS(sendto), 1, &addressed);
  if (seccomp_load(filter.get()) != 0) ::_exit(1);
}

[[noreturn]] void be_child(const std::function<Ruling()>& body, int out, int said) {
  console = said;
  (void)::dup2(said, STDOUT_FILENO);
  (void)::dup2(said, STDERR_FILENO);
  const rlimit no_core{0, 0};
  (void)::setrlimit(RLIMIT_CORE, &no_core);
  catch_signals();
  refuse_connections();
  Ruling ruling;
  try {
    ruling = body();
  } catch (const std::exception& error) {
    ruling = {Verdict::failed, std::string("the check itself failed: ") + error.what()};
  }
  std::size_t written = 0;
  while (written < ruling.text.size()) {
    const ssize_t n = ::write(out, ruling.text.data() + written, ruling.text.size() - written);
    if (n <= 0) break;
    written += static_cast<std::size_t>(n);
  }
  board->verdict = ruling.verdict;
  board->state = State::ruled;
  ::_exit(exit_told);
}

std::string content_of(int fd) {
  std::string out;
  char buffer[4096];
  for (off_t at = 0;;) {
    const ssize_t n = ::pread(fd, buffer, sizeof buffer, at);
    if (n <= 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
    at += n;
  }
}

// True: it ended in time.
bool wait_for(pid_t child, DurationUs patience, int& status) {
  const int watched = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  pollfd ready{.fd = watched, .events = POLLIN, .revents = 0};
  const bool ended = ::poll(&ready, 1, static_cast<int>(patience / us_per_ms)) == 1;
  if (!ended) (void)::kill(child, SIGKILL);
  if (watched >= 0) ::close(watched);
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return ended;
}

std::string call_name(int number) {
  const std::unique_ptr<char, void (*)(void*)> name(
      seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number), std::free);
  return name ? name.get() : std::to_string(number);
}

Ruling judge(const Board& b, bool in_time, int status, DurationUs patience, int out) {
  const std::string where = b.phase[0] == '\0' ? "" : std::string(" in ") + b.phase;
  if (!in_time) {
    return {Verdict::failed,
            "it did not come back" + where + " within " + std::to_string(patience / us_per_ms) + " ms"};
  }
  switch (b.state) {
    case State::ruled:
      return {b.verdict, content_of(out)};
    case State::refused_call:
      return {Verdict::failed, "it made the system call " + call_name(b.syscall) + where};
    case State::fault:
      if (b.fault[0] != '\0') return {Verdict::failed, std::string(b.fault) + where};
      return {Verdict::failed, "it crashed" + where + " (SIG" + ::sigabbrev_np(b.signal) + ")"};
    default:
      break;
  }
  if (WIFSIGNALED(status)) {
    const char* const name = ::sigabbrev_np(WTERMSIG(status));
    return {Verdict::failed, "it was killed" + where + " by SIG" + (name == nullptr ? "?" : name)};
  }
  return {Verdict::failed,
          "it ended the process" + where + " with exit code " + std::to_string(WEXITSTATUS(status))};
}

}  // namespace

Ruling run_child(const std::function<Ruling()>& body, DurationUs patience) {
  void* const shared =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const int out = ::memfd_create("sluice-kit", MFD_CLOEXEC),
            said = ::memfd_create("sluice-said", MFD_CLOEXEC);
  if (shared == MAP_FAILED || out < 0 || said < 0) return {Verdict::failed, "the check has no memory"};
  board = new (shared) Board{};
  (void)std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) be_child(body, out, said);
  Ruling ruling{Verdict::failed, "the check has no process"};
  if (child > 0) {
    int status = 0;
    const bool in_time = wait_for(child, patience, status);
    ruling = judge(*board, in_time, status, patience, out);
  }
  ::close(out);
  ::close(said);
  (void)::munmap(shared, sizeof(Board));
  board = nullptr;
  return ruling;
}

void now_calling(const char* function) {
  if (board != nullptr) copy(board->phase, sizeof board->phase, function);
}

std::string said_on_console() {
  (void)std::fflush(nullptr);
  return content_of(console);
}

Status confine(Allow allow) {
  const Filter filter(seccomp_init(SCMP_ACT_TRAP), seccomp_release);
  const auto permit = [&](std::initializer_list<int> calls) {
    for (const int call : calls) (void)seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
  };
  permit({SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise),
          SCMP_SYS(brk), SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getpid),
          SCMP_SYS(gettid), SCMP_SYS(getrandom), SCMP_SYS(sched_yield), SCMP_SYS(rt_sigreturn),
          SCMP_SYS(rt_sigprocmask), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(getcpu)});
  // The check's own report.
  const scmp_arg_cmp above_console{.arg = 0, .op = SCMP_CMP_GT, .datum_a = 2, .datum_b = 0};
  (void)seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(write), 1, &above_console);
  if (allow != Allow::computing) {
    permit({SCMP_SYS(read),
            SCMP_SYS(pread64),
            SCMP_SYS(readv),
            SCMP_SYS(close),
            SCMP_SYS(fstat),
            SCMP_SYS(newfstatat),
            SCMP_SYS(lseek),
            SCMP_SYS(poll),
            SCMP_SYS(ppoll),
            SCMP_SYS(fcntl),
            SCMP_SYS(dup),
            SCMP_SYS(clone),
            SCMP_SYS(clone3),
            SCMP_SYS(set_robust_list),
            SCMP_SYS(rseq),
            SCMP_SYS(nanosleep),
            SCMP_SYS(clock_nanosleep),
            SCMP_SYS(rt_sigaction),
            SCMP_SYS(stat),
            SCMP_SYS(lstat),
            SCMP_SYS(access),
            SCMP_SYS(getcwd),
            SCMP_SYS(readlink),
            SCMP_SYS(getdents64),
            SCMP_SYS(prctl),
            SCMP_SYS(uname),
            SCMP_SYS(sigaltstack),
            SCMP_SYS(pipe2),
            SCMP_SYS(eventfd2),
            SCMP_SYS(sysinfo),
            SCMP_SYS(faccessat),
            SCMP_SYS(faccessat2),
            SCMP_SYS(statx),
            SCMP_SYS(geteuid),
            SCMP_SYS(getuid),
            SCMP_SYS(getegid),
            SCMP_SYS(getgid),
            SCMP_SYS(sched_getaffinity)});
  }
  if (allow == Allow::network) {
    const scmp_arg_cmp reading{.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = O_ACCMODE, .datum_b = O_RDONLY};
    (void)seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, &reading);
  }
  if (allow == Allow::files || allow == Allow::files_and_network) {
    permit({SCMP_SYS(openat), SCMP_SYS(open)});
    permit({SCMP_SYS(pwrite64), SCMP_SYS(writev), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(ftruncate),
            SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
            SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(flock), SCMP_SYS(fallocate), SCMP_SYS(link)});
  }
  if (allow == Allow::network || allow == Allow::files_and_network) {
    permit({SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg),
            SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt), SCMP_SYS(bind),
            SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(ioctl), SCMP_SYS(socketpair),
            SCMP_SYS(shutdown), SCMP_SYS(writev), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_ctl),
            SCMP_SYS(epoll_create1)});
  }
  if (seccomp_load(filter.get()) != 0)
    return Error{Code::misconfigured, "this kernel offers no seccomp filters"};
  return Done{};
}

}  // namespace sluice::kit
