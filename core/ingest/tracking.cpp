#include "ingest/tracking.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "ingest/tracking_request.hpp"
#include "ingest/tracking_sdk.hpp"
#include "net/gzip.hpp"

namespace sluice::ingest {

namespace {

constexpr std::string_view retry_when_full = "2";         // seconds
constexpr std::string_view retry_when_unavailable = "5";  // a full disk needs an operator
constexpr std::size_t body_parsers_max = 16;              // at rest

constexpr std::string_view success = R"({"success":true})";

bool strip_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool strip_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

std::optional<EventKind> kind_of_letter(std::string_view letter) {
  for (const EventKind kind : {EventKind::track, EventKind::identify, EventKind::page, EventKind::screen,
                               EventKind::group, EventKind::alias}) {
    if (letter == name_of(kind).substr(0, 1)) return kind;
  }
  return {};
}

const TrackingSource* source_of(const std::vector<TrackingSource>& sources, std::string_view key) {
  const TrackingSource* found = nullptr;
  for (const TrackingSource& source : sources) {
    if (!key.empty() && equal_constant_time(source.write_key, key)) found = &source;
  }
  return found;
}

std::string rejected_json(const std::vector<Rejected>& rejected) {
  std::string out;
  if (rejected.empty()) return out;
  JsonWriter json(out);
  json.begin_array();
  for (const Rejected& r : rejected) {
    json.begin_object().member_integer("index", static_cast<std::int64_t>(r.index)).key("messageId");
    if (r.message_id.empty()) {
      json.null();
    } else {
      json.string(r.message_id);
    }
    json.member("code", code_of(r.flaw)).member("message", message_of(r.flaw)).end_object();
  }
  json.end_array();
  return out;
}

}  // namespace

struct TrackingDoor::Route {
  enum class To : std::uint8_t {
    nowhere,
    batch,
    single,
    telemetry,
    settings,
    source_config,
    decide,
    healthz,
    readyz
  };
  To to = To::nowhere;
  std::optional<EventKind> kind;  // of a single call
  std::string write_key;          // of settings
};

struct TrackingDoor::Call {
  net::Request request;
  net::Responder responder;
  std::string origin;  // of the page that asks; empty: no browser
  bool single = false;

  void send(net::Response response) const {
    if (!origin.empty()) {
      // Beacons come with credentials, and for them an answer has to name its reader.
      response.headers.emplace_back("Access-Control-Allow-Origin", origin);
      response.headers.emplace_back("Access-Control-Allow-Credentials", "true");
      response.headers.emplace_back("Access-Control-Expose-Headers", "retry-after");
      response.headers.emplace_back("Vary", "Origin");
    }
    responder.send(std::move(response));
  }
};

TrackingDoor::TrackingDoor(const Clock& clock, TrackingOptions options)
    : clock_(clock), options_(std::move(options)) {
  set_sources(options_.sources);
}

TrackingDoor::~TrackingDoor() = default;

std::vector<std::pair<std::string, std::string>> TrackingDoor::cors_headers() {
  return {{"Access-Control-Allow-Origin", "*"},
          {"Access-Control-Expose-Headers", "retry-after"},
          {"Vary", "Origin"}};
}

TrackingDoor::Route TrackingDoor::route_of(std::string_view path) {
  using To = Route::To;
  if (path.size() > 1) (void)strip_suffix(path, "/");
  if (path == "/healthz") return {To::healthz, {}, {}};
  if (path == "/readyz") return {To::readyz, {}, {}};
  if (path == "/sourceConfig") return {To::source_config, {}, {}};
  std::string_view rest = path;
  if (strip_prefix(rest, "/api/s/")) {
    (void)strip_prefix(rest, "s2s/");
    const auto kind = kind_of(rest);
    return kind ? Route{To::single, kind, {}} : Route{};
  }
  (void)strip_prefix(rest, "/beacon");
  (void)strip_prefix(rest, "/v1");
  if (rest == "/decide") return {To::decide, {}, {}};
  if (strip_prefix(rest, "/projects/") && strip_suffix(rest, "/settings") && !rest.empty()) {
    return {To::settings, {}, std::string(rest)};
  }
  if (!strip_prefix(rest, "/")) return {};
  if (rest == "batch" || rest == "b" || rest == "import") return {To::batch, {}, {}};
  if (rest == "m") return {To::telemetry, {}, {}};
  const auto kind = rest.size() == 1 ? kind_of_letter(rest) : kind_of(rest);
  return kind ? Route{To::single, kind, {}} : Route{};
}

void TrackingDoor::handle(net::Request request, net::Responder responder) {
  using To = Route::To;
  counters_.requests.fetch_add(1, std::memory_order_relaxed);
  const Route route = route_of(request.path);
  Call call{std::move(request), std::move(responder), {}, route.to == To::single};
  call.origin = call.request.header("origin");
  const std::string& method = call.request.method;
  const bool is_event = route.to == To::batch || route.to == To::single || route.to == To::telemetry;
  if (route.to == To::nowhere) return refuse(call, 404, "not_found", "nothing is served under this path");
  if (method == "OPTIONS") return call.send(preflight(call.request, is_event));
  if (is_event ? method != "POST" : method != "GET" && method != "HEAD") {
    return refuse(call, 405, "method_not_allowed", is_event ? "use POST" : "use GET");
  }
  switch (route.to) {
    case To::healthz:
      return call.send({200, R"({"status":"ok"})", "application/json", {}});
    case To::readyz:
      if (options_.ready && !options_.ready())
        return refuse(call, 503, "not_ready", "the hub is starting or stopping");
      return call.send({200, R"({"status":"ready"})", "application/json", {}});
    case To::settings:
      return send_settings(call, route.write_key);
    case To::source_config:
      return send_source_config(call);
    case To::decide:
      return decide(call);
    case To::telemetry:
      return call.send({200, std::string(success), "application/json", {}});
    default:
      return post(call, route);
  }
}

// Leaves the plain body, with the spare bytes that the parser wants.
Status TrackingDoor::unpack(Call& call) const {
  std::string& body = call.request.body;
  if (net::is_gzip(body)) {
    body = SLUICE_TRY(net::gunzip(body, {tracking_body_bytes_max, net::GunzipLimits{}.ratio_max}));
  }
  if (body.capacity() < body.size() + json_padding) body.reserve(body.size() + json_padding);
  return Done{};
}

void TrackingDoor::post(Call& call, const Route& route) {
  if (const Status unpacked = unpack(call); !unpacked) {
    const bool damaged = unpacked.error().code == Code::corrupt;
    return refuse(call, damaged ? 400 : 413, damaged ? "bad_gzip" : "body_too_large",
                  unpacked.error().detail);
  }
  if (call.request.body.size() > tracking_body_bytes_max) {
    return refuse(call, 413, "body_too_large", "the body may have at most 4 MiB");
  }
  auto body = borrow();
  const Status opened = body->open(call.request.body);
  const auto known = sources();
  const TrackingSource* source =
      source_of(*known, key_of(call.request, opened ? body->write_key() : std::string_view{}));
  if (source == nullptr) {
    refuse(call, 401, "unknown_write_key", "the write key is missing, or none of this hub's sources has it");
  } else if (source->paused) {
    refuse(call, 503, "applying", "the hub applies another configuration; send it again later");
  } else if (!opened) {
    refuse(call, 400, "bad_json", opened.error().detail);
  } else {
    const std::string ip =
        source->in_browsers || !call.origin.empty() ? caller_of(call.request) : std::string{};
    Result<ParsedBody> parsed = body->read({source->name, clock_.wall_us(), ip, route.kind});
    if (parsed) {
      submit(call, std::move(parsed).value());
    } else {
      refuse(call, 400, "bad_batch", parsed.error().detail);
    }
  }
  give_back(std::move(body));
}

void TrackingDoor::submit(const Call& call, ParsedBody parsed) {
  for (const Rejected& r : parsed.rejected) {
    counters_.rejected.at(static_cast<std::size_t>(r.flaw)).fetch_add(1, std::memory_order_relaxed);
  }
  if (call.single && !parsed.rejected.empty()) {
    const Flaw flaw = parsed.rejected.front().flaw;
    return refuse(call, 400, code_of(flaw), message_of(flaw));
  }
  const std::size_t accepted = parsed.drafts.size();
  std::string rejected = rejected_json(parsed.rejected);
  if (accepted == 0) return answer(call, Done{}, 0, std::move(rejected));
  Call later{{}, call.responder, call.origin, call.single};
  const Submit result = options_.submit(
      std::move(parsed.drafts), [this, later, accepted, rejected](const Status& status, std::uint64_t) {
        answer(later, status, accepted, rejected);
      });
  switch (result) {
    case Submit::ok:
      return;
    case Submit::full:
      return refuse(call, 429, "full", "the hub takes in more than it can write; send it again later");
    case Submit::disk_full:
      return refuse(call, 503, "disk_full", "the hub's disk is full; send it again later");
    case Submit::closed:
      return refuse(call, 503, "stopping", "the hub is stopping; send it again later");
  }
}

void TrackingDoor::answer(const Call& call, const Status& status, std::size_t accepted,
                          std::string rejected) {
  if (!status) return refuse(call, 503, "not_stored", "the hub could not store this; send it again later");
  counters_.accepted.fetch_add(accepted, std::memory_order_relaxed);
  net::Response response{200, std::string(success), "application/json", {}};
  if (!rejected.empty()) {
    response.body =
        R"({"success":true,"accepted":)" + std::to_string(accepted) + R"(,"rejected":)" + rejected + "}";
  }
  call.send(std::move(response));
}

void TrackingDoor::refuse(const Call& call, int status, std::string_view code, std::string_view message) {
  net::Response response;
  response.status = status;
  JsonWriter json(response.body);
  json.begin_object().member_boolean("success", false).member("code", code).member("message", message);
  switch (status) {
    case 400:
    case 413:
      counters_.malformed.fetch_add(1, std::memory_order_relaxed);
      break;
    case 401:
      counters_.unauthorized.fetch_add(1, std::memory_order_relaxed);
      break;
    case 429: {
      const unsigned percent = options_.percent_used ? options_.percent_used() : 100;
      counters_.full.fetch_add(1, std::memory_order_relaxed);
      response.headers.emplace_back("Retry-After", retry_when_full);
      response.headers.emplace_back("X-Sluice-Queue-Percent", std::to_string(percent));
      json.member_integer("percentUsed", percent);
      break;
    }
    case 503:
      counters_.unavailable.fetch_add(1, std::memory_order_relaxed);
      response.headers.emplace_back("Retry-After", retry_when_unavailable);
      break;
    default:
      break;
  }
  json.end_object();
  call.send(std::move(response));
}

void TrackingDoor::send_settings(const Call& call, std::string_view write_key) {
  const auto known = sources();
  if (source_of(*known, write_key) == nullptr) {
    return refuse(call, 401, "unknown_write_key", "none of this hub's sources has this write key");
  }
  call.send({200, segment_settings(write_key, url_of(call.request)), "application/json", {}});
}

void TrackingDoor::send_source_config(const Call& call) {
  const auto known = sources();
  const std::string key = key_of(call.request, {});
  const TrackingSource* source = source_of(*known, key);
  if (source == nullptr) {
    return refuse(call, 401, "unknown_write_key", "none of this hub's sources has this write key");
  }
  call.send({200, rudderstack_config(key, source->name, url_of(call.request)), "application/json", {}});
}

// Only who has the visitor's own anonymous id is answered: that of a known person can be guessed, theirs
// cannot.
void TrackingDoor::decide(const Call& call) {
  counters_.decisions.fetch_add(1, std::memory_order_relaxed);
  const auto known = sources();
  const TrackingSource* source = source_of(*known, key_of(call.request, {}));
  if (source == nullptr) {
    return refuse(call, 401, "unknown_write_key",
                  "the write key is missing, or none of this hub's sources has it");
  }
  if (source->paused)
    return refuse(call, 503, "applying", "the hub applies another configuration; ask again later");
  for (const char* other : {"userId", "email", "phone"}) {
    if (!call.request.query(other).empty())
      return refuse(call, 400, "only_anonymous_id", "a visitor is asked for by anonymousId alone");
  }
  std::string visitor = call.request.query("anonymousId");
  if (visitor.empty() || visitor.size() > identifier_bytes_max) {
    return refuse(call, 400, "missing_user", "anonymousId is missing: the page's own, of at most 512 bytes");
  }
  const bool taken =
      options_.decide &&
      options_.decide(std::move(visitor), [this, later = Call{{}, call.responder, call.origin, false}](
                                              const std::optional<std::string>& said) {
        if (!said)
          return refuse(later, 404, "not_enabled",
                        "pages read nothing here: the configuration has no 'decide'");
        later.send({200, *said, "application/json", {{"Cache-Control", "no-store"}}});
      });
  if (!taken) refuse(call, 429, "full", "too many visitors are waiting; ask again later");
}

// As the operator says, else as the browser itself reached us.
std::string TrackingDoor::url_of(const net::Request& request) const {
  const std::string written = options_.public_url ? options_.public_url() : std::string{};
  std::string_view url = written;
  while (strip_suffix(url, "/")) {
  }
  if (!url.empty()) return std::string(url);
  const bool secure = equals_ignoring_case(request.header("x-forwarded-proto"), "https");
  return (secure ? "https://" : "http://") + std::string(request.header("host"));
}

std::shared_ptr<const TrackingDoor::Sources> TrackingDoor::sources() const {
  const std::lock_guard lock(mutex_);
  return sources_;
}

void TrackingDoor::set_sources(std::vector<TrackingSource> sources) {
  auto unread = std::make_shared<std::promise<void>>();
  std::future<void> released = unread->get_future();
  std::shared_ptr<const Sources> fresh(new Sources(std::move(sources)), [unread](const Sources* read) {
    delete read;
    unread->set_value();
  });
  {
    const std::lock_guard lock(mutex_);
    sources_.swap(fresh);
    std::swap(released_, released);
  }
  if (!fresh) return;
  fresh.reset();
  released.wait();  // a request holds its sources until it is submitted: a moment
}

std::unique_ptr<TrackingBody> TrackingDoor::borrow() {
  {
    const std::lock_guard lock(mutex_);
    if (!bodies_.empty()) {
      auto body = std::move(bodies_.back());
      bodies_.pop_back();
      return body;
    }
  }
  return std::make_unique<TrackingBody>();
}

void TrackingDoor::give_back(std::unique_ptr<TrackingBody> body) {
  const std::lock_guard lock(mutex_);
  if (bodies_.size() < body_parsers_max) bodies_.push_back(std::move(body));
}

}  // namespace sluice::ingest
