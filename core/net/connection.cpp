#include "net/connection.hpp"

#include <algorithm>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include "base/check.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "net/message.hpp"

namespace sluice::net {

namespace {
constexpr std::chrono::seconds linger_time{
    2};  // for a peer that goes on sending after we refused its request
}  // namespace

Connection::Connection(Worker& worker, std::uint64_t id, Socket socket, std::string peer, std::string counted)
    : worker_(worker),
      shared_(worker.shared()),
      id_(id),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      counted_(std::move(counted)) {
  shared_.connections.fetch_add(1, std::memory_order_relaxed);
}

Connection::~Connection() {
  std::size_t held = held_now_;
  for (const Slot& slot : slots_) held += slot.held_bytes;
  shared_.held_bytes.fetch_sub(held, std::memory_order_relaxed);
  shared_.connections.fetch_sub(1, std::memory_order_relaxed);
  shared_.leave(counted_);
}

void Connection::start() {
  ErrorCode ec;
  socket_.non_blocking(true, ec);
  deadline_ = Steady::now() + shared_.options.idle_timeout;
  wait_readable();
}

bool Connection::may_read() const {
  return !closed_ && !ending_ && !writing_ && slots_.size() < shared_.options.pipelined_max;
}

void Connection::wait_readable() {
  if (waiting_ || closed_) return;
  waiting_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](ErrorCode ec) { self->on_readable(ec); });
}

void Connection::on_readable(ErrorCode ec) {
  waiting_ = false;
  if (closed_) return;
  if (!lingering_ && !may_read()) return;  // flush() waits again
  std::string& scratch = worker_.scratch();
  const std::size_t n = ec ? 0 : socket_.read_some(asio::buffer(scratch), ec);
  if (ec == asio::error::would_block) return wait_readable();
  if (ec) {
    // The peer has ended its side: what is due is still answered.
    ending_ = true;
    if (lingering_ || slots_.empty()) close();
    return;
  }
  if (!lingering_) take(std::string_view(scratch).substr(0, n));
  if (lingering_ || may_read()) wait_readable();
}

// Parses as many requests as may be taken; what remains is kept for when answers have left.
void Connection::take(std::string_view bytes) {
  const bool kept = !rest_.empty();
  if (kept) rest_ += bytes;
  std::string_view left = kept ? std::string_view(rest_) : bytes;
  while (!left.empty() && !ending_ && slots_.size() < shared_.options.pipelined_max) {
    const std::size_t used = parse(left);
    left.remove_prefix(used);
    if (used == 0) break;
  }
  if (ending_) left = {};
  if (kept) {
    rest_.erase(0, rest_.size() - left.size());
  } else {
    rest_ = left;
  }
  flush();
}

std::size_t Connection::parse(std::string_view bytes) {
  if (!parser_) {
    parser_.emplace();
    parser_->eager(true);
    parser_->header_limit(static_cast<std::uint32_t>(shared_.options.header_bytes_max));
    parser_->body_limit(shared_.options.body_bytes_max);
    header_done_ = false;
    deadline_ = Steady::now() + shared_.options.read_timeout;
  }
  ErrorCode ec;
  const std::size_t used = parser_->put(asio::buffer(bytes.data(), bytes.size()), ec);
  if (ec && ec != http::error::need_more) {
    if (ec == http::error::body_limit) {
      fail(413, "the body is over this server's limit");
    } else if (ec == http::error::header_limit) {
      fail(431, "the request's head is over this server's limit");
    } else {
      fail(400, "the request is not well-formed HTTP/1.1");
    }
    return used;
  }
  if (parser_->is_header_done()) after_header();
  if (!ending_ && parser_->is_done()) dispatch();
  return used;
}

// Asked after each read behind the head: the head may have come with the body or long before it.
void Connection::after_header() {
  const auto length = parser_->content_length();
  hold(length ? static_cast<std::size_t>(*length) : parser_->get().body().size());
  if (held_now_ > 0 && shared_.held_bytes.load(std::memory_order_relaxed) > shared_.options.held_bytes_max) {
    return fail(503, "too many requests are waiting; send it again later");
  }
  if (header_done_) return;
  header_done_ = true;
  if (parser_->is_done() || !equals_ignoring_case(parser_->get()[http::field::expect], "100-continue"))
    return;
  // Only when nothing stands before it in the order of answers; a client that waits long sends anyhow (RFC
  // 9110, 10.1.1).
  if (!slots_.empty() || !out_.empty()) return;
  ErrorCode ec;
  (void)socket_.write_some(asio::buffer(std::string_view("HTTP/1.1 100 Continue\r\n\r\n")), ec);
}

void Connection::hold(std::size_t bytes) {
  if (bytes <= held_now_) return;
  shared_.held_bytes.fetch_add(bytes - held_now_, std::memory_order_relaxed);
  held_now_ = bytes;
}

void Connection::dispatch() {
  auto message = parser_->release();
  parser_.reset();
  Request request;
  request.method = std::string_view(message.method_string());
  request.peer = peer_;
  for (const auto& field : message) request.add_header(field.name_string(), field.value());
  set_target(request, message.target());
  request.body = std::move(message.body());

  Slot slot;
  slot.held_bytes = std::exchange(held_now_, 0);
  slot.close = !message.keep_alive();
  slot.head = request.method == "HEAD";
  if (slot.close) ending_ = true;
  slots_.push_back(std::move(slot));
  const std::uint64_t number = first_slot_ + slots_.size() - 1;
  shared_.handler(std::move(request),
                  Responder(std::make_shared<Responder::Pending>(worker_.mailbox(), id_, number)));
}

void Connection::fail(int status, std::string_view why) {
  parser_.reset();
  rest_.clear();
  ending_ = failed_ = true;
  Slot slot;
  slot.held_bytes = std::exchange(held_now_, 0);
  slot.close = true;
  Response response{
      status, R"({"success":false,"message":)" + json_string(why) + "}", "application/json", {}};
  response.headers = shared_.options.error_headers;
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  slot.response = std::move(response);
  slots_.push_back(std::move(slot));
}

void Connection::answer(std::uint64_t request, Response response) {
  if (closed_ || request < first_slot_) return;
  Slot& slot = slots_.at(static_cast<std::size_t>(request - first_slot_));
  if (!slot.response) slot.response = std::move(response);
}

void Connection::flush() {
  if (closed_ || lingering_) return;
  while (!slots_.empty() && slots_.front().response) {
    Slot& slot = slots_.front();
    const bool last = slot.close || (ending_ && slots_.size() == 1);
    append_response(out_, *slot.response, last, slot.head);
    shared_.held_bytes.fetch_sub(slot.held_bytes, std::memory_order_relaxed);
    slots_.pop_front();
    ++first_slot_;
  }
  if (writing_) return;
  if (out_.empty()) return finish_write();
  // Most answers are small and fit the socket's buffer: no need to go through the reactor.
  ErrorCode ec;
  const std::size_t n = socket_.write_some(asio::buffer(out_), ec);
  on_written(ec == asio::error::would_block ? ErrorCode{} : ec, n);
}

void Connection::on_written(ErrorCode ec, std::size_t bytes) {
  writing_ = false;
  if (closed_) return;
  if (ec) return close();
  out_.erase(0, bytes);
  if (out_.empty()) return finish_write();
  writing_ = true;
  deadline_ = Steady::now() + shared_.options.write_timeout;
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](ErrorCode wait_ec) {
    self->writing_ = false;
    if (wait_ec) return self->close();
    self->flush();
  });
}

// Everything that was ready is out.
void Connection::finish_write() {
  if (ending_ && slots_.empty()) return failed_ ? linger() : close();
  if (slots_.empty() && !parser_) deadline_ = Steady::now() + shared_.options.idle_timeout;
  if (!may_read()) return;
  if (rest_.empty() || parser_) return wait_readable();
  // Requests that came before their turn. Through the reactor, so that a long pipeline does not become deep
  // recursion.
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (!self->may_read()) return;
    const std::string bytes = std::exchange(self->rest_, {});
    self->take(bytes);
  });
}

// Closing at once would reset the connection, and the answer with it, while the peer is still sending (RFC
// 9112, 9.6).
void Connection::linger() {
  lingering_ = true;
  deadline_ = Steady::now() + linger_time;
  ErrorCode ec;
  socket_.shutdown(Socket::shutdown_send, ec);
  if (ec || worker_.stopping()) return close();
  wait_readable();
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  ErrorCode ec;
  socket_.close(ec);
  worker_.forget(id_);
}

void Connection::check_deadline(Steady::time_point now) {
  if (closed_ || now < deadline_) return;
  if (lingering_ || writing_) return close();
  if (parser_ && !ending_) {
    fail(408, "the request took too long to arrive");
    return flush();
  }
  if (slots_.empty()) close();
}

void Connection::drain() {
  ending_ = true;
  if (lingering_ || (slots_.empty() && out_.empty())) close();
}

}  // namespace sluice::net
