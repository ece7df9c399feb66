#include "plugin/connector.hpp"

#include <algorithm>
#include <map>

#include "base/json.hpp"
#include "plugin/call.hpp"
#include "plugin/host.hpp"
#include "plugin/library.hpp"
#include "plugin/remote.hpp"

namespace sluice::plugin {
namespace {

// The records in C form, payloads and identifiers copied behind each other with padding. Borrows the other
// texts.
class BatchView {
 public:
  explicit BatchView(std::span<const Record> records) {
    std::size_t bytes = 0;
    for (const Record& r : records)
      bytes += r.payload.size() + r.identifiers.size() + 2 * std::size_t{SLUICE_PADDING};
    padded_.reserve(bytes);
    records_.reserve(records.size());
    for (const Record& r : records) add(r);
    c_.size = sizeof c_;
    c_.stride = sizeof(sluice_record);
    c_.count = static_cast<std::uint32_t>(records_.size());
    c_.records = records_.data();
    plan_.size = sizeof plan_;
    plan_.batch = &c_;
  }
  BatchView(const BatchView&) = delete;
  BatchView& operator=(const BatchView&) = delete;
  const sluice_batch* get() const { return &c_; }
  const sluice_plan* plan() const { return &plan_; }

 private:
  void add(const Record& r) {
    sluice_record c{};
    c.size = sizeof c;
    c.op = r.op;
    c.attempt = r.attempt;
    c.time_us = r.time;
    c.id = str(r.id);
    c.key = str(r.key);
    c.name = str(r.name);
    c.payload = pad(r.payload);
    c.identifiers = pad(r.identifiers);
    c.address = str(r.address);
    c.remote_id = str(r.remote_id);
    records_.push_back(c);
  }
  sluice_str pad(std::string_view text) {
    if (text.empty()) return {nullptr, 0};
    const char* const at = padded_.data() + padded_.size();  // reserved: it does not move
    padded_.append(text).append(SLUICE_PADDING, '\0');
    return {at, text.size()};
  }
  std::string padded_;
  std::vector<sluice_record> records_;
  sluice_batch c_{};
  sluice_plan plan_{};
};

class PollView {
 public:
  explicit PollView(const Poll& poll) {
    for (const std::string& field : poll.fields) fields_.push_back(str(field));
    c_.size = sizeof c_;
    c_.mode = poll.full ? SLUICE_FULL : SLUICE_INCREMENTAL;
    c_.flags = poll.until_idle ? SLUICE_UNTIL_IDLE : 0;
    c_.field_count = static_cast<std::uint32_t>(fields_.size());
    c_.stream = str(poll.stream);
    c_.cursor = str(poll.cursor);
    c_.since_us = poll.since;
    c_.fields = fields_.data();
  }
  const sluice_poll* get() const { return &c_; }

 private:
  std::vector<sluice_str> fields_;
  sluice_poll c_{};
};

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

// What a plugin without the SDK may throw in spite of the contract ends here.
template <typename F>
sluice_status guarded(F&& function) noexcept {
  try {
    return function();
  } catch (...) {
    return SLUICE_INTERNAL;
  }
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

  Impl(const Entry& e, HostServices& s, Settings& settings, HttpPolicy policy)
      : entry(e), services(s), host(s, std::move(settings.secrets), std::move(policy)) {}
  ~Impl() {
    if (instance != nullptr) table->destroy(instance);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  CallContext context(const CallLimits& limits, std::uint32_t emits, std::uint32_t purpose) const {
    return {.host = services,
            .deadline = limits.timeout == never ? never : services.now_us() + limits.timeout,
            .stop = limits.stop,
            .emits = emits,
            .purpose = purpose,
            .asked = {}};
  }
  Error no(const char* function) const {
    return {Code::misconfigured, "the connector '" + entry.info.id + "' has no " + function + "()"};
  }
};

Connector::Connector(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connector::~Connector() = default;

Result<std::unique_ptr<Connector>> Connector::open(const Entry& entry, const Instance& instance,
                                                   HostServices& host) {
  Settings settings = SLUICE_TRY(split_secrets(entry.info, instance.config));
  HttpPolicy policy =
      SLUICE_TRY(make_http_policy(entry.info, settings.config, settings.secrets, instance.allow_hosts));
  const sluice_open open{.size = sizeof(sluice_open),
                         .reserved = 0,
                         .config = str(settings.config),
                         .name = str(instance.name),
                         .folder = str(instance.folder)};
  auto impl = std::make_unique<Impl>(entry, host, settings, std::move(policy));
  Call call(impl->context({}, 0, 0));
  if (instance.program.empty()) {
    const sluice_plugin* const plugin = SLUICE_TRY(load_library(entry.path));
    impl->table = SLUICE_TRY(find_connector(*plugin, entry.info.id, entry.info.kind));
    SLUICE_TRY(call.finish(
        guarded([&] { return impl->table->create(&impl->host, &open, &call, &impl->instance); })));
  } else {
    impl->remote = std::make_unique<Remote>(RemoteSpec{.program = instance.program,
                                                       .library = entry.path,
                                                       .id = entry.info.id,
                                                       .kind = entry.info.kind,
                                                       .confinement = {.memory_bytes = instance.memory_bytes,
                                                                       .network = entry.info.network,
                                                                       .files = entry.info.files}},
                                            impl->host);
    SLUICE_TRY(call.finish(impl->remote->create(open, &call)));
    impl->table = impl->remote->table();
    impl->instance = impl->remote->instance();
  }
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

Result<PlanOutput> Connector::plan(std::span<const Record> records, const CallLimits& limits) {
  if (!offers_plan()) return impl_->no("plan");
  CallContext context = impl_->context(limits, emits_requests | emits_outcomes, SLUICE_FOR_PLAN);
  context.records = static_cast<std::uint32_t>(records.size());
  context.all_asked = true;
  Call call(context);
  const BatchView batch(records);
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
  const BatchView batch(records);
  const ResponseView answer(response);
  const sluice_interpret args{
      .size = sizeof args, .reserved = 0, .response = answer.get(), .batch = batch.get(), .poll = nullptr};
  SLUICE_TRY(call.finish(guarded([&] { return impl_->table->interpret(impl_->instance, &args, &call); })));
  return std::move(call.output());
}

Result<std::vector<Outcome>> Connector::deliver(std::span<const Record> records, const CallLimits& limits) {
  if (impl_->table->deliver == nullptr) return impl_->no("deliver");
  CallContext context = impl_->context(limits, emits_outcomes, SLUICE_FOR_PLAN);
  context.records = static_cast<std::uint32_t>(records.size());
  context.all_asked = true;
  Call call(context);
  const BatchView batch(records);
  SLUICE_TRY(
      call.finish(guarded([&] { return impl_->table->deliver(impl_->instance, batch.plan(), &call); })));
  std::vector<Outcome> out;
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
  Call call(impl_->context(limits, emits_records | emits_reply, 0));
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

}  // namespace sluice::plugin
