// A raw client for the server's tests: it sends any bytes and reads what comes, without a library's opinion.
#pragma once

#include <algorithm>
#include <cstring>
#include <poll.h>
#include <string>
#include <string_view>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

namespace sluice::net {

class RawClient {
 public:
  // `from`: the last byte of the loopback address that it calls from.
  explicit RawClient(std::uint16_t port, unsigned from = 1) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xFFU) | from);
    (void)::bind(socket_, reinterpret_cast<const sockaddr*>(&own), sizeof own);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
    const timeval patience{20, 0};
    (void)::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~RawClient() { (void)::close(socket_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  void end() { (void)::shutdown(socket_, SHUT_WR); }

  bool readable_within_ms(int ms) {
    pollfd one{socket_, POLLIN, 0};
    return ::poll(&one, 1, ms) > 0;
  }

  // Until `count` bytes are there or the peer has closed.
  std::string read(std::size_t count) {
    std::string out;
    char buffer[4096];
    while (out.size() < count) {
      const ssize_t n = ::recv(socket_, buffer, std::min(sizeof buffer, count - out.size()), 0);
      if (n <= 0) break;
      out.append(buffer, static_cast<std::size_t>(n));
    }
    return out;
  }
  std::string read_to_end() { return read(std::size_t{64} << 20); }
  // One answer with a Content-Length: head and body.
  std::string answer() {
    std::string out;
    while (!out.ends_with("\r\n\r\n")) {
      const std::string c = read(1);
      if (c.empty()) return out;
      out += c;
    }
    const std::size_t at = out.find("Content-Length: ");
    return at == std::string::npos ? out : out + read(std::stoul(out.substr(at + 16)));
  }

 private:
  int socket_;
  bool connected_ = false;
};

}  // namespace sluice::net
