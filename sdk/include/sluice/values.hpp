// sluice/values.hpp - what passes between host and connector, as C++ values; part of sluice/plugin.hpp.
// Whatever is called a view, and every string_view, borrows until the function that it was given to returns.
#pragma once

#include <cstdint>
#include <exception>
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
  std::string_view identifiers = {}, address = {}, remote_id = {}, audience_id = {}, place = {};
};

class Batch {  // borrows
 public:
  explicit Batch(const sluice_batch* batch) : batch_(batch) {}
  explicit Batch(const sluice_plan& plan)
      : batch_(plan.batch), part_(plan.part), snapshot_(view(plan.snapshot)) {}
  std::uint32_t size() const { return batch_ == nullptr ? 0 : batch_->count; }
  bool empty() const { return size() == 0; }
  // plan, deliver: 0, or which part of the snapshot it is; see sluice_plan.
  std::uint32_t part() const { return part_; }
  std::string_view snapshot() const { return snapshot_; }
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
            .audience_id = view(r.audience_id),
            .place = view(r.place)};
  }

 private:
  const sluice_batch* batch_;
  std::uint32_t part_ = 0;
  std::string_view snapshot_;
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
  std::int64_t received_us() const { return r_->received_us; }
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
  std::uint32_t receiver = 0;  // SLUICE_OPTED_OUT, SLUICE_UNREACHABLE
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
  std::string_view routes_url = {};  // empty: the hub has no public URL
  std::uint32_t kind = 0;            // SLUICE_SOURCE or SLUICE_DESTINATION
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

}  // namespace sluice::sdk
