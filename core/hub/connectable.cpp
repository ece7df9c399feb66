// What a person connects, and what is kept of it.
#include <algorithm>
#include <charconv>

#include "sluice/plugin.h"

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "hub/connecting.hpp"
#include "hub/hub.hpp"
#include "hub/services.hpp"
#include "plugin/connector.hpp"

namespace sluice::hub {
namespace {

struct Candidate {
  const char* kind;
  const std::string& name;
  const std::string& plugin;
  const std::string& with;
  std::vector<std::string> allow_hosts;
  const plugin::Entry* entry;
};

std::vector<Candidate> candidates(const config::Config& config, const plugin::Registry& registry) {
  std::vector<Candidate> out;
  for (const config::Source& s : config.sources)
    out.push_back({"source", s.name, s.plugin, s.with, {}, registry.find(s.plugin, SLUICE_SOURCE)});
  for (const config::Destination& d : config.destinations) {
    out.push_back({"destination", d.name, d.plugin, d.with, d.allow_hosts,
                   registry.find(d.plugin, SLUICE_DESTINATION)});
  }
  return out;
}

bool is_connected_by_hand(const Candidate& c) {
  return c.entry != nullptr && c.entry->info.auth.kind == plugin::AuthKind::oauth2 &&
         c.entry->info.auth.oauth2.grant == plugin::Grant::authorization_code;
}

Result<Connectable> connectable(const config::Config& config, const Candidate& c) {
  plugin::Instance instance;
  instance.name = c.name;
  instance.folder = folder_of(config);
  instance.config = SLUICE_TRY(config::expand_secrets(c.with.empty() ? "{}" : c.with, instance.folder));
  instance.allow_hosts = c.allow_hosts;
  return Connectable{c.kind, c.name, c.plugin, SLUICE_TRY(plugin::policy_of(*c.entry, instance))};
}

}  // namespace

bool any_connectable(const config::Config& config, const plugin::Registry& registry) {
  const std::vector<Candidate> all = candidates(config, registry);
  return std::any_of(all.begin(), all.end(), is_connected_by_hand);
}

Result<std::vector<Connectable>> connectables(const config::Config& config,
                                              const plugin::Registry& registry) {
  std::vector<Connectable> out;
  for (const Candidate& c : candidates(config, registry)) {
    if (is_connected_by_hand(c)) out.push_back(SLUICE_TRY(connectable(config, c)));
  }
  return out;
}

Result<Connectable> find_connectable(const config::Config& config, const plugin::Registry& registry,
                                     std::string_view name) {
  const std::vector<Candidate> all = candidates(config, registry);
  std::vector<const Candidate*> named, by_hand;
  std::vector<std::string> names;
  for (const Candidate& c : all) {
    names.push_back(c.name);
    if (c.name != name && std::string(c.kind) + '/' + c.name != name) continue;
    named.push_back(&c);
    if (is_connected_by_hand(c)) by_hand.push_back(&c);
  }
  if (by_hand.size() == 1) return connectable(config, *by_hand.front());
  const std::string text(name);
  if (by_hand.size() > 1) {
    return Error{Code::rejected, "both a source and a destination are named '" + text +
                                     "': run 'sluice connect source/" + text + "' or 'destination/" + text +
                                     "'"};
  }
  if (!named.empty()) {
    return Error{Code::rejected, "'" + text + "' needs nobody to connect it: the plugin '" +
                                     named.front()->plugin + "' takes its credentials, if any, from 'with:'"};
  }
  const std::string meant = closest(name, names);
  return Error{Code::rejected, "no source or destination is named '" + text + "': " +
                                   (meant.empty() ? "'sluice connect --list' names those that need it"
                                                  : "did you mean '" + meant + "'?")};
}

ConnectServices::ConnectServices(const Connectable& what, const Clock& clock, store::Vault& vault,
                                 net::HttpClient* http)
    : folder_(what.kind == "source" ? store::vault_folder_of_source(what.name)
                                    : store::vault_folder_of_destination(what.name)),
      clock_(clock),
      vault_(vault),
      http_(http) {}

Result<std::optional<std::string>> ConnectServices::kept_secret(std::string_view key) {
  return vault_.get(folder_ + std::string(key));
}

Status ConnectServices::keep_secret(std::string_view key, std::string_view value) {
  return vault_.put(folder_ + std::string(key), value);
}

std::shared_ptr<void> ConnectServices::turn(std::string_view key) {
  return vault_.turn(folder_ + std::string(key));
}

plugin::Response ConnectServices::http(const plugin::HttpRequest& request) {
  if (http_ != nullptr) return from_net(http_->fetch(to_net(request)));
  plugin::Response none;
  none.error = "nothing is sent here";
  return none;
}

Result<plugin::Connection> kept_connection(const Connectable& what, const Clock& clock, store::Vault& vault) {
  ConnectServices services(what, clock, vault, nullptr);
  return plugin::kept_connection(services, what.policy.auth.oauth2);
}

Result<std::string> connections_json(const std::vector<Connectable>& all, const Clock& clock,
                                     store::Vault* vault) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().key("connections").begin_array();
  for (const Connectable& one : all) {
    const Result<plugin::Connection> kept =
        vault != nullptr ? kept_connection(one, clock, *vault) : plugin::Connection{};
    w.begin_object().member("name", one.name).member("kind", one.kind).member("plugin", one.plugin);
    const bool never_made = kept && kept.value().since == 0;
    const bool usable = kept && kept.value().usable;
    w.member("state", usable ? "connected" : never_made ? "not_connected" : "ended");
    w.key("since");
    kept && !never_made ? w.string(format_time(kept.value().since)) : w.null();
    std::string detail;
    if (!kept) {
      detail = kept.error().detail;
    } else if (kept.value().refused != 0) {
      detail = "the vendor refuses it since " + format_time(kept.value().refused);
    } else if (!usable && !never_made) {
      detail = "the access has ended, and the vendor gave no refresh token";
    }
    w.member("detail", detail).end_object();
  }
  w.end_array().end_object();
  return out;
}

Result<std::string> Hub::connections() const {
  return connections_json(SLUICE_TRY(connectables(*config(), *options_.registry)), clock_, vault_.get());
}

std::vector<std::pair<Connectable, bool>> Hub::connected() const {
  std::vector<std::pair<Connectable, bool>> out;
  Result<std::vector<Connectable>> all = connectables(*config(), *options_.registry);
  if (!all) return out;
  for (Connectable& one : all.value()) {
    const Result<plugin::Connection> kept = kept_connection(one, clock_, *vault_);
    const bool usable = kept && kept.value().usable;
    out.emplace_back(std::move(one), usable);
  }
  return out;
}

Result<Connecting::Started> Hub::connect(std::string_view name, std::string redirect_uri) {
  const auto config = this->config();
  Connectable what = SLUICE_TRY(find_connectable(*config, *options_.registry, name));
  if (redirect_uri.empty()) redirect_uri = callback_url(*config);
  if (redirect_uri != callback_url(*config) && !is_loopback_redirect(redirect_uri)) {
    return Error{Code::rejected,
                 "a browser comes back to 'hub.public_url', which is not set, or to http://127.0.0.1:PORT" +
                     std::string(plugin::redirect_path)};
  }
  return connecting_->begin(std::move(what), std::move(redirect_uri));
}

// What was refused for want of a token goes on at once.
void Hub::renew(const Connectable& what) {
  const store::AuditRow row{clock_.wall_us(), "operator", "connect", what.kind + ' ' + what.name, ""};
  if (const Status told = database_->audit(row); !told) log_warn("store", told.error().detail);
  if (what.kind == "destination") return engine_->delivery().renew(what.name);
  const std::lock_guard lock(sources_mutex_);
  for (const auto& source : sources_) source->runner->renew(what.name);
}

std::string callback_url(const config::Config& config) {
  std::string url = config.hub.public_url;
  while (url.ends_with('/')) url.pop_back();
  return url.empty() ? url : url + std::string(plugin::redirect_path);
}

bool is_loopback_redirect(std::string_view url) {
  constexpr std::string_view head = "http://127.0.0.1:";
  if (!url.starts_with(head) || !url.ends_with(plugin::redirect_path)) return false;
  url.remove_prefix(head.size());
  url.remove_suffix(plugin::redirect_path.size());
  unsigned port = 0;
  const auto [end, bad] = std::from_chars(url.data(), url.data() + url.size(), port);
  return bad == std::errc{} && end == url.data() + url.size() && port > 0 && port < 65536;
}

}  // namespace sluice::hub
