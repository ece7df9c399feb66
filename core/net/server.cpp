#include "net/server.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <signal.h>
#include <thread>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <sys/stat.h>

#include "base/thread_name.hpp"
#include "net/client.hpp"
#include "net/connection.hpp"

namespace sluice::net {

using tcp = asio::ip::tcp;
using unix_stream = asio::local::stream_protocol;
using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

namespace {
constexpr std::size_t read_bytes = std::size_t{256} << 10;
}

void Responder::send(Response response) const {
  if (pending_) pending_->send(std::move(response));
}

void Mailbox::put(Answer answer) {
  const std::lock_guard lock(mutex_);
  if (worker_ == nullptr) return;
  answers_.push_back(std::move(answer));
  if (answers_.size() == 1) asio::post(worker_->io(), [worker = worker_] { worker->deliver(); });
}

std::vector<Mailbox::Answer> Mailbox::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

void Mailbox::close() {
  const std::lock_guard lock(mutex_);
  worker_ = nullptr;
  answers_.clear();
}

std::string Shared::counted_as(const std::string& peer) const {
  if (options.connections_per_peer_max == 0) return {};
  if (!options.count_private_peers && !is_public_address(peer)) return {};
  ErrorCode ec;
  const auto address = asio::ip::make_address(peer, ec);
  if (ec || !address.is_v6()) return ec ? std::string{} : peer;
  const auto bytes = address.to_v6().to_bytes();  // who has one address of a /64 has all of them
  return {bytes.begin(), bytes.begin() + 8};
}

bool Shared::enter(const std::string& counted) {
  if (counted.empty()) return true;
  const std::lock_guard lock(peers_mutex);
  std::size_t& open = peers[counted];
  if (open >= options.connections_per_peer_max) return false;
  ++open;
  return true;
}

void Shared::leave(const std::string& counted) {
  if (counted.empty()) return;
  const std::lock_guard lock(peers_mutex);
  const auto at = peers.find(counted);
  if (at != peers.end() && --at->second == 0) peers.erase(at);
}

Worker::Worker(Shared& shared)
    : shared_(shared),
      io_(1),
      timer_(io_),
      mailbox_(std::make_shared<Mailbox>(*this)),
      scratch_(read_bytes, '\0') {}

Worker::~Worker() {
  mailbox_->close();
}

void Worker::run() {
  sigset_t all;  // signals are the main thread's
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_BLOCK, &all, nullptr);
  name_thread("http server");
  tick();
  io_.run();
  connections_.clear();
}

void Worker::adopt(Socket socket, std::string peer) {
  if (stopping_) return;
  std::string counted = shared_.counted_as(peer);
  const bool full = shared_.connections.load(std::memory_order_relaxed) >= shared_.options.connections_max;
  if (full || !shared_.enter(counted)) {
    shared_.refused.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const auto connection =
      std::make_shared<Connection>(*this, ++last_id_, std::move(socket), std::move(peer), std::move(counted));
  connections_.emplace(last_id_, connection);
  connection->start();
}

void Worker::forget(std::uint64_t id) {
  connections_.erase(id);
  if (stopping_) stop_when_empty();
}

void Worker::deliver() {
  // One write a connection, however many of its answers came together.
  std::vector<std::shared_ptr<Connection>> touched;
  for (Mailbox::Answer& answer : mailbox_->take()) {
    const auto found = connections_.find(answer.connection);
    if (found == connections_.end()) continue;
    found->second->answer(answer.request, std::move(answer.response));
    if (touched.empty() || touched.back() != found->second) touched.push_back(found->second);
  }
  for (const auto& connection : touched) connection->flush();
  if (stopping_) stop_when_empty();
}

// One timer for all connections: deadlines are kept to within a tick.
void Worker::tick() {
  const auto& o = shared_.options;
  const auto shortest = std::min({o.read_timeout, o.idle_timeout, o.write_timeout, o.drain_timeout});
  timer_.expires_after(
      std::clamp(shortest / 4, std::chrono::milliseconds(5), std::chrono::milliseconds(500)));
  timer_.async_wait([this](ErrorCode ec) {
    if (ec) return;
    const auto now = Steady::now();
    std::vector<std::shared_ptr<Connection>> all;
    for (const auto& [id, connection] : connections_) all.push_back(connection);
    for (const auto& connection : all) connection->check_deadline(now);
    if (stopping_) stop_when_empty();
    tick();
  });
}

void Worker::stop() {
  asio::post(io_, [this] {
    stopping_ = true;
    stop_deadline_ = Steady::now() + shared_.options.drain_timeout;
    std::vector<std::shared_ptr<Connection>> all;
    for (const auto& [id, connection] : connections_) all.push_back(connection);
    for (const auto& connection : all) connection->drain();
    stop_when_empty();
  });
}

void Worker::stop_when_empty() {
  if (connections_.empty() || Steady::now() >= stop_deadline_) io_.stop();
}

namespace {

struct Endpoint {
  asio::generic::stream_protocol::endpoint at;
  std::string path;  // of a Unix socket
  std::string host;  // as it was written
};

Error bad_address(const std::string& address, std::string_view why) {
  return {Code::misconfigured, "cannot listen on '" + address + "': " + std::string(why)};
}

Result<Endpoint> unix_endpoint(const std::string& address, const std::string& path) {
  if (path.empty() || path.size() > 107) return bad_address(address, "the path has to have 1 to 107 bytes");
  const unix_stream::endpoint at(path);
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) return bad_address(address, "a file that is not a socket stands there");
    asio::io_context io;
    unix_stream::socket probe(io);
    ErrorCode ec;
    probe.connect(at, ec);
    if (!ec) return bad_address(address, "another process is listening there");
    (void)::unlink(path.c_str());
  }
  return Endpoint{at, path, {}};
}

Result<Endpoint> resolve(const std::string& address) {
  if (address.starts_with("unix:")) return unix_endpoint(address, address.substr(5));
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) return bad_address(address, "write HOST:PORT or unix:PATH");
  std::string host = address.substr(0, colon);
  unsigned port = 0;
  const char* end = address.data() + address.size();
  const auto [read_to, bad] = std::from_chars(address.data() + colon + 1, end, port);
  if (bad != std::errc{} || read_to != end || port > 65'535) {
    return bad_address(address, "the port has to be a number from 0 to 65535");
  }
  const std::string written = host;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.empty())
    return bad_address(address,
                       "the host is missing; 127.0.0.1 is this machine alone, 0.0.0.0 all its addresses");
  asio::io_context io;
  ErrorCode ec;
  const auto found = tcp::resolver(io).resolve(host, std::to_string(port), tcp::resolver::passive, ec);
  if (ec || found.empty()) return bad_address(address, "the host name is not known");
  return Endpoint{found.begin()->endpoint(), {}, written};
}

std::string peer_of(const Socket& socket) {
  ErrorCode ec;
  const auto remote = socket.remote_endpoint(ec);
  if (ec || (remote.protocol().family() != AF_INET && remote.protocol().family() != AF_INET6)) return {};
  tcp::endpoint peer;
  peer.resize(remote.size());
  std::memcpy(peer.data(), remote.data(), remote.size());
  const auto ip = peer.address();
  if (ip.is_v6() && ip.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, ip.to_v6()).to_string();
  return ip.to_string();
}

}  // namespace

struct HttpServer::Impl {
  Shared shared;
  std::vector<std::unique_ptr<Worker>> workers;
  std::optional<Acceptor> acceptor;  // runs on the first worker
  std::optional<asio::steady_timer> pause;
  std::vector<std::jthread> threads;
  std::string address, unix_path;
  std::uint16_t port = 0;
  std::size_t next = 0;
  bool stopped = false;

  Status open(const std::string& wanted);
  void accept();
  void stop();
};

Status HttpServer::Impl::open(const std::string& wanted) {
  const Endpoint endpoint = SLUICE_TRY(resolve(wanted));
  ErrorCode ec;
  acceptor.emplace(workers.front()->io());
  (void)acceptor->open(endpoint.at.protocol(), ec);
  if (!ec && endpoint.path.empty()) (void)acceptor->set_option(Acceptor::reuse_address(true), ec);
  // Between bind and chmod nobody may connect: the socket is born 0600.
  const mode_t before = ::umask(0177);
  if (!ec) (void)acceptor->bind(endpoint.at, ec);
  (void)::umask(before);
  if (!ec) (void)acceptor->listen(Acceptor::max_listen_connections, ec);
  if (ec) return bad_address(wanted, ec.message());
  unix_path = endpoint.path;
  address = wanted;
  if (unix_path.empty()) {
    const auto local = acceptor->local_endpoint(ec);
    tcp::endpoint at;
    at.resize(local.size());
    std::memcpy(at.data(), local.data(), local.size());
    port = at.port();
    address = endpoint.host + ":" + std::to_string(port);
  }
  pause.emplace(workers.front()->io());
  return Done{};
}

void HttpServer::Impl::accept() {
  Worker& worker = *workers[next++ % workers.size()];
  acceptor->async_accept(worker.io(), [this, &worker](ErrorCode ec, Socket socket) {
    if (ec == asio::error::operation_aborted || !acceptor->is_open()) return;
    if (ec) {
      // Out of file descriptors, most likely: those that are open go on being served.
      pause->expires_after(std::chrono::milliseconds(50));
      return pause->async_wait([this](ErrorCode wait_ec) {
        if (!wait_ec) accept();
      });
    }
    ErrorCode option_ec;
    if (unix_path.empty()) (void)socket.set_option(tcp::no_delay(true), option_ec);
    std::string peer = peer_of(socket);
    asio::post(worker.io(), [&worker, s = std::move(socket), p = std::move(peer)]() mutable {
      worker.adopt(std::move(s), std::move(p));
    });
    accept();
  });
}

void HttpServer::Impl::stop() {
  if (std::exchange(stopped, true)) return;
  asio::post(workers.front()->io(), [this] {
    ErrorCode ec;
    (void)acceptor->close(ec);
    pause->cancel();
  });
  for (const auto& worker : workers) worker->stop();
  threads.clear();
  for (const auto& worker : workers) worker->mailbox()->close();
  if (!unix_path.empty()) (void)::unlink(unix_path.c_str());
}

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const std::string& address, ServerOptions options,
                                                       Handler handler) {
  auto impl = std::make_unique<Impl>();
  impl->shared.options = std::move(options);
  impl->shared.handler = std::move(handler);
  for (unsigned i = 0; i < std::max(1U, impl->shared.options.threads); ++i) {
    impl->workers.push_back(std::make_unique<Worker>(impl->shared));
  }
  SLUICE_TRY(impl->open(address));
  impl->accept();
  for (const auto& worker : impl->workers) {
    impl->threads.emplace_back([&w = *worker] { w.run(); });
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() {
  stop();
}
std::uint16_t HttpServer::port() const {
  return impl_->port;
}
const std::string& HttpServer::address() const {
  return impl_->address;
}
std::size_t HttpServer::connections() const {
  return impl_->shared.connections.load(std::memory_order_relaxed);
}
std::uint64_t HttpServer::refused() const {
  return impl_->shared.refused.load(std::memory_order_relaxed);
}
void HttpServer::stop() {
  impl_->stop();
}

}  // namespace sluice::net
