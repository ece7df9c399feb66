// What a connector can do to its process, to the hub and to itself, by name. Planted: runs apart alone.
#pragma once

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <sys/mman.h>
#include <sys/socket.h>

#include "sluice/plugin.hpp"

namespace faults {

namespace sdk = sluice::sdk;

inline std::string went(bool well) {
  return well ? "done" : std::string("refused: ") + std::strerror(errno);
}

inline int overflow(volatile char* above);
inline int (*volatile deeper)(volatile char*) = overflow;  // the compiler does not see where it leads

inline int overflow(volatile char* above) {
  volatile char here[4096];
  here[0] = above[0];
  return deeper(here) + here[0];
}

inline std::string open_socket() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  return went(fd >= 0);
}

inline std::string read_file(const char* path) {
  return went(::open(path, O_RDONLY) >= 0);
}

inline std::string map_code() {
  void* const at =
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return went(at != MAP_FAILED);
}

inline std::string leak_descriptors() {
  int count = 0;
  while (count < 100'000 && ::dup(0) >= 0) ++count;
  return std::to_string(count) + " of them";
}

// The head of the area that this process writes for the hub (core/plugin/bell.hpp), as it can find it out.
inline char* head_of(const sdk::Host& host) {
  struct Session {  // the head of sluice-connector's
    const char* arguments;
    char* emissions;
  };
  const sluice_host* raw = nullptr;
  std::memcpy(&raw, &host, sizeof raw);
  return static_cast<const Session*>(raw->ctx)->emissions - 128;
}

[[noreturn]] inline void loop() {
  for (volatile int forever = 1; forever != 0;) {
  }
  std::abort();
}

// Says that the call is done and that a mebibyte was emitted, of which nothing was written.
[[noreturn]] inline void forge_the_end(const sdk::Host& host) {
  struct {
    std::uint64_t count = 1'000;
    std::uint32_t say = 3, what = 0;
    std::int32_t status = 0;
    std::uint32_t extra = 0;
    std::uint64_t sequence = 1, offset = 0, bytes = 1 << 20;
  } const message;
  std::memcpy(head_of(host) + 64, &message, sizeof message);
  loop();
}

// Wakes the hub again and again, and says nothing.
inline void ring_for_ever() {
  while (::write(3, "rings", 5) > 0) {
  }
}

[[noreturn]] inline void ask_for_ever(const sdk::Host& host) {
  for (;;) host.get("k");
}

[[noreturn]] inline void leak_memory() {
  for (std::vector<std::string*> kept;;) kept.push_back(new std::string(1 << 20, 'x'));  // NOLINT
}

// Behind the end of a block of its own, until there is nothing.
inline void overrun() {
  volatile char* const block = new char[16];  // NOLINT
  for (std::size_t i = 0;; ++i) block[i] = 'x';
}

// Writes over what this process has told the hub so far in this call.
inline void smash(const sdk::Host& host) {
  std::memset(head_of(host) + 128, 0xff, 4096);
}

// What came of it, where there is somebody left to say so. `given`: a text of the hub's.
inline std::string commit(std::string_view name, std::string_view given, const sdk::Host& host) {
  if (name == "segfault") *static_cast<volatile int*>(nullptr) = 1;
  if (name == "abort") std::abort();
  if (name == "exit") std::exit(0);
  if (name == "overflow") {
    volatile char bottom = 0;
    return std::to_string(overflow(&bottom));
  }
  if (name == "loop") loop();
  if (name == "leak") leak_memory();
  if (name == "scribble") const_cast<char*>(given.data())[0] = '!';
  if (name == "overrun") overrun();
  if (name == "smash") smash(host);
  if (name == "garbage") forge_the_end(host);
  if (name == "asks") ask_for_ever(host);
  if (name == "rings") ring_for_ever();
  if (name == "hang_up") return went(::close(3) == 0);
  if (name == "descriptors") return leak_descriptors();
  if (name == "socket") return open_socket();
  if (name == "passwd") return read_file("/etc/passwd");
  if (name == "environment") return read_file("/proc/self/environ");
  if (name == "fork") return went(::fork() >= 0);
  if (name == "kill_parent") return went(::kill(::getppid(), 9) == 0);
  if (name == "map_code") return map_code();
  return "nothing";
}

}  // namespace faults
