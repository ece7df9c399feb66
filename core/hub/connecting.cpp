#include "hub/connecting.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "base/text.hpp"

namespace sluice::hub {
namespace {

constexpr std::size_t attempts_max = 64;  // that are remembered

}  // namespace

std::string_view name_of(Connecting::State state) {
  constexpr std::string_view names[] = {"waiting", "exchanging", "connected", "failed"};
  return names[static_cast<std::size_t>(state)];
}

net::Response browser_page(bool good, std::string_view title, std::string_view text) {
  net::Response out;
  out.status = good ? 200 : 400;
  out.content_type = "text/html; charset=utf-8";
  out.body = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sluice</title><h1>";
  append_html_escaped(out.body, title);
  out.body += "</h1><p>";
  append_html_escaped(out.body, text);
  out.body += "</p></html>\n";
  // The address of this page holds the code: it goes nowhere else, and nothing is loaded.
  out.headers = {{"Cache-Control", "no-store"},
                 {"Referrer-Policy", "no-referrer"},
                 {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
                 {"X-Content-Type-Options", "nosniff"}};
  return out;
}

Connecting::Connecting(const Clock& clock, store::Vault& vault, net::HttpClient& http, Connected connected)
    : clock_(clock), vault_(vault), http_(http), connected_(std::move(connected)) {
  worker_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Connecting::~Connecting() {
  stop();
}

void Connecting::stop() {
  worker_.request_stop();
  if (worker_.joinable()) worker_.join();
}

// Called with the mutex held.
void Connecting::expire() {
  for (Attempt& attempt : attempts_) {
    if (attempt.report.state == State::waiting && clock_.wall_us() >= attempt.authorization.until)
      finish(attempt, "nobody has answered within " + format_duration(plugin::authorization_age));
  }
  while (attempts_.size() > attempts_max && attempts_.front().report.state >= State::connected)
    attempts_.pop_front();
}

// Called with the mutex held. An empty error: it is connected.
void Connecting::finish(Attempt& attempt, std::string error) {
  attempt.report.state = error.empty() ? State::connected : State::failed;
  attempt.report.error = std::move(error);
  attempt.authorization = {};
  attempt.code.clear();
  attempt.what.policy = {};
}

Result<Connecting::Started> Connecting::begin(Connectable what, std::string redirect_uri) {
  plugin::Authorization authorization = SLUICE_TRY(
      plugin::begin_authorization(what.policy.auth.oauth2, std::move(redirect_uri), clock_.wall_us()));
  const std::lock_guard lock(mutex_);
  expire();
  for (Attempt& other : attempts_) {
    const bool same = other.what.kind == what.kind && other.what.name == what.name;
    if (same && other.report.state == State::waiting)
      finish(other, "another 'sluice connect " + what.name + "' has taken its place");
  }
  Attempt& attempt = attempts_.emplace_back();
  attempt.id = ++ids_;
  attempt.report.name = what.name;
  attempt.what = std::move(what);
  attempt.authorization = std::move(authorization);
  return Started{attempt.id, attempt.authorization.url, attempt.authorization.redirect_uri};
}

bool Connecting::waiting() {
  const std::lock_guard lock(mutex_);
  expire();
  return std::any_of(attempts_.begin(), attempts_.end(),
                     [](const Attempt& a) { return a.report.state == State::waiting; });
}

std::optional<Connecting::Report> Connecting::report(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  expire();
  for (const Attempt& attempt : attempts_) {
    if (attempt.id == id) return attempt.report;
  }
  return std::nullopt;
}

// Called with the mutex held. A refusal of the vendor ends the attempt; what is not its answer does not.
Status Connecting::take(Attempt& attempt, const plugin::Redirect& redirect) {
  Result<std::string> code = plugin::accept(attempt.what.policy.auth.oauth2, attempt.authorization, redirect);
  if (!code) {
    if (!redirect.error.empty() && redirect.state == attempt.authorization.state) {
      log_warn("hub", "'" + attempt.what.name + "' was not connected: " + code.error().detail);
      finish(attempt, code.error().detail);
    }
    return code.error();
  }
  attempt.code = std::move(code).value();
  attempt.report.state = State::exchanging;
  exchanges_.push_back(attempt.id);
  wake_.notify_one();
  return Done{};
}

Status Connecting::answer(std::uint64_t id, std::string_view pasted) {
  const std::lock_guard lock(mutex_);
  expire();
  for (Attempt& attempt : attempts_) {
    if (attempt.id != id) continue;
    if (attempt.report.state != State::waiting)
      return Error{Code::rejected, "this connect no longer waits: an answer is used once"};
    return take(attempt, plugin::read_pasted(pasted));
  }
  return Error{Code::rejected, "nobody waits for this answer: run 'sluice connect' again"};
}

bool Connecting::callback(const net::Request& request, const net::Responder& responder) {
  const std::lock_guard lock(mutex_);
  expire();
  const plugin::Redirect redirect = plugin::read_redirect(request.query_text);
  bool any = false;
  for (Attempt& attempt : attempts_) {
    if (attempt.report.state != State::waiting) continue;
    any = true;
    if (redirect.state.empty() || redirect.state != attempt.authorization.state) continue;
    const Status taken = take(attempt, redirect);
    if (taken) {
      attempt.browser = responder;
    } else {
      responder.send(browser_page(false, "Not connected", taken.error().detail));
    }
    return true;
  }
  if (!any) return false;
  responder.send(
      browser_page(false, "Not connected",
                   "No connect waits for this answer: it was used before, is too old, or was not asked "
                   "for here ('state'). Run 'sluice connect' again."));
  return true;
}

void Connecting::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (wake_.wait(lock, stop, [&] { return !exchanges_.empty(); }), !exchanges_.empty()) {
    const std::uint64_t id = exchanges_.front();
    exchanges_.pop_front();
    const auto found =
        std::find_if(attempts_.begin(), attempts_.end(), [&](const Attempt& a) { return a.id == id; });
    Attempt& attempt = *found;  // one that is exchanged is not forgotten
    const Connectable what = attempt.what;
    const plugin::Authorization authorization = attempt.authorization;
    const std::string code = attempt.code;
    lock.unlock();
    ConnectServices services(what, clock_, vault_, &http_);
    const Status done = plugin::connect(services, what.policy, authorization, code);
    if (done) {
      log_info("hub", "'" + what.name + "' is connected");
      connected_(what);
    } else {
      log_warn("hub", "'" + what.name + "' was not connected: " + done.error().detail);
    }
    lock.lock();
    finish(attempt, done ? std::string() : done.error().detail);
    if (const auto browser = std::exchange(attempt.browser, std::nullopt)) {
      browser->send(
          done ? browser_page(true, "Connected", "'" + what.name + "' is connected. You may close this page.")
               : browser_page(false, "Not connected", done.error().detail));
    }
  }
}

}  // namespace sluice::hub
