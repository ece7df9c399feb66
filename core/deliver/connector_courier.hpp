// The real courier: a plugin's connector and the hub's HTTP client.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "sluice/result.hpp"

#include "base/clock.hpp"
#include "config/config.hpp"
#include "deliver/courier.hpp"
#include "deliver/delivery.hpp"
#include "net/client.hpp"
#include "plugin/registry.hpp"

namespace sluice::store {
class Database;
class Vault;
}  // namespace sluice::store

namespace sluice::deliver {

struct Connections {  // all of it must outlive the couriers
  const plugin::Registry& registry;
  net::HttpClient& http;
  const Clock& clock;
  std::string folder;  // absolute: where relative paths in `with:` start
  // `with:` with its secrets in place of their references; see config::expand_secrets.
  std::function<Result<std::string>(const std::string& json)> expand_secrets;
  store::Database* database = nullptr;  // keeps what connectors put(); null: memory does
  // A line of a connector's own log, secrets cut out. May be empty. [any]
  std::function<void(std::int32_t level, std::string_view destination, std::string_view text)> log;
  // What a connector counts, unchecked. May be empty. [any]
  std::function<void(std::string_view destination, std::int32_t kind, std::string_view name, double value)>
      metric = {};
  // Where the routes of a source or destination stand in public; empty: nowhere. May be empty itself.
  std::function<std::string(std::string_view name)> routes_url = {};
  store::Vault* vault = nullptr;  // keeps tokens that vendors rotate; null: such connections do not work
  // A destination's connector has been opened; its process has ended before its time. May be empty. [any]
  std::function<void(const std::string& destination, const plugin::Entry&, const config::Isolation&)> opened =
      {};
  std::function<void(std::string_view destination, const std::string& how)> process_ended = {};
  std::stop_token stop = {};  // ends the opening of connectors
};

// For Delivery::open().
Delivery::MakeCourier make_couriers(Connections connections);

inline constexpr std::size_t later_secrets_max = 16;

// Replaces secrets by "***" in what people will read.
class Redactor {  // [any] but for add()
 public:
  // Secrets are the texts of `expanded` that differ from those of `with`, at whatever depth, and the fields
  // named.
  Redactor() = default;
  Redactor(std::string_view with, std::string_view expanded, const std::vector<std::string>& secret_fields);
  std::string operator()(std::string_view text) const;
  // One that came later: a token. Of these the latest `later_secrets_max` are known.
  void add(std::string_view secret);

 private:
  void gather();
  std::vector<std::string> secrets_;  // in every form, the longest first
  std::vector<std::string> first_, later_;
};

}  // namespace sluice::deliver
