// sluice/testing_connector.hpp - a connector opened from its library and called as the hub does; part of
// sluice/testing.hpp.
#pragma once

#include <algorithm>
#include <dlfcn.h>
#include <stdexcept>

#include "sluice/json.hpp"
#include "sluice/testing_host.hpp"

namespace sluice::sdk::testing {

struct Part {  // of a snapshot: what sluice_plan says of it
  std::uint32_t number = 0;
  std::string_view snapshot = {};
};

// One connector, made with `config`: what stands under `with:`, secrets too. `routes_url` is where its routes
// stand in public; empty: nowhere. Throws std::runtime_error where it cannot be opened. The library stays
// loaded. [one thread]
class Connector {
 public:
  Connector(const std::string& library, const std::string& id, const Json& config,
            std::string_view routes_url = "https://hub.example/in/test") {
    void* const handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) throw std::runtime_error(::dlerror());
    const auto* const plugin = static_cast<const sluice_plugin*>(::dlsym(handle, "sluice_plugin_v1"));
    if (plugin == nullptr) throw std::runtime_error(library + " exports no sluice_plugin_v1");
    for (const sluice_connector* const one : std::span(plugin->connectors, plugin->connector_count)) {
      if (id == one->id) table_ = one;
    }
    if (table_ == nullptr) throw std::runtime_error(library + " has no connector '" + id + "'");
    create(Json::parse(plugin->manifest).value_or(Json())["connectors"], id, config, routes_url);
  }
  ~Connector() { table_->destroy(instance_); }
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  TestHost& host() { return host_; }

  Output check() {
    if (!SLUICE_OFFERS(table_, check)) return unsupported();
    return run([&](sluice_call* call) { return table_->check(instance_, call); });
  }
  Output plan(const std::vector<Record>& records, const Part& part = {}) {
    return take(table_->plan, records, part);
  }
  Output deliver(const std::vector<Record>& records, const Part& part = {}) {
    return take(table_->deliver, records, part);
  }
  // What a vendor's request on `route` leads to, its signature verified.
  Output receive(std::string_view route, std::string_view body, std::string_view query = {},
                 const std::vector<Header>& headers = {}, std::string_view method = "POST") {
    if (!SLUICE_OFFERS(table_, receive)) return unsupported();
    detail::Texts texts;
    std::vector<sluice_header> c_headers;
    for (const Header& h : headers) c_headers.push_back({texts.keep(h.name), texts.keep(h.value)});
    sluice_incoming in{};
    in.size = sizeof in;
    in.header_count = static_cast<std::uint32_t>(c_headers.size());
    in.route = in.path = texts.keep(route);
    in.method = texts.keep(method);
    in.query = texts.keep(query);
    in.body = texts.keep(body);
    in.headers = c_headers.data();
    in.peer = texts.keep("192.0.2.1");
    in.received_us = host_.now;
    return run([&](sluice_call* call) { return table_->receive(instance_, &in, call); });
  }
  Output fetch(const Poll& poll = {}) { return give(table_->fetch, poll); }
  Output read(const Poll& poll = {}) { return give(table_->read, poll); }

  // The verdict on `answer` to `request`, which plan() or interpret() made of `records`.
  Output interpret(const std::vector<Record>& records, const Request& request, const Answer& answer) {
    if (table_->interpret == nullptr) return by_status(request, answer);
    detail::Texts texts;
    const std::vector<sluice_record> rows = rows_of(records, texts);
    const sluice_batch batch = batch_of(rows);
    Output out = judge(request, answer, &batch, nullptr, SLUICE_FOR_PLAN, texts);
    if (out.status == SLUICE_OK) cover(out, request.records);
    return out;
  }
  // Likewise of a page that fetch() asked for.
  Output interpret(const Poll& poll, const Request& request, const Answer& answer) {
    if (table_->interpret == nullptr) return unsupported();
    detail::Texts texts;
    const sluice_poll c = poll_of(poll, texts);
    return judge(request, answer, nullptr, &c, SLUICE_FOR_FETCH, texts);
  }

 private:
  using Take = sluice_status (*)(sluice_instance*, const sluice_plan*, sluice_call*);
  using Give = sluice_status (*)(sluice_instance*, const sluice_poll*, sluice_call*);

  static Output unsupported() {
    Output out;
    out.status = SLUICE_UNSUPPORTED;
    out.why = "the connector does not offer it";
    return out;
  }

  template <typename F>
  static Output run(F&& function) {
    Output out;
    detail::Emitters emitters(out);
    const sluice_status status = function(&emitters);
    if (status != SLUICE_OK) {
      std::string why = std::move(out.why);
      out = {};
      out.why = std::move(why);
    }
    out.status = status;
    return out;
  }

  void create(const Json& connectors, const std::string& id, const Json& config,
              std::string_view routes_url) {
    Json plain = Json::object();
    for (const Json& one : connectors.elements()) {
      if (one["id"].text_or("") != id) continue;
      for (std::size_t i = 0; i < config.keys().size(); ++i) {
        const std::string& name = config.keys()[i];
        const bool secret = one["config"]["properties"][name]["x-secret"].boolean_value().value_or(false);
        if (secret) host_.secrets[name] = config.elements()[i].scalar();
        if (!secret) plain.set(name, config.elements()[i]);
      }
    }
    const std::string text = plain.text();
    detail::Texts texts;
    sluice_open open{};
    open.size = sizeof open;
    open.config = texts.keep(text);
    open.name = texts.keep("test");
    open.folder = texts.keep("/");
    if (!routes_url.empty()) open.routes_url = texts.keep(routes_url);
    const Output made =
        run([&](sluice_call* call) { return table_->create(&host_, &open, call, &instance_); });
    if (made.status != SLUICE_OK) throw std::runtime_error("it refuses its configuration: " + made.why);
  }

  static std::vector<sluice_record> rows_of(const std::vector<Record>& records, detail::Texts& texts) {
    std::vector<sluice_record> out;
    for (const Record& r : records) {
      sluice_record c{};
      c.size = sizeof c;
      c.op = r.op;
      c.attempt = r.attempt == 0 ? 1 : r.attempt;
      c.time_us = r.time_us;
      c.id = texts.keep(r.id);
      c.key = texts.keep(r.key);
      c.name = texts.keep(r.name);
      c.payload = texts.keep(r.payload.empty() ? "{}" : r.payload);
      c.identifiers = texts.keep(r.identifiers.empty() ? "{}" : r.identifiers);
      c.address = texts.keep(r.address);
      c.remote_id = texts.keep(r.remote_id);
      c.audience_id = texts.keep(r.audience_id);
      out.push_back(c);
    }
    return out;
  }
  static sluice_batch batch_of(const std::vector<sluice_record>& rows) {
    return {sizeof(sluice_batch), sizeof(sluice_record), static_cast<std::uint32_t>(rows.size()), 0,
            rows.data()};
  }
  static sluice_poll poll_of(const Poll& poll, detail::Texts& texts) {
    sluice_poll c{};
    c.size = sizeof c;
    c.mode = poll.full ? SLUICE_FULL : SLUICE_INCREMENTAL;
    c.flags = poll.until_idle ? SLUICE_UNTIL_IDLE : 0;
    c.stream = texts.keep(poll.stream);
    c.cursor = texts.keep(poll.cursor);
    c.since_us = poll.since_us;
    return c;
  }

  Output take(Take function, const std::vector<Record>& records, const Part& part) {
    if (function == nullptr) return unsupported();
    detail::Texts texts;
    const std::vector<sluice_record> rows = rows_of(records, texts);
    const sluice_batch batch = batch_of(rows);
    const sluice_plan args{sizeof(sluice_plan), part.number, &batch, texts.keep(part.snapshot)};
    Output out = run([&](sluice_call* call) { return function(instance_, &args, call); });
    std::vector<std::uint32_t> all(rows.size());
    for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
    while (part.number > 0 && all.size() > 1 && !named(out, all.back())) all.pop_back();  // for the next part
    if (out.status == SLUICE_OK) cover(out, all);
    return out;
  }
  Output give(Give function, const Poll& poll) {
    if (function == nullptr) return unsupported();
    detail::Texts texts;
    const sluice_poll args = poll_of(poll, texts);
    return run([&](sluice_call* call) { return function(instance_, &args, call); });
  }

  Output judge(const Request& request, const Answer& answer, const sluice_batch* batch,
               const sluice_poll* poll, std::uint32_t purpose, detail::Texts& texts) {
    std::vector<sluice_header> headers;
    for (const Header& h : answer.headers) headers.push_back({texts.keep(h.name), texts.keep(h.value)});
    sluice_response r{};
    r.size = sizeof r;
    r.purpose = request.purpose == 0 ? purpose : request.purpose;
    r.status = answer.status;
    r.header_count = static_cast<std::uint32_t>(headers.size());
    r.record_count = static_cast<std::uint32_t>(request.records.size());
    r.retry_after_ms = answer.retry_after_ms;
    r.received_us = answer.received_us;
    r.body = texts.keep(answer.body);
    r.state = texts.keep(request.state);
    if (answer.status == 0) r.error = texts.keep("no answer");
    r.headers = headers.data();
    r.records = request.records.data();
    const sluice_interpret args{sizeof(sluice_interpret), 0, &r, batch, poll};
    return run([&](sluice_call* call) { return table_->interpret(instance_, &args, call); });
  }

  static Output by_status(const Request& request, const Answer& answer) {
    Output out;
    for (const std::uint32_t i : request.records)
      out.outcomes.push_back({.record = i, .status = verdict(answer.status)});
    return out;
  }

  static bool named(const Output& out, std::uint32_t record) {
    return std::ranges::any_of(out.outcomes, [&](const Fate& f) { return f.record == record; }) ||
           std::ranges::any_of(out.requests, [&](const Request& r) {
             return std::ranges::find(r.records, record) != r.records.end();
           });
  }
  // Each record of the call has one fate: an outcome, or a request.
  static void cover(Output& out, const std::vector<std::uint32_t>& records) {
    std::map<std::uint32_t, int> fates;
    for (const std::uint32_t i : records) fates[i] = 0;
    const auto count = [&](std::uint32_t i) {
      const auto found = fates.find(i);
      if (found == fates.end())
        out.faults.push_back("record " + std::to_string(i) + " is none of this call's");
      if (found != fates.end()) ++found->second;
    };
    for (const Fate& fate : out.outcomes) count(fate.record);
    for (const Request& request : out.requests) std::ranges::for_each(request.records, count);
    for (const auto& [record, times] : fates) {
      if (times != 1)
        out.faults.push_back("record " + std::to_string(record) + " has " + std::to_string(times) + " fates");
    }
  }

  const sluice_connector* table_ = nullptr;
  sluice_instance* instance_ = nullptr;
  TestHost host_;
};

}  // namespace sluice::sdk::testing
