#include "connector/sandbox.hpp"

#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <initializer_list>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <system_error>
#include <unistd.h>

#include <linux/landlock.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace sluice::connector {
namespace {

constexpr rlim_t files_open = 64, files_open_network = 256;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;  // their shadow memory and their reports need more
#else
constexpr bool sanitized = false;
#endif

Error failed(const char* what) {
  return {Code::misconfigured, std::string("the connector's process cannot be confined: ") + what + ": " +
                                   std::generic_category().message(errno)};
}

Status limit(int resource, rlim_t value, const char* what) {
  const rlimit both{value, value};
  if (::setrlimit(static_cast<__rlimit_resource>(resource), &both) != 0) return failed(what);
  return Done{};
}

// What is mapped already: the program, its libraries and the two areas.
rlim_t mapped_bytes() {
  rlim_t pages = 0;
  std::ifstream file("/proc/self/statm");
  if (!(file >> pages)) return rlim_t{1} << 30;
  return pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

class Landlock {
 public:
  Landlock() {
    const landlock_ruleset_attr attributes{.handled_access_fs = all};
    fd_ = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0));
  }
  ~Landlock() {
    if (fd_ >= 0) ::close(fd_);
  }
  Landlock(const Landlock&) = delete;
  Landlock& operator=(const Landlock&) = delete;

  void allow(const std::string& path, bool write) const {
    if (fd_ < 0) return;
    const int place = ::open(path.c_str(), O_PATH | O_CLOEXEC);
    if (place < 0) return;  // what is not there needs no rule
    struct stat about{};
    std::uint64_t access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE;
    const bool directory = ::fstat(place, &about) == 0 && S_ISDIR(about.st_mode);
    if (directory) access |= LANDLOCK_ACCESS_FS_READ_DIR;
    if (write) access |= directory ? writing : std::uint64_t{LANDLOCK_ACCESS_FS_WRITE_FILE};
    const landlock_path_beneath_attr rule{.allowed_access = access, .parent_fd = place};
    (void)::syscall(SYS_landlock_add_rule, fd_, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    ::close(place);
  }
  // A kernel without it leaves files to seccomp alone.
  Status enforce() const {
    if (fd_ >= 0 && ::syscall(SYS_landlock_restrict_self, fd_, 0) != 0) return failed("Landlock");
    return Done{};
  }

 private:
  static constexpr std::uint64_t writing = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                           LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                           LANDLOCK_ACCESS_FS_MAKE_REG;
  static constexpr std::uint64_t all = writing | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                                       LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                       LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                       LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
  int fd_ = -1;
};

// An allow-list: all else is refused with EPERM, as if the user had no right to it.
class SystemCalls {
 public:
  SystemCalls() : filter_(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release) {}
  void allow(std::initializer_list<int> calls) const {
    for (const int call : calls) (void)seccomp_rule_add(filter_.get(), SCMP_ACT_ALLOW, call, 0);
  }
  void allow(int call, scmp_arg_cmp only) const {
    (void)seccomp_rule_add_array(filter_.get(), SCMP_ACT_ALLOW, call, 1, &only);
  }
  void refuse(int call, int error) const {
    (void)seccomp_rule_add(filter_.get(), SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)), call, 0);
  }
  Status enforce() const {
    (void)seccomp_attr_set(filter_.get(), SCMP_FLTATR_CTL_TSYNC, 1);  // the thread that watches the hub too
    if (const int error = seccomp_load(filter_.get()); error != 0) {
      errno = -error;
      return failed("seccomp");
    }
    return Done{};
  }

 private:
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter_;
};

void allow_computing(const SystemCalls& calls) {
  calls.allow({SCMP_SYS(read),
               SCMP_SYS(write),
               SCMP_SYS(readv),
               SCMP_SYS(writev),
               SCMP_SYS(pread64),
               SCMP_SYS(close),
               SCMP_SYS(fstat),
               SCMP_SYS(newfstatat),
               SCMP_SYS(lseek),
               SCMP_SYS(poll),
               SCMP_SYS(ppoll),
               SCMP_SYS(munmap),
               SCMP_SYS(mremap),
               SCMP_SYS(madvise),
               SCMP_SYS(brk),
               SCMP_SYS(futex),
               SCMP_SYS(clock_gettime),
               SCMP_SYS(clock_getres),
               SCMP_SYS(clock_nanosleep),
               SCMP_SYS(nanosleep),
               SCMP_SYS(gettimeofday),
               SCMP_SYS(time),
               SCMP_SYS(getpid),
               SCMP_SYS(gettid),
               SCMP_SYS(getrandom),
               SCMP_SYS(rt_sigaction),
               SCMP_SYS(rt_sigprocmask),
               SCMP_SYS(rt_sigreturn),
               SCMP_SYS(sigaltstack),
               SCMP_SYS(exit),
               SCMP_SYS(exit_group),
               SCMP_SYS(sched_yield),
               SCMP_SYS(sched_getaffinity),
               SCMP_SYS(rseq),
               SCMP_SYS(set_robust_list),
               SCMP_SYS(membarrier),
               SCMP_SYS(restart_syscall),
               SCMP_SYS(uname),
               SCMP_SYS(getrusage),
               SCMP_SYS(dup),
               SCMP_SYS(pipe2),
               SCMP_SYS(eventfd2),
               SCMP_SYS(set_tid_address)});
  // Threads, but no processes; clone3 hides its flags, and the C library asks clone when it is not there.
  calls.allow(SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  calls.refuse(SCMP_SYS(clone3), ENOSYS);
  // abort() and the like: signals to itself.
  calls.allow(SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid())));
  calls.allow(SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFL));
  calls.allow(SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_SETFL));
  calls.allow(SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFD));
  calls.allow(SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_SETFD));
  calls.allow(SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_DUPFD_CLOEXEC));
  if (sanitized) {
    calls.allow({SCMP_SYS(prctl), SCMP_SYS(readlink), SCMP_SYS(prlimit64), SCMP_SYS(getppid),
                 SCMP_SYS(mprotect), SCMP_SYS(mmap)});
  }
}

void allow_network(const SystemCalls& calls) {
  calls.allow({SCMP_SYS(socket),     SCMP_SYS(connect),     SCMP_SYS(bind),        SCMP_SYS(getsockopt),
               SCMP_SYS(setsockopt), SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(sendto),
               SCMP_SYS(recvfrom),   SCMP_SYS(sendmsg),     SCMP_SYS(recvmsg),     SCMP_SYS(sendmmsg),
               SCMP_SYS(recvmmsg),   SCMP_SYS(shutdown),    SCMP_SYS(socketpair),  SCMP_SYS(epoll_create1),
               SCMP_SYS(epoll_ctl),  SCMP_SYS(epoll_wait),  SCMP_SYS(epoll_pwait), SCMP_SYS(select),
               SCMP_SYS(pselect6),   SCMP_SYS(ioctl),       SCMP_SYS(geteuid),     SCMP_SYS(getuid),
               SCMP_SYS(fcntl)});
}

void allow_reading_files(const SystemCalls& calls) {
  constexpr auto writes = static_cast<scmp_datum_t>(O_WRONLY | O_RDWR | O_CREAT | O_TRUNC);
  calls.allow(SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, writes, 0));
  calls.allow(SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, writes, 0));
  calls.allow({SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat),
               SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64),
               SCMP_SYS(getcwd), SCMP_SYS(statfs), SCMP_SYS(fstatfs)});
}

void allow_writing_files(const SystemCalls& calls) {
  calls.allow({SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rename),
               SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(fsync),
               SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(pwrite64),
               SCMP_SYS(flock), SCMP_SYS(fcntl), SCMP_SYS(umask)});
}

}  // namespace

Status confine_before_load(const plugin::wire::Confinement& granted, const std::string& library,
                           const std::string& folder) {
  const rlim_t mapped = mapped_bytes();
  if (!sanitized) SLUICE_TRY(limit(RLIMIT_AS, mapped + granted.memory_bytes, "memory"));
  SLUICE_TRY(limit(RLIMIT_NOFILE, granted.network != 0 ? files_open_network : files_open, "descriptors"));
  SLUICE_TRY(limit(RLIMIT_CORE, 0, "core files"));  // one would hold what people have told us
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("privileges");
  (void)::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);

  {
    const Landlock files;
    for (const char* const path : {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib",
                                   "/etc/ld.so.cache", "/usr/share/zoneinfo", "/dev/null", "/dev/urandom"}) {
      files.allow(path, false);
    }
    files.allow(library, false);
    if (sanitized) files.allow("/proc/self", false);
    if (granted.network != 0) {
      for (const char* const path :
           {"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
            "/etc/services", "/etc/ssl", "/usr/share/ca-certificates"}) {
        files.allow(path, false);
      }
    }
    if (granted.files != 0) files.allow(folder, true);
    SLUICE_TRY(files.enforce());
  }
  const SystemCalls calls;
  allow_computing(calls);
  allow_reading_files(calls);
  // The filter of the second step is laid over this one: each call must pass both.
  calls.allow({SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(seccomp), SCMP_SYS(prctl)});
  if (granted.network != 0) allow_network(calls);
  if (granted.files != 0) allow_writing_files(calls);
  return calls.enforce();
}

Status confine_after_load(const plugin::wire::Confinement& granted) {
  const SystemCalls calls;
  allow_computing(calls);
  if (granted.network != 0) allow_network(calls);
  if (granted.network != 0 || granted.files != 0) allow_reading_files(calls);
  if (granted.files != 0) allow_writing_files(calls);
  // Resolving names loads libraries of the system.
  const scmp_datum_t code = granted.network != 0 ? 0 : PROT_EXEC;
  calls.allow(SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, code, 0));
  calls.allow(SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, code, 0));
  return calls.enforce();
}

}  // namespace sluice::connector
