#include "deliver/courier_services.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/json.hpp"
#include "net/gzip.hpp"
#include "store/database.hpp"

namespace sluice::deliver {
namespace {

constexpr std::uint8_t kept_version = 1;
constexpr double epoch_seconds_min =
    1e9;  // a rate limit's reset above this is a time, below it a number of seconds

}  // namespace

std::string encode_request(const plugin::Request& request) {
  std::string out;
  ByteWriter w(out);
  w.u8(kept_version);
  for (const std::string* text :
       {&request.method, &request.url, &request.body, &request.state, &request.bucket})
    w.text(*text);
  for (const std::uint32_t number : {request.purpose, request.timeout_ms, request.delay_ms}) w.varint(number);
  w.u8(static_cast<std::uint8_t>((request.gzip ? 1 : 0) | (request.no_auth ? 2 : 0)));
  w.varint(request.headers.size());
  for (const plugin::Header& header : request.headers) {
    w.text(header.name);
    w.text(header.value);
  }
  return out;
}

std::optional<plugin::Request> decode_request(std::string_view text) {
  ByteReader r(text);
  if (r.u8() != kept_version) return std::nullopt;
  plugin::Request out;
  for (std::string* field : {&out.method, &out.url, &out.body, &out.state, &out.bucket}) *field = r.text();
  for (std::uint32_t* number : {&out.purpose, &out.timeout_ms, &out.delay_ms})
    *number = static_cast<std::uint32_t>(r.varint());
  const std::uint8_t flags = r.u8();
  out.gzip = (flags & 1) != 0;
  out.no_auth = (flags & 2) != 0;
  for (std::uint64_t left = r.varint(); left > 0 && r.ok(); --left) {
    std::string name(r.text());
    out.headers.push_back({std::move(name), std::string(r.text())});
  }
  return r.ok() && r.at_end() ? std::optional(std::move(out)) : std::nullopt;
}

net::HttpRequest to_http(plugin::HttpRequest request) {
  net::HttpRequest out;
  out.method = std::move(request.method);
  out.url = std::move(request.url);
  for (plugin::Header& header : request.headers)
    out.headers.emplace_back(std::move(header.name), std::move(header.value));
  out.body = std::move(request.body);
  if (request.gzip) {
    out.body = net::gzip(out.body);
    out.headers.emplace_back("content-encoding", "gzip");
  }
  out.timeout_ms = std::max<std::int64_t>(1, request.timeout / us_per_ms);
  out.allow_private = request.host_trusted;
  return out;
}

plugin::Response to_response(net::HttpResponse response) {
  plugin::Response out;
  out.status = response.status;
  out.body = std::move(response.body);
  out.error = std::move(response.error);
  for (auto& [name, value] : response.headers) out.headers.push_back({std::move(name), std::move(value)});
  out.retry_after_ms = response.retry_after_ms;
  return out;
}

// Until when the vendor's limit is used up, from now: X-RateLimit-Reset and its relatives hold a time or a
// number of seconds.
DurationUs until_reset(const net::HttpResponse& response, TimeUs now) {
  for (const char* name : {"x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset"}) {
    const std::optional<double> reset = parse_number(response.header(name));
    if (!reset || *reset < 0 || *reset > 1e12) continue;
    const double us = *reset * static_cast<double>(us_per_s);
    return std::max<DurationUs>(0, static_cast<DurationUs>(us) - (*reset >= epoch_seconds_min ? now : 0));
  }
  return -1;
}

bool limit_used_up(const net::HttpResponse& response) {
  for (const char* name : {"x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining"}) {
    if (response.header(name) == "0") return true;
  }
  return false;
}

std::string CourierServices::redact(std::string_view text) const {
  const std::shared_lock lock(redactor_mutex_);
  return redactor_(text);
}

void CourierServices::hide(std::string_view secret) {
  const std::unique_lock lock(redactor_mutex_);
  redactor_.add(secret);
}

void CourierServices::log(std::int32_t level, std::string_view text) {
  if (connections_.log) connections_.log(level, name_, redact(text));
}

void CourierServices::metric(std::int32_t kind, std::string_view name, double value) {
  if (connections_.metric) connections_.metric(name_, kind, name, value);
}

Result<std::optional<std::string>> CourierServices::get(std::string_view key) {
  if (connections_.database != nullptr) return connections_.database->meta(full(key));
  const std::lock_guard lock(mutex_);
  const auto found = values_.find(std::string(key));
  return found == values_.end() ? std::optional<std::string>() : std::optional<std::string>(found->second);
}

Status CourierServices::put(std::string_view key, std::optional<std::string_view> value) {
  if (connections_.database != nullptr) {
    return value ? connections_.database->put_meta(full(key), *value)
                 : connections_.database->remove_meta(full(key));
  }
  const std::lock_guard lock(mutex_);
  values_.erase(std::string(key));
  if (value) values_.emplace(key, *value);
  return Done{};
}

Result<std::optional<std::string>> CourierServices::kept_secret(std::string_view key) {
  return connections_.vault != nullptr ? connections_.vault->get(full(key)) : HostServices::kept_secret(key);
}

Status CourierServices::keep_secret(std::string_view key, std::string_view value) {
  return connections_.vault != nullptr ? connections_.vault->put(full(key), value)
                                       : HostServices::keep_secret(key, value);
}

std::shared_ptr<void> CourierServices::turn(std::string_view key) {
  return connections_.vault != nullptr ? connections_.vault->turn(full(key)) : nullptr;
}

plugin::Response CourierServices::http(const plugin::HttpRequest& request) {
  net::HttpResponse response = connections_.http.fetch(to_http(request));
  if (response.reached != net::Reached::no && !request.for_credentials) reached = true;
  return to_response(std::move(response));
}

}  // namespace sluice::deliver
