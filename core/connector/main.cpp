// The process of one connector: loads it, confined, and calls it as the hub rings. Started by the hub alone
// (plugin/child_process.cpp); the other end of plugin/remote.cpp. What a connector does to this process it
// does to nobody else.
#include <cstdio>
#include <ctime>
#include <malloc.h>
#include <poll.h>
#include <thread>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/socket.h>

#include "connector/sandbox.hpp"
#include "connector/session.hpp"
#include "plugin/wire.hpp"

namespace {

namespace wire = sluice::plugin::wire;

// A connector in an endless loop does not see that the hub is gone.
void watch_the_hub() {
  std::thread([] {
    pollfd hub{wire::socket_fd, 0, 0};
    while (::poll(&hub, 1, -1) < 0) {
    }
    const timespec to_end_by_itself{1, 0};
    ::nanosleep(&to_end_by_itself, nullptr);
    ::_exit(1);
  }).detach();
}

}  // namespace

int main() {
  void* const arguments =
      ::mmap(nullptr, wire::area_bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, wire::arguments_fd, 0);
  void* const emissions = ::mmap(nullptr, wire::area_bytes, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_NORESERVE, wire::emissions_fd, 0);
  if (arguments == MAP_FAILED || emissions == MAP_FAILED) {
    (void)std::fputs("sluice-connector is a part of sluice, which starts it\n", stderr);
    return 2;
  }
  ::close(wire::arguments_fd);
  ::close(wire::emissions_fd);
  // Freed memory of large batches is kept: to give it back and take it again costs more than all else here.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);  // NOLINT(concurrency-mt-unsafe): there is one thread yet
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);  // NOLINT(concurrency-mt-unsafe)
  watch_the_hub();
  sluice::connector::Session session(static_cast<const char*>(arguments), static_cast<char*>(emissions));
  session.run();
  return 0;
}
