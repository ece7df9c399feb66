// `sluice connect`: sends a person's browser to the vendor, and takes what it brings back: by the running
// hub's public_url, by a server of its own on 127.0.0.1, or pasted. The running hub exchanges and keeps the
// tokens; without one they are written into its data folder.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <poll.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/setup.hpp"
#include "hub/connecting.hpp"
#include "hub/world.hpp"
#include "journal/lock.hpp"
#include "net/client.hpp"
#include "net/server.hpp"
#include "store/database.hpp"

namespace sluice::cli {
namespace {

constexpr int look_every_ms = 200;
constexpr std::size_t pasted_bytes_max = 16 << 10;

struct Report {
  bool over = false, connected = false;
  std::string error;
};

// Who exchanges the code.
class Way {
 public:
  virtual ~Way() = default;
  // The address for the browser. `redirect_uri` empty: the hub's own; set to the one that it is.
  virtual Result<std::string> begin(std::string& redirect_uri) = 0;
  virtual Status answer(const std::string& text) = 0;  // an error: it is not used; see report()
  virtual Report report() = 0;
};

class ByHub final : public Way {
 public:
  ByHub(const config::Config& config, const std::string& name)
      : config_(config), path_("/v1/connect/" + path_segment(name)) {}

  Result<std::string> begin(std::string& redirect_uri) override {
    std::string body;
    JsonWriter(body).begin_object().member("redirect_uri", redirect_uri).end_object();
    const std::string answer = SLUICE_TRY(told(ask(config_, path_, &body)));
    JsonParser parser;
    const Json root = parser.parse(answer);
    id_ = root["id"].integer().value_or(0);
    redirect_uri = root["redirect_uri"].string_or("");
    return std::string(root["authorize_url"].string_or(""));
  }
  Status answer(const std::string& text) override {
    std::string body;
    JsonWriter(body).begin_object().member_integer("id", id_).member("answer", text).end_object();
    SLUICE_TRY(told(ask(config_, path_, &body)));
    return Done{};
  }
  Report report() override {
    const Result<std::string> answer = told(ask(config_, path_ + "?id=" + std::to_string(id_)));
    if (!answer) return {.over = true, .error = answer.error().detail};
    JsonParser parser;
    const Json root = parser.parse(answer.value());
    const std::string_view state = root["state"].string_or("");
    return {.over = state == "connected" || state == "failed",
            .connected = state == "connected",
            .error = std::string(root["error"].string_or(""))};
  }

 private:
  static Result<std::string> told(Answer answer) {
    if (!answer.reached) return Error{Code::transient, "the hub has ended meanwhile: run this again"};
    if (answer.status == 200) return std::move(answer.body);
    JsonParser parser;
    return Error{Code::rejected,
                 std::string(parser.parse(answer.body)["error"]["message"].string_or("the hub refused"))};
  }
  const config::Config& config_;
  std::string path_;
  std::int64_t id_ = 0;
};

class ByStore final : public Way {
 public:
  ByStore(const config::Config& config, hub::Connectable what) : config_(config), what_(std::move(what)) {}

  Result<std::string> begin(std::string& redirect_uri) override {
    attempt_ =
        SLUICE_TRY(plugin::begin_authorization(what_.policy.auth.oauth2, redirect_uri, clock_.wall_us()));
    return attempt_.url;
  }
  Status answer(const std::string& text) override {
    const plugin::Redirect redirect = plugin::read_pasted(text);
    const Result<std::string> code = plugin::accept(what_.policy.auth.oauth2, attempt_, redirect);
    if (!code) {
      const bool refused = !redirect.error.empty() && redirect.state == attempt_.state;
      if (refused) report_ = {.over = true, .error = code.error().detail};
      return code.error();
    }
    const Status done = exchange(code.value());
    report_ = {.over = true, .connected = static_cast<bool>(done), .error = done ? "" : done.error().detail};
    return done;
  }
  Report report() override {
    if (!report_.over && clock_.wall_us() >= attempt_.until)
      report_ = {.over = true,
                 .error = "nobody has answered within " + format_duration(plugin::authorization_age)};
    return report_;
  }

 private:
  // The lock before the code is used up: a hub that has started meanwhile keeps its store to itself.
  Status exchange(const std::string& code) {
    const Result<DirectoryLock> lock = DirectoryLock::take(config_.hub.data);
    if (!lock) {
      return Error{Code::rejected,
                   "another process has the data folder now, perhaps a hub that has started "
                   "meanwhile; the code was not used: run this again"};
    }
    const auto http = SLUICE_TRY(net::HttpClient::create());
    const auto database = SLUICE_TRY(store::Database::open(hub::database_path(config_.hub.data)));
    store::Vault vault(*database, hub::key_path(config_.hub.data));
    hub::ConnectServices services(what_, clock_, vault, http.get());
    SLUICE_TRY(plugin::connect(services, what_.policy, attempt_, code));
    return database->audit({clock_.wall_us(), "operator", "connect", what_.kind + ' ' + what_.name, ""});
  }
  const config::Config& config_;
  hub::Connectable what_;
  SystemClock clock_;
  plugin::Authorization attempt_;
  Report report_;
};

// Where a browser on this machine comes back to.
class Loopback {
 public:
  Status listen(std::uint16_t port) {
    server_ = SLUICE_TRY(net::HttpServer::listen(
        "127.0.0.1:" + std::to_string(port), {},
        [this](const net::Request& request, net::Responder responder) {
          if (request.path != plugin::redirect_path || request.method != "GET")
            return responder.send(hub::browser_page(false, "Not found", "There is nothing here."));
          const std::lock_guard lock(mutex_);
          came_.emplace_back("?" + request.query_text, std::move(responder));
        }));
    return Done{};
  }
  bool listens() const { return server_ != nullptr; }
  std::string redirect_uri() const {
    return "http://127.0.0.1:" + std::to_string(server_->port()) + std::string(plugin::redirect_path);
  }
  std::vector<std::pair<std::string, net::Responder>> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(came_, {});
  }

 private:
  std::mutex mutex_;  // guards came_
  std::vector<std::pair<std::string, net::Responder>> came_;
  std::unique_ptr<net::HttpServer> server_;  // ends before what its handler uses
};

// Lines of standard input, as they come.
class Pasted {
 public:
  std::optional<std::string> wait(int ms) {
    pollfd in{.fd = open_ ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0};
    if (::poll(&in, 1, ms) > 0) {
      char buffer[4096];
      const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
      open_ = n > 0;
      if (n > 0) text_.append(buffer, static_cast<std::size_t>(n));
      if (text_.size() > pasted_bytes_max) text_.clear();
    }
    const std::size_t end = text_.find('\n');
    if (end == std::string::npos) return std::nullopt;
    std::string line = text_.substr(0, end);
    text_.erase(0, end + 1);
    if (line.find_first_not_of(" \t\r") == std::string::npos) return std::nullopt;
    return line;
  }
  bool open() const { return open_; }

 private:
  bool open_ = true;
  std::string text_;
};

void show(const Common& common, const std::string& url, const std::string& redirect_uri, bool listened_to) {
  if (common.json) {
    std::string out;
    JsonWriter(out)
        .begin_object()
        .member("authorize_url", url)
        .member("redirect_uri", redirect_uri)
        .end_object();
    (void)std::puts(out.c_str());
  } else {
    (void)std::printf("Open this in a browser, log in and allow the access:\n\n  %s\n\n", url.c_str());
    if (listened_to) (void)std::printf("Waiting for it to come back to %s.\n", redirect_uri.c_str());
    (void)std::printf(
        "%s, paste here the address that it ends at, or the code that it shows:\n",
        listened_to ? "If it does not get there" : "It is then sent on to where nobody listens. In any case");
  }
  (void)std::fflush(stdout);
}

// Until it is over.
Report wait(Way& way, Loopback& loopback, bool listened_to) {
  Pasted pasted;
  std::vector<net::Responder> browsers;
  const auto answer = [&](const std::string& text, net::Responder* browser) {
    const Status taken = way.answer(text);
    if (browser != nullptr && taken) browsers.push_back(*browser);
    if (browser != nullptr && !taken)
      browser->send(hub::browser_page(false, "Not connected", taken.error().detail));
    if (!taken && !way.report().over) (void)fail(taken.error().detail);
  };
  while (true) {
    if (const std::optional<std::string> line = pasted.wait(look_every_ms)) answer(*line, nullptr);
    for (auto& [text, browser] : loopback.take()) answer(text, &browser);
    Report report = way.report();
    if (!report.over && !listened_to && !pasted.open())
      report = {.over = true, .error = "no answer was pasted, and standard input has ended"};
    if (!report.over) continue;
    for (const net::Responder& browser : browsers) {
      browser.send(report.connected ? hub::browser_page(true, "Connected", "You may close this page.")
                                    : hub::browser_page(false, "Not connected", report.error));
    }
    return report;
  }
}

int list(const Common& common, const Setup& setup) {
  std::string text;
  if (const Answer answer = ask(*setup.config, "/v1/connect"); answer.reached) {
    if (answer.status != 200) return fail("the hub refused: " + answer.body);
    text = answer.body;
  } else {
    const auto all = hub::connectables(*setup.config, setup.registry);
    if (!all) return fail(all.error().detail);
    const std::string path = hub::database_path(setup.config->hub.data);
    std::unique_ptr<store::Database> database;
    std::optional<store::Vault> vault;
    if (std::error_code ignored; std::filesystem::exists(path, ignored)) {
      auto opened = store::Database::open(path, store::Access::read);
      if (!opened) return fail(opened.error().detail);
      database = std::move(opened).value();
      vault.emplace(*database, hub::key_path(setup.config->hub.data));
    }
    const auto made = hub::connections_json(all.value(), SystemClock(), vault ? &*vault : nullptr);
    if (!made) return fail(made.error().detail);
    text = made.value();
  }
  if (common.json) return std::puts(text.c_str()) < 0;
  JsonParser parser;
  const Json connections = parser.parse(text)["connections"];
  if (connections.size() == 0) (void)std::puts("nothing here is connected by hand");
  connections.elements([](Json c) {
    const auto text_of = [&](const char* member) { return std::string(c[member].string_or("")); };
    const std::string state = text_of("state");
    std::string said = state == "connected" ? "connected since " + text_of("since")
                       : state == "not_connected"
                           ? "not connected: run 'sluice connect " + text_of("name") + "'"
                           : "ended: run 'sluice connect " + text_of("name") + "'";
    if (!text_of("detail").empty()) said += " (" + text_of("detail") + ")";
    (void)std::printf("%-20s %-12s %-16s %s\n", text_of("name").c_str(), text_of("kind").c_str(),
                      text_of("plugin").c_str(), said.c_str());
  });
  return 0;
}

}  // namespace

int connect(const Common& common, const ConnectOptions& options) {
  const Setup setup = load(common, false);
  if (!report(setup, false)) return 1;
  const config::Config& config = *setup.config;
  if (options.list) return list(common, setup);
  if (options.name.empty()) return fail("say what to connect: 'sluice connect --list' names what needs it");
  std::unique_ptr<Way> way;
  const bool running = ask(config, "/healthz").reached;
  if (running) {
    way = std::make_unique<ByHub>(config, options.name);
  } else {
    auto what = hub::find_connectable(config, setup.registry, options.name);
    if (!what) return fail(what.error().detail);
    way = std::make_unique<ByStore>(config, std::move(what).value());
  }
  Loopback loopback;
  std::string redirect_uri = options.port ? std::string() : hub::callback_url(config);
  if (redirect_uri.empty()) {
    if (const Status listening = loopback.listen(options.port.value_or(0)); !listening)
      return fail(listening.error().detail);
    redirect_uri = loopback.redirect_uri();
  }
  const bool listened_to = running || loopback.listens();
  const Result<std::string> url = way->begin(redirect_uri);
  if (!url) return fail(url.error().detail);
  show(common, url.value(), redirect_uri, listened_to);
  const Report ended = wait(*way, loopback, listened_to);
  if (!ended.connected) return fail("'" + options.name + "' is not connected: " + ended.error);
  if (common.json) return std::puts("{\"state\":\"connected\"}") < 0;
  (void)std::printf("'%s' is connected%s\n", options.name.c_str(),
                    running ? "" : "; the next 'sluice run' uses it");
  return 0;
}

}  // namespace sluice::cli
