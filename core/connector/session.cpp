#include "connector/session.hpp"

#include <algorithm>
#include <ctime>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

#include "connector/sandbox.hpp"
#include "plugin/call.hpp"
#include "plugin/library.hpp"

namespace sluice::connector {

namespace wire = plugin::wire;
using plugin::wire::Ask;
using plugin::wire::Emission;
using plugin::wire::Function;
using plugin::wire::Message;
using plugin::wire::Reader;
using plugin::wire::Say;
using plugin::wire::Writer;

namespace {

constexpr std::size_t flush_bytes = std::size_t{1} << 20;
constexpr std::size_t records_max =
    wire::area_bytes / sizeof(std::uint64_t) / 12;  // each takes 12 words or more

std::int64_t monotonic_us() {
  timespec now{};
  (void)::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

sluice_str text(Reader& r) {
  sluice_str out{};
  r(out);
  return out;
}

sluice_str str(std::string_view text) {
  return {text.data(), text.size()};
}

std::string copy(sluice_str text) {
  return text.ptr == nullptr ? std::string() : std::string(text.ptr, text.len);
}

// Exceptions end here, as in the hub.
template <typename F>
sluice_status guarded(F&& function) noexcept {
  try {
    return function();
  } catch (...) {
    return SLUICE_INTERNAL;
  }
}

struct Batch {
  [[gnu::flatten]] explicit Batch(Reader& r, bool planned = true) {
    if (planned) {
      plan.part = static_cast<std::uint32_t>(r.number());
      r(plan.snapshot);
    }
    const std::uint64_t count = std::min<std::uint64_t>(r.number(), records_max);
    records.reserve(count);
    wire::TextReader texts = r;
    for (std::uint64_t i = 0; i < count && texts.ok(); ++i)
      records.push_back(wire::read<sluice_record>(texts));
    static_cast<wire::TextReader&>(r) = texts;
    batch = {sizeof batch, sizeof(sluice_record), static_cast<std::uint32_t>(records.size()), 0,
             records.data()};
    plan.size = sizeof plan;
    plan.batch = &batch;
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  std::vector<sluice_record> records;
  sluice_batch batch{};
  sluice_plan plan{};
};

}  // namespace

// The emitters of one call.
struct Session::Call : sluice_call {
  Session& session;

  static Session& of(sluice_call* call) { return static_cast<Call*>(call)->session; }

  explicit Call(Session& owner) : sluice_call{}, session(owner) {
    size = sizeof(sluice_call);
    // As the hub's clock would show it.
    deadline_us =
        owner.deadline_us_ == INT64_MAX ? INT64_MAX : owner.hub_us_ + (owner.deadline_us_ - owner.began_us_);
    cancelled = [](sluice_call* c) -> std::int32_t {
      const auto& told = wire::head_at(of(c).arguments_).cancel;
      return told.load(std::memory_order_relaxed) != 0 || monotonic_us() > of(c).deadline_us_ ? 1 : 0;
    };
    fail = [](sluice_call* c, sluice_status status, sluice_str why) {
      (void)of(c).emit(Emission::fail, [&](Writer& w) { w(status), w(why); });
      return status;
    };
    request = [](sluice_call* c, const sluice_request* r) {
      return of(c).emit_sized(Emission::request, r, [](Writer&) {});
    };
    outcome = [](sluice_call* c, std::uint32_t index, const sluice_outcome* o) {
      return of(c).emit_sized(Emission::outcome, o, [&](Writer& w) { w(index); });
    };
    record = [](sluice_call* c, const sluice_record* r) {
      return of(c).emit_sized(Emission::record, r, [](Writer&) {});
    };
    reject = [](sluice_call* c, sluice_str key, sluice_str place, sluice_str reason, sluice_str row) {
      return of(c).emit(Emission::reject, [&](Writer& w) { w(key), w(place), w(reason), w(row); });
    };
    checkpoint = [](sluice_call* c, sluice_str cursor) {
      const sluice_status status = of(c).emit(Emission::checkpoint, [&](Writer& w) { w(cursor); });
      return status == SLUICE_OK ? of(c).flush() : status;
    };
    ended = [](sluice_call* c) { return of(c).emit(Emission::ended, [](Writer&) {}); };
    reply = [](sluice_call* c, const sluice_reply* r) {
      return of(c).emit_sized(Emission::reply, r, [](Writer&) {});
    };
    limit = [](sluice_call* c, sluice_str bucket, std::int64_t remaining, std::int64_t reset) {
      return of(c).emit(Emission::limit, [&](Writer& w) { w(bucket), w(remaining), w(reset); });
    };
    describe = [](sluice_call* c, sluice_str stream) {
      return of(c).emit(Emission::describe, [&](Writer& w) { w(stream); });
    };
  }
};

// The services, asked of the hub.
struct Session::Host : sluice_host {
  static Session& of(const sluice_host* host) { return *static_cast<Session*>(host->ctx); }

  explicit Host(Session& session) : sluice_host{} {
    size = sizeof(sluice_host);
    abi_minor = SLUICE_ABI_MINOR;
    ctx = &session;
    log = [](const sluice_host* h, std::int32_t level, sluice_str line) {
      if (!of(h).here()) return of(h).overheard({.log = true, .number = level, .text = copy(line)});
      (void)of(h).emit(Emission::log, [&](Writer& w) { w(level), w(line); });
    };
    now_us = [](const sluice_host* h) { return of(h).now_us(); };
    metric = [](const sluice_host* h, std::int32_t kind, sluice_str name, double value) {
      if (!of(h).here()) return of(h).overheard({.number = kind, .text = copy(name), .value = value});
      (void)of(h).emit(Emission::metric, [&](Writer& w) { w(kind), w(name), w(value); });
    };
    get = [](const sluice_host* h, sluice_str key, sluice_sink sink, void* arg) {
      return of(h).fetch(Ask::get, key, sink, arg);
    };
    secret = [](const sluice_host* h, sluice_str name, sluice_sink sink, void* arg) {
      return of(h).fetch(Ask::secret, name, sink, arg);
    };
    put = [](const sluice_host* h, sluice_str key, sluice_str value) {
      std::span<const char> answer;
      return of(h).ask(Ask::put, [&](Writer& w) { w(key), w(value); }, answer);
    };
    http = [](const sluice_host* h, const sluice_request* request, sluice_http_sink sink, void* arg) {
      std::span<const char> answer;
      if (!plugin::is_sized(request)) return SLUICE_INTERNAL;
      const sluice_request asked = plugin::whole(*request);
      const sluice_status status = of(h).ask(Ask::http, [&](Writer& w) { wire::pass(w, asked); }, answer);
      if (status != SLUICE_OK) return status;
      Reader r(answer);
      const auto response = wire::read<sluice_response>(r);
      sink(arg, &response);
      return SLUICE_OK;
    };
    extension = [](const sluice_host*, const char*) -> const void* { return nullptr; };
  }
};

Session::Session(const char* arguments, char* emissions)
    : arguments_(arguments),
      out_(std::span(emissions, wire::area_bytes).subspan(wire::head_bytes)),
      bell_(wire::Bell::End::connector, wire::socket_fd, wire::head_at(emissions), wire::head_at(arguments)),
      host_(std::make_unique<Host>(*this)) {}

Session::~Session() = default;

void Session::overheard(Overheard said) noexcept try {
  const std::lock_guard lock(mutex_);
  if (overheard_.size() < overheard_max) overheard_.push_back(std::move(said));
} catch (...) {  // out of memory: a line less
}

void Session::pass_overheard() {
  std::vector<Overheard> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(overheard_);
  }
  for (const Overheard& said : all) {
    if (said.log) {
      (void)emit(Emission::log, [&](Writer& w) { w(said.number), w(str(said.text)); });
    } else {
      (void)emit(Emission::metric, [&](Writer& w) { w(said.number), w(str(said.text)), w(said.value); });
    }
  }
}

std::int64_t Session::now_us() const {
  return hub_us_ + (monotonic_us() - began_us_);
}

template <typename F>
sluice_status Session::emit(Emission what, F&& write) {
  const std::size_t before = out_.size();
  out_.number(static_cast<std::uint64_t>(what));
  write(out_);
  if (!out_.ok()) {
    out_.rewind(before);
    return SLUICE_INVALID;
  }
  return out_.size() >= flush_bytes ? flush() : SLUICE_OK;
}

// A struct of any minor version, behind what `before` writes.
template <typename T, typename F>
sluice_status Session::emit_sized(Emission what, const T* emitted, F&& before) {
  if (!plugin::is_sized(emitted)) return SLUICE_INTERNAL;
  const T complete = plugin::whole(*emitted);
  return emit(what, [&](Writer& w) { before(w), wire::pass(w, complete); });
}

template <typename F>
sluice_status Session::ask(Ask what, F&& write, std::span<const char>& answer) {
  const std::size_t before = out_.size();
  out_.number(0);  // behind the emissions
  write(out_);
  if (!out_.ok()) {
    out_.rewind(before);
    return SLUICE_INVALID;
  }
  Message message{
      .say = Say::ask, .what = static_cast<std::uint32_t>(what), .sequence = sequence_, .bytes = out_.size()};
  if (!bell_.send(message) || !hear(message)) ::_exit(0);  // the hub is gone
  out_.rewind(0);
  answer = {arguments_ + wire::head_bytes + message.offset, message.bytes};
  return message.status;
}

sluice_status Session::flush() {
  std::span<const char> answer;
  return ask(Ask::flush, [](Writer&) {}, answer);
}

sluice_status Session::fetch(Ask what, sluice_str key, sluice_sink sink, void* arg) {
  std::span<const char> answer;
  const sluice_status status = ask(what, [&](Writer& w) { w(key); }, answer);
  if (status != SLUICE_OK || answer.empty()) return status;
  Reader r(answer);
  sink(arg, text(r));
  return SLUICE_OK;
}

// False: the hub has hung up.
bool Session::hear(Message& message) {
  wire::Bell::Heard heard = wire::Bell::Heard::nothing;
  while (heard == wire::Bell::Heard::nothing) heard = bell_.hear(message, -1);
  return heard == wire::Bell::Heard::message;
}

void Session::run() {
  Message message;
  while (hear(message)) {
    out_.rewind(0);
    sequence_ = message.sequence;
    Reader arguments(std::span(arguments_ + wire::head_bytes, message.bytes));
    std::int64_t left = 0;
    std::int64_t hub_us = 0;
    arguments(left), arguments(hub_us);
    hub_us_ = hub_us;
    began_us_ = monotonic_us();
    deadline_us_ = left == INT64_MAX ? INT64_MAX : began_us_ + left;
    std::uint32_t offered = 0;
    const sluice_status status = serve(static_cast<Function>(message.what), arguments, offered);
    pass_overheard();
    if (!bell_.send({.say = Say::done,
                     .status = status,
                     .extra = offered,
                     .sequence = sequence_,
                     .bytes = out_.size()}))
      break;
  }
  if (instance_ != nullptr) table_->destroy(instance_);
}

sluice_status Session::create(Reader& r, std::uint32_t& offered) {
  Call call(*this);
  const auto failed = [&](const Error& error) {
    return call.fail(&call, error.code == Code::transient ? SLUICE_RETRY : SLUICE_INVALID, str(error.detail));
  };
  const auto string = [&] {
    const sluice_str from = text(r);
    return from.ptr == nullptr ? std::string() : std::string(from.ptr, from.len);
  };
  const std::string library = string(), id = string();
  std::uint32_t kind = 0;
  r(kind);
  const auto granted = wire::read<wire::Confinement>(r);
  const auto open = wire::read<sluice_open>(r);
  if (!r.ok() || table_ != nullptr) return SLUICE_INVALID;
  const std::string folder(open.folder.ptr == nullptr ? "" : open.folder.ptr, open.folder.len);

  if (const Status confined = confine_before_load(granted, library, folder); !confined)
    return failed(confined.error());
  const auto plugin = plugin::load_library(library);
  if (!plugin) return failed(plugin.error());
  const auto table = plugin::find_connector(*plugin.value(), id, kind);
  if (!table) return failed(table.error());
  if (const Status confined = confine_after_load(granted); !confined) return failed(confined.error());

  table_ = table.value();
  const auto offer = [&](Function function, bool there) {
    if (there) offered |= wire::bit(function);
  };
  offer(Function::check, table_->check != nullptr);
  offer(Function::plan, table_->plan != nullptr);
  offer(Function::interpret, table_->interpret != nullptr);
  offer(Function::fetch, table_->fetch != nullptr);
  offer(Function::receive, table_->receive != nullptr);
  offer(Function::deliver, table_->deliver != nullptr);
  offer(Function::read, table_->read != nullptr);
  offer(Function::discover, table_->discover != nullptr);
  offer(Function::provision, table_->provision != nullptr);
  offer(Function::subscribe, table_->subscribe != nullptr);
  offer(Function::unsubscribe, table_->unsubscribe != nullptr);
  const sluice_status status = guarded([&] { return table_->create(host_.get(), &open, &call, &instance_); });
  if (status == SLUICE_OK && instance_ == nullptr) return SLUICE_INTERNAL;
  return status;
}

sluice_status Session::serve(Function function, Reader& r, std::uint32_t& offered) {
  if (function == Function::create) return create(r, offered);
  if (instance_ == nullptr) return SLUICE_INVALID;
  Call call(*this);
  const auto with = [&](auto member, auto&& arguments) {
    if (!r.ok() || table_->*member == nullptr) return sluice_status{SLUICE_UNSUPPORTED};
    return guarded([&] { return (table_->*member)(instance_, &arguments, &call); });
  };
  switch (function) {
    case Function::check:
      return table_->check == nullptr ? SLUICE_UNSUPPORTED
                                      : guarded([&] { return table_->check(instance_, &call); });
    case Function::plan: {
      const Batch batch(r);
      return with(&sluice_connector::plan, batch.plan);
    }
    case Function::deliver: {
      const Batch batch(r);
      return with(&sluice_connector::deliver, batch.plan);
    }
    case Function::interpret: {
      const auto response = wire::read<sluice_response>(r);
      std::uint32_t has_poll = 0, has_batch = 0;
      r(has_poll), r(has_batch);
      sluice_poll poll{};
      if (has_poll != 0) poll = wire::read<sluice_poll>(r);
      std::optional<Batch> batch;
      if (has_batch != 0) batch.emplace(r, false);
      const sluice_interpret interpret{.size = sizeof interpret,
                                       .reserved = 0,
                                       .response = &response,
                                       .batch = batch ? &batch->batch : nullptr,
                                       .poll = has_poll != 0 ? &poll : nullptr};
      return with(&sluice_connector::interpret, interpret);
    }
    case Function::fetch:
      return with(&sluice_connector::fetch, wire::read<sluice_poll>(r));
    case Function::read:
      return with(&sluice_connector::read, wire::read<sluice_poll>(r));
    case Function::receive:
      return with(&sluice_connector::receive, wire::read<sluice_incoming>(r));
    case Function::discover:
      return with(&sluice_connector::discover, wire::read<sluice_discover>(r));
    case Function::provision:
      return with(&sluice_connector::provision, wire::read<sluice_provision>(r));
    case Function::subscribe:
      return with(&sluice_connector::subscribe, wire::read<sluice_subscribe>(r));
    case Function::unsubscribe:
      return with(&sluice_connector::unsubscribe, wire::read<sluice_subscribe>(r));
    case Function::create:
      break;
  }
  return SLUICE_UNSUPPORTED;
}

}  // namespace sluice::connector
