// A connector that does to its process what each record's name says.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "sluice/plugin.hpp"

namespace {

namespace sdk = sluice::sdk;

std::string went(bool well) {
  return well ? "done" : std::string("refused: ") + std::strerror(errno);
}

int overflow(volatile char* above);
int (*volatile deeper)(volatile char*) = overflow;  // the compiler does not see where it leads

int overflow(volatile char* above) {
  volatile char here[4096];
  here[0] = above[0];
  return deeper(here) + here[0];
}

std::string open_socket() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  return went(fd >= 0);
}

std::string read_file(const char* path) {
  return went(::open(path, O_RDONLY) >= 0);
}

std::string map_code() {
  void* const at =
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return went(at != MAP_FAILED);
}

std::string leak_descriptors() {
  int count = 0;
  while (count < 100'000 && ::dup(0) >= 0) ++count;
  return std::to_string(count) + " of them";
}

class Faulty {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "faulty";

  Faulty(const sdk::Host& host, const sdk::Open&) : host_(host) {}

  void plan(const sdk::Batch& batch, sdk::Call& call) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const sdk::Record record = batch[i];
      if (record.name == "twice") call.outcome(i, {});
      if (record.name == "none") continue;
      if (record.name == "foreign") call.outcome(1'000'000, {});
      call.outcome(i, {.reason = "planned", .detail = act(record, call)});
    }
  }

  void interpret(const sdk::Batch& batch, const sdk::Response& response, sdk::Call& call) {
    for (const std::uint32_t i : response.records()) call.outcome(i, {.detail = act(batch[i], call)});
  }

 private:
  std::string act(const sdk::Record& record, sdk::Call& call) {
    const std::string_view name = record.name;
    if (name == "segfault") *static_cast<volatile int*>(nullptr) = 1;
    if (name == "abort") std::abort();
    if (name == "exit") std::exit(0);
    if (name == "overflow") {
      volatile char bottom = 0;
      return std::to_string(overflow(&bottom));
    }
    if (name == "loop") {
      for (volatile int forever = 1; forever != 0;) {
      }
    }
    if (name == "leak") {
      for (std::vector<std::string*> kept;;) kept.push_back(new std::string(1 << 20, 'x'));  // NOLINT
    }
    if (name == "scribble") const_cast<char*>(record.payload.data())[0] = '!';
    if (name == "garbage") forge_the_end();
    if (name == "rings") ring_for_ever();
    if (name == "asks") ask_for_ever();
    if (name == "hang_up") return went(::close(3) == 0);
    if (name == "descriptors") return leak_descriptors();
    if (name == "socket") return open_socket();
    if (name == "passwd") return read_file("/etc/passwd");
    if (name == "environment") return read_file("/proc/self/environ");
    if (name == "fork") return went(::fork() >= 0);
    if (name == "kill_parent") return went(::kill(::getppid(), 9) == 0);
    if (name == "map_code") return map_code();
    if (name == "secret_variable") return std::getenv("SLUICE_TEST_SECRET") == nullptr ? "empty" : "seen";
    if (name == "host") return use_host();
    if (name == "thread") return say_from_a_thread();
    if (name == "wait") {
      while (!call.cancelled()) std::this_thread::yield();
    }
    return "nothing";
  }

  // Knows where messages to the hub lie (core/plugin/bell.hpp), as this process can find out: says that the
  // call is done and that a mebibyte was emitted, of which nothing was written.
  void forge_the_end() {
    struct Session {  // the head of sluice-connector's
      const char* arguments;
      char* emissions;
    };
    const sluice_host* raw = nullptr;
    std::memcpy(&raw, &host_, sizeof raw);
    char* const head = static_cast<const Session*>(raw->ctx)->emissions - 128;
    struct {
      std::uint64_t count = 1'000;
      std::uint32_t say = 3, what = 0;
      std::int32_t status = 0;
      std::uint32_t extra = 0;
      std::uint64_t sequence = 1, offset = 0, bytes = 1 << 20;
    } message;
    std::memcpy(head + 64, &message, sizeof message);
    for (volatile int forever = 1; forever != 0;) {
    }
  }

  // Wakes the hub again and again, and says nothing.
  static void ring_for_ever() {
    while (::write(3, "rings", 5) > 0) {
    }
  }

  void ask_for_ever() {
    for (;;) host_.get("k");
  }

  // While the call itself emits too, as often as this returns.
  std::string say_from_a_thread() {
    std::atomic<bool> done = false;
    std::thread aside([&] {
      for (int i = 0; i < 50; ++i) host_.log(SLUICE_WARN, "said aside " + std::to_string(i));
      for (int i = 0; i < 20'000; ++i) host_.metric(SLUICE_COUNTER, "aside", host_.now_us() > 0 ? 1 : 0);
      done = true;
    });
    int here = 0;
    for (; !done; ++here) host_.metric(SLUICE_COUNTER, "here", 1);
    aside.join();
    return std::to_string(here);
  }

  std::string use_host() {
    host_.put("k", "kept");
    return host_.get("k").value_or("lost");
  }

  sdk::Host host_;
};

}  // namespace

SLUICE_PLUGIN(
    R"({"plugin": "faulty", "version": "1.0.0", "connectors": [{"id": "faulty", "kind": "destination",
  "base_url": "https://api.example.com", "hosts": ["api.example.com"]}]})",
    Faulty)
