#include "kit/stage.hpp"

#include <algorithm>

#include "sluice/values.hpp"

#include "plugin/library.hpp"

namespace sluice::kit {
namespace {

using sdk::view;

constexpr DurationUs patience = 30 * us_per_s;
constexpr std::string_view routes_url = "https://hub.kit.example/in/kit";
constexpr TimeUs answered_at = 1'763'825'600'000'000;

}  // namespace

StageHost::StageHost(const Subject& subject) : sluice_host{}, subject_(subject) {
  size = sizeof(sluice_host);
  abi_minor = SLUICE_ABI_MINOR;
  ctx = this;
  log = [](const sluice_host* h, std::int32_t, sluice_str text) {
    const std::lock_guard lock(self(h).mutex_);
    self(h).logs_.emplace_back(view(text));
  };
  now_us = [](const sluice_host* h) -> std::int64_t {
    const std::lock_guard lock(self(h).mutex_);
    return self(h).now += us_per_h + 7;
  };
  metric = [](const sluice_host*, std::int32_t, sluice_str, double) {};
  get = [](const sluice_host* h, sluice_str key, sluice_sink sink, void* arg) {
    const std::lock_guard lock(self(h).mutex_);
    for (const auto& [name, value] : self(h).state_) {
      if (name == view(key)) sink(arg, sdk::str(value));
    }
    return sluice_status{SLUICE_OK};
  };
  put = [](const sluice_host* h, sluice_str key, sluice_str value) {
    const std::lock_guard lock(self(h).mutex_);
    std::erase_if(self(h).state_, [&](const auto& one) { return one.first == view(key); });
    if (value.ptr != nullptr) self(h).state_.emplace_back(view(key), view(value));
    return sluice_status{SLUICE_OK};
  };
  secret = [](const sluice_host* h, sluice_str name, sluice_sink sink, void* arg) -> sluice_status {
    const auto found = self(h).subject_.secrets.find(std::string(view(name)));
    if (found == self(h).subject_.secrets.end()) return SLUICE_INVALID;
    sink(arg, sdk::str(found->second));
    return SLUICE_OK;
  };
  http = [](const sluice_host* h, const sluice_request* request, sluice_http_sink sink, void* arg) {
    return self(h).send(*request, sink, arg);
  };
  extension = [](const sluice_host*, const char*) -> const void* { return nullptr; };
}

sluice_status StageHost::send(const sluice_request& r, sluice_http_sink sink, void* arg) {
  plugin::Request request{.method = std::string(view(r.method)), .url = std::string(view(r.url))};
  const auto ready = plugin::resolve(subject_.policy, request, 0);
  const std::lock_guard lock(mutex_);
  if (!ready) {
    faults.push_back(ready.error().detail);
    return SLUICE_INVALID;
  }
  std::string body = answer.body + std::string(SLUICE_PADDING, '\0');
  sluice_response c{};
  c.size = sizeof c;
  c.status = answer.status;
  c.retry_after_ms = answer.retry_after_ms;
  c.received_us = answered_at;
  c.body = {body.data(), answer.body.size()};
  c.error = sdk::str(answer.error);
  sink(arg, &c);
  return SLUICE_OK;
}

std::vector<std::string> StageHost::logs() const {
  const std::lock_guard lock(mutex_);
  return logs_;
}

void StageHost::forget_logs() {
  const std::lock_guard lock(mutex_);
  logs_.clear();
}

Stage::Stage(const Subject& subject, Lending lending) : host(subject), subject_(subject), lender_(lending) {}

Stage::~Stage() {
  destroy();
}

Status Stage::load() {
  now_calling("loading it");
  const sluice_plugin* const plugin = SLUICE_TRY(plugin::load_library(subject_.library));
  table_ = SLUICE_TRY(plugin::find_connector(*plugin, subject_.info.id, subject_.info.kind));
  now_calling("");
  return Done{};
}

// What a connector without the SDK may throw in spite of the contract is told, and ends here.
template <typename F>
Emission Stage::call(const char* name, std::uint32_t emits, const Knobs& knobs, F&& function) {
  Emission out;
  out.function = name;
  Recorder recorder(out, emits, knobs, host.now + patience);
  now_calling(name);
  try {
    out.returned = function(&recorder);
  } catch (...) {
    out.threw = true;
  }
  lender_.take_back();
  now_calling("");
  return out;
}

Emission Stage::create(std::string_view config) {
  const sluice_open* const open = lender_.value(sluice_open{.size = sizeof(sluice_open),
                                                            .kind = kind,
                                                            .config = lender_.text(config),
                                                            .name = lender_.text("kit"),
                                                            .folder = lender_.text(subject_.folder),
                                                            .routes_url = lender_.text(routes_url)});
  return call("create()", no_emits, {}, [&](sluice_call* c) {
    sluice_instance* made = nullptr;
    const sluice_status status = table_->create(&host, open, c, &made);
    instance_ = status == SLUICE_OK ? made : nullptr;
    return status;
  });
}

Status Stage::open() {
  SLUICE_TRY(load());
  return replace();
}

Status Stage::replace() {
  destroy();
  SLUICE_TRY(succeeded(create(subject_.config)));
  if (instance_ == nullptr)
    return Error{Code::rejected, "create(): it returned SLUICE_OK and made no instance"};
  return Done{};
}

void Stage::destroy() {
  if (instance_ == nullptr) return;
  now_calling("destroy()");
  table_->destroy(instance_);
  instance_ = nullptr;
  now_calling("");
}

const sluice_batch* Stage::lend_batch(std::span<const plugin::Record> records) {
  const std::size_t stride = sizeof(sluice_record) + appended;
  std::string all;
  for (const plugin::Record& r : records) {
    sluice_record c{};
    c.size = static_cast<std::uint32_t>(stride);
    c.op = r.op;
    c.attempt = r.attempt;
    c.time_us = r.time;
    c.id = lender_.text(r.id);
    c.key = lender_.text(r.key);
    c.name = lender_.text(r.name);
    c.payload = lender_.padded(r.payload);
    c.identifiers = lender_.padded(r.identifiers);
    c.address = lender_.text(r.address);
    c.remote_id = lender_.text(r.remote_id);
    c.audience_id = lender_.text(r.audience_id);
    all.append(reinterpret_cast<const char*>(&c), sizeof c).append(appended, '\xA5');
  }
  return lender_.value(sluice_batch{.size = sizeof(sluice_batch),
                                    .stride = static_cast<std::uint32_t>(stride),
                                    .count = static_cast<std::uint32_t>(records.size()),
                                    .reserved = 0,
                                    .records = lender_.array(std::span<const char>(all))});
}

const sluice_plan* Stage::lend_plan(std::span<const plugin::Record> records,
                                    const plugin::SnapshotPart& part) {
  return lender_.value(sluice_plan{.size = sizeof(sluice_plan),
                                   .part = part.part,
                                   .batch = lend_batch(records),
                                   .snapshot = lender_.text(part.snapshot)});
}

const sluice_poll* Stage::lend_poll(const plugin::Poll& poll) {
  sluice_poll c{};
  c.size = sizeof c;
  c.mode = poll.full ? SLUICE_FULL : SLUICE_INCREMENTAL;
  c.flags = poll.until_idle ? SLUICE_UNTIL_IDLE : 0;
  c.stream = lender_.text(poll.stream);
  c.cursor = lender_.text(poll.cursor);
  c.since_us = poll.since;
  return lender_.value(c);
}

const sluice_response* Stage::lend_response(const plugin::Response& r) {
  std::vector<sluice_header> headers;
  for (const plugin::Header& h : r.headers) headers.push_back({lender_.text(h.name), lender_.text(h.value)});
  sluice_response c{};
  c.size = sizeof c;
  c.purpose = r.purpose;
  c.status = r.status;
  c.header_count = static_cast<std::uint32_t>(headers.size());
  c.record_count = static_cast<std::uint32_t>(r.records.size());
  c.retry_after_ms = r.retry_after_ms;
  c.received_us = r.received == no_time ? answered_at : r.received;
  c.body = lender_.padded(r.body);
  c.state = lender_.text(r.state);
  c.error = lender_.text(r.error);
  c.headers = lender_.array(std::span<const sluice_header>(headers));
  c.records = lender_.array(std::span<const std::uint32_t>(r.records));
  return lender_.value(c);
}

Emission Stage::plan(std::span<const plugin::Record> records, const Knobs& knobs,
                     const plugin::SnapshotPart& part) {
  const sluice_plan* const args = lend_plan(records, part);
  return call("plan()", emits_requests | emits_outcomes, knobs,
              [&](sluice_call* c) { return table_->plan(instance_, args, c); });
}

Emission Stage::deliver(std::span<const plugin::Record> records, const Knobs& knobs,
                        const plugin::SnapshotPart& part) {
  const sluice_plan* const args = lend_plan(records, part);
  return call("deliver()", emits_outcomes, knobs,
              [&](sluice_call* c) { return table_->deliver(instance_, args, c); });
}

Emission Stage::take(std::span<const plugin::Record> records, const Knobs& knobs,
                     const plugin::SnapshotPart& part) {
  return table_->plan != nullptr ? plan(records, knobs, part) : deliver(records, knobs, part);
}

Emission Stage::interpret(std::span<const plugin::Record> records, const plugin::Response& response) {
  const sluice_interpret* const args = lender_.value(sluice_interpret{.size = sizeof(sluice_interpret),
                                                                      .reserved = 0,
                                                                      .response = lend_response(response),
                                                                      .batch = lend_batch(records),
                                                                      .poll = nullptr});
  return call("interpret()", emits_requests | emits_outcomes, {},
              [&](sluice_call* c) { return table_->interpret(instance_, args, c); });
}

Emission Stage::interpret(const plugin::Poll& poll, const plugin::Response& response) {
  const sluice_interpret* const args = lender_.value(sluice_interpret{.size = sizeof(sluice_interpret),
                                                                      .reserved = 0,
                                                                      .response = lend_response(response),
                                                                      .batch = nullptr,
                                                                      .poll = lend_poll(poll)});
  return call("interpret()", emits_requests | emits_records, {},
              [&](sluice_call* c) { return table_->interpret(instance_, args, c); });
}

Emission Stage::check() {
  return call("check()", emits_requests, {}, [&](sluice_call* c) { return table_->check(instance_, c); });
}

Emission Stage::fetch(const plugin::Poll& poll, const Knobs& knobs) {
  const sluice_poll* const args = lend_poll(poll);
  return call("fetch()", emits_requests | emits_records, knobs,
              [&](sluice_call* c) { return table_->fetch(instance_, args, c); });
}

Emission Stage::read(const plugin::Poll& poll, const Knobs& knobs) {
  const sluice_poll* const args = lend_poll(poll);
  return call("read()", emits_records, knobs,
              [&](sluice_call* c) { return table_->read(instance_, args, c); });
}

Emission Stage::receive(const plugin::Incoming& in) {
  std::vector<sluice_header> headers;
  for (const plugin::Header& h : in.headers) headers.push_back({lender_.text(h.name), lender_.text(h.value)});
  const sluice_incoming* const args =
      lender_.value(sluice_incoming{.size = sizeof(sluice_incoming),
                                    .header_count = static_cast<std::uint32_t>(headers.size()),
                                    .route = lender_.text(in.route),
                                    .method = lender_.text(in.method),
                                    .path = lender_.text(in.path),
                                    .query = lender_.text(in.query),
                                    .body = lender_.padded(in.body),
                                    .headers = lender_.array(std::span<const sluice_header>(headers)),
                                    .peer = lender_.text(in.peer),
                                    .received_us = in.received});
  const bool destination = kind == SLUICE_DESTINATION || subject_.info.kind == SLUICE_DESTINATION;
  return call("receive()", (destination ? emits_callbacks : emits_records) | emits_reply, {},
              [&](sluice_call* c) { return table_->receive(instance_, args, c); });
}

}  // namespace sluice::kit
