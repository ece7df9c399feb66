#include "plugin/http_request.hpp"

#include <algorithm>
#include <optional>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "plugin/aws_sigv4.hpp"
#include "plugin/standard_webhooks.hpp"
#include "plugin/url.hpp"

namespace sluice::plugin {
namespace {

// "*.braze.com" is any one label before it; "host:8443" binds the port too. An allow_hosts entry may be a
// whole URL.
bool host_matches(std::string_view pattern, const UrlParts& url) {
  if (pattern.find("://") != std::string_view::npos) {
    const std::optional<UrlParts> parts = split_url(pattern);
    return parts && parts->scheme == url.scheme && equals_ignoring_case(parts->host, url.host) &&
           parts->port == url.port;
  }
  std::string_view host = pattern, port;
  const std::size_t colon = pattern.rfind(':');
  if (colon != std::string_view::npos && pattern.find(':') == colon) {
    host = pattern.substr(0, colon);
    port = pattern.substr(colon + 1);
  }
  if (!port.empty() && port != "*" && port != url.port) return false;
  if (!host.starts_with("*.")) return equals_ignoring_case(host, url.host);
  const std::size_t dot = url.host.find('.');
  return dot != std::string_view::npos && dot > 0 &&
         equals_ignoring_case(url.host.substr(dot), host.substr(1));
}

bool any_matches(const std::vector<std::string>& patterns, const UrlParts& url) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& p) { return host_matches(p, url); });
}

// What stands between the braces: "config.NAME" or "secret.NAME", or several with | between, of which the
// first that is set counts; the last may be a text of its own. A field of `config` that is not set has its
// default of `schema`. Nothing: it is none of ours, and stays.
Result<std::optional<std::string>> lookup(std::string_view names, Json config, Json schema,
                                          const std::map<std::string, std::string>& secrets) {
  std::string missing;
  for (const std::string_view one : split(names, '|')) {
    const bool of_config = one.starts_with("config."), of_secrets = one.starts_with("secret.");
    if (!of_config && !of_secrets)
      return missing.empty() ? std::optional<std::string>() : std::optional(std::string(one));
    const std::string name(one.substr(7));
    missing += (missing.empty() ? "'" : "' or '") + name;
    if (of_config) {
      Json value = config[name];
      if (value.is_null_or_missing()) value = schema["properties"][name]["default"];
      if (!value.is_null_or_missing())
        return std::optional(value.is_string() ? std::string(*value.string()) : value.text());
    } else if (const auto secret = secrets.find(name); secret != secrets.end() && !secret->second.empty()) {
      return std::optional(secret->second);
    }
  }
  const char* const what = names.starts_with("secret.") ? "the secret " : "";
  return Error{Code::misconfigured, what + missing + "' is missing in 'with:'"};
}

Result<std::string> expand(std::string_view text, Json config, Json schema,
                           const std::map<std::string, std::string>& secrets) {
  std::string out;
  for (std::size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{')) {
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) break;
    const auto value = SLUICE_TRY(lookup(text.substr(open + 1, close - open - 1), config, schema, secrets));
    out.append(text.substr(0, value ? open : open + 1));
    if (value) out += *value;
    text.remove_prefix(value ? close + 1 : open + 1);
  }
  return out.append(text);
}

bool breaks_header(const Header& header) {
  static constexpr std::string_view controls{"\r\n\0", 3};
  return header.name.empty() || header.name.find_first_of(": \t") != std::string::npos ||
         header.name.find_first_of(controls) != std::string::npos ||
         header.value.find_first_of(controls) != std::string::npos;
}

void add_auth(const Auth& auth, TimeUs now, HttpRequest& out) {
  if (auth.kind == AuthKind::header) {
    out.headers.push_back({auth.name, auth.value});
  } else if (auth.kind == AuthKind::basic) {
    out.headers.push_back({"authorization", "Basic " + base64(auth.user + ":" + auth.password)});
  } else if (auth.kind == AuthKind::query) {
    out.url += out.url.find('?') == std::string::npos ? '?' : '&';
    out.url += percent_encode(auth.name) + '=' + percent_encode(auth.value);
  } else if (auth.kind == AuthKind::standard_webhooks) {
    sign_standard_webhook(auth.value, now, out);
  } else if (auth.kind == AuthKind::aws_sigv4) {
    sign_aws_v4(auth.aws, now, out);
  }
}

// A browser goes there and comes back with a code.
Status check_authorize_url(const HttpPolicy& policy) {
  const std::string& url = policy.auth.oauth2.authorize_url;
  if (!split_url(url)) {
    return Error{Code::misconfigured, "the authorization URL is no address: write https://HOST/PATH"};
  }
  const Result<HttpRequest> ready = resolve(policy, {.method = "GET", .url = url, .no_auth = true}, 0);
  if (!url.starts_with("https://") && !(ready && ready.value().host_trusted)) {
    return Error{Code::misconfigured,
                 "the authorization URL is not https: what comes back would cross the network in the clear"};
  }
  return Done{};
}

// Credentials go to it: it must be one of the hosts that the manifest and the operator name, over TLS unless
// the operator named it.
Status check_token_url(const HttpPolicy& policy) {
  const std::string& url = policy.auth.oauth2.token_url;  // absolute by now
  const Result<HttpRequest> ready = resolve(policy, {.method = "POST", .url = url, .no_auth = true}, 0);
  if (!ready || !split_url(url)) {
    return Error{Code::misconfigured,
                 "the token URL's host is none of the manifest's 'hosts' (or no host at all): "
                 "add it there, or name it under allow_hosts if it is meant"};
  }
  if (!ready.value().host_trusted && !url.starts_with("https://")) {
    return Error{Code::misconfigured,
                 "the token URL is not https: credentials would cross the network in the clear"};
  }
  return policy.auth.oauth2.grant == Grant::authorization_code ? check_authorize_url(policy) : Done{};
}

// The first of `choices` that `fill` can fill; else why it can fill none.
template <typename T, typename F>
Result<T> first_filled(const T& first, const std::vector<T>& others, const F& fill) {
  Result<T> out = fill(first);
  std::string why = out ? "" : out.error().detail;
  for (auto next = others.begin(); !out && next != others.end(); ++next) {
    out = fill(*next);
    if (!out) why += ", or " + out.error().detail;
  }
  if (!out) return Error{out.error().code, std::move(why)};
  return out;
}

}  // namespace

Result<HttpPolicy> make_http_policy(const ManifestInfo& info, std::string_view config_json,
                                    const std::map<std::string, std::string>& secrets,
                                    std::vector<std::string> allow_hosts) {
  JsonParser parser, schema_parser;
  const Json config = parser.parse(config_json), schema = schema_parser.parse(info.config_schema);
  const auto fill = [&](std::string_view text) { return expand(text, config, schema, secrets); };
  HttpPolicy out;
  out.hosts = info.hosts;
  out.allow_hosts = std::move(allow_hosts);
  out.timeout = info.timeout;
  out.base_url = SLUICE_TRY(
      first_filled(info.base_url, info.base_urls_else, [&](const std::string& url) -> Result<std::string> {
        out.base_of_operator = url.starts_with("{config.");
        return fill(url);
      }));
  const auto fill_whole = [&](Auth auth) -> Result<Auth> {
    if (auth.kind == AuthKind::standard_webhooks && secrets.empty()) return Auth{};  // unsigned
    SLUICE_TRY(fill_auth(auth, fill));
    return auth;
  };
  out.auth = SLUICE_TRY(first_filled(info.auth, info.auths_else, fill_whole));
  if (out.auth.kind == AuthKind::standard_webhooks) {
    out.auth.value = SLUICE_TRY(webhook_secret(out.auth.value));
  } else if (breaks_header({"x", out.auth.value}) || breaks_header({"x", out.auth.aws.session_token}) ||
             breaks_header({"x", out.auth.aws.access_key})) {
    return Error{Code::misconfigured, "a secret holds a line break, which no header can carry"};
  }
  while (out.base_url.ends_with('/')) out.base_url.pop_back();
  if (!out.base_url.empty() && !split_url(out.base_url)) {
    return Error{Code::misconfigured, "the base URL of '" + info.id + "' is none: write https://HOST"};
  }
  std::string& token_url = out.auth.oauth2.token_url;
  if (token_url.starts_with('/')) token_url = out.base_url + token_url;
  if (out.auth.kind == AuthKind::oauth2) SLUICE_TRY(check_token_url(out));
  return out;
}

Result<HttpRequest> resolve(const HttpPolicy& policy, const Request& request, TimeUs now) {
  const auto refuse = [](const char* why) { return Error{Code::rejected, std::string("request: ") + why}; };
  HttpRequest out{.method = request.method,
                  .url = request.url,
                  .headers = request.headers,
                  .body = request.body,
                  .timeout = request.timeout_ms > 0 ? request.timeout_ms * us_per_ms : policy.timeout,
                  .gzip = request.gzip,
                  .host_trusted = false};
  if (out.url.empty() || out.url.starts_with('/') || out.url.starts_with('?')) {
    if (policy.base_url.empty()) return refuse("its URL has no host and the manifest has no base_url");
    out.url = policy.base_url + out.url;
  }
  const std::optional<UrlParts> url = split_url(out.url);
  if (!url) return refuse("its URL is no http(s) address");
  const std::optional<UrlParts> base = split_url(policy.base_url);
  const bool on_base = base && base->scheme == url->scheme && base->port == url->port &&
                       equals_ignoring_case(base->host, url->host);
  out.host_trusted = any_matches(policy.allow_hosts, *url) || (on_base && policy.base_of_operator);
  if (!out.host_trusted && !on_base && !any_matches(policy.hosts, *url)) {
    return refuse("its host is none of the manifest's; name it under allow_hosts if it is meant");
  }
  const bool broken = std::any_of(out.headers.begin(), out.headers.end(), breaks_header);
  if (broken || out.method.empty() || out.method.find_first_of(" \r\n") != std::string::npos) {
    return refuse("its method or a header cannot be sent");
  }
  if (!request.no_auth) add_auth(policy.auth, now, out);
  return out;
}

}  // namespace sluice::plugin
