#include "plugin/authorization.hpp"

#include <algorithm>
#include <array>

#include "base/hash.hpp"
#include "base/seal.hpp"
#include "base/text.hpp"
#include "plugin/call.hpp"
#include "plugin/kept_token.hpp"
#include "plugin/oauth2.hpp"
#include "plugin/url.hpp"

namespace sluice::plugin {
namespace {

constexpr std::size_t secret_bytes = 32;  // 256 bits of state and verifier: 43 characters
constexpr std::size_t described_bytes_max = 200;

// RFC 6749 4.1.2.1.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> refusals{{
    {"access_denied", "access was denied there; who may allow it has to do so"},
    {"unauthorized_client",
     "this app may not ask so: allow the authorization code grant in its settings there"},
    {"invalid_scope", "the app may not ask for these scopes: allow them in its settings there"},
    {"invalid_request",
     "it misses something: see 'authorize_params' of the plugin's manifest, and that the redirect "
     "address stands in the app's settings there"},
    {"unsupported_response_type", "it gives no codes: the plugin's manifest and the vendor do not fit"},
    {"server_error", "it failed by itself: try again later"},
    {"temporarily_unavailable", "it is overloaded: try again later"},
    {"consent_required", "nobody has allowed it: log in there as who may"},
}};

std::string shown(std::string_view text) {
  std::string out = tidy(text);
  if (out.size() > described_bytes_max) out.resize(described_bytes_max);
  return out;
}

Error refusal_of(const Redirect& redirect) {
  std::string why = "the vendor answered '" + shown(redirect.error) + "'";
  for (const auto& [name, mend] : refusals) {
    if (name == redirect.error) why += ": " + std::string(mend);
  }
  if (!redirect.description.empty()) why += " (" + shown(redirect.description) + ")";
  return {Code::rejected, std::move(why)};
}

// application/x-www-form-urlencoded: '+' is a space.
std::string decoded(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? digit(text[i + 1]) : -1;
    const int low = high >= 0 ? digit(text[i + 2]) : -1;
    out += low >= 0 ? static_cast<char>(high * 16 + low) : text[i] == '+' ? ' ' : text[i];
    i += low >= 0 ? 2 : 0;
  }
  return out;
}

}  // namespace

Result<Authorization> begin_authorization(const OAuth2& auth, std::string redirect_uri, TimeUs now) {
  Authorization out;
  out.redirect_uri = std::move(redirect_uri);
  out.state = base64url(SLUICE_TRY(random_bytes(secret_bytes)));
  out.verifier = base64url(SLUICE_TRY(random_bytes(secret_bytes)));
  out.until = now + authorization_age;
  out.url = auth.authorize_url;
  char separator = auth.authorize_url.find('?') == std::string::npos ? '?' : '&';
  const auto add = [&](std::string_view name, std::string_view value) {
    out.url += separator + percent_encode(name) + '=' + percent_encode(value);
    separator = '&';
  };
  add("response_type", "code");
  add("client_id", auth.client_id);
  add("redirect_uri", out.redirect_uri);
  if (const std::string scope = scope_of(auth); !scope.empty()) add("scope", scope);
  add("state", out.state);
  add("code_challenge", base64url(sha256(out.verifier)));
  add("code_challenge_method", "S256");
  for (const auto& [name, value] : auth.authorize_params) add(name, value);
  return out;
}

Redirect read_redirect(std::string_view query) {
  Redirect out;
  for (const std::string_view pair : split(query, '&')) {
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string name = decoded(pair.substr(0, equals));
    std::string value = equals < pair.size() ? decoded(pair.substr(equals + 1)) : std::string();
    if (name == "code") out.code = std::move(value);
    if (name == "state") out.state = std::move(value);
    if (name == "error") out.error = std::move(value);
    if (name == "error_description") out.description = std::move(value);
    if (name == "iss") out.issuer = std::move(value);
  }
  return out;
}

Redirect read_pasted(std::string_view text) {
  text = trim(text);
  const std::size_t query = text.find('?');
  const bool parameters =
      text.find("code=") != std::string_view::npos || text.find("error=") != std::string_view::npos;
  if (!parameters) return {.code = std::string(text), .pasted_code = true};
  if (query != std::string_view::npos) text.remove_prefix(query + 1);
  return read_redirect(text.substr(0, text.find('#')));
}

Result<std::string> accept(const OAuth2& auth, const Authorization& attempt, const Redirect& redirect) {
  if (!redirect.pasted_code && !equal_constant_time(redirect.state, attempt.state)) {
    return Error{Code::rejected,
                 "it is the answer to another connect: 'state' is not the one that was sent; take the answer "
                 "to the address that was shown last"};
  }
  if (!auth.issuer.empty() && !redirect.pasted_code && redirect.issuer != auth.issuer) {
    return Error{Code::rejected, "it does not come from '" + auth.issuer + "' ('iss'): it is not used"};
  }
  if (!redirect.error.empty()) return refusal_of(redirect);
  const std::string& code = redirect.code;
  const bool good = !code.empty() && code.size() <= code_bytes_max &&
                    std::all_of(code.begin(), code.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!good) return Error{Code::rejected, "it holds no code: copy the whole address, from http to its end"};
  return code;
}

Status connect(HostServices& services, const HttpPolicy& policy, const Authorization& attempt,
               const std::string& code) {
  const OAuth2& auth = policy.auth.oauth2;
  const std::string row = kept_token_name(auth);
  const std::shared_ptr<void> turn = services.turn(row);
  const TimeUs before = services.now_us();
  services.hide(code);
  services.hide(attempt.verifier);
  HttpRequest ready =
      SLUICE_TRY(resolve(policy, code_request(auth, code, attempt.redirect_uri, attempt.verifier), before));
  ready.timeout = token_timeout;
  ready.for_credentials = true;
  const Response response = services.http(ready);
  Result<Token> got = token_of(response, before);
  if (!got) {
    if (!grant_refused(response)) return got.error();
    return Error{Code::rejected,
                 "the token endpoint answered invalid_grant: the code has expired, was used before, or is of "
                 "another connect"};
  }
  const Token& token = got.value();
  services.hide(token.access);
  services.hide(token.refresh);
  KeptToken kept{.refresh = token.refresh, .access = token.access};
  kept.until = last_use(token.expires, services.now_us());
  kept.scopes = scope_of(auth);
  kept.connected = std::max<TimeUs>(1, services.now_us());
  return services.keep_secret(row, kept.text());
}

Result<Connection> kept_connection(HostServices& services, const OAuth2& auth) {
  const std::optional<std::string> text = SLUICE_TRY(services.kept_secret(kept_token_name(auth)));
  if (!text) return Connection{};
  const KeptToken kept = KeptToken::parse(*text);
  const bool fresh = !kept.access.empty() && services.now_us() < kept.until;
  return Connection{.since = kept.connected,
                    .refused = kept.refused,
                    .usable = kept.refused == 0 && (fresh || !kept.refresh.empty())};
}

std::string connect_advice(std::string_view what, std::string_view name) {
  return std::string(what) + ": run 'sluice connect " + std::string(name) + "'";
}

}  // namespace sluice::plugin
