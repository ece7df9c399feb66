// sluice/call.hpp - what a connector may do: emit through its Call, ask its Host; part of sluice/plugin.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/values.hpp"

namespace sluice::sdk {

namespace detail {

// The C form of a Request, for one call into the host.
class RequestView {
 public:
  explicit RequestView(const Request& request) {
    for (const Header& h : request.headers) headers_.push_back({str(h.name), str(h.value)});
    c_.size = sizeof c_;
    c_.purpose = request.purpose;
    c_.timeout_ms = request.timeout_ms;
    c_.delay_ms = request.delay_ms;
    c_.flags = request.flags;
    c_.header_count = static_cast<std::uint32_t>(headers_.size());
    c_.record_count = static_cast<std::uint32_t>(request.records.size());
    c_.method = str(request.method);
    c_.url = str(request.url);
    c_.headers = headers_.data();
    c_.records = request.records.data();
    c_.body = str(request.body);
    c_.state = str(request.state);
    c_.bucket = str(request.bucket);
  }
  const sluice_request* get() const { return &c_; }

 private:
  std::vector<sluice_header> headers_;
  sluice_request c_{};
};

// Thrown when the host said stop: the function returns what the host returned.
struct Stop {
  sluice_status status;
};

inline void pass(sluice_status status) {
  if (status != SLUICE_OK) throw Stop{status};
}

}  // namespace detail

// The emitters of one call; see sluice_call. They throw when the host says stop: let it pass.
class Call {
 public:
  explicit Call(sluice_call* call) : call_(call) {}
  bool cancelled() const { return call_->cancelled(call_) != 0; }
  std::int64_t deadline_us() const { return call_->deadline_us; }

  void request(const Request& request) {
    const detail::RequestView c(request);
    detail::pass(call_->request(call_, c.get()));
  }
  void outcome(std::uint32_t index, const Outcome& outcome) {
    sluice_outcome c{};
    c.size = sizeof c;
    c.status = outcome.status;
    c.receiver = outcome.receiver;
    c.retry_after_ms = outcome.retry_after_ms;
    c.reason = str(outcome.reason);
    c.detail = str(outcome.detail);
    c.remote_id = str(outcome.remote_id);
    detail::pass(call_->outcome(call_, index, &c));
  }
  void record(const Record& record) {
    sluice_record c{};
    c.size = sizeof c;
    c.op = record.op;
    c.time_us = record.time_us;
    c.id = str(record.id);
    c.key = str(record.key);
    c.entity = str(record.entity);
    c.name = str(record.name);
    c.payload = str(record.payload);
    c.identifiers = str(record.identifiers);
    c.remote_id = str(record.remote_id);
    c.place = str(record.place);
    detail::pass(call_->record(call_, &c));
  }
  void reject(std::string_view key, std::string_view place, std::string_view reason, std::string_view text) {
    detail::pass(call_->reject(call_, str(key), str(place), str(reason), str(text)));
  }
  void checkpoint(std::string_view cursor) { detail::pass(call_->checkpoint(call_, str(cursor))); }
  void ended() { detail::pass(call_->ended(call_)); }
  void reply(const Reply& reply) {
    std::vector<sluice_header> headers;
    for (const Header& h : reply.headers) headers.push_back({str(h.name), str(h.value)});
    sluice_reply c{};
    c.size = sizeof c;
    c.status = reply.status;
    c.header_count = static_cast<std::uint32_t>(headers.size());
    c.headers = headers.data();
    c.content_type = str(reply.content_type);
    c.body = str(reply.body);
    detail::pass(call_->reply(call_, &c));
  }
  void limit(std::string_view bucket, std::int64_t remaining, std::int64_t reset_us) {
    detail::pass(call_->limit(call_, str(bucket), remaining, reset_us));
  }
  void describe(std::string_view stream_json) { detail::pass(call_->describe(call_, str(stream_json))); }

 private:
  sluice_call* call_;
};

// The answer of a blocking request; owns its texts.
struct HttpAnswer {
  std::int32_t status = 0;
  std::string body = {}, error = {};
  std::vector<Header> headers = {};  // names in lower case
  std::int64_t retry_after_ms = -1;
};

// The host's services; see sluice_host. [any] Copy it freely.
class Host {
 public:
  explicit Host(const sluice_host* host) : host_(host) {}
  void log(std::int32_t level, std::string_view text) const { host_->log(host_, level, str(text)); }
  std::int64_t now_us() const { return host_->now_us(host_); }
  void metric(std::int32_t kind, std::string_view name, double value) const {
    host_->metric(host_, kind, str(name), value);
  }
  std::optional<std::string> get(std::string_view key) const {
    std::optional<std::string> out;
    check(host_->get(host_, str(key), keep, &out), "the state cannot be read");
    return out;
  }
  void put(std::string_view key, std::string_view value) const {
    check(host_->put(host_, str(key), str(value)), "the state cannot be written");
  }
  std::string secret(std::string_view name) const {
    std::optional<std::string> out;
    check(host_->secret(host_, str(name), keep, &out), "a secret is missing");
    return out.value_or("");
  }
  // Blocks; for deliver and read.
  HttpAnswer http(const Request& request) const {
    const detail::RequestView c(request);
    HttpAnswer answer;
    check(host_->http(host_, c.get(), keep_answer, &answer),
          "the host did not send the request; its log says why");
    return answer;
  }

 private:
  static void keep(void* arg, sluice_str value) noexcept {
    *static_cast<std::optional<std::string>*>(arg) = std::string(view(value));
  }
  static void keep_answer(void* arg, const sluice_response* response) noexcept {
    HttpAnswer& answer = *static_cast<HttpAnswer*>(arg);
    answer.status = response->status;
    answer.body = view(response->body);
    answer.error = view(response->error);
    answer.retry_after_ms = response->retry_after_ms;
    for (const sluice_header& h : std::span(response->headers, response->header_count)) {
      answer.headers.push_back({std::string(view(h.name)), std::string(view(h.value))});
    }
  }
  static void check(sluice_status status, const char* why) {
    if (status != SLUICE_OK) throw Fail(status, why);
  }
  const sluice_host* host_;
};

}  // namespace sluice::sdk
