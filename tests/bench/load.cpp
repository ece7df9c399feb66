#include "load.hpp"

#include <array>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sink.hpp"
#include "traffic.hpp"

namespace sluice::bench {

namespace {

constexpr int tries_max = 200;

class Connection {
 public:
  explicit Connection(std::uint16_t port) : port_(port) {}
  explicit Connection(std::string path) : path_(std::move(path)) {}
  ~Connection() { drop(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // False: the connection broke, and how much went out is not known.
  bool put(const std::string& bytes) {
    if (fd_ < 0 && !dial()) return false;
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t sent = ::send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      if (sent <= 0) return drop() != 0;
      done += static_cast<std::size_t>(sent);
    }
    return true;
  }
  // The status of the answer; 0: the connection broke.
  int post(const std::string& request) {
    if (!put(request)) return 0;
    answer_.clear();
    while (!complete()) {
      std::array<char, 4096> buffer{};
      const ssize_t got = recv(fd_, buffer.data(), buffer.size(), 0);
      if (got <= 0) return drop();
      answer_.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return std::atoi(answer_.c_str() + 9);
  }
  const std::string& answer() const { return answer_; }  // the last one, with its head

 private:
  bool dial() {
    if (!path_.empty()) return dial_unix();
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    const int one = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return true;
    drop();
    return false;
  }
  bool dial_unix() {
    fd_ = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return true;
    drop();
    return false;
  }
  int drop() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    return 0;
  }
  bool complete() const {
    const std::size_t end = answer_.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    std::size_t length = answer_.find("Content-Length: ");
    length = length < end ? std::strtoul(answer_.c_str() + length + 16, nullptr, 10) : 0;
    return answer_.size() >= end + 4 + length;
  }

  std::uint16_t port_ = 0;
  std::string path_;  // of a Unix socket, instead
  int fd_ = -1;
  std::string answer_;
};

}  // namespace

LoadResult send_load(const Traffic& traffic, const LoadOptions& options,
                     std::vector<std::atomic<std::int64_t>>& sent) {
  LoadResult total;
  std::mutex mutex;
  std::atomic<std::int64_t> next{options.first};
  const std::int64_t end = options.first + options.events, started = now_us();
  const std::string host = "127.0.0.1:" + std::to_string(options.port);
  const auto work = [&] {
    Connection connection(options.port);
    LoadResult own;
    for (std::int64_t first = 0; (first = next.fetch_add(options.batch)) < end;) {
      const std::string request = options.lines ? traffic.lines_of(first, options.batch)
                                                : traffic.request_of(first, options.batch, host);
      std::int64_t due = now_us();
      if (options.rate > 0) {
        due = started +
              static_cast<std::int64_t>(static_cast<double>(first - options.first) / options.rate * 1e6);
        std::this_thread::sleep_for(std::chrono::microseconds(due - now_us()));
      }
      for (std::int64_t n = first; n < first + options.batch; ++n) sent[static_cast<std::size_t>(n)] = due;
      for (int tries = 0; tries < tries_max; ++tries) {
        if (options.lines ? connection.put(request) : connection.post(request) == 200) {
          own.acknowledged += options.batch;
          if (!options.lines) own.ack_us.push_back(static_cast<std::uint32_t>(now_us() - due));
          break;
        }
        ++own.retried;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    }
    const std::lock_guard lock(mutex);
    total.acknowledged += own.acknowledged;
    total.retried += own.retried;
    total.ack_us.insert(total.ack_us.end(), own.ack_us.begin(), own.ack_us.end());
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < options.connections; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return total;
}

bool introduce_people(const Traffic& traffic, std::uint16_t port, int connections) {
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> good{true};
  const std::string host = "127.0.0.1:" + std::to_string(port);
  const auto work = [&] {
    Connection connection(port);
    for (std::int64_t first = 0; good && (first = next.fetch_add(batch_events)) < traffic.people();) {
      const std::string request = traffic.introduce(first, host);
      int tries = 0;
      while (connection.post(request) != 200 && ++tries < tries_max)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (tries == tries_max) good = false;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < connections; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return good;
}

namespace {

// One request every two milliseconds, one after the other.
ReadResult ask_on(Connection& connection, const std::atomic<bool>& stop,
                  const std::function<std::string(std::int64_t)>& request_of) {
  ReadResult result;
  for (std::int64_t n = 0; !stop; ++n) {
    const std::string request = request_of(n);
    const std::int64_t from = now_us();
    if (connection.post(request) == 200) {
      result.us.push_back(static_cast<std::uint32_t>(now_us() - from));
    } else {
      ++result.failed;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return result;
}

}  // namespace

ReadResult read_profiles(const Traffic& traffic, const std::string& socket, const std::atomic<bool>& stop) {
  Connection connection(socket);
  return ask_on(connection, stop, [&](std::int64_t n) {
    return "GET /v1/spaces/bench/collections/users/profiles/user_id:user-" +
           std::to_string(traffic.person_of(n)) + "/traits HTTP/1.1\r\nHost: localhost\r\n\r\n";
  });
}

bool reads_history(const std::string& socket) {
  Connection connection(socket);
  return connection.post("GET /v1/backfill HTTP/1.1\r\nHost: localhost\r\n\r\n") == 200 &&
         connection.answer().find(R"("state":"none")") == std::string::npos;
}

ReadResult read_decisions(const Traffic& traffic, std::uint16_t port, const std::atomic<bool>& stop) {
  Connection connection(port);
  return ask_on(connection, stop, [&](std::int64_t n) {
    return "GET /v1/decide?writeKey=" + std::string(write_key) + "&anonymousId=device-" +
           std::to_string(traffic.person_of(n)) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  });
}

}  // namespace sluice::bench
