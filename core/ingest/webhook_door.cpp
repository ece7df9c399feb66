#include "ingest/webhook_door.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace sluice::ingest {

namespace {

constexpr std::string_view prefix = "/in/";
constexpr std::string_view retry_when_busy = "2";  // seconds
constexpr std::string_view retry_when_failed = "10";

void refuse(const net::Responder& responder, int status, std::string_view message,
            std::string_view retry = {}) {
  net::Response response{status, std::string(message) + "\n", "text/plain", {}};
  if (!retry.empty()) response.headers.emplace_back("Retry-After", retry);
  responder.send(std::move(response));
}

// What a connector answers; headers that are the server's own it cannot set.
net::Response response_of(plugin::Reply reply) {
  net::Response out{reply.status, std::move(reply.body), std::move(reply.content_type), {}};
  if (out.status < 200 || out.status > 599) out.status = 204;
  for (plugin::Header& header : reply.headers) {
    const std::string name = lower_ascii(header.name);
    const bool ours = name == "content-length" || name == "content-type" || name == "connection" ||
                      name == "transfer-encoding" || name == "date";
    const bool broken = (header.name + header.value).find_first_of("\r\n") != std::string::npos;
    if (!ours && !broken && !name.empty())
      out.headers.emplace_back(std::move(header.name), std::move(header.value));
  }
  return out;
}

WebhookResult result_of(plugin::Refusal refusal) {
  switch (refusal) {
    case plugin::Refusal::no_signature:
      return WebhookResult::no_signature;
    case plugin::Refusal::stale:
      return WebhookResult::stale;
    default:
      return WebhookResult::bad_signature;
  }
}

}  // namespace

std::string_view name_of(WebhookResult result) {
  constexpr std::string_view names[] = {"accepted",  "no_signature", "bad_signature", "stale", "wrong_method",
                                        "too_large", "busy",         "unreadable",    "failed"};
  static_assert(std::size(names) == webhook_results);
  return names[static_cast<std::size_t>(result)];
}

Receiver::Receiver(const Clock& clock, Work work) : clock_(clock), work_(std::move(work)) {
  thread_ = std::thread([this] { run(); });
}

Receiver::~Receiver() {
  stop();
}

bool Receiver::offer(plugin::Incoming incoming, Answer answer) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || waiting_.size() >= webhooks_waiting_max) return false;
  waiting_.push_back({std::move(incoming), std::move(answer), clock_.monotonic_us()});
  changed_.notify_one();
  return true;
}

void Receiver::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) break;
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    if (clock_.monotonic_us() - next.since > webhook_patience) {
      next.answer(Taken::failed, {});
    } else {
      work_(next.incoming, std::move(next.answer));
    }
    lock.lock();
  }
  for (Waiting& left : std::exchange(waiting_, {})) left.answer(Taken::failed, {});
}

void Receiver::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

WebhookDoor::WebhookDoor(const Clock& clock, std::function<std::string()> public_url)
    : clock_(clock), public_url_(std::move(public_url)), endpoints_(std::make_shared<const Endpoints>()) {}

void WebhookDoor::set_endpoints(std::vector<WebhookEndpoint> endpoints) {
  auto fresh = std::make_shared<const Endpoints>(std::move(endpoints));
  const std::lock_guard lock(mutex_);
  endpoints_.swap(fresh);
  for (const WebhookEndpoint& endpoint : *endpoints_) {
    for (const plugin::WebhookRoute& route : endpoint.routes) counts_[{endpoint.name, route.path}];
  }
}

WebhookDoor::Match WebhookDoor::match(const Endpoints& endpoints, std::string_view path) {
  Match out;
  if (!path.starts_with(prefix)) return out;
  path.remove_prefix(prefix.size());
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return out;
  const std::string_view name = path.substr(0, slash);
  out.path = path.substr(slash);
  for (const WebhookEndpoint& endpoint : endpoints) {
    for (std::size_t i = 0; endpoint.name == name && i < endpoint.routes.size(); ++i) {
      if (!route_takes(endpoint.routes[i], out.path)) continue;
      out.endpoint = &endpoint;
      out.route = i;
      return out;
    }
  }
  return out;
}

plugin::Incoming WebhookDoor::incoming_of(net::Request request, const Match& match) const {
  plugin::Incoming out{.route = match.endpoint->routes[match.route].path,
                       .method = std::move(request.method),
                       .path = match.path,
                       .query = std::move(request.query_text),
                       .body = std::move(request.body),
                       .peer = std::move(request.peer),
                       .headers = {},
                       .received = clock_.wall_us()};
  request.each_header([&](std::string_view name, std::string_view value) {
    out.headers.push_back({lower_ascii(name), std::string(value)});
  });
  return out;
}

void WebhookDoor::count(const std::string& name, const std::string& route, WebhookResult result) {
  const std::lock_guard lock(mutex_);
  ++counts_[{name, route}][static_cast<std::size_t>(result)];
}

std::vector<WebhookCount> WebhookDoor::counts() const {
  const std::lock_guard lock(mutex_);
  std::vector<WebhookCount> out;
  for (const auto& [key, requests] : counts_) out.push_back({key.first, key.second, requests});
  return out;
}

void WebhookDoor::handle(net::Request request, net::Responder responder) {
  std::shared_ptr<const Endpoints> endpoints;
  {
    const std::lock_guard lock(mutex_);
    endpoints = endpoints_;
  }
  const std::string path = request.path;
  const Match found = match(*endpoints, path);
  if (found.endpoint == nullptr) {
    ++unknown_;
    return refuse(responder, 404, "not found");
  }
  const std::string name = found.endpoint->name;
  const plugin::WebhookRoute& route = found.endpoint->routes[found.route];
  if (std::find(route.methods.begin(), route.methods.end(), request.method) == route.methods.end()) {
    count(name, route.path, WebhookResult::wrong_method);
    net::Response response{405, "method not allowed\n", "text/plain", {}};
    std::string allowed;
    for (const std::string& method : route.methods) allowed += (allowed.empty() ? "" : ", ") + method;
    response.headers.emplace_back("Allow", allowed);
    return responder.send(std::move(response));
  }
  if (request.body.size() > webhook_body_bytes_max) {
    count(name, route.path, WebhookResult::too_large);
    return refuse(responder, 413, "the body may have at most 1 MiB");
  }
  const std::string query = request.query_text.empty() ? "" : "?" + request.query_text;
  plugin::Incoming incoming = incoming_of(std::move(request), found);
  const plugin::Refusal refusal =
      plugin::verify_request(route.verify, found.endpoint->secrets[found.route], incoming,
                             public_url_() + path + query, clock_.wall_us());
  if (refusal != plugin::Refusal::none) {
    count(name, route.path, result_of(refusal));
    return refuse(responder, 401, "unauthorized");
  }
  const auto answer = [this, name, path = route.path, responder](Taken taken, plugin::Reply reply) {
    count(name, path,
          taken == Taken::accepted     ? WebhookResult::accepted
          : taken == Taken::unreadable ? WebhookResult::unreadable
                                       : WebhookResult::failed);
    if (taken == Taken::accepted) return responder.send(response_of(std::move(reply)));
    if (taken == Taken::unreadable) return refuse(responder, 400, "it cannot be read");
    refuse(responder, 503, "not now", retry_when_failed);
  };
  if (found.endpoint->receiver->offer(std::move(incoming), answer)) return;
  count(name, route.path, WebhookResult::busy);
  refuse(responder, 429, "too much is waiting", retry_when_busy);
}

}  // namespace sluice::ingest
