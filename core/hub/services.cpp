#include "hub/services.hpp"

#include "sluice/plugin.h"

#include "base/log.hpp"
#include "net/gzip.hpp"
#include "plugin/http_request.hpp"

namespace sluice::hub {

void ConnectorServices::log(std::int32_t level, std::string_view text) {
  const LogLevel as = level >= SLUICE_ERROR  ? LogLevel::error
                      : level >= SLUICE_WARN ? LogLevel::warn
                      : level >= SLUICE_INFO ? LogLevel::info
                                             : LogLevel::debug;
  std::string shown;
  {
    const std::shared_lock lock(mutex_);
    shown = redactor_(text);
  }
  sluice::log(as, name_, shown);
}

void ConnectorServices::hide(std::string_view secret) {
  const std::unique_lock lock(mutex_);
  redactor_.add(secret);
}

Result<std::optional<std::string>> ConnectorServices::get(std::string_view key) {
  return database_.meta(row(key));
}

Status ConnectorServices::put(std::string_view key, std::optional<std::string_view> value) {
  return database_.put_meta(row(key), value.value_or(std::string_view{}));
}

net::HttpRequest to_net(const plugin::HttpRequest& request) {
  net::HttpRequest out;
  out.method = request.method;
  out.url = request.url;
  for (const plugin::Header& header : request.headers) out.headers.emplace_back(header.name, header.value);
  out.body = request.body;
  if (request.gzip) {
    out.body = net::gzip(out.body);
    out.headers.emplace_back("content-encoding", "gzip");
  }
  out.timeout_ms = request.timeout / us_per_ms;
  out.allow_private = request.host_trusted;
  return out;
}

plugin::Response from_net(net::HttpResponse answer) {
  plugin::Response out;
  out.status = answer.status;
  out.body = std::move(answer.body);
  out.error = std::move(answer.error);
  for (auto& [name, value] : answer.headers) out.headers.push_back({std::move(name), std::move(value)});
  out.retry_after_ms = answer.retry_after_ms;
  return out;
}

plugin::Response ConnectorServices::http(const plugin::HttpRequest& request) {
  return from_net(http_.fetch(to_net(request)));
}

}  // namespace sluice::hub
