// sluice/plugin.hpp - the C++20 face of sluice/plugin.h: a connector is a class with the functions that it
// offers.
//
//   class Gateway {
//    public:
//     static constexpr std::uint32_t kind = SLUICE_DESTINATION;
//     static constexpr char id[] = "acme.push";
//     Gateway(const sluice::sdk::Host& host, const sluice::sdk::Open& open);          // config: JSON text
//     void plan(const sluice::sdk::Batch& batch, sluice::sdk::Call& call);            // or deliver(batch,
//     call) void interpret(const sluice::sdk::Batch& batch, const sluice::sdk::Response& response,
//     sluice::sdk::Call& call);
//   };
//   SLUICE_PLUGIN(R"({"plugin": "acme", ...})", Gateway)
//
// A source has fetch(poll, call) with interpret(poll, response, call), or read(poll, call), or
// receive(incoming, call). Optional: check(call), discover, provision, subscribe, unsubscribe (..., call).
// What a function throws becomes its status: Fail keeps its own, everything else is SLUICE_INTERNAL. Views
// borrow until the function returns; emitters copy.
#pragma once

#include <concepts>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/plugin.h"

namespace sluice::sdk {

inline std::string_view view(sluice_str text) {
  return text.ptr == nullptr ? std::string_view{} : std::string_view{text.ptr, text.len};
}
// Borrows. An empty view is absent.
inline sluice_str str(std::string_view text) {
  return text.empty() ? sluice_str{nullptr, 0} : sluice_str{text.data(), text.size()};
}

// Thrown by a connector: the call ends with this status and text, and nothing that it emitted counts.
class Fail : public std::exception {
 public:
  Fail(sluice_status status, std::string why) : status_(status), why_(std::move(why)) {}
  sluice_status status() const noexcept { return status_; }
  const char* what() const noexcept override { return why_.c_str(); }

 private:
  sluice_status status_;
  std::string why_;
};

struct Record {  // borrowed texts; see sluice_record for which side sets what
  std::uint32_t op = SLUICE_EVENT;
  std::uint32_t attempt = 0;
  std::int64_t time_us = SLUICE_NO_TIME;
  std::string_view id = {}, key = {}, entity = {}, name = {};
  std::string_view payload = {};  // one JSON object
  std::string_view identifiers = {}, address = {}, remote_id = {}, place = {};
};

class Batch {  // borrows
 public:
  explicit Batch(const sluice_batch* batch) : batch_(batch) {}
  std::uint32_t size() const { return batch_ == nullptr ? 0 : batch_->count; }
  bool empty() const { return size() == 0; }
  Record operator[](std::uint32_t index) const {
    const sluice_record& r = *sluice_at(batch_, index);
    return {.op = r.op,
            .attempt = r.attempt,
            .time_us = r.time_us,
            .id = view(r.id),
            .key = view(r.key),
            .entity = view(r.entity),
            .name = view(r.name),
            .payload = view(r.payload),
            .identifiers = view(r.identifiers),
            .address = view(r.address),
            .remote_id = view(r.remote_id),
            .place = view(r.place)};
  }

 private:
  const sluice_batch* batch_;
};

struct Header {
  std::string name = {}, value = {};
};

struct Request {
  std::string method = "POST";
  std::string url = {};  // "/path" on the manifest's base_url, or absolute on one of its hosts
  std::vector<Header> headers = {};
  std::string body = {};
  std::vector<std::uint32_t> records = {};  // plan: indexes whose fate it decides
  std::string state = {}, bucket = {};
  std::uint32_t timeout_ms = 0, delay_ms = 0, flags = 0, purpose = 0;
};

class Response {  // borrows
 public:
  explicit Response(const sluice_response& response) : r_(&response) {}
  std::int32_t status() const { return r_->status; }
  bool ok() const { return r_->status >= 200 && r_->status < 300; }
  std::uint32_t purpose() const { return r_->purpose; }
  std::string_view body() const { return view(r_->body); }
  std::string_view state() const { return view(r_->state); }
  std::string_view error() const { return view(r_->error); }
  std::int64_t retry_after_ms() const { return r_->retry_after_ms; }
  std::span<const std::uint32_t> records() const { return {r_->records, r_->record_count}; }
  // The first header of this name (lower case); empty if there is none.
  std::string_view header(std::string_view name) const {
    for (const sluice_header& h : std::span(r_->headers, r_->header_count)) {
      if (view(h.name) == name) return view(h.value);
    }
    return {};
  }

 private:
  const sluice_response* r_;
};

struct Outcome {  // borrowed texts
  sluice_status status = SLUICE_OK;
  std::string_view reason = {}, detail = {}, remote_id = {};
  std::int64_t retry_after_ms = -1;
};

// What the HTTP status alone says of a record: the verdict of a host whose plugin has no interpret().
inline sluice_status verdict(std::int32_t status) {
  if (status >= 200 && status < 300) return SLUICE_OK;
  if (status == 429) return SLUICE_THROTTLE;
  if (status == 401) return SLUICE_AUTH;
  if (status == 0 || status == 408 || status == 425 || status >= 500) return SLUICE_RETRY;
  return SLUICE_INVALID;
}

struct Reply {
  std::int32_t status = 204;
  std::string_view content_type = {}, body = {};
  std::vector<Header> headers = {};
};

struct Open {
  std::string_view config = {};  // JSON object, without its x-secret fields
  std::string_view name = {}, folder = {};
};

struct Poll {
  bool full = false;
  bool until_idle = false;
  std::string_view stream = {}, cursor = {};
  std::int64_t since_us = SLUICE_NO_TIME;
  std::span<const sluice_str> fields = {};  // none: all
};

struct Discover {
  std::string_view stream = {};
};

struct Provision {
  std::uint32_t kind = SLUICE_PROVISION_AUDIENCE;
  std::string_view name = {}, remote_id = {};
};

struct Subscribe {
  std::string_view route = {}, url = {}, remote_id = {};
};

class Incoming {  // borrows
 public:
  explicit Incoming(const sluice_incoming& incoming) : in_(&incoming) {}
  std::string_view route() const { return view(in_->route); }
  std::string_view method() const { return view(in_->method); }
  std::string_view path() const { return view(in_->path); }
  std::string_view query() const { return view(in_->query); }
  std::string_view body() const { return view(in_->body); }
  std::string_view peer() const { return view(in_->peer); }
  std::int64_t received_us() const { return in_->received_us; }
  std::string_view header(std::string_view name) const {
    for (const sluice_header& h : std::span(in_->headers, in_->header_count)) {
      if (view(h.name) == name) return view(h.value);
    }
    return {};
  }

 private:
  const sluice_incoming* in_;
};

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
    c.key = str(record.key);
    c.entity = str(record.entity);
    c.name = str(record.name);
    c.payload = str(record.payload);
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
    check(host_->http(host_, c.get(), keep_answer, &answer), "the host sends no requests here");
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

namespace detail {

template <typename F>
sluice_status guard(sluice_call* call, F&& body) noexcept {
  try {
    body();
    return SLUICE_OK;
  } catch (const Stop& stop) {
    return stop.status;
  } catch (const Fail& fail) {
    return call->fail(call, fail.status(), str(fail.what()));
  } catch (const std::bad_alloc&) {
    return call->fail(call, SLUICE_INTERNAL, str("out of memory"));
  } catch (const std::exception&) {
    // what() may hold the data that it stumbled over
    return call->fail(call, SLUICE_INTERNAL, str("an exception that the connector did not expect"));
  } catch (...) {
    return call->fail(call, SLUICE_INTERNAL, str("something thrown that is no exception"));
  }
}

inline Poll poll_of(const sluice_poll& p) {
  return {.full = p.mode == SLUICE_FULL,
          .until_idle = (p.flags & SLUICE_UNTIL_IDLE) != 0,
          .stream = view(p.stream),
          .cursor = view(p.cursor),
          .since_us = p.since_us,
          .fields = {p.fields, p.field_count}};
}

inline Subscribe subscribe_of(const sluice_subscribe& s) {
  return {.route = view(s.route), .url = view(s.url), .remote_id = view(s.remote_id)};
}

template <typename T>
T& self(sluice_instance* instance) {
  return *reinterpret_cast<T*>(instance);
}

template <typename T>
sluice_status create(const sluice_host* host, const sluice_open* open, sluice_call* call,
                     sluice_instance** out) {
  return guard(call, [&] {
    const Open opened{.config = view(open->config), .name = view(open->name), .folder = view(open->folder)};
    *out = reinterpret_cast<sluice_instance*>(std::make_unique<T>(Host(host), opened).release());
  });
}

template <typename T>
void destroy(sluice_instance* instance) {
  const std::unique_ptr<T> owner(reinterpret_cast<T*>(instance));
}

// clang-format off
template <typename T> concept has_check = requires(T t, Call c) { t.check(c); };
template <typename T> concept has_plan = requires(T t, const Batch& b, Call c) { t.plan(b, c); };
template <typename T> concept has_deliver = requires(T t, const Batch& b, Call c) { t.deliver(b, c); };
template <typename T> concept has_fetch = requires(T t, const Poll& p, Call c) { t.fetch(p, c); };
template <typename T> concept has_read = requires(T t, const Poll& p, Call c) { t.read(p, c); };
template <typename T> concept has_receive = requires(T t, const Incoming& i, Call c) { t.receive(i, c); };
template <typename T> concept judges_batch = requires(T t, const Batch& b, const Response& r, Call c) { t.interpret(b, r, c); };
template <typename T> concept judges_poll = requires(T t, const Poll& p, const Response& r, Call c) { t.interpret(p, r, c); };
template <typename T> concept has_discover = requires(T t, const Discover& d, Call c) { t.discover(d, c); };
template <typename T> concept has_provision = requires(T t, const Provision& p, Call c) { t.provision(p, c); };
template <typename T> concept has_subscribe = requires(T t, const Subscribe& s, Call c) { t.subscribe(s, c); };
template <typename T> concept has_unsubscribe = requires(T t, const Subscribe& s, Call c) { t.unsubscribe(s, c); };
// clang-format on

template <typename T>
sluice_status interpret(sluice_instance* instance, const sluice_interpret* args, sluice_call* call) {
  return guard(call, [&] {
    Call c(call);
    const Response response(*args->response);
    if constexpr (judges_poll<T>) {
      if (args->poll != nullptr || !judges_batch<T>) {
        self<T>(instance).interpret(args->poll == nullptr ? Poll{} : poll_of(*args->poll), response, c);
        return;
      }
    }
    if constexpr (judges_batch<T>) self<T>(instance).interpret(Batch(args->batch), response, c);
  });
}

// The slots for what moves records.
template <typename T>
constexpr void fill_ways(sluice_connector& k) {
  if constexpr (has_plan<T>) {
    k.plan = [](sluice_instance* i, const sluice_plan* p, sluice_call* call) {
      return guard(call, [&] {
        Call c(call);
        self<T>(i).plan(Batch(p->batch), c);
      });
    };
  }
  if constexpr (has_deliver<T>) {
    k.deliver = [](sluice_instance* i, const sluice_plan* p, sluice_call* call) {
      return guard(call, [&] {
        Call c(call);
        self<T>(i).deliver(Batch(p->batch), c);
      });
    };
  }
  if constexpr (has_fetch<T>) {
    k.fetch = [](sluice_instance* i, const sluice_poll* p, sluice_call* call) {
      return guard(call, [&] {
        Call c(call);
        self<T>(i).fetch(poll_of(*p), c);
      });
    };
  }
  if constexpr (has_read<T>) {
    k.read = [](sluice_instance* i, const sluice_poll* p, sluice_call* call) {
      return guard(call, [&] {
        Call c(call);
        self<T>(i).read(poll_of(*p), c);
      });
    };
  }
  if constexpr (has_receive<T>) {
    k.receive = [](sluice_instance* i, const sluice_incoming* in, sluice_call* call) {
      return guard(call, [&] {
        Call c(call);
        self<T>(i).receive(Incoming(*in), c);
      });
    };
  }
}

// The slots around them.
template <typename T>
constexpr void fill_services(sluice_connector& k) {
  if constexpr (judges_batch<T> || judges_poll<T>) k.interpret = interpret<T>;
  if constexpr (has_check<T>) {
    k.check = [](sluice_instance* i, sluice_call* call) {
      return guard(call, [&] {
        Call c(call);
        self<T>(i).check(c);
      });
    };
  }
  if constexpr (has_discover<T>) {
    k.discover = [](sluice_instance* i, const sluice_discover* d, sluice_call* call) {
      return guard(call, [&] {
        Call c(call);
        self<T>(i).discover(Discover{.stream = view(d->stream)}, c);
      });
    };
  }
  if constexpr (has_provision<T>) {
    k.provision = [](sluice_instance* i, const sluice_provision* p, sluice_call* call) {
      return guard(call, [&] {
        Call c(call);
        self<T>(i).provision(
            Provision{.kind = p->kind, .name = view(p->name), .remote_id = view(p->remote_id)}, c);
      });
    };
  }
  if constexpr (has_subscribe<T>) {
    k.subscribe = [](sluice_instance* i, const sluice_subscribe* s, sluice_call* call) {
      return guard(call, [&] {
        Call c(call);
        self<T>(i).subscribe(subscribe_of(*s), c);
      });
    };
  }
  if constexpr (has_unsubscribe<T>) {
    k.unsubscribe = [](sluice_instance* i, const sluice_subscribe* s, sluice_call* call) {
      return guard(call, [&] {
        Call c(call);
        self<T>(i).unsubscribe(subscribe_of(*s), c);
      });
    };
  }
}

template <typename T>
constexpr sluice_connector table() {
  constexpr bool source = (T::kind & SLUICE_SOURCE) != 0;
  constexpr bool destination = (T::kind & SLUICE_DESTINATION) != 0;
  static_assert(source || destination, "a connector's kind is SLUICE_SOURCE, SLUICE_DESTINATION or both");
  static_assert(!destination || has_plan<T> || has_deliver<T>,
                "a destination needs plan(const Batch&, Call&) or deliver(const Batch&, Call&)");
  static_assert(!source || has_fetch<T> || has_read<T> || has_receive<T>,
                "a source needs fetch(const Poll&, Call&), read(const Poll&, Call&) or receive(const "
                "Incoming&, Call&)");
  static_assert(!has_fetch<T> || judges_poll<T>,
                "a source with fetch() needs interpret(const Poll&, const Response&, Call&)");
  sluice_connector k{};
  k.size = sizeof k;
  k.kind = T::kind;
  k.id = T::id;
  k.create = create<T>;
  k.destroy = destroy<T>;
  fill_ways<T>(k);
  fill_services<T>(k);
  return k;
}

template <typename... T>
struct Tables {
  static constexpr sluice_connector each[] = {table<T>()...};
  template <std::size_t... I>
  static constexpr auto pointers(std::index_sequence<I...>) {
    struct {
      const sluice_connector* at[sizeof...(T)];
    } all{{&each[I]...}};
    return all;
  }
  static constexpr auto list = pointers(std::index_sequence_for<T...>{});
};

}  // namespace detail
}  // namespace sluice::sdk

// SLUICE_PLUGIN(manifest, T...): the plugin's one exported symbol, and its manifest where it is read without
// loading code.
#define SLUICE_PLUGIN(text, ...)                                                                \
  namespace {                                                                                   \
  [[gnu::section(".sluice_manifest"), gnu::used]] constexpr char sluice_manifest_text[] = text; \
  }                                                                                             \
  extern "C" {                                                                                  \
  constinit const sluice_plugin sluice_plugin_v1 = {                                            \
      sizeof(sluice_plugin),                                                                    \
      SLUICE_ABI_MINOR,                                                                         \
      0,                                                                                        \
      static_cast<std::uint32_t>(std::size(::sluice::sdk::detail::Tables<__VA_ARGS__>::each)),  \
      ::sluice::sdk::detail::Tables<__VA_ARGS__>::list.at,                                      \
      sluice_manifest_text};                                                                    \
  }
