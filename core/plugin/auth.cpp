#include "plugin/auth.hpp"

#include <array>

namespace sluice::plugin {
namespace {

Error bad(std::string what) {
  return {Code::rejected, "manifest: 'auth' " + std::move(what)};
}

constexpr std::array<std::pair<std::string_view, AuthKind>, 7> kinds{{
    {"none", AuthKind::none},
    {"header", AuthKind::header},
    {"query", AuthKind::query},
    {"basic", AuthKind::basic},
    {"standard_webhooks", AuthKind::standard_webhooks},
    {"oauth2", AuthKind::oauth2},
    {"aws_sigv4", AuthKind::aws_sigv4},
}};

constexpr std::array<std::pair<std::string_view, Grant>, 4> grants{{
    {"client_credentials", Grant::client_credentials},
    {"refresh_token", Grant::refresh_token},
    {"jwt_bearer", Grant::jwt_bearer},
    {"authorization_code", Grant::authorization_code},
}};

Status read_grant(Json auth, OAuth2& out) {
  const std::string_view name = auth["grant"].string_or("");
  bool known = false;
  for (const auto& [grant, value] : grants) {
    if (grant == name) out.grant = value, known = true;
  }
  if (!known)
    return bad("has the grant '" + std::string(name) +
               "'; client_credentials, refresh_token, jwt_bearer and authorization_code are known");
  const std::string_view client = auth["client_auth"].string_or("basic");
  if (client != "basic" && client != "body") return bad("has a 'client_auth' that is neither basic nor body");
  out.client_in_body = client == "body";
  return Done{};
}

Status read_oauth2(Json auth, Auth& out) {
  OAuth2& o = out.oauth2;
  SLUICE_TRY(read_grant(auth, o));
  for (const auto& [name, field] :
       std::initializer_list<std::pair<const char*, std::string*>>{{"token_url", &o.token_url},
                                                                   {"authorize_url", &o.authorize_url},
                                                                   {"client_id", &o.client_id},
                                                                   {"client_secret", &o.client_secret},
                                                                   {"refresh_token", &o.refresh_token},
                                                                   {"private_key", &o.private_key},
                                                                   {"key_id", &o.key_id},
                                                                   {"issuer", &o.issuer},
                                                                   {"subject", &o.subject},
                                                                   {"audience", &o.audience}}) {
    *field = auth[name].string_or("");
  }
  bool texts = true;
  auth["scopes"].elements([&](Json scope) {
    texts = texts && scope.is_string();
    o.scopes.emplace_back(scope.string_or(""));
  });
  auth["params"].members([&](std::string_view name, Json value) {
    texts = texts && value.is_string();
    o.params.emplace_back(name, value.string_or(""));
  });
  auth["authorize_params"].members([&](std::string_view name, Json value) {
    texts = texts && value.is_string();
    o.authorize_params.emplace_back(name, value.string_or(""));
  });
  if (!texts) return bad("has 'scopes', 'params' or 'authorize_params' that hold something that is no text");
  if (out.name.empty()) out.name = "authorization";
  if (out.value.empty()) out.value = "Bearer {token}";
  if (out.value.find("{token}") == std::string::npos)
    return bad("of type oauth2 has a 'value' without {token}");
  if (o.token_url.empty()) return bad("of type oauth2 needs 'token_url'");
  const bool client = !o.client_id.empty();
  const auto needs = [](bool whole, const char* what) {
    return whole ? Status(Done{}) : bad(std::string("of this grant needs ") + what);
  };
  switch (o.grant) {
    case Grant::client_credentials:
      return needs(client && !o.client_secret.empty(), "'client_id' and 'client_secret'");
    case Grant::refresh_token:
      return needs(client && !o.refresh_token.empty(), "'client_id' and 'refresh_token'");
    case Grant::jwt_bearer:
      return needs(!o.private_key.empty() && (client || !o.issuer.empty()),
                   "'private_key' and 'client_id' or 'issuer'");
    case Grant::authorization_code:
      return needs(client && !o.authorize_url.empty(), "'client_id' and 'authorize_url'");
  }
  return Done{};
}

Status read_aws(Json auth, AwsKeys& out) {
  out.region = auth["region"].string_or("");
  out.service = auth["service"].string_or("");
  out.access_key = auth["access_key"].string_or("");
  out.secret_key = auth["secret_key"].string_or("");
  out.session_token = auth["session_token"].string_or("");
  if (out.region.empty() || out.service.empty() || out.access_key.empty() || out.secret_key.empty()) {
    return bad("of type aws_sigv4 needs 'region', 'service', 'access_key' and 'secret_key'");
  }
  return Done{};
}

}  // namespace

Result<Auth> parse_auth(Json auth) {
  Auth out;
  if (auth.is_null_or_missing()) return out;
  const std::string_view type = auth["type"].string_or("");
  bool known = false;
  for (const auto& [name, kind] : kinds) {
    if (name == type) out.kind = kind, known = true;
  }
  if (!known) {
    return bad("has the type '" + std::string(type) +
               "'; header, query, basic, standard_webhooks, oauth2, aws_sigv4 and none are known");
  }
  out.name = auth["name"].string_or("");
  out.value = auth["value"].string_or("");
  out.user = auth["user"].string_or("");
  out.password = auth["password"].string_or("");
  const bool named = out.kind == AuthKind::header || out.kind == AuthKind::query;
  if (named && (out.name.empty() || out.value.empty())) return bad("of this type needs 'name' and 'value'");
  if (out.kind == AuthKind::standard_webhooks && out.value.empty()) {
    return bad("of this type needs 'value': \"{secret.NAME}\"");
  }
  if (out.kind == AuthKind::oauth2) SLUICE_TRY(read_oauth2(auth, out));
  if (out.kind == AuthKind::aws_sigv4) SLUICE_TRY(read_aws(auth, out.aws));
  return out;
}

Status fill_auth(Auth& auth, const Fill& fill) {
  OAuth2& o = auth.oauth2;
  AwsKeys& a = auth.aws;
  for (std::string* text :
       {&auth.value, &auth.user, &auth.password, &o.token_url, &o.client_id, &o.client_secret,
        &o.refresh_token, &o.private_key, &o.key_id, &o.issuer, &o.authorize_url, &o.subject, &o.audience,
        &a.region, &a.service, &a.access_key, &a.secret_key}) {
    *text = SLUICE_TRY(fill(*text));
  }
  for (auto& [name, value] : o.params) value = SLUICE_TRY(fill(value));
  for (auto& [name, value] : o.authorize_params) value = SLUICE_TRY(fill(value));
  for (std::string& scope : o.scopes) scope = SLUICE_TRY(fill(scope));
  // Keys of a user have no session: a field that is left out of `with:` is none.
  Result<std::string> session = fill(a.session_token);
  a.session_token = session ? std::move(session).value() : std::string();
  return Done{};
}

}  // namespace sluice::plugin
