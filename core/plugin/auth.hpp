// A manifest's "auth": how the hub adds credentials to a connector's requests. Values are templates until
// make_http_policy() has filled them: "{config.NAME}" and "{secret.NAME}" stand for fields of `with:`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/result.hpp"

#include "base/json.hpp"

namespace sluice::plugin {

enum class AuthKind : std::uint8_t { none, header, query, basic, standard_webhooks, oauth2, aws_sigv4 };

// authorization_code: a person allows it, in a browser (authorization.hpp); what is kept then goes on by
// itself.
enum class Grant : std::uint8_t { client_credentials, refresh_token, jwt_bearer, authorization_code };

struct OAuth2 {  // RFC 6749, RFC 6750, RFC 7523, RFC 7636
  Grant grant = Grant::client_credentials;
  std::string token_url = {}, client_id = {}, client_secret = {};
  std::string refresh_token = {};                                                       // its grant
  std::string authorize_url = {};                                                       // authorization_code
  std::string private_key = {}, key_id = {}, issuer = {}, subject = {}, audience = {};  // jwt_bearer
  std::vector<std::string> scopes = {};
  std::vector<std::pair<std::string, std::string>> params = {};  // further ones of the token request
  std::vector<std::pair<std::string, std::string>> authorize_params = {};  // ... of the authorization request
  bool client_in_body = false;  // client_id and client_secret as parameters, not as basic authentication
};

struct AwsKeys {  // Signature Version 4
  std::string region = {}, service = {}, access_key = {}, secret_key = {}, session_token = {};
};

struct Auth {
  AuthKind kind = AuthKind::none;
  std::string name = {}, value = {};     // header, query; standard_webhooks: its secret, or none; oauth2:
                                         // the header, with {token} in its value
  std::string user = {}, password = {};  // basic
  OAuth2 oauth2 = {};
  AwsKeys aws = {};
};

Result<Auth> parse_auth(Json auth);  // of the manifest; rejected, with what is wrong [any]

// Fills every template. `fill` fails where a field is missing; only aws.session_token may be.
using Fill = std::function<Result<std::string>(std::string_view text)>;
Status fill_auth(Auth& auth, const Fill& fill);

}  // namespace sluice::plugin
