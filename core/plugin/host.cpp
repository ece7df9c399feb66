#include "plugin/host.hpp"

#include <algorithm>

#include "plugin/call.hpp"

namespace sluice::plugin {
namespace {

template <typename F>
sluice_status guarded(F&& body) noexcept {
  try {
    return body();
  } catch (...) {
    return SLUICE_INTERNAL;
  }
}

}  // namespace

ResponseView::ResponseView(const Response& r) : body_(r.body) {
  body_.resize(r.body.size() + SLUICE_PADDING);
  for (const Header& h : r.headers) headers_.push_back({str(h.name), str(h.value)});
  c_.size = sizeof c_;
  c_.purpose = r.purpose;
  c_.status = r.status;
  c_.header_count = static_cast<std::uint32_t>(headers_.size());
  c_.record_count = static_cast<std::uint32_t>(r.records.size());
  c_.retry_after_ms = r.retry_after_ms;
  c_.received_us = r.received;
  c_.body = {body_.data(), r.body.size()};
  c_.state = str(r.state);
  c_.error = str(r.error);
  c_.headers = headers_.data();
  c_.records = r.records.data();
}

Host::Host(HostServices& services, std::map<std::string, std::string> secrets, HttpPolicy policy)
    : sluice_host{},
      services_(services),
      secrets_(std::move(secrets)),
      policy_(std::move(policy)),
      credentials_(std::make_shared<Credentials>(services_, policy_)) {
  size = sizeof(sluice_host);
  abi_minor = SLUICE_ABI_MINOR;
  ctx = this;
  log = [](const sluice_host* h, std::int32_t level, sluice_str text) {
    (void)guarded([&] { return self(h).services_.log(level, tidy(view(text))), SLUICE_OK; });
  };
  now_us = [](const sluice_host* h) -> std::int64_t { return self(h).services_.now_us(); };
  metric = [](const sluice_host* h, std::int32_t kind, sluice_str name, double value) {
    (void)guarded([&] { return self(h).services_.metric(kind, view(name), value), SLUICE_OK; });
  };
  get = [](const sluice_host* h, sluice_str key, sluice_sink sink, void* arg) {
    return guarded([&]() -> sluice_status {
      const Result<std::optional<std::string>> value = self(h).services_.get(view(key));
      if (!value) return SLUICE_RETRY;
      if (value.value()) sink(arg, str(*value.value()));
      return SLUICE_OK;
    });
  };
  put = [](const sluice_host* h, sluice_str key, sluice_str value) {
    return guarded([&]() -> sluice_status {
      if (value.len > state_value_bytes_max || key.len == 0) return SLUICE_INVALID;
      const std::optional<std::string_view> kept =
          value.ptr == nullptr ? std::nullopt : std::optional(view(value));
      return self(h).services_.put(view(key), kept) ? SLUICE_OK : SLUICE_RETRY;
    });
  };
  secret = [](const sluice_host* h, sluice_str name, sluice_sink sink, void* arg) {
    return guarded([&]() -> sluice_status {
      const auto found = self(h).secrets_.find(std::string(view(name)));
      if (found == self(h).secrets_.end()) return SLUICE_INVALID;
      sink(arg, str(found->second));
      return SLUICE_OK;
    });
  };
  http = [](const sluice_host* h, const sluice_request* request, sluice_http_sink sink, void* arg) {
    if (!is_sized(request)) return SLUICE_INTERNAL;
    return guarded([&] { return self(h).send(whole(*request), sink, arg); });
  };
  extension = [](const sluice_host*, const char*) -> const void* { return nullptr; };
}

// A token that the vendor refuses is fetched anew, once: its second refusal is the answer.
Result<Response> Host::exchange(const Request& request) const {
  const bool needs_token = credentials_->fetched() && !request.no_auth;
  Response response;
  for (int attempt = 0; attempt < 2; ++attempt) {
    HttpRequest ready = SLUICE_TRY(resolve(policy_, request, services_.now_us()));
    if (!needs_token) {
      response = services_.http(ready);
      response.received = services_.now_us();
      return response;
    }
    const TokenAnswer answer = credentials_->wait_token();
    if (!answer.ok()) {
      if (answer.error->code == Code::misconfigured) return *answer.error;
      response.status = 0;
      response.error = answer.error->detail;
      response.retry_after_ms = std::max<DurationUs>(0, answer.retry_after) / us_per_ms;
      return response;
    }
    credentials_->add(answer.token, ready);
    response = services_.http(ready);
    response.received = services_.now_us();
    if (response.status != 401) return response;
    credentials_->refused(answer.token);
  }
  return response;
}

sluice_status Host::send(const sluice_request& request, sluice_http_sink sink, void* arg) const {
  const Result<Response> response = exchange(request_of(request, 0));
  if (!response) {
    services_.log(SLUICE_ERROR, response.error().detail);
    return response.error().code == Code::misconfigured ? SLUICE_AUTH : SLUICE_INVALID;
  }
  const ResponseView c(response.value());
  sink(arg, c.get());
  return SLUICE_OK;
}

}  // namespace sluice::plugin
