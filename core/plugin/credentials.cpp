#include "plugin/credentials.hpp"

#include <algorithm>
#include <future>

#include "plugin/authorization.hpp"

namespace sluice::plugin {
namespace {

// What an endpoint repeats of what it was asked is not shown.
void cut(std::string& text, const std::string& secret) {
  if (secret.empty()) return;
  for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3)) {
    text.replace(at, secret.size(), "***");
  }
}

}  // namespace

Credentials::Credentials(HostServices& services, const HttpPolicy& policy)
    : services_(&services), policy_(policy), kept_name_(kept_token_name(policy.auth.oauth2)) {}

Credentials::~Credentials() {
  close();
}

void Credentials::close() {
  std::vector<Use> waiting;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    waiting.swap(waiting_);
  }
  if (worker_.joinable()) {
    worker_.request_stop();
    worker_.join();
  }
  {
    const std::lock_guard lock(mutex_);
    services_ = nullptr;
  }
  for (const Use& use : waiting) use({.error = Error{Code::cancelled, "the connection ends"}});
}

bool Credentials::usable(TimeUs now) const {
  return !access_.empty() && now < until_;
}

void Credentials::token(Use use) {
  TokenAnswer answer;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) {
      answer.error = Error{Code::cancelled, "the connection ends"};
    } else if (fetched()) {
      const TimeUs now = services_->now_us();
      if (usable(now)) {
        answer.token = access_;
      } else if (now < failed_until_) {
        answer = failure_;
        answer.retry_after = failed_until_ - now;
      } else {
        waiting_.push_back(std::move(use));
        if (!worker_.joinable()) worker_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
        wanted_.notify_one();
        return;
      }
    }
  }
  use(std::move(answer));
}

TokenAnswer Credentials::wait_token() {
  std::promise<TokenAnswer> got;
  token([&](TokenAnswer answer) { got.set_value(std::move(answer)); });
  return got.get_future().get();
}

void Credentials::refused(const std::string& token) {
  const std::lock_guard lock(mutex_);
  refused_ = token;
  if (token == access_) access_.clear();
}

void Credentials::add(const std::string& token, HttpRequest& request) const {
  if (token.empty()) return;
  std::string value = policy_.auth.value;
  value.replace(value.find("{token}"), std::string_view("{token}").size(), token);
  request.headers.push_back({policy_.auth.name, std::move(value)});
}

void Credentials::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (wanted_.wait(lock, stop, [&] { return !waiting_.empty(); }), !stop.stop_requested()) {
    lock.unlock();
    TokenAnswer answer = fetch();
    lock.lock();
    std::vector<Use> waiting;
    waiting.swap(waiting_);
    lock.unlock();
    for (const Use& use : waiting) use(answer);
    lock.lock();
  }
}

// The newest refresh token, and an access token that may still be good: the last process or another stream of
// the same source may have fetched it. True: that access token is the answer.
Result<bool> Credentials::take_kept(std::string& refresh) {
  const OAuth2& auth = policy_.auth.oauth2;
  if (unsaved_) {
    SLUICE_TRY(services_->keep_secret(kept_name_, *unsaved_));
    unsaved_.reset();
  }
  const std::optional<std::string> text = SLUICE_TRY(services_->kept_secret(kept_name_));
  if (connects() && !text) return Error{Code::misconfigured, connect_advice("not connected", policy_.name)};
  kept_ = KeptToken::parse(text.value_or("{}"));
  refresh = kept_.refresh.empty() ? auth.refresh_token : kept_.refresh;
  services_->hide(refresh);
  services_->hide(kept_.access);
  const TimeUs now = services_->now_us();
  const std::lock_guard lock(mutex_);
  // What a person allowed stays so, whatever a newer manifest asks for.
  const bool same = connects() || kept_.scopes == scope_of(auth);
  if (same && !kept_.access.empty() && now < kept_.until && kept_.access != refused_) {
    access_ = kept_.access;
    until_ = kept_.until;
    pause_ = failed_until_ = 0;
    return true;
  }
  if (!connects() || !refresh.empty()) return false;
  return Error{Code::misconfigured,
               connect_advice("the access has ended, and the vendor gave no refresh token", policy_.name)};
}

TokenAnswer Credentials::fetch() {
  const auto failed = [&](Error error, DurationUs asked) {
    for (const std::string* secret : {&policy_.auth.oauth2.client_secret, &policy_.auth.oauth2.refresh_token})
      cut(error.detail, *secret);
    const std::lock_guard lock(mutex_);
    pause_ = std::clamp(pause_ * 2, token_pause_first, token_pause_max);
    failure_ = {.error = std::move(error), .retry_after = std::max(pause_, asked)};
    failed_until_ = services_->now_us() + failure_.retry_after;
    access_.clear();
    return failure_;
  };
  const bool keeps = policy_.auth.oauth2.grant == Grant::refresh_token || connects();
  const std::shared_ptr<void> turn = keeps ? services_->turn(kept_name_) : nullptr;
  std::string refresh;
  if (keeps) {
    const Result<bool> there = take_kept(refresh);
    if (!there) return failed(there.error(), -1);
    const std::lock_guard lock(mutex_);
    if (there.value()) return {.token = access_};
  }
  DurationUs retry_after = -1;
  Result<Token> fetched = ask(refresh, retry_after);
  if (!fetched) return failed(std::move(fetched).error(), retry_after);
  Token& token = fetched.value();
  const TimeUs until = last_use(token.expires, services_->now_us());
  services_->hide(token.access);
  services_->hide(token.refresh);
  if (keeps) {
    if (token.refresh.empty()) token.refresh = std::move(refresh);
    const std::string scopes = connects() ? kept_.scopes : scope_of(policy_.auth.oauth2);
    unsaved_ = KeptToken{token.refresh, token.access, until, scopes, kept_.connected, 0}.text();
    if (const Status kept = services_->keep_secret(kept_name_, *unsaved_); !kept)
      return failed(kept.error(), -1);
    unsaved_.reset();
  }
  const std::lock_guard lock(mutex_);
  access_ = token.access;
  until_ = until;
  pause_ = failed_until_ = 0;
  return {.token = access_};
}

Result<Token> Credentials::ask(const std::string& refresh, DurationUs& retry_after) {
  const Request asked = SLUICE_TRY(token_request(policy_.auth.oauth2, refresh, services_->now_us()));
  HttpRequest ready = SLUICE_TRY(resolve(policy_, asked, services_->now_us()));
  ready.timeout = token_timeout;
  ready.for_credentials = true;
  const TimeUs before = services_->now_us();
  const Response response = services_->http(ready);
  if (response.retry_after_ms >= 0) retry_after = response.retry_after_ms * us_per_ms;
  if (connects() && grant_refused(response)) {
    note_refused();
    return Error{Code::misconfigured,
                 connect_advice("the vendor ended the connection (invalid_grant)", policy_.name)};
  }
  return token_of(response, before);  // its life began at the latest when it was asked for
}

// For `sluice connect --list`, and whoever looks before the first record.
void Credentials::note_refused() {
  if (std::exchange(kept_.refused, services_->now_us()) != 0) return;
  if (const Status noted = services_->keep_secret(kept_name_, kept_.text()); !noted) kept_.refused = 0;
}

std::string Credentials::unready() {
  const std::lock_guard lock(mutex_);
  if (!fetched() || !connects() || services_ == nullptr) return {};
  const Result<Connection> connection = kept_connection(*services_, policy_.auth.oauth2);
  if (!connection || connection.value().usable) return {};
  const Connection& c = connection.value();
  return connect_advice(c.since == 0     ? "not connected"
                        : c.refused != 0 ? "the vendor ended the connection (invalid_grant)"
                                         : "the access has ended, and the vendor gave no refresh token",
                        policy_.name);
}

void Credentials::renew() {
  const std::lock_guard lock(mutex_);
  access_.clear();
  refused_.clear();
  failure_ = {};
  pause_ = failed_until_ = 0;
}

}  // namespace sluice::plugin
