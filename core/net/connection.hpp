// The inside of the server: one connection's reading, waiting and writing. Included by the server's .cpp
// files alone, since it brings Beast with it. Everything here runs on the io thread that owns the connection,
// but Mailbox::put().
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>

#include "net/server.hpp"

namespace sluice::net {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Socket = asio::generic::stream_protocol::socket;
using Steady = std::chrono::steady_clock;
using ErrorCode = boost::system::error_code;

class Worker;

// Beast's string body, but it leaves the spare bytes that the JSON parser wants behind the text.
struct SpareBody {
  using value_type = std::string;
  class reader {
   public:
    template <bool IsRequest, typename Fields>
    reader(http::header<IsRequest, Fields>&, value_type& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>& length, ErrorCode& ec) {
      if (length) body_.reserve(static_cast<std::size_t>(*length) + spare);
      ec = {};
    }
    template <typename Buffers>
    std::size_t put(const Buffers& buffers, ErrorCode& ec) {
      ec = {};
      const std::size_t before = body_.size();
      for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers); ++at) {
        const asio::const_buffer part(*at);
        body_.append(static_cast<const char*>(part.data()), part.size());
      }
      return body_.size() - before;
    }
    void finish(ErrorCode& ec) {
      if (!body_.empty()) body_.reserve(body_.size() + spare);
      ec = {};
    }

   private:
    static constexpr std::size_t spare = 64;
    value_type& body_;
  };
};

// Answers on their way to the io thread: the first of a burst wakes it, the others ride along.
class Mailbox {
 public:
  struct Answer {
    std::uint64_t connection, request;
    Response response;
  };
  explicit Mailbox(Worker& worker) : worker_(&worker) {}
  void put(Answer answer);  // [any]
  std::vector<Answer> take();
  void close();  // nothing is put afterwards

 private:
  std::mutex mutex_;  // guards all below
  Worker* worker_;
  std::vector<Answer> answers_;
};

class Responder::Pending {
 public:
  Pending(std::shared_ptr<Mailbox> mailbox, std::uint64_t connection, std::uint64_t request)
      : mailbox_(std::move(mailbox)), connection_(connection), request_(request) {}
  ~Pending() {
    if (!sent_) send({500, R"({"success":false,"message":"no answer was found"})", "application/json", {}});
  }
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  void send(Response response) {
    if (!sent_.exchange(true)) mailbox_->put({connection_, request_, std::move(response)});
  }

 private:
  std::shared_ptr<Mailbox> mailbox_;
  const std::uint64_t connection_, request_;
  std::atomic<bool> sent_{false};
};

// Counters that all workers of one server share.
struct Shared {
  ServerOptions options;
  Handler handler;
  std::atomic<std::size_t> connections{0};
  std::atomic<std::uint64_t> refused{0};
  std::mutex peers_mutex;                              // guards peers
  std::unordered_map<std::string, std::size_t> peers;  // connections of each that is counted

  // The name under which a caller is counted; empty: it is not.
  std::string counted_as(const std::string& peer) const;
  bool enter(const std::string& counted);  // false: it has as many as it may; an empty name always enters
  void leave(const std::string& counted);
  std::atomic<std::size_t> held_bytes{0};  // of bodies read, or announced, and not yet answered
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `counted`: see Shared::enter(), which it has passed.
  Connection(Worker& worker, std::uint64_t id, Socket socket, std::string peer, std::string counted);
  ~Connection();
  void start();
  void answer(std::uint64_t request, Response response);  // keeps it until flush()
  void flush();                                           // writes what may leave
  void check_deadline(Steady::time_point now);
  void drain();  // takes no more requests; closes when nothing is due
  std::uint64_t id() const { return id_; }

 private:
  using Parser = http::request_parser<SpareBody>;
  struct Slot {
    std::optional<Response> response;
    std::size_t held_bytes = 0;
    bool close = false;
    bool head = false;
  };

  void wait_readable();
  void on_readable(ErrorCode ec);
  void take(std::string_view bytes);
  std::size_t parse(std::string_view bytes);
  void after_header();
  void dispatch();
  void hold(std::size_t bytes);
  void fail(int status, std::string_view why);
  void on_written(ErrorCode ec, std::size_t bytes);
  void finish_write();
  void linger();
  void close();
  bool may_read() const;

  Worker& worker_;
  Shared& shared_;
  const std::uint64_t id_;
  Socket socket_;
  const std::string peer_, counted_;
  std::optional<Parser> parser_;  // of the request that is being read
  std::string rest_;              // read, not parsed yet
  std::deque<Slot> slots_;        // requests without a written answer, in order
  std::uint64_t first_slot_ = 0;  // the number of slots_.front()
  std::string out_;               // being written
  std::size_t held_now_ = 0;      // of the request that is being read
  bool header_done_ = false;
  bool waiting_ = false;  // for the socket to be readable
  bool writing_ = false;  // the socket was full: the rest of out_ waits
  bool ending_ = false;   // no more requests; closed when the last answer is out
  bool failed_ = false;   // the peer may still be sending: linger
  bool lingering_ = false;
  bool closed_ = false;
  Steady::time_point deadline_;
};

// One io thread with its connections.
class Worker {
 public:
  explicit Worker(Shared& shared);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  asio::io_context& io() { return io_; }
  Shared& shared() { return shared_; }
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
  std::string& scratch() { return scratch_; }
  bool stopping() const { return stopping_; }

  void run();                                   // until stopped
  void adopt(Socket socket, std::string peer);  // [this worker's thread]
  void forget(std::uint64_t id);
  void deliver();  // takes the mail
  void stop();     // [any]

 private:
  void tick();
  void stop_when_empty();

  Shared& shared_;
  asio::io_context io_;
  asio::steady_timer timer_;
  std::shared_ptr<Mailbox> mailbox_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::uint64_t last_id_ = 0;
  std::string scratch_;  // what a read lands in before it is parsed: connections at rest hold no buffer
  bool stopping_ = false;
  Steady::time_point stop_deadline_;
};

}  // namespace sluice::net
