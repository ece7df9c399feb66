#include "plugin/connector.hpp"

#include <algorithm>
#include <map>

#include "base/json.hpp"
#include "plugin/arguments.hpp"
#include "plugin/call.hpp"
#include "plugin/host.hpp"
#include "plugin/library.hpp"
#include "plugin/library_copy.hpp"
#include "plugin/remote.hpp"

namespace sluice::plugin {
namespace {

sluice_subscribe subscribe_of(const Subscription& s) {
  return {.size = sizeof(sluice_subscribe),
          .reserved = 0,
          .route = str(s.route),
          .url = str(s.url),
          .remote_id = str(s.remote_id)};
}

struct Settings {
  std::string config;  // without its secrets
  std::map<std::string, std::string> secrets;
};

Result<Settings> split_secrets(const ManifestInfo& info, const std::string& config) {
  JsonParser parser;
  const Json root = parser.parse(config.empty() ? "{}" : config);
  if (!root.is_object()) return Error{Code::misconfigured, "'with:' is no mapping"};
  Settings out;
  JsonWriter writer(out.config);
  writer.begin_object();
  root.members([&](std::string_view name, Json value) {
    if (std::find(info.secrets.begin(), info.secrets.end(), name) == info.secrets.end()) {
      writer.key(name).raw(value.text());
    } else {
      out.secrets[std::string(name)] = value.is_string() ? std::string(*value.string()) : value.text();
    }
  });
  writer.end_object();
  return out;
}

Result<HttpPolicy> policy_of(const Entry& entry, const Instance& instance, const Settings& settings) {
  HttpPolicy out =
      SLUICE_TRY(make_http_policy(entry.info, settings.config, settings.secrets, instance.allow_hosts));
  out.name = instance.name;
  return out;
}

// What a plugin without the SDK may throw in spite of the contract ends here.
template <typename F>
sluice_status guarded(F&& function) noexcept {
  try {
    return function();
  } catch (...) {
    return SLUICE_INTERNAL;
  }
}

// The dynamic loader speaks of the copy that it was given.
std::string by_path(std::string text, const std::string& path) {
  constexpr std::string_view copy = "/proc/self/fd/";
  const std::size_t at = text.find(copy);
  if (at == std::string::npos) return text;
  const std::size_t end = std::min(text.find_first_not_of("0123456789", at + copy.size()), text.size());
  return text.replace(at, end - at, path);
}

// The verdict where a connector has no interpret(): by the HTTP status alone.
Outcome judge(const Response& response) {
  const std::int32_t s = response.status;
  Outcome out{.status = SLUICE_INVALID,
              .reason = s == 0 ? "no_answer" : "http_" + std::to_string(s),
              .detail = tidy(response.error),
              .remote_id = {},
              .retry_after_ms = response.retry_after_ms};
  if (s >= 200 && s < 300) {
    out.status = SLUICE_OK;
  } else if (s == 429) {
    out.status = SLUICE_THROTTLE;
  } else if (s == 401) {
    out.status = SLUICE_AUTH;
  } else if (s == 0 || s == 408 || s == 425 || s >= 500) {
    out.status = SLUICE_RETRY;
  }
  return out;
}

}  // namespace

struct Connector::Impl {
  Entry entry;
  HostServices& services;
  Host host;
  std::unique_ptr<Remote> remote;  // null: in this process
  const sluice_connector* table = nullptr;
  sluice_instance* instance = nullptr;
  bool called_back = false;  // a destination: what it receives are no rows

  Impl(const Entry& e, HostServices& s, Settings& settings, HttpPolicy policy)
      : entry(e), services(s), host(s, std::move(settings.secrets), std::move(policy)) {}
  ~Impl() {
    if (instance != nullptr) table->destroy(instance);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  BatchView::For where() const { return remote ? BatchView::For::apart : BatchView::For::here; }
  CallContext context(const CallLimits& limits, std::uint32_t emits, std::uint32_t purpose) const {
    return {.host = services,
            .deadline = limits.timeout == never ? never : services.now_us() + limits.timeout,
            .stop = limits.stop,
            .emits = emits,
            .purpose = purpose,
            .asked = {}};
  }
  // discover(), provision(), ... and their interpret().
  template <typename F>
  Result<Inquiry> inquire(const CallLimits& limits, std::uint32_t purpose, F&& function) const {
    const bool streams = purpose == SLUICE_FOR_DISCOVER;
    CallContext c = context(limits, emits_requests | (streams ? emits_streams : emits_outcomes), purpose);
    c.records = streams ? 0 : 1;
    c.all_asked = c.may_ask = true;
    Call call(c);
    SLUICE_TRY(call.finish(guarded([&] { return function(&call); })));
    Output& out = call.output();
    Inquiry found{std::move(out.requests), std::move(call.streams()), {}, std::move(out.limits)};
    if (!out.outcomes.empty()) found.outcome = std::move(out.outcomes.front().outcome);
    return found;
  }
  Error no(const char* function) const {
    return {Code::misconfigured, "the connector '" + entry.info.id + "' has no " + function + "()"};
  }
};

Result<HttpPolicy> policy_of(const Entry& entry, const Instance& instance) {
  return policy_of(entry, instance, SLUICE_TRY(split_secrets(entry.info, instance.config)));
}

Connector::Connector(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connector::~Connector() = default;

Result<std::unique_ptr<Connector>> Connector::open(const Entry& entry, const Instance& instance,
                                                   HostServices& host) {
  Settings settings = SLUICE_TRY(split_secrets(entry.info, instance.config));
  HttpPolicy policy = SLUICE_TRY(policy_of(entry, instance, settings));
  const sluice_open open{.size = sizeof(sluice_open),
                         .kind = instance.kind,
                         .config = str(settings.config),
                         .name = str(instance.name),
                         .folder = str(instance.folder),
                         .routes_url = str(instance.routes_url)};
  auto impl = std::make_unique<Impl>(entry, host, settings, std::move(policy));
  impl->called_back = instance.kind == SLUICE_DESTINATION || entry.info.kind == SLUICE_DESTINATION;
  Call call(impl->context({.stop = instance.stop}, 0, 0));
  const auto make = [&]() -> Status {
    if (instance.program.empty()) {
      const std::string library = SLUICE_TRY(LibraryCopy::to_load_here(entry));
      const sluice_plugin* const plugin = SLUICE_TRY(load_library(library));
      impl->table = SLUICE_TRY(find_connector(*plugin, entry.info.id, entry.info.kind));
      return call.finish(
          guarded([&] { return impl->table->create(&impl->host, &open, &call, &impl->instance); }));
    }
    impl->remote = std::make_unique<Remote>(
        RemoteSpec{.program = instance.program,
                   .library = SLUICE_TRY(LibraryCopy::of(entry)),
                   .id = entry.info.id,
                   .kind = entry.info.kind,
                   .confinement = {.memory_bytes = instance.memory_bytes,
                                   .network = entry.info.network,
                                   .files = entry.info.files},
                   .timeout = entry.info.timeout,
                   .ended = [&host](const std::string& how) { host.process_ended(how); }},
        impl->host);
    SLUICE_TRY(call.finish(impl->remote->create(open, &call)));
    impl->table = impl->remote->table();
    impl->instance = impl->remote->instance();
    return Done{};
  };
  if (const Status made = make(); !made)
    return Error{made.error().code, by_path(made.error().detail, entry.path)};
  if (impl->instance == nullptr)
    return Error{Code::misconfigured, "the connector '" + entry.info.id + "' made nothing"};
  return std::unique_ptr<Connector>(new Connector(std::move(impl)));
}

const Entry& Connector::entry() const {
  return impl_->entry;
}
const ManifestInfo& Connector::info() const {
  return impl_->entry.info;
}
const HttpPolicy& Connector::http_policy() const {
  return impl_->host.policy();
}
std::shared_ptr<Credentials> Connector::credentials() const {
  return impl_->host.credentials();
}
Result<Response> Connector::send(const Request& request) const {
  return impl_->host.exchange(request);
}
bool Connector::offers_plan() const {
  return impl_->table->plan != nullptr;
}
bool Connector::offers_interpret() const {
  return impl_->table->interpret != nullptr;
}
bool Connector::offers_check() const {
  return impl_->table->check != nullptr;
}
bool Connector::offers_fetch() const {
  return impl_->table->fetch != nullptr;
}
bool Connector::offers_read() const {
  return impl_->table->read != nullptr;
}
bool Connector::offers_receive() const {
  return impl_->table->receive != nullptr;
}
bool Connector::offers_discover() const {
  return impl_->table->discover != nullptr;
}
bool Connector::offers_provision() const {
  return impl_->table->provision != nullptr;
}
bool Connector::offers_subscribe() const {
  return impl_->table->subscribe != nullptr && impl_->table->unsubscribe != nullptr;
}

Result<PlanOutput> Connector::plan(std::span<const Record> records, const CallLimits& limits,
                                   const SnapshotPart& part) {
  if (!offers_plan()) return impl_->no("plan");
  CallContext context = impl_->context(limits, emits_requests | emits_outcomes, SLUICE_FOR_PLAN);
  context.records = static_cast<std::uint32_t>(records.size());
  context.all_asked = true;
  context.may_leave_tail = part.part > 0;
  Call call(context);
  const BatchView batch(records, impl_->where(), part);
  SLUICE_TRY(call.finish(guarded([&] { return impl_->table->plan(impl_->instance, batch.plan(), &call); })));
  return std::move(call.output());
}

Result<InterpretOutput> Connector::interpret(std::span<const Record> records, const Response& response,
                                             const CallLimits& limits) {
  if (impl_->table->interpret == nullptr) {
    InterpretOutput out;
    for (const std::uint32_t index : response.records) out.outcomes.push_back({index, judge(response)});
    return out;
  }
  CallContext context = impl_->context(limits, emits_requests | emits_outcomes, response.purpose);
  context.records = static_cast<std::uint32_t>(records.size());
  context.asked = response.records;
  Call call(context);
  const BatchView batch(records, impl_->where());
  const ResponseView answer(response);
  const sluice_interpret args{
      .size = sizeof args, .reserved = 0, .response = answer.get(), .batch = batch.get(), .poll = nullptr};
  SLUICE_TRY(call.finish(guarded([&] { return impl_->table->interpret(impl_->instance, &args, &call); })));
  return std::move(call.output());
}

Result<std::vector<Outcome>> Connector::deliver(std::span<const Record> records, const CallLimits& limits,
                                                const SnapshotPart& part) {
  if (impl_->table->deliver == nullptr) return impl_->no("deliver");
  CallContext context = impl_->context(limits, emits_outcomes, SLUICE_FOR_PLAN);
  context.records = static_cast<std::uint32_t>(records.size());
  context.all_asked = true;
  Call call(context);
  const BatchView batch(records, impl_->where(), part);
  const sluice_status status =
      guarded([&] { return impl_->table->deliver(impl_->instance, batch.plan(), &call); });
  const Status finished = call.finish(status);
  std::vector<Outcome> out;
  if (!finished && status == SLUICE_INTERNAL && finished.error().code != Code::cancelled) {
    // It broke, or its process died: what became of each record nobody knows.
    out.assign(records.size(), {.status = SLUICE_INTERNAL,
                                .reason = "connector_failed",
                                .detail = finished.error().detail,
                                .remote_id = {}});
    return out;
  }
  SLUICE_TRY(finished);
  out.reserve(records.size());
  for (Fate& fate : call.output().outcomes) out.push_back(std::move(fate.outcome));
  return out;
}

Result<FetchOutput> Connector::fetch(const Poll& poll, Sink& sink, const CallLimits& limits) {
  if (!offers_fetch()) return impl_->no("fetch");
  Call call(impl_->context(limits, emits_requests | emits_records, SLUICE_FOR_FETCH));
  const PollView c(poll);
  SLUICE_TRY(call.finish(guarded([&] { return impl_->table->fetch(impl_->instance, c.get(), &call); })));
  SLUICE_TRY(call.deliver_to(sink));
  return FetchOutput{std::move(call.output().requests), std::move(call.output().limits)};
}

Result<FetchOutput> Connector::interpret_fetched(const Poll& poll, const Response& response, Sink& sink,
                                                 const CallLimits& limits) {
  if (impl_->table->interpret == nullptr) return impl_->no("interpret");
  Call call(impl_->context(limits, emits_requests | emits_records, response.purpose));
  const PollView c(poll);
  const ResponseView answer(response);
  const sluice_interpret args{
      .size = sizeof args, .reserved = 0, .response = answer.get(), .batch = nullptr, .poll = c.get()};
  SLUICE_TRY(call.finish(guarded([&] { return impl_->table->interpret(impl_->instance, &args, &call); })));
  SLUICE_TRY(call.deliver_to(sink));
  return FetchOutput{std::move(call.output().requests), std::move(call.output().limits)};
}

Status Connector::read(const Poll& poll, Sink& sink, const CallLimits& limits) {
  if (!offers_read()) return impl_->no("read");
  CallContext context = impl_->context(limits, emits_records, 0);
  context.deadline = never;
  context.sink = &sink;
  Call call(context);
  const PollView c(poll);
  return call.finish(guarded([&] { return impl_->table->read(impl_->instance, c.get(), &call); }));
}

Result<Reply> Connector::receive(const Incoming& incoming, Sink& sink, const CallLimits& limits) {
  if (!offers_receive()) return impl_->no("receive");
  const std::uint32_t emits = impl_->called_back ? emits_callbacks : emits_records;
  Call call(impl_->context(limits, emits | emits_reply, 0));
  std::vector<sluice_header> headers;
  for (const Header& h : incoming.headers) headers.push_back({str(h.name), str(h.value)});
  const std::string body = incoming.body + std::string(SLUICE_PADDING, '\0');
  const sluice_incoming c{.size = sizeof c,
                          .header_count = static_cast<std::uint32_t>(headers.size()),
                          .route = str(incoming.route),
                          .method = str(incoming.method),
                          .path = str(incoming.path),
                          .query = str(incoming.query),
                          .body = {body.data(), incoming.body.size()},
                          .headers = headers.data(),
                          .peer = str(incoming.peer),
                          .received_us = incoming.received};
  SLUICE_TRY(call.finish(guarded([&] { return impl_->table->receive(impl_->instance, &c, &call); })));
  SLUICE_TRY(call.deliver_to(sink));
  return std::move(call.emitted_reply());
}

Result<std::vector<Request>> Connector::check(const CallLimits& limits) {
  if (!offers_check()) return std::vector<Request>{};
  Call call(impl_->context(limits, emits_requests, SLUICE_FOR_CHECK));
  SLUICE_TRY(call.finish(guarded([&] { return impl_->table->check(impl_->instance, &call); })));
  return std::move(call.output().requests);
}

Result<Inquiry> Connector::discover(std::string_view stream, const CallLimits& limits) {
  if (!offers_discover()) return impl_->no("discover");
  const sluice_discover c{.size = sizeof c, .reserved = 0, .stream = str(stream)};
  return impl_->inquire(limits, SLUICE_FOR_DISCOVER,
                        [&](sluice_call* call) { return impl_->table->discover(impl_->instance, &c, call); });
}

Result<Inquiry> Connector::provision(const Provision& what, const CallLimits& limits) {
  if (!offers_provision()) return impl_->no("provision");
  const sluice_provision c{
      .size = sizeof c, .kind = what.kind, .name = str(what.name), .remote_id = str(what.remote_id)};
  return impl_->inquire(limits, SLUICE_FOR_PROVISION, [&](sluice_call* call) {
    return impl_->table->provision(impl_->instance, &c, call);
  });
}

Result<Inquiry> Connector::subscribe(const Subscription& what, const CallLimits& limits) {
  if (impl_->table->subscribe == nullptr) return impl_->no("subscribe");
  const sluice_subscribe c = subscribe_of(what);
  return impl_->inquire(limits, SLUICE_FOR_SUBSCRIBE, [&](sluice_call* call) {
    return impl_->table->subscribe(impl_->instance, &c, call);
  });
}

Result<Inquiry> Connector::unsubscribe(const Subscription& what, const CallLimits& limits) {
  if (impl_->table->unsubscribe == nullptr) return impl_->no("unsubscribe");
  const sluice_subscribe c = subscribe_of(what);
  return impl_->inquire(limits, SLUICE_FOR_UNSUBSCRIBE, [&](sluice_call* call) {
    return impl_->table->unsubscribe(impl_->instance, &c, call);
  });
}

Result<Inquiry> Connector::interpret_inquiry(const Response& response, const CallLimits& limits) {
  const bool streams = response.purpose == SLUICE_FOR_DISCOVER;
  Inquiry found;
  if (impl_->table->interpret != nullptr) {
    const ResponseView answer(response);
    const sluice_interpret args{
        .size = sizeof args, .reserved = 0, .response = answer.get(), .batch = nullptr, .poll = nullptr};
    found = SLUICE_TRY(impl_->inquire(limits, response.purpose, [&](sluice_call* call) {
      return impl_->table->interpret(impl_->instance, &args, call);
    }));
  } else if (streams) {
    return impl_->no("interpret");
  }
  if (!streams && !found.outcome && found.requests.empty()) found.outcome = judge(response);
  return found;
}

}  // namespace sluice::plugin
