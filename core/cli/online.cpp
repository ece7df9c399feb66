#include "cli/online.hpp"

#include <cstdio>
#include <filesystem>
#include <optional>

#include "base/clock.hpp"
#include "deliver/connector_courier.hpp"
#include "hub/services.hpp"
#include "hub/world.hpp"
#include "journal/lock.hpp"
#include "net/client.hpp"
#include "plugin/http_request.hpp"
#include "plugin/installation.hpp"
#include "store/database.hpp"
#include "store/vault.hpp"

namespace sluice::cli {

class OnlineServices final : public plugin::HostServices {
 public:
  OnlineServices(std::string name, std::unique_ptr<net::HttpClient> http, deliver::Redactor redactor)
      : name_(std::move(name)), http_(std::move(http)), redactor_(std::move(redactor)) {}

  // What the hub has kept, if it has run here. Without its lock it runs: then it alone writes.
  void use_store(const std::string& data) {
    std::error_code ignored;
    if (!std::filesystem::exists(hub::database_path(data), ignored)) return;
    Result<DirectoryLock> lock = DirectoryLock::take(data);
    if (lock) lock_.emplace(std::move(lock).value());
    auto database =
        store::Database::open(hub::database_path(data), lock_ ? store::Access::write : store::Access::read);
    if (!database) return;
    database_ = std::move(database).value();
    vault_ = std::make_unique<store::Vault>(*database_, hub::key_path(data));
  }
  std::string shown(const std::string& text) const { return redactor_(text); }

  void log(std::int32_t level, std::string_view text) override {
    if (level >= SLUICE_WARN) (void)std::fprintf(stderr, "%s: %s\n", name_.c_str(), redactor_(text).c_str());
  }
  TimeUs now_us() override { return clock_.wall_us(); }
  void metric(std::int32_t, std::string_view, double) override {}
  Result<std::optional<std::string>> get(std::string_view) override { return std::optional<std::string>(); }
  Status put(std::string_view, std::optional<std::string_view>) override { return Done{}; }
  Result<std::optional<std::string>> kept_secret(std::string_view key) override {
    if (!vault_) return std::optional<std::string>();
    return vault_->get(row(key));
  }
  Status keep_secret(std::string_view key, std::string_view value) override {
    if (!vault_ || !lock_) {
      return Error{Code::misconfigured,
                   vault_ ? "the token has ended, and the running hub alone renews it: try again when it has"
                          : "no hub has run here yet, and the token that came has to be kept: start it once"};
    }
    return vault_->put(row(key), value);
  }
  void hide(std::string_view secret) override { redactor_.add(secret); }
  plugin::Response http(const plugin::HttpRequest& request) override {
    const net::HttpResponse answer = http_->fetch(hub::to_net(request));
    plugin::Response out;
    out.status = answer.status;
    out.body = answer.body;
    out.error = answer.error;
    for (const auto& [name, value] : answer.headers) out.headers.push_back({name, value});
    out.retry_after_ms = answer.retry_after_ms;
    return out;
  }

 private:
  std::string row(std::string_view key) const { return "connector/" + name_ + '/' + std::string(key); }

  std::string name_;
  SystemClock clock_;
  std::unique_ptr<net::HttpClient> http_;
  deliver::Redactor redactor_;
  std::optional<DirectoryLock> lock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::Vault> vault_;
};

Online::Online() = default;
Online::Online(Online&&) noexcept = default;
Online::~Online() = default;

plugin::HostServices& Online::host() const {
  return *services;
}

std::string Online::shown(const std::string& text) const {
  return services->shown(text);
}

Result<Online> go_online(const Setup& setup, const Named& named) {
  const plugin::Entry* const entry = setup.registry.find(named.plugin, named.kind);
  if (entry == nullptr) return Error{Code::misconfigured, "no connector is named '" + named.plugin + "'"};
  const std::string settings = named.with.empty() ? "{}" : named.with;
  plugin::Instance instance;
  instance.name = named.name;
  instance.folder = std::filesystem::absolute(setup.config->file).parent_path().lexically_normal().string();
  instance.allow_hosts = named.allow_hosts;
  instance.config = SLUICE_TRY(config::expand_secrets(settings, instance.folder));
  if (named.isolation.process) {
    instance.program = SLUICE_TRY(plugin::connector_program());
    instance.memory_bytes = named.isolation.memory_bytes;
  }
  Online out;
  out.services =
      std::make_unique<OnlineServices>(named.name, SLUICE_TRY(net::HttpClient::create()),
                                       deliver::Redactor(settings, instance.config, entry->info.secrets));
  out.services->use_store(setup.config->hub.data);
  Result<std::unique_ptr<plugin::Connector>> opened =
      plugin::Connector::open(*entry, instance, *out.services);
  if (!opened) return Error{opened.error().code, out.shown(opened.error().detail)};
  out.connector = std::move(opened).value();
  return out;
}

}  // namespace sluice::cli
