#include "plugin/oauth2.hpp"

#include <algorithm>
#include <array>

#include "base/hash.hpp"
#include "plugin/call.hpp"
#include "plugin/url.hpp"

namespace sluice::plugin {
namespace {

constexpr std::size_t described_bytes_max = 200;

void add(std::string& form, std::string_view name, std::string_view value) {
  if (!form.empty()) form += '&';
  form += percent_encode(name) + '=' + percent_encode(value);
}

// RFC 6749 5.2, and what of RFC 6749 4.1.2.1 and RFC 8628 endpoints say beside it.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> mends{{
    {"invalid_client", "the client id or secret in 'with:' is wrong or was withdrawn: make a new one there"},
    {"invalid_grant",
     "what it was given is expired, used or withdrawn: connect again there and give the new one in 'with:'"},
    {"unauthorized_client",
     "this client may not use this grant: allow it in the vendor's settings of the app"},
    {"unsupported_grant_type",
     "it does not know this grant: the plugin's manifest and the vendor do not fit"},
    {"invalid_scope",
     "it gives not all scopes that are asked for: allow them in the vendor's settings of the app"},
    {"invalid_request",
     "it misses something, or takes the client's name and secret in another place: see the "
     "manifest's 'client_auth' and 'params'"},
    {"access_denied", "access was denied: somebody with the right to it has to allow this app"},
    {"invalid_target",
     "it does not know what access is asked to: see 'audience' and 'params' of the manifest"},
}};

bool passes_by_itself(std::string_view error) {
  return error == "temporarily_unavailable" || error == "server_error" || error == "slow_down";
}

// What the endpoint says may be long, and is shown to people.
std::string shown(std::string_view text) {
  std::string out = tidy(text);
  if (out.size() > described_bytes_max) out.resize(described_bytes_max);
  return out;
}

Error refusal_of(const Response& response, Json body) {
  const std::string_view error = body["error"].string_or("");
  const std::string said = "the token endpoint answered HTTP " + std::to_string(response.status) +
                           (error.empty() ? std::string() : " " + shown(error));
  const std::string_view more = body["error_description"].string_or("");
  const std::string tail = more.empty() ? std::string() : " (" + shown(more) + ")";
  const bool later = response.status == 408 || response.status == 425 || response.status == 429 ||
                     response.status >= 500 || passes_by_itself(error);
  for (const auto& [name, mend] : mends) {
    if (name == error && !later) return {Code::misconfigured, said + ": " + std::string(mend) + tail};
  }
  if (later) return {Code::transient, said + tail};
  if (response.status >= 300 && response.status < 400) {
    return {Code::misconfigured,
            said + ": credentials follow no redirect; name the address that it moved to"};
  }
  if (response.status == 401 || response.status == 403) {
    return {Code::misconfigured,
            said + ": the client id or secret in 'with:' is wrong or was withdrawn" + tail};
  }
  return {Code::misconfigured, said + ": this is no token endpoint, or it wants something else" + tail};
}

Request empty_request(const OAuth2& auth) {
  Request out{.method = "POST", .url = auth.token_url, .no_auth = true};
  out.headers = {{"content-type", "application/x-www-form-urlencoded"}, {"accept", "application/json"}};
  return out;
}

void add_client(const OAuth2& auth, Request& out) {
  for (const auto& [name, value] : auth.params) add(out.body, name, value);
  if (auth.client_in_body || auth.client_secret.empty()) {
    // Without a secret the client only says who it is (RFC 6749 3.2.1); an assertion says that already.
    if (!auth.client_id.empty() && auth.grant != Grant::jwt_bearer)
      add(out.body, "client_id", auth.client_id);
    if (!auth.client_secret.empty()) add(out.body, "client_secret", auth.client_secret);
  } else {
    // RFC 6749 2.3.1: both encoded as in a form before they are joined.
    const std::string joined = percent_encode(auth.client_id) + ':' + percent_encode(auth.client_secret);
    out.headers.push_back({"authorization", "Basic " + base64(joined)});
  }
}

}  // namespace

std::string scope_of(const OAuth2& auth) {
  std::string out;
  for (const std::string& one : auth.scopes) out += (out.empty() ? "" : " ") + one;
  return out;
}

Result<Request> token_request(const OAuth2& auth, const std::string& refresh, TimeUs now) {
  Request out = empty_request(auth);
  switch (auth.grant) {
    case Grant::client_credentials:
      add(out.body, "grant_type", "client_credentials");
      break;
    case Grant::refresh_token:
    case Grant::authorization_code:
      add(out.body, "grant_type", "refresh_token");
      add(out.body, "refresh_token", refresh);
      break;
    case Grant::jwt_bearer:
      add(out.body, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
      add(out.body, "assertion", SLUICE_TRY(signed_assertion(auth, now)));
      break;
  }
  // What a person allowed is what the refresh token is good for (RFC 6749, 6), whatever is asked for since.
  const std::string scope = auth.grant == Grant::authorization_code ? std::string() : scope_of(auth);
  if (!scope.empty()) add(out.body, "scope", scope);
  add_client(auth, out);
  return out;
}

Request code_request(const OAuth2& auth, const std::string& code, const std::string& redirect_uri,
                     const std::string& verifier) {
  Request out = empty_request(auth);
  add(out.body, "grant_type", "authorization_code");
  add(out.body, "code", code);
  add(out.body, "redirect_uri", redirect_uri);
  add(out.body, "code_verifier", verifier);
  add_client(auth, out);
  return out;
}

bool grant_refused(const Response& response) {
  JsonParser parser;
  return parser.parse(response.body)["error"].string_or("") == "invalid_grant" && response.status < 500;
}

Result<Token> token_of(const Response& response, TimeUs now) {
  if (response.status == 0) {
    return Error{Code::transient, "the token endpoint gave no answer: " + shown(response.error)};
  }
  JsonParser parser;
  const Json body = parser.parse(response.body);
  if (response.status != 200 && response.status != 201) return refusal_of(response, body);
  // Some vendors answer 200 with an error in it.
  if (body["error"].is_string()) return refusal_of(response, body);
  Token out;
  out.access = body["access_token"].string_or("");
  out.refresh = body["refresh_token"].string_or("");
  const auto printable = [](const std::string& text) {
    return text.size() <= token_bytes_max &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  };
  if (out.access.empty() || !printable(out.access) || !printable(out.refresh)) {
    return Error{
        Code::misconfigured,
        "the token endpoint's answer holds no access token: is this the address of a token endpoint?"};
  }
  std::string type(body["token_type"].string_or("bearer"));
  for (char& c : type) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (type != "bearer") {
    return Error{Code::misconfigured,
                 "the token endpoint gives tokens of the type '" + shown(type) + "'; only bearer is known"};
  }
  // A number, or a text that is one: some vendors quote it.
  std::optional<double> seconds = body["expires_in"].number();
  if (const auto text = body["expires_in"].string()) seconds = parse_number(*text);
  if (seconds && *seconds >= 0 && *seconds < 1e9) {
    out.expires = now + static_cast<DurationUs>(*seconds * static_cast<double>(us_per_s));
  }
  return out;
}

}  // namespace sluice::plugin
