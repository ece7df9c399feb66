#include "api/admin.hpp"

#include <charconv>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "hub/explain.hpp"
#include "hub/identity_story.hpp"
#include "hub/lists.hpp"
#include "hub/unmerge.hpp"
#include "hub/views.hpp"

namespace sluice::api {

net::Response error_answer(int status, std::string_view code, std::string_view message) {
  net::Response out;
  out.status = status;
  JsonWriter w(out.body);
  w.begin_object()
      .key("error")
      .begin_object()
      .member("code", code)
      .member("message", message)
      .end_object()
      .end_object();
  return out;
}

namespace {

net::Response json_answer(std::string body) {
  net::Response out;
  out.body = std::move(body);
  return out;
}

net::Response text_answer(int status, std::string_view text) {
  net::Response out;
  out.status = status;
  out.content_type = "text/plain; charset=utf-8";
  out.body = text;
  return out;
}

bool take_prefix(std::string_view& path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return false;
  path.remove_prefix(prefix.size());
  return true;
}

net::Response replay_answer(hub::Hub& hub, const net::Request& request) {
  if (request.method != "POST") return error_answer(405, "method_not_allowed", "replay with POST");
  JsonParser parser;
  const Json asked = parser.parse(request.body);
  store::DeadFilter filter;
  filter.destination = asked["destination"].string_or("");
  filter.reason = asked["reason"].string_or("");
  filter.kind = asked["kind"].string_or("");
  std::vector<std::int64_t> ids;
  bool numbers = true;
  asked["ids"].elements([&](Json id) {
    const auto n = id.integer();
    numbers = numbers && n;
    if (n) ids.push_back(*n);
  });
  // By mistake nothing is replayed that was not named.
  if (!numbers || ids.empty() == filter.destination.empty()) {
    return error_answer(400, "invalid",
                        "say which: {\"ids\": [7, 8]}, or {\"destination\": …} with \"reason\" and \"kind\"");
  }
  const auto done = ids.empty() ? hub.replay_dead(filter) : hub.replay_dead(std::move(ids));
  if (!done) return error_answer(503, "not_replayed", done.error().detail);
  const hub::ReplayReport& report = done.value();
  net::Response out;
  JsonWriter(out.body)
      .begin_object()
      .member_integer("taken", static_cast<std::int64_t>(report.taken))
      .member_integer("handed_back", static_cast<std::int64_t>(report.handed_back))
      .member_integer("left_out", static_cast<std::int64_t>(report.taken - report.handed_back))
      .member_integer("not_open", static_cast<std::int64_t>(report.not_open))
      .end_object();
  return out;
}

net::Response resync_answer(hub::Hub& hub, const net::Request& request) {
  if (request.method != "POST") return error_answer(405, "method_not_allowed", "POST {\"route\": ...}");
  JsonParser parser;
  const Result<std::uint64_t> members = hub.resync(parser.parse(request.body)["route"].string_or(""));
  if (!members) {
    const bool refused = members.error().code == Code::misconfigured;
    return error_answer(refused ? 400 : 503, refused ? "invalid" : "not_begun", members.error().detail);
  }
  net::Response out;
  JsonWriter(out.body)
      .begin_object()
      .member_integer("members", static_cast<std::int64_t>(members.value()))
      .end_object();
  return out;
}

// The list; POST {"release":"email:desk@shop.example"} takes one out of it.
net::Response quarantine_answer(hub::Hub& hub, const net::Request& request) {
  if (request.method == "POST") {
    JsonParser parser;
    const Status released = hub.release(parser.parse(request.body)["release"].string_or(""));
    if (!released) {
      const bool refused = released.error().code == Code::misconfigured;
      return error_answer(refused ? 400 : 503, refused ? "invalid" : "not_released", released.error().detail);
    }
  }
  std::string out;
  hub.read([&](const hub::World& world) { out = hub::quarantine_json(world); });
  return json_answer(std::move(out));
}

// The merges that were taken back; POST {"person","input"} takes one back.
net::Response unmerge_answer(hub::Hub& hub, const net::Request& request) {
  if (request.method == "POST") {
    JsonParser parser;
    const Json root = parser.parse(request.body);
    const Status begun = hub.unmerge(root["person"].string_or(""),
                                     static_cast<std::uint64_t>(root["input"].integer().value_or(0)));
    if (!begun) {
      const bool refused = begun.error().code == Code::misconfigured;
      return error_answer(refused ? 400 : 503, refused ? "invalid" : "not_begun", begun.error().detail);
    }
  }
  std::string out;
  hub.read([&](const hub::World& world) { out = hub::unmerges_json(world); });
  return json_answer(std::move(out));
}

net::Response dead_answer(hub::Hub& hub, std::string_view rest, const net::Request& request) {
  if (rest == "/replay") return replay_answer(hub, request);
  if (rest.starts_with('/')) {
    std::int64_t id = 0;
    const auto [end, bad] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), id);
    const auto shown = bad == std::errc{} && end == rest.data() + rest.size()
                           ? hub::dead_letter_json(hub.database(), id)
                           : Result<std::string>(std::string{});
    if (!shown) return error_answer(500, "store", shown.error().detail);
    if (shown.value().empty())
      return error_answer(404, "not_found", "there is no dead letter with this number");
    return json_answer(shown.value());
  }
  std::size_t limit = 100;
  if (const std::string text = request.query("limit"); !text.empty()) {
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (bad != std::errc{} || end != text.data() + text.size())
      return error_answer(400, "invalid", "limit is a number of dead letters, like limit=500");
  }
  store::DeadFilter filter;
  filter.destination = request.query("destination");
  filter.reason = request.query("reason");
  filter.kind = request.query("kind");
  const auto list = hub::dead_letters_json(hub.database(), filter, limit);
  if (!list) return error_answer(500, "store", list.error().detail);
  return json_answer(list.value());
}

net::Response connect_state(hub::Hub& hub, std::uint64_t id) {
  const std::optional<hub::Connecting::Report> report = hub.connecting().report(id);
  if (!report) return error_answer(404, "not_found", "this connect is over: run 'sluice connect' again");
  net::Response out;
  JsonWriter(out.body)
      .begin_object()
      .member("state", hub::name_of(report->state))
      .member("error", report->error)
      .end_object();
  return out;
}

net::Response connect_answer(hub::Hub& hub, std::string_view rest, const net::Request& request) {
  if (rest.empty()) {
    auto list = hub.connections();
    return list ? json_answer(std::move(list).value()) : error_answer(500, "store", list.error().detail);
  }
  if (!take_prefix(rest, "/")) return error_answer(404, "not_found", "write /v1/connect/NAME");
  if (request.method != "POST") {
    const std::string text = request.query("id");
    std::uint64_t id = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (bad != std::errc{} || end != text.data() + text.size())
      return error_answer(400, "invalid", "say which: ?id=, as the POST answered");
    return connect_state(hub, id);
  }
  JsonParser parser;
  const Json asked = parser.parse(request.body);
  if (const auto id = asked["id"].integer()) {
    const auto number = static_cast<std::uint64_t>(*id);
    const Status taken = hub.connecting().answer(number, asked["answer"].string_or(""));
    return taken ? connect_state(hub, number) : error_answer(400, "refused", taken.error().detail);
  }
  auto started = hub.connect(rest, std::string(asked["redirect_uri"].string_or("")));
  if (!started) return error_answer(400, "refused", started.error().detail);
  net::Response out;
  JsonWriter(out.body)
      .begin_object()
      .member_integer("id", static_cast<std::int64_t>(started.value().id))
      .member("authorize_url", started.value().url)
      .member("redirect_uri", started.value().redirect_uri)
      .end_object();
  return out;
}

// PERSON/AUDIENCE. A name of an audience holds no slash.
net::Response identity_answer(hub::Hub& hub, std::string_view person) {
  std::vector<std::uint64_t> wanted;
  hub.read(
      [&](const hub::World& world) { wanted = hub::merge_inputs(world, hub::find_person(world, person)); });
  hub::KeptInputs inputs;
  for (const std::uint64_t seq : wanted) {
    (void)hub.journal().replay(seq, [&](const Input& input) {  // one that is not kept any more is left out
      inputs[seq] = {input.kind, input.redacted, std::string(input.payload)};
      return false;
    });
  }
  std::string out;
  hub.read([&](const hub::World& world) {
    out = hub::identity_json(world, hub::find_person(world, person), inputs);
  });
  if (out.empty())
    return error_answer(404, "not_found",
                        "nobody is known by '" + std::string(person) +
                            "': give an id, or type:value such as "
                            "email:ada@example.com");
  return json_answer(std::move(out));
}

net::Response explain_answer(hub::Hub& hub, std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos)
    return error_answer(404, "not_found", "write /v1/explain/PERSON/AUDIENCE");
  std::string out;
  bool known = false;
  hub.read([&](const hub::World& world) {
    const ProfileId id = hub::find_person(world, path.substr(0, slash));
    known = id != nobody;
    if (known) out = hub::explain_json(world, id, path.substr(slash + 1));
  });
  if (!known) return error_answer(404, "not_found", "nobody is known by this");
  if (out.empty()) return error_answer(404, "not_found", "no audience has this name");
  return json_answer(std::move(out));
}

}  // namespace

Result<std::unique_ptr<AdminDoor>> AdminDoor::open(hub::Hub& hub) {
  std::unique_ptr<AdminDoor> door(new AdminDoor(hub));
  const auto holds = hub.config();
  const config::Hub& config = holds->hub;
  door->over_tcp_ = !config.admin.starts_with("unix:");
  if (door->over_tcp_ && config.tokens.empty()) {
    return Error{Code::misconfigured, "hub.admin is a TCP address: it needs hub.tokens; or use unix:PATH"};
  }
  AdminDoor* self = door.get();
  door->server_ = SLUICE_TRY(net::HttpServer::listen(
      config.admin, {},
      [self](net::Request request, net::Responder responder) { responder.send(self->answer(request)); }));
  return door;
}

// The names by which a browser may have reached us without a name server's help: addresses, and what the
// configuration says.
bool AdminDoor::is_own_name(std::string_view host) const {
  const auto without_port = [](std::string_view text) {
    const std::size_t colon = text.rfind(':');
    return text.ends_with(']') ? text : text.substr(0, colon);
  };
  std::string_view name = without_port(host);
  if (name.starts_with('[') || name.find_first_not_of("0123456789.") == std::string_view::npos) return true;
  const auto whole = hub_.config();
  const config::Hub& config = whole->hub;
  std::string_view url = config.public_url;
  if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos)
    url.remove_prefix(scheme + 3);
  return equals_ignoring_case(name, "localhost") || equals_ignoring_case(name, without_port(config.admin)) ||
         equals_ignoring_case(name, without_port(url.substr(0, url.find('/'))));
}

bool AdminDoor::allowed(const net::Request& request, net::Response& refusal) const {
  if (!over_tcp_) return true;
  // A page in somebody's browser must not reach this through a name that resolves to us, nor from another
  // origin.
  if (!request.header("origin").empty()) {
    refusal = error_answer(403, "forbidden", "pages of other origins are not served here");
    return false;
  }
  if (!is_own_name(request.header("host"))) {
    refusal = error_answer(
        403, "forbidden",
        "this Host is none of the hub's: use its address, or the name in hub.admin or hub.public_url");
    return false;
  }
  const std::string_view header = request.header("authorization");
  const std::string_view scheme = header.substr(0, header.find(' '));
  const std::string_view given = trim(header.substr(scheme.size()));
  std::string token;
  if (equals_ignoring_case(scheme, "bearer")) {
    token = given;
  } else if (equals_ignoring_case(scheme, "basic")) {
    if (!base64_decode(given, token)) token.clear();
    token = token.substr(0, token.find(':'));
  }
  const std::string hash = sha256_hex(token);
  const auto config = hub_.config();
  for (const std::string& known : config->hub.tokens) {
    if (equal_constant_time(hash, known)) return true;
  }
  refusal = error_answer(401, "unauthorized", "this needs a token of hub.tokens, as Bearer or as Basic user");
  refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
  return false;
}

net::Response AdminDoor::answer(const net::Request& request) {
  if (request.path == "/healthz") return text_answer(200, "ok\n");
  if (request.path == "/readyz") {
    if (hub_.step().clock_alarm()) return text_answer(503, "the wall clock has jumped: timers are held\n");
    if (!hub_.ready()) return text_answer(503, "starting or stopping\n");
    const hub::ReloadStatus file = hub_.reload_status();
    if (file.mistakes == 0 && !file.libraries.empty()) {
      return text_answer(
          200, "ready, with a connector from before its library changed: " + file.libraries.front() + '\n');
    }
    if (file.mistakes == 0) return text_answer(200, "ready\n");
    return text_answer(200, "ready, with the configuration from before the file changed: it is refused for " +
                                std::to_string(file.mistakes) + " mistakes, the first " + file.first + '\n');
  }
  net::Response refusal;
  return allowed(request, refusal) ? route(request) : refusal;
}

net::Response AdminDoor::route(const net::Request& request) {
  std::string_view path = request.path;
  if (path == "/metrics") {
    net::Response out;
    out.content_type = "text/plain; version=0.0.4; charset=utf-8";
    out.body = metrics_text(hub_);
    return out;
  }
  if (take_prefix(path, "/v1/dead")) return dead_answer(hub_, path, request);
  if (path == "/v1/quarantine") return quarantine_answer(hub_, request);
  if (path == "/v1/unmerge") return unmerge_answer(hub_, request);
  if (path == "/v1/resync") return resync_answer(hub_, request);
  if (take_prefix(path, "/v1/connect")) return connect_answer(hub_, path, request);
  if (request.method != "GET" && request.method != "HEAD") {
    return error_answer(405, "method_not_allowed", "only GET here");
  }
  if (path == "/v1/backfill") return json_answer(hub::backfill_json(hub_.backfill()));
  if (path == "/v1/outbox") return json_answer(hub::outbox_json(hub_.delivery().status()));
  if (path == "/v1/audiences") {
    std::string out;
    const std::string backfill = hub::backfill_json(hub_.backfill());
    hub_.read([&](const hub::World& world) { out = hub::audiences_json(world, backfill); });
    return json_answer(std::move(out));
  }
  if (take_prefix(path, "/v1/audiences/")) {
    std::string out;
    hub_.read([&](const hub::World& world) { out = hub::audience_json(world, path); });
    if (out.empty()) return error_answer(404, "not_found", "no audience has this name");
    return json_answer(std::move(out));
  }
  if (take_prefix(path, "/v1/explain/")) return explain_answer(hub_, path);
  if (take_prefix(path, "/v1/identity/")) return identity_answer(hub_, path);
  if (take_prefix(path, "/v1/profiles/")) {
    std::string out;
    ProfileId id = nobody;
    hub_.read([&](const hub::World& world) {
      id = hub::find_person(world, path);
      if (id != nobody) out = hub::profile_json(world, id);
    });
    if (out.empty()) return error_answer(404, "not_found", "nobody is known by this");
    return json_answer(hub::with_deliveries(std::move(out), hub_.database(), id));
  }
  const std::size_t profiles = path.find("/collections/users/profiles/");
  if (path.starts_with("/v1/spaces/") && profiles != std::string_view::npos) {
    return profile_api(hub_, path.substr(profiles + std::string_view("/collections/users/profiles/").size()),
                       request);
  }
  return error_answer(404, "not_found", "there is nothing here; see docs/operations.md for the admin API");
}

}  // namespace sluice::api
