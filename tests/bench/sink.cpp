#include "sink.hpp"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <strings.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace sluice::bench {

namespace {

constexpr std::string_view number_key = "\"n\":";

// The length of the first HTTP request in `in`, head and body; 0 while it is not all there.
std::size_t request_length(std::string_view in, std::size_t& head) {
  const std::size_t end = in.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  head = end + 4;
  std::size_t body = 0;
  for (std::size_t line = in.find("\r\n"); line < end;) {
    line += 2;
    constexpr std::string_view name = "content-length:";
    if (strncasecmp(in.data() + line, name.data(), name.size()) == 0) {
      body = std::strtoul(in.data() + line + name.size(), nullptr, 10);
    }
    line = in.find("\r\n", line);
  }
  return in.size() < head + body ? 0 : head + body;
}

void watch(int poll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void Arrivals::note(std::int64_t n, std::int64_t waited_us) {
  std::uint8_t& times = times_[static_cast<std::size_t>(n)];
  if (times > 0) {
    ++duplicates_;
  } else {
    times = 1;
    latencies.push_back(static_cast<std::uint32_t>(waited_us));
    ++arrived_;
  }
}

Sink::Sink(const std::vector<std::atomic<std::int64_t>>& sent)
    : sent_(sent), arrivals_{Arrivals(sent.size()), Arrivals(sent.size())}, buffer_(std::size_t{1} << 18U) {
  poll_ = epoll_create1(0);
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (bind(fd, plain, size) != 0 || listen(fd, 256) != 0 || getsockname(fd, plain, &size) != 0) {
      throw std::runtime_error("the sink cannot listen on 127.0.0.1");
    }
    listeners_[i] = fd;
    ports_[i] = ntohs(address.sin_port);
    watch(poll_, fd);
  }
  thread_ = std::thread([this] { run(); });
}

Sink::~Sink() {
  stopping_ = true;
  thread_.join();
  for (const auto& [fd, peer] : peers_) close(fd);
  for (const int fd : listeners_) close(fd);
  close(poll_);
}

std::vector<std::uint32_t> Sink::take_latencies() {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint32_t> all;
  for (Arrivals& arrivals : arrivals_) {
    all.insert(all.end(), arrivals.latencies.begin(), arrivals.latencies.end());
    arrivals.latencies.clear();
  }
  return all;
}

void Sink::run() {
  std::array<epoll_event, 64> events{};
  while (!stopping_) {
    const int count = epoll_wait(poll_, events.data(), static_cast<int>(events.size()), 50);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listeners_[0]) {
        accept_all(fd, Place::crm);
      } else if (fd == listeners_[1]) {
        accept_all(fd, Place::warehouse);
      } else {
        read_from(fd);
      }
    }
  }
}

void Sink::accept_all(int listener, Place place) {
  for (int fd = 0; (fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(poll_, fd);
    peers_[fd] = {place, {}};
  }
}

void Sink::read_from(int fd) {
  Peer& peer = peers_[fd];
  const ssize_t got = read(fd, buffer_.data(), buffer_.size());
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    close(fd);
    peers_.erase(fd);
    return;
  }
  peer.in.append(buffer_.data(), static_cast<std::size_t>(got));
  constexpr std::string_view created =
      "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: "
      "21\r\n\r\n{\"message\":\"success\"}";
  constexpr std::string_view empty = "HTTP/1.1 204 No Content\r\n\r\n";
  std::size_t head = 0, at = 0;
  while (const std::size_t length = request_length(std::string_view(peer.in).substr(at), head)) {
    count(peer.place, peer.in.data() + at + head, length - head);
    ++requests_;
    at += length;
    const std::string_view answer = peer.place == Place::crm ? created : empty;
    if (write(fd, answer.data(), answer.size()) < 0) break;
  }
  peer.in.erase(0, at);
}

void Sink::count(Place place, const char* body, std::size_t size) {
  Arrivals& arrivals = arrivals_[static_cast<std::size_t>(place)];
  const std::int64_t now = now_us();
  const char* end = body + size;
  const std::lock_guard lock(mutex_);
  while (const void* found =
             memmem(body, static_cast<std::size_t>(end - body), number_key.data(), number_key.size())) {
    body = static_cast<const char*>(found) + number_key.size();
    const std::int64_t n = std::strtoll(body, nullptr, 10);
    if (n < 0 || n >= static_cast<std::int64_t>(sent_.size())) continue;
    arrivals.note(n, now - sent_[static_cast<std::size_t>(n)]);
  }
  last_us_ = now;
}

}  // namespace sluice::bench
